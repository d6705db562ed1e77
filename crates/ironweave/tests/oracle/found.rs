//! Histories that once failed, as the oracle printed them.

use ironweave::schema::*;

use ironweave::schema::{EntityIx, EventIx, NameIx, StateIx};

use crate::driver::run;
use crate::history::{Case, End, Op, Step};
use crate::model::Field;
use crate::rules::Fire;
use crate::values::Val;

/// Runs a history that was printed, on a plain store, on one that interprets all arcs and on one that is paranoid.
pub fn replay(schema: Schema, steps: Vec<Step>, files: bool) {
    for (paranoid, interpreted) in [(false, false), (false, true), (true, false)] {
        let case = Case {
            schema: schema.clone(),
            steps: steps.clone(),
            files,
            paranoid,
            interpreted,
        };
        if let Err(e) = run(&case) {
            panic!("step {}: {}: {}", e.step, e.kind, e.text);
        }
    }
}

/// An entity type without fields, with states that each lead to all.
fn entity(number: usize, states: u8) -> EntityDef {
    let all = (0..states).map(|to| TransitionDef {
        to: StateIx::new(to),
        verb: format!("to_s{to}"),
        ..TransitionDef::default()
    });
    let state = |s: u8| StateDef {
        name: format!("S{s}"),
        terminal: false,
        to: all.clone().collect(),
        ..StateDef::default()
    };
    EntityDef {
        name: format!("E{number}"),
        states: (0..states).map(state).collect(),
        ..EntityDef::default()
    }
}

fn created(entity: u16, at: usize) -> NameDef {
    NameDef {
        name: format!("c{at}"),
        entity: EntityIx::new(entity),
        count: Cardinality::One,
        by: BindBy::Created,
        ..NameDef::default()
    }
}

fn moved(scope: Scope, root: u16, from: &[u8], to: u8) -> Arc {
    Arc::Move {
        scope,
        path: Path {
            root: NameIx::new(root),
            hops: vec![],
        },
        from: from.iter().copied().map(StateIx::new).collect(),
        to: StateIx::new(to),
        data: vec![],
    }
}

fn event(name: &str, names: Vec<NameDef>, arcs: Vec<Arc>) -> EventDef {
    let immediate = names[0].by == BindBy::Handle;
    EventDef {
        name: name.into(),
        immediate,
        fields: (names.iter().filter(|n| n.by != BindBy::Created))
            .map(|n| EventFieldDef {
                name: n.name.clone(),
                ty: format!("E{}", n.entity),
                ..EventFieldDef::default()
            })
            .collect(),
        names,
        arcs,
        ..EventDef::default()
    }
}

fn own(entity: u16) -> NameDef {
    NameDef {
        name: "n0".into(),
        entity: EntityIx::new(entity),
        count: Cardinality::One,
        by: BindBy::Handle,
        ..NameDef::default()
    }
}

fn create(name: u16) -> Arc {
    Arc::Create {
        name: NameIx::new(name),
        state: StateIx::default(),
        values: vec![],
    }
}

fn fire(event: u16) -> Step {
    Step::Tx(
        vec![Op::Fire(Fire {
            event: EventIx::new(event),
            fields: vec![],
        })],
        End::Commit,
    )
}

/// Seed 365: the source states of what an immediate event creates were taken for its own.
#[test]
fn the_state_of_a_created_entity_is_no_condition_of_an_immediate_event() {
    let schema = Schema {
        name: "random".into(),
        entities: vec![entity(0, 2), entity(1, 3)],
        events: vec![
            event("Begun", vec![created(1, 0)], vec![create(0)]),
            event(
                "Follows",
                vec![own(1), created(0, 0)],
                vec![
                    create(1),
                    moved(Scope::Each, 0, &[0], 2),
                    moved(Scope::Each, 1, &[0], 1),
                ],
            ),
            // Enabled in state 0 of its own; it creates what is in state 0, which is not state 2.
            event(
                "Refused",
                vec![own(1), created(0, 0)],
                vec![
                    create(1),
                    moved(Scope::Each, 0, &[2], 1),
                    moved(Scope::Each, 1, &[1], 0),
                ],
            ),
        ],
        ..Schema::default()
    };
    replay(schema, vec![fire(0), Step::Reopen], false);
}

/// It was enabled wherever its entity was, and fired until it was taken for a loop.
#[test]
fn an_immediate_event_that_moves_those_is_enabled_where_it_moves_its_own() {
    let schema = Schema {
        name: "random".into(),
        entities: vec![entity(0, 4)],
        events: vec![
            event("Begun", vec![created(0, 0)], vec![create(0)]),
            event(
                "Follows",
                vec![own(0)],
                vec![
                    moved(Scope::Those, 0, &[0], 1),
                    moved(Scope::Those, 0, &[1, 2], 3),
                ],
            ),
        ],
        ..Schema::default()
    };
    replay(schema, vec![fire(0), fire(0), Step::Reopen], false);
}

/// Seed 1171: after the rollback of a new entity that was linked with itself twice, the next event panicked.
#[test]
fn a_link_that_a_rolled_back_event_added_again_is_forgotten() {
    let end = |name: &str, cardinality| EndDef {
        entity: EntityIx::default(),
        name: name.into(),
        cardinality,
        ..EndDef::default()
    };
    let schema = Schema {
        name: "random".into(),
        entities: vec![entity(0, 1)],
        edges: vec![EdgeDef {
            from: end("x0", Cardinality::Option),
            to: end("y0", Cardinality::Many),
            acyclic: true,
            ..EdgeDef::default()
        }],
        events: vec![crate::handler::event(0)],
        ..Schema::default()
    };
    // It creates an entity, links it with itself, unlinks it and links it again.
    let calls = |calls: &str| {
        let fields = vec![Field::Value(Val::S(calls.into()))];
        let event = EventIx::default();
        Step::Tx(vec![Op::Fire(Fire { event, fields })], End::Commit)
    };
    let cycle = "0 0;2 0 0 1 0 1 0;3 0 0 1 0 1 0;2 0 0 1 0 1 0";
    replay(schema, vec![calls(cycle), calls(""), Step::Reopen], false);
}
