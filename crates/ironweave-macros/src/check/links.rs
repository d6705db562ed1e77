//! Checks links in arcs: both ends, the data of the links, and the cardinality of the ends.

use ironweave_schema::{Arc, Cardinality, EdgeIx, EntityIx, Hop, Path};
use proc_macro2::Ident;

use super::events::Scope;
use super::paths::{self, path};
use super::{types, values};
use crate::errors::Errors;
use crate::parse::ast;

/// `path.edge`, and the path at its other end, as written.
type Ends<'a> = (&'a ast::Path, &'a Ident, &'a ast::Path);

/// Resolves `link`, `unlink` and `relink`.
pub fn link(
    scope: &mut Scope<'_>,
    kind: ast::LinkKind,
    ends: Ends<'_>,
    data: Option<&ast::Assign>,
    errors: &mut Errors,
) -> Option<Arc> {
    let (_, edge, _) = ends;
    let (path, hop, with) = both_ends(scope, ends, errors)?;
    let resolved = scope.resolved;
    if kind != ast::LinkKind::Unlink {
        holds_all(scope, ends, (&path, hop, &with), errors)?;
    }
    let ty = resolved.edges[hop.edge].data.as_ref();
    let word = kind.word();
    let data = match (ty, data) {
        (Some(_), Some(data)) if kind == ast::LinkKind::Unlink => {
            errors.at(
                &data.name,
                "`unlink` takes no data: the data of a link is removed with the link",
            );
            return None;
        }
        (Some(ty), Some(data)) => Some(values::source(scope, ty, &data.name, &data.value, errors)?),
        (None, None) => None,
        (Some(_), None) if kind == ast::LinkKind::Unlink => None,
        (Some(ty), None) => {
            let ty = types::text(ty);
            errors.at(
                edge,
                format!(
                    "a link of `{edge}` has data (`{ty}`): write `{word}(.. {{ data = value }})`, \
                     or `{{ data }}` for a field of the event of that name"
                ),
            );
            return None;
        }
        (None, Some(data)) => {
            errors.at(
                &data.name,
                format!("links of `{edge}` have no data: add `#[edge(data = T)]` to it"),
            );
            return None;
        }
    };
    Some(match kind {
        ast::LinkKind::Link => Arc::Link {
            path,
            hop,
            with,
            data,
        },
        ast::LinkKind::Relink => Arc::Relink {
            path,
            hop,
            with,
            data,
        },
        ast::LinkKind::Unlink => Arc::Unlink { path, hop, with },
    })
}

/// Resolves `set(path.edge[path] = value)`.
pub fn set_link(
    scope: &mut Scope<'_>,
    ends: Ends<'_>,
    value: &ast::Value,
    errors: &mut Errors,
) -> Option<Arc> {
    let (_, edge, _) = ends;
    let (path, hop, with) = both_ends(scope, ends, errors)?;
    let resolved = scope.resolved;
    let Some(ty) = &resolved.edges[hop.edge].data else {
        errors.at(
            edge,
            format!("links of `{edge}` have no data: add `#[edge(data = T)]` to it"),
        );
        return None;
    };
    let data = values::source(scope, ty, edge, value, errors)?;
    Some(Arc::SetLink {
        path,
        hop,
        with,
        data,
    })
}

/// Resolves both ends of links, and the edge between them.
fn both_ends(
    scope: &Scope<'_>,
    (near, edge, with): Ends<'_>,
    errors: &mut Errors,
) -> Option<(Path, Hop, Path)> {
    let near = path(scope, near, errors);
    let far = path(scope, with, errors);
    let near = near?;
    let (hop, other, _) = paths::hop(scope.resolved, near.entity, edge, errors)?;
    let far = far?;
    if far.entity != other {
        let name = |entity: EntityIx| &scope.resolved.entities[entity].name;
        errors.at(
            with.last(),
            format!(
                "`{}.{edge}` leads to `{}`, but `{with}` is a `{}`",
                name(near.entity),
                name(other),
                name(far.entity)
            ),
        );
        return None;
    }
    Some((near.path, hop, far.path))
}

/// Refuses a `Vec` of the event at an end that holds at most one. If a path leads over an edge to many, the number of
/// entities is known only at run time, and an event that finds several rejects.
fn holds_all(
    scope: &Scope<'_>,
    (near, _, far): Ends<'_>,
    (path, hop, with): (&Path, Hop, &Path),
    errors: &mut Errors,
) -> Option<()> {
    let def = &scope.resolved.schema[hop.edge];
    let sides = [(hop.forward, with, far), (!hop.forward, path, near)];
    for (forward, path, written) in sides {
        let (name, end) = (&scope.def[path.root], def.near(forward));
        let many = path.hops.is_empty() && name.count == Cardinality::Many;
        if end.cardinality == Cardinality::Many || !many {
            continue;
        }
        let entities = &scope.resolved.entities;
        let (owner, other) = (&entities[end.entity].name, &entities[name.entity].name);
        let end = scope.resolved.edges[hop.edge].near(forward);
        errors.at(
            &written.root,
            format!(
                "`{owner}.{end}` holds at most one, but `{written}` can be many: bind one, as \
                 `pub {written}: {other}` or `Option<{other}>`, or make the edge `pub {end}: Many<{other}>`"
            ),
        );
        return None;
    }
    Some(())
}

/// Reports two arcs that link an end that holds at most one with two entities. Both lists are of the same arcs.
pub fn together(scope: &Scope<'_>, written: &[&ast::Arc], arcs: &[Arc], errors: &mut Errors) {
    let is_one =
        |path: &Path| path.hops.is_empty() && scope.def[path.root].count == Cardinality::One;
    // For each link: the end, the entity at that end, and the entity at the other end.
    let mut seen: Vec<(EdgeIx, bool, &Path, &Path)> = Vec::new();
    for (written, arc) in written.iter().zip(arcs) {
        let (
            ast::Arc::Link { edge: at, .. },
            Arc::Link {
                path, hop, with, ..
            }
            | Arc::Relink {
                path, hop, with, ..
            },
        ) = (*written, arc)
        else {
            continue;
        };
        if !is_one(path) || !is_one(with) {
            continue;
        }
        let def = &scope.resolved.schema[hop.edge];
        let ends = [(hop.forward, path, with), (!hop.forward, with, path)];
        for (forward, here, other) in ends {
            let end = def.near(forward);
            if end.cardinality == Cardinality::Many {
                continue;
            }
            let clash = |(edge, side, at, with): &(EdgeIx, bool, &Path, &Path)| {
                (*edge, *side, *at) == (hop.edge, forward, here) && *with != other
            };
            if seen.iter().any(clash) {
                let end = scope.resolved.edges[hop.edge].near(forward);
                let name = &scope.names[here.root].name;
                errors.at(
                    at,
                    format!(
                        "`{name}.{end}` holds at most one and is linked twice by `{}`: remove one of the two",
                        scope.event
                    ),
                );
            }
            seen.push((hop.edge, forward, here, other));
        }
    }
}
