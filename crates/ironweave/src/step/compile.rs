//! The compiled arcs that follow from the plan of an event, and their comparison with those in the program.
//!
//! The macro derives the compiled arcs of an event from the schema (`generate/compile.rs` there). Here they are derived from
//! the plan, which is what the interpreter executes. Both are compared when a store opens, so that the program cannot do what
//! the schema does not say.

#[cfg(test)]
mod tests;

use crate::graph::layout::{Layout, ends};
use crate::schema::compiled::{ARCS_MAX, CompiledArc, Given, NAMES_MAX};
use crate::schema::{Assign, BindBy, Cardinality, EntityIx, EventDef, EventIx, NameDef, NameIx};
use crate::step::model::Binding;
use crate::step::plan::{Effect, EventPlan, LinkKind, Plan, Reach};

/// An entity type with more states has no compiled arcs that require a state.
const STATES_MAX: usize = 64;

/// The compiled arcs of an event; `None` if only the interpreter can execute it: it fires by itself, has a condition, a path
/// over edges, a name of no or several entities or a value of another entity, chooses, deletes or unlinks, or its arcs could meet in
/// one entity or compete for one end.
pub(super) fn compile(
    layout: &Layout,
    def: &EventDef,
    plan: &EventPlan,
) -> Option<Vec<CompiledArc>> {
    let one = |name: &NameDef| name.count == Cardinality::One;
    if def.immediate
        || plan.may_meet
        || plan.may_compete
        || !(plan.chooses.is_empty()
            && plan.conditions.is_empty()
            && plan.copied.is_empty()
            && plan.walks.is_empty())
        || !def.names.iter().all(one)
        || def.names.len() > NAMES_MAX
    {
        return None;
    }
    let first_created = (def.names.iter())
        .position(|name| name.by == BindBy::Created)
        .unwrap_or(def.names.len());
    let mut arcs = Vec::new();
    for (i, create) in plan.creates.iter().enumerate() {
        let name = NameIx::try_from(first_created + i).ok()?;
        arcs.push(CompiledArc::Create {
            name,
            entity: create.entity,
            state: create.state,
        });
        for value in &create.values {
            arcs.push(set(name, value)?);
        }
        arcs.extend(create.defaults.iter().map(|column| CompiledArc::Set {
            name,
            column: *column,
            given: Given::Default,
        }));
    }
    if !plan.guards.is_empty() {
        arcs.push(CompiledArc::Guards);
    }
    // One for each effect that requires a state, in the order of the effects.
    let mut required = plan.source_states.iter();
    let mut states = |entity: EntityIx, name: NameIx| {
        let states = required.next()?;
        let few = layout.entities[usize::from(entity)].states.len() <= STATES_MAX;
        let exists = usize::from(name) < first_created;
        let same = states.entity == entity && one_name(states.at) == Some(name);
        states.states.word().filter(|_| few && exists && same)
    };
    for effect in &plan.effects {
        match effect {
            Effect::Link(link) => {
                let (near, far) = (one_name(link.at)?, one_name(link.with)?);
                let (edge, (from, to)) = (link.hop.edge, ends(link.hop, near, far));
                match link.kind {
                    LinkKind::Unlink => return None,
                    LinkKind::Relink => {
                        arcs.push(CompiledArc::relink(&layout.schema, edge, from, to))
                    }
                    LinkKind::Link => arcs.push(CompiledArc::Link { edge, from, to }),
                    LinkKind::Keep => {}
                }
                if let Some(data) = &link.data {
                    arcs.push(CompiledArc::SetLink {
                        edge,
                        from,
                        to,
                        given: Given::of(data)?,
                    });
                }
            }
            Effect::Set(effect) => {
                let name = one_name(effect.at)?;
                if layout.schema[effect.value.column].state.is_some() {
                    arcs.push(CompiledArc::Require {
                        name,
                        entity: effect.entity,
                        states: states(effect.entity, name)?,
                    });
                }
                arcs.push(set(name, &effect.value)?);
            }
            Effect::Move(effect) => {
                let name = one_name(effect.at)?;
                arcs.push(CompiledArc::Move {
                    name,
                    entity: effect.entity,
                    from: states(effect.entity, name)?,
                    to: effect.to,
                });
                for value in &effect.data {
                    arcs.push(set(name, value)?);
                }
            }
            Effect::Delete => return None,
        }
    }
    (arcs.len() <= ARCS_MAX).then_some(arcs)
}

/// The name that is bound to exactly the entity that an arc acts on.
fn one_name(reach: Reach) -> Option<NameIx> {
    match reach {
        Reach::At(at) => Some(NameIx::new(at)),
        Reach::Named(_) | Reach::Walked(_) => None,
    }
}

fn set(name: NameIx, value: &Assign) -> Option<CompiledArc> {
    Some(CompiledArc::Set {
        name,
        column: value.column,
        given: Given::of(&value.source)?,
    })
}

/// The events that a program can fire, with whether the program has compiled arcs of it and whether its plan permits them.
#[must_use]
pub fn compiled_events(binding: Binding) -> Vec<(String, bool, bool)> {
    let plan = Plan::new(binding);
    let events = plan.events.iter().zip(&plan.types);
    events
        .filter(|(_, ty)| ty.decode.is_some())
        .map(|(event, ty)| {
            let name = event.name.to_string();
            (name, ty.arcs.is_some(), event.compiled.is_some())
        })
        .collect()
}

/// The `choose` arcs of a model: event and name, and whether an index finds the candidates.
#[must_use]
pub fn indexed_choices(binding: Binding) -> Vec<(EventIx, NameIx, bool)> {
    let plan = Plan::new(binding);
    let events = EventIx::all(plan.events.len()).zip(&plan.events);
    let of = |(event, plan): (EventIx, &EventPlan)| {
        let choices = plan.chooses.iter();
        let of = choices.map(move |choice| (event, choice.name, choice.uses_index()));
        of.collect::<Vec<_>>()
    };
    events.flat_map(of).collect()
}

impl Plan {
    /// An error that names an event if the program has other compiled arcs of it than follow from the schema. They can differ
    /// only if the macro and this crate do not fit together.
    pub(crate) fn check_compiled(&self) -> Result<(), String> {
        for (plan, ty) in self.events.iter().zip(&self.types) {
            if let Some(packed) = ty.arcs {
                compare(packed, plan.compiled.as_deref()).map_err(|difference| {
                    format!(
                        "event `{}` {difference}: the crates `ironweave` and `ironweave-macros` do not fit together",
                        plan.name
                    )
                })?;
            }
        }
        Ok(())
    }
}

/// The first difference between the compiled arcs of the program and those that follow from the plan.
fn compare(packed: &[u128], planned: Option<&[CompiledArc]>) -> Result<(), String> {
    let Some(planned) = planned else {
        return Err("has compiled arcs, but the interpreter must execute it".into());
    };
    for at in 0..packed.len().max(planned.len()) {
        let found = packed
            .get(at)
            .and_then(|packed| CompiledArc::unpack(*packed));
        let expected = planned.get(at).copied();
        if found.is_none() || found != expected {
            return Err(format!(
                "has {found:?} as its compiled arc {at}, but {expected:?} follows from the schema"
            ));
        }
    }
    Ok(())
}
