//! Transactions of earlier epochs as the model of the program sees them.
//!
//! A transaction of an epoch with another schema is decoded with the indexes of that schema, and its facts and events are shown
//! by the names of then. What a program asks by its types is answered from the facts with the indexes of the program's model.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::graph::carry::CarryMap;
use crate::graph::fact::{Fact, Facts};
use crate::graph::layout::Layout;
use crate::schema::{
    EntityIx, EventDef, EventIx, EventReading, NameDef, Readings, Schema, StateIx,
};
use crate::step::field_codec::{FieldReader, NO_FIELD, encode_items};
use crate::step::open::Firing;
use crate::step::plan::Plan;
use crate::step::upcast::{self, LoggedEvent, Upcaster};
use crate::store::frame::Decoded;
use crate::value::DecodeError;

/// A state that no entity type has, in place of one that the program does not have.
const UNKNOWN: StateIx = StateIx::new(254);

/// For each item of a logged schema, the item of the program's model that has its name.
pub(crate) struct ToProgram {
    map: CarryMap,
    /// How each event is read.
    events: Vec<ToEvent>,
    plan: Arc<Plan>,
}

/// How a logged event is read by the program.
struct ToEvent {
    /// The event of the program; `None` if the program reads it as none.
    event: Option<EventIx>,
    /// For each logged field, that of the event of the program.
    fields: Arc<[u16]>,
    /// The function that reads it, if it is not read by the names of its fields.
    upcaster: Option<Upcaster>,
    /// The names of the logged event, as they are today.
    names: Vec<NameDef>,
}

/// The firings of a transaction as the program reads them.
#[derive(Default)]
pub(crate) struct TypedFirings {
    /// For each firing, the event of the program, its fields in CBOR, and the field of the program for each of them.
    list: Vec<Option<TypedFiring>>,
}

pub(super) struct TypedFiring {
    pub event: EventIx,
    /// The fields that an upcaster has read; `None` if they are those in the log.
    pub upcast: Option<Vec<u8>>,
    fields: Arc<[u16]>,
}

impl TypedFirings {
    /// Returns how a firing is read, or `None` if the program reads it as no event.
    pub(super) fn get(&self, firing: usize) -> Option<&TypedFiring> {
        self.list.get(firing)?.as_ref()
    }

    /// Returns the event of the program as which a firing is read.
    pub(crate) fn event(&self, firing: usize) -> Option<EventIx> {
        self.get(firing).map(|typed| typed.event)
    }

    /// Returns a reader of the fields of a firing that is read as an event of the program.
    pub(crate) fn reader<'b>(
        &'b self,
        decoded: &'b Decoded,
        firing: usize,
    ) -> Option<Result<FieldReader<'b>, DecodeError>> {
        let typed = self.get(firing)?;
        let binding = typed.upcast.as_deref();
        let binding = binding.unwrap_or_else(|| decoded.binding(firing));
        Some(FieldReader::new(binding, &typed.fields))
    }

    /// Returns a transaction of the program: these firings, of a decoded transaction, and the facts of the same one with the indexes
    /// of the program. A firing that is read as no event is left out.
    pub(crate) fn with_facts(&self, decoded: &Decoded, facts: Decoded) -> Decoded {
        let mut of_program = facts;
        for (i, firing) in decoded.firings.iter().enumerate() {
            let Some(typed) = self.get(i) else { continue };
            let binding = typed.upcast.as_deref();
            let binding = binding.unwrap_or_else(|| decoded.binding(i));
            let fields = &typed.fields;
            of_program.push_typed(typed.event, binding, fields, firing.facts_end);
        }
        of_program
    }

    /// Returns whether each firing is read as an event of the program.
    pub(crate) fn are_read(&self) -> bool {
        self.list.iter().all(Option::is_some)
    }
}

/// Facts with the indexes of the program's model, without those about items that it does not have.
pub(super) struct Translated {
    pub facts: Facts,
    /// The indexes that they had.
    from: Vec<usize>,
}

impl Translated {
    /// Returns the facts of a range of the facts that were translated.
    pub(super) fn range(&self, of: Range<usize>) -> Range<usize> {
        let at = |index: usize| self.from.partition_point(|from| *from < index);
        at(of.start)..at(of.end)
    }
}

impl ToProgram {
    /// `logged` is a schema of the log, and `renamed` the same with the names that its items have in the program.
    pub(in crate::store) fn new(logged: &Schema, renamed: &Schema, plan: &Arc<Plan>) -> Self {
        let ours = &plan.layout.schema;
        let readings = Readings::between(renamed, ours);
        let event = |(logged, def): (&EventDef, &EventDef)| {
            let (event, upcaster) = match readings.event(&logged.name, def) {
                EventReading::ByName(event) => (Some(event), None),
                EventReading::Upcast(event) => {
                    let upcasts = plan.types[usize::from(event)].upcasts.iter();
                    let mut upcasts = upcasts.filter(|(from, _)| **from == *logged.name);
                    let upcaster = upcasts.next().map(|(_, upcaster)| Arc::clone(upcaster));
                    (upcaster.is_some().then_some(event), upcaster)
                }
                EventReading::Unread => (None, None),
            };
            let now = event.map_or(&[][..], |event| &ours[event].fields[..]);
            let fields: Vec<u16> = match &upcaster {
                Some(_) => (0..now.len()).map(|field| field as u16).collect(),
                None => {
                    let known = now.iter().map(|field| &*field.name).zip(0..);
                    let known: HashMap<&str, u16> = known.collect();
                    let fields = def.fields.iter();
                    fields
                        .map(|field| known.get(&*field.name).copied().unwrap_or(NO_FIELD))
                        .collect()
                }
            };
            ToEvent {
                event,
                fields: fields.into(),
                upcaster,
                names: def.names.clone(),
            }
        };
        let events = logged.events.iter().zip(&renamed.events);
        Self {
            map: CarryMap::by_name(renamed, ours),
            events: events.map(event).collect(),
            plan: Arc::clone(plan),
        }
    }

    /// Returns the firings of a transaction as the program reads them. `own` is the schema whose indexes they have.
    ///
    /// # Errors
    /// If an upcaster fails.
    pub(crate) fn firings(
        &self,
        own: &Schema,
        decoded: &Decoded,
    ) -> Result<TypedFirings, DecodeError> {
        let one = |(i, firing): (usize, &Firing)| {
            let Some(to) = self.events.get(usize::from(firing.event)) else {
                return Ok(None);
            };
            let Some(event) = to.event else {
                return Ok(None);
            };
            let upcast = match &to.upcaster {
                None => None,
                Some(upcaster) => {
                    let def = &own[firing.event];
                    let logged = LoggedEvent::new(def, own, decoded.reader(i)?);
                    let event = upcast::read(upcaster, &logged)?;
                    Some(encode_items(&*event, to.fields.len()).map_err(|(field, e)| {
                        let name = &self.plan.layout.schema[event.index()].name;
                        DecodeError::new(format_args!(
                            "field {field} of event `{name}`, which an `#[upcast]` has read: {e}"
                        ))
                    })?)
                }
            };
            Ok(Some(TypedFiring {
                event,
                upcast,
                fields: Arc::clone(&to.fields),
            }))
        };
        let list = decoded.firings.iter().enumerate().map(one);
        Ok(TypedFirings {
            list: list.collect::<Result<_, DecodeError>>()?,
        })
    }

    /// The plan of the program.
    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The layout of the program's model.
    pub(crate) fn layout(&self) -> &Arc<Layout> {
        &self.plan.layout
    }

    pub(crate) fn entity(&self, was: EntityIx) -> Option<EntityIx> {
        self.map.entity(was)
    }

    pub(crate) fn event(&self, was: EventIx) -> Option<EventIx> {
        self.events.get(usize::from(was))?.event
    }

    /// Returns, for each name of an event of the program, the index of the name that the logged event has, or `None` if it has none
    /// for entities of the same type and number.
    pub(in crate::store) fn names(&self, was: EventIx, now: EventIx) -> Vec<Option<usize>> {
        let ours = &self.plan.layout.schema[now];
        let logged = self.events.get(usize::from(was));
        let logged = logged.map_or(&[][..], |event| &event.names);
        let name = |name: &NameDef| {
            let is_same = |was: &NameDef| {
                let entity = self.entity(was.entity);
                was.name == name.name && was.count == name.count && entity == Some(name.entity)
            };
            logged.iter().position(is_same)
        };
        ours.names.iter().map(name).collect()
    }

    /// Translates facts. Entities in states that the program does not have are in an unknown state, or in the initial one.
    pub(super) fn facts(&self, facts: &Facts, unknown_is_initial: bool) -> Translated {
        let mut to = Translated {
            facts: Facts {
                bytes: facts.bytes.clone(),
                ..Facts::default()
            },
            from: Vec::new(),
        };
        for (i, fact) in facts.list.iter().enumerate() {
            if let Some(fact) = self.fact(*fact, unknown_is_initial) {
                to.from.push(i);
                to.facts.list.push(fact);
                to.facts.generations.extend(facts.generations.get(i));
            }
        }
        to
    }

    /// Translates facts for what does not render them.
    pub(crate) fn unrendered(&self, facts: &Facts) -> Facts {
        self.facts(facts, false).facts
    }

    fn fact(&self, mut fact: Fact, unknown_is_initial: bool) -> Option<Fact> {
        let map = &self.map;
        let state_of = |was: EntityIx, state: StateIx, now: EntityIx| {
            map.state(was, state).unwrap_or(match unknown_is_initial {
                true => self.plan.layout.schema[now].initial,
                false => UNKNOWN,
            })
        };
        match &mut fact {
            Fact::Create { entity, state, .. } | Fact::Delete { entity, state, .. } => {
                let now = map.entity(*entity)?;
                *state = state_of(*entity, *state, now);
                *entity = now;
            }
            Fact::Move {
                entity, from, to, ..
            } => {
                let now = map.entity(*entity)?;
                (*from, *to) = (state_of(*entity, *from, now), state_of(*entity, *to, now));
                *entity = now;
                if from == to {
                    return None;
                }
            }
            Fact::Set { column, .. } => *column = map.column(*column)?,
            Fact::Link { edge, .. } | Fact::Unlink { edge, .. } => *edge = map.edge(*edge)?,
            Fact::SetLink { edge, .. } => {
                let now = map.edge(*edge)?;
                map.has_data(now).then_some(())?;
                *edge = now;
            }
        }
        Some(fact)
    }
}
