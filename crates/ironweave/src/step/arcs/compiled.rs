//! Executes compiled arcs: [`check`] decides whether an event can act, and then [`act`] changes the graph.
//!
//! An event has compiled arcs ([`Event::ARCS`]) if each of its arcs acts on entities that it names or creates, one by each
//! name, with values that are at hand. They are constants of the type of the event, so that both functions become straight
//! code for it. A store compares them with the plan of the event when it opens (`step/compile.rs`).
//!
//! [`check`] changes nothing. If it fails, the interpreter executes the event from the beginning and finds the error. So
//! compiled arcs have no texts of errors: what they do must be what the interpreter does, in the same order.

use std::any::Any;

use crate::base::error::StepError;
use crate::base::time::Timestamp;
use crate::db::Reader;
use crate::graph::fingerprint::{Expected, FactVisitor, Sum};
use crate::graph::storage::Flat;
use crate::graph::{Graph, GraphRef, Journal};
use crate::schema::compiled::{ARCS_MAX, CompiledArc, Given, NAMES_MAX};
use crate::schema::{MetaField, NameIx, StateIx};
use crate::step::arcs::ask_guards;
use crate::step::bindings::CompiledNames;
use crate::step::event::{DynEvent, Event};
use crate::step::fields::{Cell, Fields};
use crate::step::guarded::GuardContext;
use crate::step::open::OpenTransaction;
use crate::step::plan::Plan;

/// How many compiled arcs an event has.
const fn len<E: Event>() -> usize {
    match E::ARCS {
        Some(arcs) => arcs.len(),
        None => 0,
    }
}

/// Returns one of the compiled arcs of an event. For an arc that the event does not have, the result is not used, but the
/// constant that contains it is evaluated all the same.
const fn arc<E: Event>(at: usize) -> CompiledArc {
    if at >= len::<E>() {
        return CompiledArc::Guards;
    }
    match E::ARCS {
        Some(arcs) => match CompiledArc::unpack(arcs[at]) {
            Some(arc) => arc,
            None => panic!("the macro is of another version of ironweave"),
        },
        None => CompiledArc::Guards,
    }
}

/// How many names an event has whose arcs are compiled. Other events, which may have more, are not counted.
const fn names<E: Event>() -> usize {
    if E::ARCS.is_none() {
        return 0;
    }
    let mut names = <E::Fields as Fields>::NAMES;
    let mut at = 0;
    while at < len::<E>() {
        if let CompiledArc::Create { .. } = arc::<E>(at) {
            names += 1;
        }
        at += 1;
    }
    assert!(
        names <= NAMES_MAX && len::<E>() <= ARCS_MAX,
        "the macro compiles the arcs of smaller events only"
    );
    names
}

/// Whether the arcs of an event are of kinds that can be [infallible](Plan::infallible_events).
pub(in crate::step) const fn may_be_infallible<E: Event>() -> bool {
    let mut at = 0;
    while at < len::<E>() {
        match arc::<E>(at) {
            CompiledArc::Require { .. }
            | CompiledArc::TakeOver { .. }
            | CompiledArc::Move { .. } => {}
            _ => return false,
        }
        at += 1;
    }
    E::ARCS.is_some()
}

/// Expands an expression for each compiled arc of an event. It is no loop, so that each arc is a constant.
macro_rules! each_arc {
    ($event:ident, $arc:ident => $does:expr) => {
        each_arc!(@ $event, $arc, $does, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23);
    };
    (@ $event:ident, $arc:ident, $does:expr, $($at:literal)*) => {
        $(if const { $at < len::<$event>() } {
            let $arc = const { arc::<$event>($at) };
            $does;
        })*
    };
}

const _: () = assert!(ARCS_MAX == 24, "as many as `each_arc` has");

/// Returns the entities that an event names if it can act by its compiled arcs: they exist, they are in the states that
/// tokens claim, and in those that arcs require.
#[inline(always)]
pub(in crate::step) fn check<E: Event>(event: &E, graph: &Graph<Flat>) -> Option<CompiledNames> {
    E::ARCS?;
    let mut found = CompiledNames::unbound(const { names::<E>() });
    if !E::Fields::resolve(event.fields(), GraphRef::Flat(graph), 0, &mut found) {
        return None;
    }
    each_arc!(E, arc => if !holds(arc, graph, &found) {
        return None;
    });
    Some(found)
}

/// Whether the entity of an arc is in a state that the arc requires.
#[inline(always)]
fn holds(arc: CompiledArc, graph: &Graph<Flat>, names: &CompiledNames) -> bool {
    match arc {
        CompiledArc::Require {
            name,
            entity,
            states,
        }
        | CompiledArc::Move {
            name,
            entity,
            from: states,
            ..
        } => {
            // No compiled arc requires a state of an entity type with more than 64 states.
            let state = graph.state_of(entity, names.slot(name)).get();
            states >> (state % 64) & 1 == 1
        }
        _ => true,
    }
}

/// Executes the compiled arcs of an event that [`check`] permits. On an error the caller undoes what they did.
#[inline(always)]
pub(in crate::step) fn act<E: Event>(
    event: &E,
    plan: &Plan,
    graph: &mut Graph<Flat>,
    open: &mut OpenTransaction,
    names: &mut CompiledNames,
) -> Result<(), StepError> {
    each_arc!(E, arc => execute(arc, event, plan, graph, open, names)?);
    Ok(())
}

/// As [`check`] and [`act`], for an event that is [made at runtime](Event::MADE_AT_RUNTIME). Returns its names; `None` if the
/// interpreter must execute it.
#[inline(never)]
pub(in crate::step) fn run_made_at_runtime<E: Event>(
    event: &E,
    plan: &Plan,
    graph: &mut Graph<Flat>,
    open: &mut OpenTransaction,
) -> Result<Option<CompiledNames>, StepError> {
    let index = usize::from(E::INDEX);
    let Some(packed) = plan.types[index].arcs else {
        return Ok(None);
    };
    let arcs = || packed.iter().filter_map(|arc| CompiledArc::unpack(*arc));
    let mut names = CompiledNames::unbound(plan.events[index].names.len());
    let possible = E::Fields::resolve(event.fields(), GraphRef::Flat(graph), 0, &mut names)
        && arcs().all(|arc| holds(arc, graph, &names));
    if !possible {
        return Ok(None);
    }
    for arc in arcs() {
        execute(arc, event, plan, graph, open, &mut names)?;
    }
    Ok(Some(names))
}

#[cfg_attr(not(debug_assertions), inline(always))]
fn execute<E: Event>(
    arc: CompiledArc,
    event: &E,
    plan: &Plan,
    graph: &mut Graph<Flat>,
    open: &mut OpenTransaction,
    names: &mut CompiledNames,
) -> Result<(), StepError> {
    match arc {
        CompiledArc::Create {
            name,
            entity,
            state,
        } => {
            let slot = graph.create(&mut open.journal, entity, state)?;
            names.bind(usize::from(name), graph.id(entity, slot));
        }
        CompiledArc::Require { .. } => {}
        CompiledArc::Guards => ask(event, plan, graph, open, *names)?,
        CompiledArc::Relink { edge, from, to } => {
            let (from, to) = (names.slot(from), names.slot(to));
            graph.relink(&mut open.journal, edge, from, to);
        }
        CompiledArc::TakeOver {
            edge,
            holder,
            held,
            forward,
        } => {
            let (holder, held) = (names.slot(holder), names.slot(held));
            if forward {
                graph.relink_typed::<true>(&mut open.journal, edge, holder, held);
            } else {
                graph.relink_typed::<false>(&mut open.journal, edge, holder, held);
            }
        }
        CompiledArc::Link { edge, from, to } => {
            let (from, to) = (names.slot(from), names.slot(to));
            graph.link(&mut open.journal, edge, from, to)?;
        }
        CompiledArc::SetLink {
            edge,
            from,
            to,
            given,
        } => {
            let ends = (names.slot(from), names.slot(to));
            let now = time(given, open);
            let value: &dyn Any = match given {
                Given::Time | Given::Default => &now,
                Given::Meta(MetaField::Actor) => &open.meta.actor,
                Given::Meta(MetaField::Correlation) => &open.meta.correlation,
                Given::Meta(MetaField::Causation) => &open.meta.causation,
                Given::Value(index) => event.value(index),
            };
            graph.set_link(&mut open.journal, edge, ends, value)?;
        }
        CompiledArc::Set {
            name,
            column,
            given,
        } => {
            let slot = names.slot(name);
            let now = time(given, open);
            let cell = Cell {
                graph,
                journal: &mut open.journal,
                column,
                slot,
            };
            match given {
                Given::Time => cell.set(&now)?,
                Given::Meta(MetaField::Actor) => cell.set(&open.meta.actor)?,
                Given::Meta(MetaField::Correlation) => cell.set(&open.meta.correlation)?,
                Given::Meta(MetaField::Causation) => cell.set(&open.meta.causation)?,
                Given::Default => cell.graph.set_default(cell.journal, column, slot)?,
                Given::Value(index) if usize::from(index) < const { fields::<E>() } => {
                    let set = E::Fields::set(event.fields(), index, cell);
                    set.unwrap_or_else(|| not_a_value(index))?;
                }
                Given::Value(index) => {
                    let value = if E::MADE_AT_RUNTIME {
                        event.value(index)
                    } else {
                        E::literal(index)
                    };
                    cell.graph.set(cell.journal, column, slot, value)?;
                }
            }
        }
        CompiledArc::Move {
            name,
            entity,
            from,
            to,
        } => {
            let slot = names.slot(name);
            // The check has seen that it is in one of these states, and no other arc moves it.
            let from = if from.is_power_of_two() {
                StateIx::new(from.trailing_zeros() as u8)
            } else {
                graph.state_of(entity, slot)
            };
            graph.move_between(&mut open.journal, entity, slot, (from, to));
        }
    }
    Ok(())
}

/// The time of the transaction, if it is given.
#[inline(always)]
fn time(given: Given, open: &OpenTransaction) -> Timestamp {
    match given {
        Given::Time => open.clock.now(),
        _ => Timestamp::default(),
    }
}

/// How many fields an event has, by its type. Its names begin with its own.
const fn fields<E: Event>() -> usize {
    E::NAMES.len() - 1
}

/// Panics: the arcs follow from the schema, in which the source of a value is a value.
#[cold]
fn not_a_value(index: u16) -> Result<(), StepError> {
    unreachable!("an arc sets a field to field {index} of the event, which names entities")
}

/// Asks the guards of an event.
#[inline(never)]
fn ask<E: Event>(
    event: &E,
    plan: &Plan,
    graph: &Graph<Flat>,
    open: &OpenTransaction,
    names: CompiledNames,
) -> Result<(), StepError> {
    let context = GuardContext {
        reader: Reader {
            graph: GraphRef::Flat(graph),
            of: None,
        },
        names: names.names(),
        clock: &open.clock,
        meta: &open.meta,
    };
    let def = &plan.events[usize::from(E::INDEX)];
    ask_guards(def, |guard| E::guard(event, guard, &context))
}

/// Returns the number of facts that the arcs of an event nearly always make, or `None` if [`visit`] knows none of them.
pub(crate) const fn expected_facts<E: Event>() -> Option<usize> {
    let mut facts = 0;
    let mut at = 0;
    while at < len::<E>() {
        facts += match arc::<E>(at) {
            CompiledArc::Require { .. } | CompiledArc::Guards => 0,
            CompiledArc::TakeOver { .. } => 2,
            CompiledArc::Set { .. } | CompiledArc::Move { .. } => 1,
            CompiledArc::Create { .. }
            | CompiledArc::Link { .. }
            | CompiledArc::Relink { .. }
            | CompiledArc::SetLink { .. } => return None,
        };
        at += 1;
    }
    Some(facts)
}

/// Whether [`visit`] can visit what an event did: its log has a word for each field, its arcs make entries that are known, and
/// they set plain values only.
#[inline(always)]
pub(in crate::step) fn is_expected<E: Event>(event: &E) -> bool {
    each_arc!(E, arc => if let CompiledArc::Set { given, .. } = arc {
        let is_plain = match given {
            Given::Value(index) => E::Fields::is_plain(usize::from(index)),
            Given::Time => true,
            Given::Meta(_) | Given::Default => false,
        };
        if !is_plain {
            return false;
        }
    });
    let known = const { expected_facts::<E>().is_some() };
    known && E::Fields::are_words(event.fields())
}

/// Visits the entries of the journal, and returns the sum of their terms. Returns `None` if they are not the entries that the
/// arcs of the event nearly always make.
#[inline(always)]
pub(in crate::step) fn visit<E: Event>(
    event: &E,
    graph: &Graph<Flat>,
    journal: &Journal,
    visitor: &mut impl FactVisitor,
) -> Option<u128> {
    let entries = journal.entries();
    if entries.len() != const { expected_entries::<E>() } {
        return None;
    }
    let (mut entries, sum) = (entries.iter(), Sum::default());
    let id = |name: NameIx| E::Fields::id(event.fields(), usize::from(name));
    each_arc!(E, arc => {
        let expected = match arc {
            CompiledArc::TakeOver { edge, holder, held, forward } => Some(Expected::Relink {
                edge,
                forward,
                held: id(held)?,
                holder: id(holder)?,
            }),
            CompiledArc::Set { name, column, .. } => {
                Some(Expected::Set { column, id: id(name)? })
            }
            CompiledArc::Move { name, entity, .. } => {
                Some(Expected::Move { entity, id: id(name)? })
            }
            // The others make no entry, or `expected_facts` is `None`.
            _ => None,
        };
        if let Some(expected) = expected
            && !graph.visit_expected(expected, entries.next()?, &sum, visitor)
        {
            return None;
        }
    });
    Some(sum.total())
}

/// The number of entries that [`visit`] visits.
const fn expected_entries<E: Event>() -> usize {
    let (mut entries, mut at) = (0, 0);
    while at < len::<E>() {
        entries += match arc::<E>(at) {
            CompiledArc::TakeOver { .. } | CompiledArc::Set { .. } | CompiledArc::Move { .. } => 1,
            _ => 0,
        };
        at += 1;
    }
    entries
}
