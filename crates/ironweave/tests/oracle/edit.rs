//! Changes the contents of arcs.

use ironweave::schema::{
    Arc, ChooseFrom, ColumnIx, EventDef, FieldIx, FunctionIx, Hop, NameIx, Path, Source, Take,
};

/// The paths of an arc.
pub fn paths(arc: &mut Arc) -> Vec<&mut Path> {
    match arc {
        Arc::Create { .. } | Arc::Compare { .. } | Arc::Unknown(_) => vec![],
        Arc::Choose { from, .. } => match from {
            ChooseFrom::Place => vec![],
            ChooseFrom::Path(path) => vec![path],
        },
        Arc::Move { path, .. }
        | Arc::Set { path, .. }
        | Arc::Delete { path }
        | Arc::Count { path, .. }
        | Arc::When { path, .. } => vec![path],
        Arc::Link { path, with, .. }
        | Arc::Unlink { path, with, .. }
        | Arc::Relink { path, with, .. }
        | Arc::SetLink { path, with, .. } => vec![path, with],
    }
}

/// Every index of a name in an arc, those of values too.
pub fn roots(arc: &mut Arc, change: &mut dyn FnMut(&mut NameIx)) {
    for path in paths(arc) {
        change(&mut path.root);
    }
    if let Arc::Create { name, .. } | Arc::Choose { name, .. } = arc {
        change(name);
    }
    sources(arc, &mut |source| {
        if let Source::Entity { name, .. } = source {
            change(name);
        }
    });
}

/// Every value in an arc, with those that it is calculated from.
pub fn sources(arc: &mut Arc, change: &mut dyn FnMut(&mut Source)) {
    fn each(source: &mut Source, change: &mut dyn FnMut(&mut Source)) {
        change(source);
        if let Source::Calculated { left, right, .. } = source {
            each(left, change);
            each(right, change);
        }
    }
    whole_sources(arc, &mut |source| each(source, change));
}

/// Every value in an arc, without those that it is calculated from.
pub fn whole_sources(arc: &mut Arc, change: &mut dyn FnMut(&mut Source)) {
    match arc {
        Arc::Create { values, .. } => values.iter_mut().for_each(|v| change(&mut v.source)),
        Arc::Move { data, .. } => data.iter_mut().for_each(|v| change(&mut v.source)),
        Arc::Set { value, .. } => change(&mut value.source),
        Arc::Link { data, .. } | Arc::Relink { data, .. } => data.iter_mut().for_each(change),
        Arc::SetLink { data, .. } => change(data),
        Arc::Count { with, .. } => change(with),
        Arc::Compare { left, right, .. } => {
            change(left);
            change(right);
        }
        Arc::Choose {
            conditions, take, ..
        } => {
            conditions.iter_mut().for_each(|c| change(&mut c.with));
            if let Take::Exactly { number, .. } | Take::UpTo { number, .. } = take {
                change(number);
            }
        }
        Arc::Unlink { .. } | Arc::Delete { .. } | Arc::When { .. } | Arc::Unknown(_) => {}
    }
}

/// Every column in an arc.
pub fn columns(arc: &mut Arc, change: &mut dyn FnMut(&mut ColumnIx)) {
    match arc {
        Arc::Create { values, .. } => values.iter_mut().for_each(|v| change(&mut v.column)),
        Arc::Move { data, .. } => data.iter_mut().for_each(|v| change(&mut v.column)),
        Arc::Set { value, .. } => change(&mut value.column),
        Arc::Choose {
            conditions, order, ..
        } => {
            conditions.iter_mut().for_each(|c| change(&mut c.column));
            order.iter_mut().for_each(|o| change(&mut o.column));
        }
        _ => {}
    }
    sources(arc, &mut |source| {
        if let Source::Entity { column, .. } = source {
            change(column);
        }
    });
}

/// Every hop in an arc.
pub fn hops(arc: &mut Arc, change: &mut dyn FnMut(&mut Hop)) {
    for path in paths(arc) {
        path.hops.iter_mut().for_each(&mut *change);
    }
    match arc {
        Arc::Link { hop, .. }
        | Arc::Unlink { hop, .. }
        | Arc::Relink { hop, .. }
        | Arc::SetLink { hop, .. } => change(hop),
        _ => {}
    }
}

/// Numbers the literals of an event, which follow its fields, and its functions.
pub fn number(def: &mut EventDef) {
    let (mut literal, mut function) = (def.fields.len() as u16, 0);
    let mut next = || {
        function += 1;
        FunctionIx::new(function - 1)
    };
    for arc in &mut def.arcs {
        match arc {
            Arc::Count { function, .. } | Arc::Compare { function, .. } => *function = next(),
            Arc::Choose {
                conditions,
                order,
                take,
                ..
            } => {
                conditions.iter_mut().for_each(|c| c.function = next());
                order.iter_mut().for_each(|o| o.function = next());
                if let Take::Exactly { function, .. } | Take::UpTo { function, .. } = take {
                    *function = next();
                }
            }
            _ => {}
        }
        sources(arc, &mut |source| match source {
            Source::Literal { index, .. } => {
                *index = FieldIx::new(literal);
                literal += 1;
            }
            Source::Calculated { function, .. } => *function = next(),
            _ => {}
        });
    }
    def.order.iter_mut().for_each(|o| o.function = next());
}
