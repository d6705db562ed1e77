//! Pairs each declaring end with its inverse; the two are one edge.

use std::collections::BTreeSet;

use ironweave_schema::{Cardinality, EdgeDef, EdgeIx, EndDef, EntityIx, OnDelete};
use proc_macro2::Ident;
use quote::format_ident;

use super::entities::{EndOptions, default_text, expect};
use super::model::{Edge, Entity, Field, FieldKind, Resolved};
use super::names::{plain, snake};
use super::table::{Ix as _, Table};
use super::types::text;
use crate::errors::{Errors, did_you_mean};

/// An end of an edge as written, before it is paired with its other end.
pub struct Written {
    /// The entity whose field it is.
    pub entity: EntityIx,
    /// The number of the field there.
    pub field: usize,
    /// Its name.
    pub name: Ident,
    /// The entity at the other end.
    pub other: EntityIx,
    /// Its cardinality.
    pub cardinality: Cardinality,
    /// Its options.
    pub options: EndOptions,
    /// The declaring end that it names, if it is an inverse.
    pub inverse: Option<(Ident, Ident)>,
    /// Whether it has an `#[inverse(..)]` that could not be parsed, which was reported.
    pub unread: bool,
    /// Its former names.
    pub renamed: Vec<String>,
}

impl Written {
    fn end(&self) -> EndDef {
        EndDef {
            entity: self.entity,
            name: plain(&self.name),
            cardinality: self.cardinality,
            min: self.options.min,
            max: self.options.max,
            on_delete: self.options.on_delete,
            counted: self.options.counted,
            renamed: self.renamed.clone(),
            ..EndDef::default()
        }
    }
}

/// Finds the inverse of each declaring end, and builds the edges. The `excused` ends are named by inverses
/// that were reported already, so that no missing inverse is reported for them.
pub fn pair(
    ends: &[Written],
    mut excused: BTreeSet<(String, String)>,
    resolved: &mut Resolved,
    errors: &mut Errors,
) {
    let mut inverses: Vec<Option<usize>> = vec![None; ends.len()];
    let mut excused_pairs = BTreeSet::new();
    for (number, end) in ends.iter().enumerate() {
        if end.unread {
            excused_pairs.insert((end.other, end.entity));
            continue;
        }
        let Some(declaring) = declaring(end, ends, &resolved.entities, errors) else {
            if let Some((entity, field)) = &end.inverse {
                excused_pairs.insert((end.other, end.entity));
                excused.insert((plain(entity), plain(field)));
            }
            continue;
        };
        if let Some(first) = inverses[declaring] {
            let (first, field) = (&ends[first].name, &ends[declaring].name);
            let of = &resolved.entities[ends[declaring].entity].name;
            errors.at(
                &end.name,
                format!(
                    "`{of}::{field}` has an inverse already, `{first}`: an edge has exactly one inverse, so remove one of the two"
                ),
            );
            continue;
        }
        inverses[declaring] = Some(number);
    }
    for (number, end) in ends.iter().enumerate() {
        if end.inverse.is_some() || end.unread {
            continue;
        }
        let edge = EdgeIx::at(resolved.edges.len());
        let (to_name, to) = match inverses[number] {
            Some(inverse) => {
                let inverse = &ends[inverse];
                can_begin(end, inverse, &resolved.entities, errors);
                set_edge(&mut resolved.entities, inverse, edge);
                (inverse.name.clone(), inverse.end())
            }
            None => {
                let name = suggest(end, ends, &resolved.entities);
                let owner = plain(&resolved.entities[end.entity].name);
                if !excused_pairs.contains(&(end.entity, end.other))
                    && !excused.contains(&(owner, plain(&end.name)))
                {
                    let (from, other) = (
                        &resolved.entities[end.entity].name,
                        &resolved.entities[end.other].name,
                    );
                    let field = &end.name;
                    let add = format!(
                        "add to `{other}` the line `#[inverse({from}::{field})] pub {name}: Many<{from}>,` \
                         (`Option<{from}>` for at most one, `{from}` for exactly one)"
                    );
                    // The other end is often declared, and only its attribute is missing.
                    let mut back = ends.iter().enumerate().filter(|(at, back)| {
                        let leads_back = back.entity == end.other && back.other == end.entity;
                        let single = back.inverse.is_none() && inverses[*at].is_none();
                        leads_back && single && *at != number && !back.unread
                    });
                    let add = match (back.next(), back.next()) {
                        (Some((_, back)), None) => format!(
                            "if `{other}::{}` is its other end, write `#[inverse({from}::{field})]` before that field; \
                             otherwise {add}",
                            back.name
                        ),
                        _ => add,
                    };
                    errors.at(
                        field,
                        format!("the edge `{from}::{field}` has no inverse: {add}"),
                    );
                }
                let def = EndDef {
                    entity: end.other,
                    name: plain(&name),
                    cardinality: Cardinality::Many,
                    on_delete: OnDelete::Restrict,
                    ..EndDef::default()
                };
                (name, def)
            }
        };
        set_edge(&mut resolved.entities, end, edge);
        resolved.schema.edges.push(EdgeDef {
            from: end.end(),
            to,
            data: end.options.data.as_ref().map(text),
            default: end.options.default.as_ref().map(default_text),
            acyclic: end.options.acyclic,
            ..EdgeDef::default()
        });
        resolved.edges.push(Edge {
            from: end.name.clone(),
            to: to_name,
            data: end.options.data.clone(),
            default: end.options.default.clone(),
        });
    }
}

/// Refuses edges for which no first entity could be created: exactly one at both ends, or at least one on an
/// acyclic edge.
fn can_begin(
    end: &Written,
    inverse: &Written,
    entities: &Table<EntityIx, Entity>,
    errors: &mut Errors,
) {
    let name = |end: &Written| entities[end.entity].name.clone();
    if (end.cardinality, inverse.cardinality) == (Cardinality::One, Cardinality::One) {
        let (from, to) = (name(end), name(inverse));
        let (field, back) = (&end.name, &inverse.name);
        errors.at(
            field,
            format!(
                "`{from}::{field}` and `{to}::{back}` are exactly one at both ends, so neither entity could be \
                 created before the other: make one end optional, as in \
                 `#[inverse({from}::{field})] pub {back}: Option<{from}>,`"
            ),
        );
        return;
    }
    for end in [end, inverse]
        .into_iter()
        .filter(|e| e.options.min > 0 && (end.options.acyclic))
    {
        let (entity, field) = (name(end), &end.name);
        let instead = match end.cardinality {
            Cardinality::Many => "remove its `min`".to_string(),
            _ => format!("write `pub {field}: Option<{entity}>`"),
        };
        errors.at(
            field,
            format!(
                "each `{entity}` needs another in `{field}`, and `acyclic` forbids cycles, so no first `{entity}` \
                 could be created: {instead}"
            ),
        );
    }
}

/// The declaring end that an inverse names.
fn declaring(
    end: &Written,
    ends: &[Written],
    entities: &Table<EntityIx, Entity>,
    errors: &mut Errors,
) -> Option<usize> {
    let (entity, field) = end.inverse.as_ref()?;
    let from = expect(entities, entity, errors)?;
    let (name, here) = (&end.name, &entities[end.entity].name);
    if from != end.other {
        let other = &entities[end.other].name;
        errors.at(
            entity,
            format!(
                "`{name}` leads to `{other}`, but its inverse `{entity}::{field}` is of `{entity}`: \
                 make it `{entity}`, `Option<{entity}>` or `Many<{entity}>`"
            ),
        );
        return None;
    }
    let candidates = || ends.iter().enumerate().filter(|(_, e)| e.entity == from);
    let Some((number, found)) = candidates().find(|(_, e)| e.name == *field) else {
        let broken = |f: &Field| f.name == *field && matches!(f.kind, FieldKind::Broken);
        if entities[from].fields.iter().any(broken) {
            return None;
        }
        let known: Vec<String> = candidates()
            .filter(|(_, e)| e.other == end.entity && e.inverse.is_none())
            .map(|(_, e)| plain(&e.name))
            .collect();
        let hint = did_you_mean(&plain(field), known.iter().map(String::as_str));
        errors.at(field, format!("`{entity}` has no edge `{field}`{hint}"));
        return None;
    };
    if found.inverse.is_some() {
        errors.at(
            field,
            format!("`{entity}::{field}` is an inverse itself: name the declaring end, which has no `#[inverse(..)]`"),
        );
        return None;
    }
    if found.other != end.entity {
        let other = &entities[found.other].name;
        errors.at(
            field,
            format!("`{entity}::{field}` leads to `{other}`, not to `{here}`"),
        );
        return None;
    }
    Some(number)
}

fn set_edge(entities: &mut Table<EntityIx, Entity>, end: &Written, number: EdgeIx) {
    if let FieldKind::End(end) = &mut entities[end.entity].fields[end.field].kind {
        end.edge = Some(number);
    }
}

/// A free name for the missing inverse of an edge.
fn suggest(end: &Written, ends: &[Written], entities: &Table<EntityIx, Entity>) -> Ident {
    let from = snake(&plain(&entities[end.entity].name));
    let field = plain(&end.name);
    let plural = format!("{from}s");
    let fields = &entities[end.other].fields;
    let free = |name: &str| fields.iter().all(|field| plain(&field.name) != name);
    let only = ends
        .iter()
        .filter(|e| e.entity == end.entity && e.other == end.other)
        .count()
        == 1;
    if only && end.entity != end.other && free(&plural) {
        return format_ident!("{plural}", span = end.name.span());
    }
    let name = format!("{field}_of");
    if free(&name) {
        return format_ident!("{name}", span = end.name.span());
    }
    format_ident!("{field}_of_{plural}", span = end.name.span())
}
