//! Random schemas: entities, their states and fields, edges, invariants. Everything that the macro takes can come.

use ironweave::schema::{
    Cardinality, ColumnDef, ColumnIx, EdgeDef, EdgeIx, EndDef, EntityDef, EntityIx, Hop, IndexKind,
    InvariantDef, OnDelete, Schema, StateDef, StateIx, TransitionDef,
};

use crate::indexes;
use crate::model::INVARIANTS_MAX;
use crate::rng::Rng;
use crate::values::{Rule, Ty, ty};
use crate::world::{columns, far};

/// A type, mostly one of those with a simple encoding.
fn draw_type(rng: &mut Rng) -> Ty {
    const OFTEN: [Ty; 10] = [
        Ty::U,
        Ty::U,
        Ty::U,
        Ty::S,
        Ty::S,
        Ty::O,
        Ty::T,
        Ty::T,
        Ty::M,
        Ty::D,
    ];
    OFTEN[rng.below(OFTEN.len())]
}

/// A model, without events.
pub fn draw(rng: &mut Rng) -> Schema {
    let mut schema = Schema {
        name: "random".into(),
        ..Schema::default()
    };
    let entities = 1 + rng.below(4) + if rng.chance(15) { rng.below(3) } else { 0 };
    let keyed = rng.below(entities + 1);
    for entity in 0..entities {
        let def = draw_entity(rng, entity);
        schema.entities.push(def);
        if entity < keyed {
            draw_key(rng, &mut schema, EntityIx::new(entity as u16));
        }
    }
    for entity in EntityIx::all(entities) {
        draw_fields(rng, &mut schema, entity);
    }
    for _ in 0..rng.below(2 * entities + 1) + usize::from(rng.chance(70)) {
        draw_edge(rng, &mut schema);
    }
    indexes::draw(rng, &mut schema);
    for _ in 0..rng.below(INVARIANTS_MAX + 1) {
        draw_invariant(rng, &mut schema);
    }
    schema
}

fn draw_entity(rng: &mut Rng, entity: usize) -> EntityDef {
    let states = 1 + rng.below(5);
    let state = |rng: &mut Rng, s: usize| {
        let mut to: Vec<u8> = (0..states as u8).filter(|_| rng.chance(35)).collect();
        if states > 1 && rng.chance(80) {
            to.push(((s + 1) % states) as u8);
        }
        to.sort_unstable();
        to.dedup();
        let verb = |to: u8| TransitionDef {
            to: StateIx::new(to),
            verb: format!("to_s{to}"),
            ..TransitionDef::default()
        };
        StateDef {
            name: format!("S{s}"),
            terminal: to.is_empty(),
            to: to.into_iter().map(verb).collect(),
            ..StateDef::default()
        }
    };
    EntityDef {
        name: format!("E{entity}"),
        states: (0..states).map(|s| state(rng, s)).collect(),
        initial: if rng.chance(80) {
            StateIx::default()
        } else {
            StateIx::new(rng.below(states) as u8)
        },
        ..EntityDef::default()
    }
}

fn field(entity: EntityIx, name: &str, ty: Ty) -> ColumnDef {
    ColumnDef {
        entity,
        name: name.into(),
        ty: ty.name().into(),
        ..ColumnDef::default()
    }
}

/// The first two columns of an entity with a key, which stand at 2e and 2e + 1.
fn draw_key(rng: &mut Rng, schema: &mut Schema, entity: EntityIx) {
    let (mut first, mut second) = match rng.below(3) {
        0 => (field(entity, "k0", Ty::U), draw_field(rng, entity, "k1")),
        1 => (field(entity, "k0", Ty::S), draw_field(rng, entity, "k1")),
        _ => (field(entity, "k0", Ty::U), field(entity, "k1", Ty::S)),
    };
    first.key = true;
    if second.ty == "String" && first.ty == "u64" {
        second = ColumnDef {
            key: true,
            index: None,
            default: None,
            ..second
        };
    }
    schema.columns.extend([first, second]);
}

fn draw_field(rng: &mut Rng, entity: EntityIx, name: &str) -> ColumnDef {
    let ty = draw_type(rng);
    let defaulted = match ty {
        Ty::O | Ty::M => true,
        Ty::T => false,
        Ty::U | Ty::S | Ty::D => rng.chance(60),
    };
    ColumnDef {
        index: match rng.below(10) {
            0..=2 => Some(IndexKind::Equal),
            3..=5 => Some(IndexKind::Ordered),
            _ => None,
        },
        default: defaulted.then(|| "1".into()),
        ..field(entity, name, ty)
    }
}

fn draw_fields(rng: &mut Rng, schema: &mut Schema, entity: EntityIx) {
    for i in 0..rng.below(4) {
        let field = draw_field(rng, entity, &format!("v{i}"));
        schema.columns.push(field);
    }
    let def = &schema.entities[usize::from(entity)];
    for state in StateIx::all(def.states.len()) {
        let most = if state == def.initial { 1 } else { 2 };
        for i in 0..rng.below(3).min(most) {
            if state == def.initial && rng.chance(75) {
                continue;
            }
            let ty = draw_type(rng);
            schema.columns.push(ColumnDef {
                state: Some(state),
                ..field(entity, &format!("d{i}"), ty)
            });
        }
    }
}

fn draw_end(rng: &mut Rng, entity: EntityIx, name: String, declaring: bool) -> EndDef {
    use Cardinality::{Many, One, Option};
    let cardinality = match rng.below(100) {
        0..=9 => One,
        10..=34 => Option,
        _ => Many,
    };
    let (min, max) = match cardinality {
        One => (1, Some(1)),
        Option => (0, Some(1)),
        Many => {
            let min = if rng.chance(8) { 1 } else { 0 };
            let max = rng.chance(15).then(|| 1 + min + rng.below(4) as u32);
            (min, max)
        }
    };
    let on_delete = match rng.below(20) {
        0..=7 if declaring => OnDelete::Unlink,
        0..=5 => OnDelete::Restrict,
        6..=13 => OnDelete::Unlink,
        _ => OnDelete::Cascade,
    };
    EndDef {
        entity,
        name,
        cardinality,
        min,
        max,
        on_delete,
        counted: cardinality == Many && rng.chance(25),
        ..EndDef::default()
    }
}

fn draw_edge(rng: &mut Rng, schema: &mut Schema) {
    let n = schema.entities.len();
    let from = EntityIx::new(rng.below(n) as u16);
    let to = if rng.chance(25) {
        from
    } else {
        EntityIx::new(rng.below(n) as u16)
    };
    let number = schema.edges.len();
    let mut edge = EdgeDef {
        from: draw_end(rng, from, format!("x{number}"), true),
        to: draw_end(rng, to, format!("y{number}"), false),
        data: rng.chance(30).then(|| draw_type(rng).name().into()),
        acyclic: from == to && rng.chance(60),
        ..EdgeDef::default()
    };
    // Such that one entity can come after the other.
    if from == to || edge.to.min > 0 {
        let end = &mut edge.from;
        if end.cardinality == Cardinality::One {
            end.cardinality = Cardinality::Option;
        }
        end.min = 0;
    }
    if from == to {
        let end = &mut edge.to;
        if end.cardinality == Cardinality::One {
            end.cardinality = Cardinality::Option;
        }
        end.min = 0;
    }
    schema.edges.push(edge);
}

/// The ends of edges at an entity, as hops from it.
pub fn hops(schema: &Schema, entity: EntityIx) -> Vec<Hop> {
    let mut hops = Vec::new();
    for (edge, def) in schema.edges.iter().enumerate() {
        for (forward, end) in [(true, &def.from), (false, &def.to)] {
            if end.entity == entity {
                let edge = EdgeIx::new(edge as u16);
                hops.push(Hop { edge, forward });
            }
        }
    }
    hops
}

fn draw_invariant(rng: &mut Rng, schema: &mut Schema) {
    let entity = EntityIx::new(rng.below(schema.entities.len()) as u16);
    let states = |e: EntityIx| schema.entities[usize::from(e)].states.len();
    let own = 1 + rng.below((1 << states(entity)) - 1) as u64;
    let hop = rng.pick(&hops(schema, entity)).copied();
    let numbers: Vec<ColumnIx> = columns(schema, entity, None)
        .into_iter()
        .filter(|c| ty(&schema.columns[usize::from(*c)].ty) == Ty::U)
        .collect();
    let number = rng.pick(&numbers).copied();
    let (rule, via) = match (rng.below(4), hop, number) {
        (0, _, Some(column)) => (Rule::Below(column, 70_000), vec![]),
        (1, Some(hop), _) => (Rule::Links(own, hop, 1 + rng.below(3)), vec![]),
        (_, Some(hop), _) => {
            let all = (1 << states(far(schema, hop))) - 1;
            // Most states will do, so that it mostly holds.
            let will_do = all & !(1 << rng.below(states(far(schema, hop))));
            (Rule::Far(own, hop, rng.chance(80), will_do), vec![hop])
        }
        _ => return,
    };
    schema.invariants.push(InvariantDef {
        name: format!("I{}", schema.invariants.len()),
        entity,
        via,
        check: rule.text(),
        ..InvariantDef::default()
    });
}
