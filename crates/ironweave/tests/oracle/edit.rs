//! Changes the contents of arcs.

use ironweave::schema::{Arc, ColumnIx, Hop, NameIx, Path, Source};

/// The paths of an arc.
pub fn paths(arc: &mut Arc) -> Vec<&mut Path> {
    match arc {
        Arc::Create { .. } | Arc::Unknown(_) => vec![],
        Arc::Count { .. } | Arc::Compare { .. } | Arc::Choose { .. } => {
            unreachable!("no random model has one")
        }
        Arc::Move { path, .. }
        | Arc::Set { path, .. }
        | Arc::Delete { path }
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
    if let Arc::Create { name, .. } = arc {
        change(name);
    }
    sources(arc, &mut |source| {
        if let Source::Entity { name, .. } = source {
            change(name);
        }
    });
}

/// Every value in an arc.
pub fn sources(arc: &mut Arc, change: &mut dyn FnMut(&mut Source)) {
    match arc {
        Arc::Create { values, .. } => values.iter_mut().for_each(|v| change(&mut v.source)),
        Arc::Move { data, .. } => data.iter_mut().for_each(|v| change(&mut v.source)),
        Arc::Set { value, .. } => change(&mut value.source),
        Arc::Link { data, .. } | Arc::Relink { data, .. } => data.iter_mut().for_each(change),
        Arc::SetLink { data, .. } => change(data),
        Arc::Unlink { .. } | Arc::Delete { .. } | Arc::When { .. } | Arc::Unknown(_) => {}
        Arc::Count { .. } | Arc::Compare { .. } | Arc::Choose { .. } => {
            unreachable!("no random model has one")
        }
    }
}

/// Every column in an arc.
pub fn columns(arc: &mut Arc, change: &mut dyn FnMut(&mut ColumnIx)) {
    match arc {
        Arc::Create { values, .. } => values.iter_mut().for_each(|v| change(&mut v.column)),
        Arc::Move { data, .. } => data.iter_mut().for_each(|v| change(&mut v.column)),
        Arc::Set { value, .. } => change(&mut value.column),
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
