//! Removes parts of a model, and the parts of a history that need them.

use ironweave::schema::{
    Arc, BindBy, ColumnIx, EdgeIx, EntityIx, EventIx, FieldIx, Hop, IndexPart, NameIx, Source,
};

use crate::edit;
use crate::history::{Case, Op, Step};
use crate::model::Field;
use crate::rules::Fire;
use crate::values::{Guard, Rule};

/// Keeps the firings for which `keep` says so; it may change them.
fn firings(case: &mut Case, keep: &mut dyn FnMut(&mut Fire) -> bool) {
    for step in &mut case.steps {
        if let Step::Tx(ops, _) = step {
            ops.retain_mut(|op| match op {
                Op::Fire(fire) => keep(fire),
                _ => true,
            });
        }
    }
}

/// The order of an immediate event.
pub fn order(case: &mut Case, event: usize) {
    case.schema.events[event].order = None;
    renumber(case, event);
}

fn renumber(case: &mut Case, event: usize) {
    edit::number(&mut case.schema.events[event]);
}

pub fn event(case: &mut Case, event: usize) {
    case.schema.events.remove(event);
    firings(case, &mut |fire| {
        let keep = usize::from(fire.event) != event;
        if usize::from(fire.event) > event {
            fire.event = EventIx::new(fire.event.get() - 1);
        }
        keep
    });
}

/// An arc that creates nothing.
pub fn arc(case: &mut Case, event: usize, arc: usize) -> bool {
    let immediate = case.schema.events[event].immediate;
    let arcs = &mut case.schema.events[event].arcs;
    match &arcs[arc] {
        Arc::Create { .. } | Arc::Choose { .. } => return false,
        // An immediate event moves its entity.
        Arc::Move { path, .. }
            if immediate && path.root == NameIx::default() && path.hops.is_empty() =>
        {
            return false;
        }
        _ => {}
    }
    arcs.remove(arc);
    renumber(case, event);
    true
}

/// A name that no arc needs but the one that creates it.
pub fn name(case: &mut Case, event: usize, name: usize) -> bool {
    let def = &mut case.schema.events[event];
    if def.immediate && name == 0 || !def.guards.is_empty() {
        return false;
    }
    let at = NameIx::new(name as u16);
    if matches!(def.names[name].by, BindBy::Created | BindBy::Chosen) {
        let binds = |arc: &Arc| matches!(arc, Arc::Create { name, .. } | Arc::Choose { name, .. } if *name == at);
        def.arcs.retain(|arc| !binds(arc));
    }
    let mut used = false;
    for arc in &mut def.arcs {
        edit::roots(arc, &mut |root| used |= *root == at);
    }
    if used {
        return false;
    }
    for arc in &mut def.arcs {
        edit::roots(arc, &mut |root| {
            if *root > at {
                *root = NameIx::new(root.get() - 1);
            }
        });
    }
    let gone = def.names.remove(name);
    let field = def.fields.iter().position(|f| f.name == gone.name);
    if let Some(field) = field {
        take_field(case, event, field);
    }
    renumber(case, event);
    true
}

/// A field that is a value and that no arc needs.
pub fn field(case: &mut Case, event: usize, field: usize) -> bool {
    let def = &mut case.schema.events[event];
    let mut used = def.names.iter().any(|n| n.name == def.fields[field].name);
    used |= def
        .guards
        .iter()
        .any(|g| matches!(Guard::read(g), Guard::NotTwo(_)));
    for arc in &mut def.arcs {
        edit::sources(arc, &mut |s| {
            used |= *s == Source::Field(FieldIx::new(field as u16))
        });
    }
    if !used {
        take_field(case, event, field);
        renumber(case, event);
    }
    !used
}

fn take_field(case: &mut Case, event: usize, field: usize) {
    let def = &mut case.schema.events[event];
    def.fields.remove(field);
    for arc in &mut def.arcs {
        edit::sources(arc, &mut |source| {
            if let Source::Field(at) = source
                && usize::from(*at) > field
            {
                *at = FieldIx::new(at.get() - 1);
            }
        });
    }
    firings(case, &mut |fire| {
        if usize::from(fire.event) == event {
            let _: Field = fire.fields.remove(field);
        }
        true
    });
}

/// An edge, with every arc, guard and invariant that goes over it.
pub fn edge(case: &mut Case, edge: EdgeIx) {
    case.schema.edges.remove(usize::from(edge));
    let shift = |hop: &mut Hop| {
        if hop.edge > edge {
            hop.edge = EdgeIx::new(hop.edge.get() - 1);
        }
    };
    for event in 0..case.schema.events.len() {
        let def = &mut case.schema.events[event];
        def.arcs.retain_mut(|arc| {
            let mut over = false;
            edit::hops(arc, &mut |hop| over |= hop.edge == edge);
            !over
        });
        def.arcs
            .iter_mut()
            .for_each(|arc| edit::hops(arc, &mut |hop| shift(hop)));
        def.guards.retain_mut(|text| match Guard::read(text) {
            Guard::Links(name, mut hop, max) => {
                let stays = hop.edge != edge;
                shift(&mut hop);
                *text = Guard::Links(name, hop, max).text();
                stays
            }
            Guard::NotTwo(_) => true,
        });
        renumber(case, event);
    }
    case.schema.indexes.retain_mut(|index| {
        index.parts.iter_mut().all(|part| match part {
            IndexPart::End(hop) => {
                let stays = hop.edge != edge;
                shift(hop);
                stays
            }
            IndexPart::Column(_) => true,
        })
    });
    case.schema.invariants.retain_mut(|def| {
        let mut rule = Rule::read(&def.check);
        let stays = match &mut rule {
            Rule::Below(..) => true,
            Rule::Links(_, hop, _) | Rule::Far(_, hop, ..) => {
                let stays = hop.edge != edge;
                shift(hop);
                stays
            }
        };
        def.via.iter_mut().for_each(shift);
        def.check = rule.text();
        stays
    });
}

/// The data of an edge.
pub fn data(case: &mut Case, edge: EdgeIx) {
    case.schema.edges[usize::from(edge)].data = None;
    for event in 0..case.schema.events.len() {
        let arcs = &mut case.schema.events[event].arcs;
        arcs.retain(|arc| !matches!(arc, Arc::SetLink { hop, .. } if hop.edge == edge));
        for arc in arcs {
            if let Arc::Link { hop, data, .. } | Arc::Relink { hop, data, .. } = arc
                && hop.edge == edge
            {
                *data = None;
            }
        }
        renumber(case, event);
    }
}

/// A column that is neither a key nor stands at the place of one.
pub fn column(case: &mut Case, column: ColumnIx) -> bool {
    let keyed = (case.schema.columns.iter().enumerate())
        .filter(|(_, c)| c.key)
        .map(|(_, c)| 2 * c.entity.get() + 2)
        .max();
    if column.get() < keyed.unwrap_or(0) {
        return false;
    }
    take_column(case, column);
    true
}

fn take_column(case: &mut Case, column: ColumnIx) {
    case.schema.columns.remove(usize::from(column));
    let shift = |c: &mut ColumnIx| *c = ColumnIx::new(c.get() - u16::from(*c > column));
    case.schema.indexes.retain_mut(|index| {
        index.parts.iter_mut().all(|part| match part {
            IndexPart::Column(c) => {
                let stays = *c != column;
                shift(c);
                stays
            }
            IndexPart::End(_) => true,
        })
    });
    for def in &mut case.schema.events {
        def.due = def.due.take().filter(|due| due.column != column);
        def.due.iter_mut().for_each(|due| shift(&mut due.column));
        def.order = def.order.filter(|order| order.column != column);
        def.order
            .iter_mut()
            .for_each(|order| shift(&mut order.column));
    }
    for event in 0..case.schema.events.len() {
        let arcs = &mut case.schema.events[event].arcs;
        arcs.retain_mut(|arc| match arc {
            Arc::Set { value, .. } => value.column != column,
            // Which type a literal has would not be known.
            Arc::Compare { left, right, .. } => !reads(left, column) && !reads(right, column),
            Arc::Choose {
                conditions, order, ..
            } => {
                conditions.retain(|c| c.column != column);
                order.retain(|o| o.column != column);
                true
            }
            _ => true,
        });
        for arc in arcs {
            if let Arc::Create { values: list, .. } | Arc::Move { data: list, .. } = arc {
                list.retain(|a| a.column != column);
            }
            edit::whole_sources(arc, &mut |source| {
                if reads(source, column) {
                    let (index, text) = (FieldIx::default(), "0".into());
                    *source = Source::Literal { index, text };
                }
            });
            edit::columns(arc, &mut |c| {
                if *c > column {
                    *c = ColumnIx::new(c.get() - 1);
                }
            });
        }
        renumber(case, event);
    }
    case.schema
        .invariants
        .retain_mut(|def| match Rule::read(&def.check) {
            Rule::Below(c, limit) => {
                def.check =
                    Rule::Below(ColumnIx::new(c.get() - u16::from(c > column)), limit).text();
                c != column
            }
            _ => true,
        });
}

/// Whether a value is, or is calculated from, one of a column.
fn reads(source: &Source, column: ColumnIx) -> bool {
    match source {
        Source::Entity { column: c, .. } => *c == column,
        Source::Calculated { left, right, .. } => reads(left, column) || reads(right, column),
        _ => false,
    }
}

/// An entity type that nothing needs.
pub fn entity(case: &mut Case, entity: EntityIx) -> bool {
    let schema = &case.schema;
    let used = (schema.edges.iter()).any(|e| e.from.entity == entity || e.to.entity == entity)
        || schema
            .events
            .iter()
            .any(|e| e.names.iter().any(|n| n.entity == entity))
        || schema.invariants.iter().any(|i| i.entity == entity)
        || schema.indexes.iter().any(|i| i.entity >= entity);
    if used {
        return false;
    }
    for column in ColumnIx::all(case.schema.columns.len()).rev() {
        if case.schema.columns[usize::from(column)].entity == entity {
            take_column(case, column);
        }
    }
    let schema = &mut case.schema;
    schema.entities.remove(usize::from(entity));
    let shift = |e: &mut EntityIx| *e = EntityIx::new(e.get() - u16::from(*e > entity));
    schema.columns.iter_mut().for_each(|c| shift(&mut c.entity));
    for edge in &mut schema.edges {
        shift(&mut edge.from.entity);
        shift(&mut edge.to.entity);
    }
    schema
        .events
        .iter_mut()
        .flat_map(|e| &mut e.names)
        .for_each(|n| shift(&mut n.entity));
    schema
        .invariants
        .iter_mut()
        .for_each(|i| shift(&mut i.entity));
    true
}
