//! The course of a history: its events fire one after the other on a store, and each entity has an identity that does not depend on
//! its slot. So an event can be repeated in a shorter history, in which its entities have other slots.

use std::sync::Arc;
use std::time::Duration;

use minicbor::Decoder;

use crate::base::cbor::{ARRAY, MAP, NULL, UINT, head};
use crate::base::hash::FastMap;
use crate::base::id::Id;
use crate::base::time::Timestamp;
use crate::check::domain::MissingDomains;
use crate::check::histories::Config;
use crate::check::live::Tried;
use crate::check::rust_test::Fate;
use crate::check::trial::{Change, Effects, Trial};
use crate::graph::GraphRef;
use crate::graph::due::Deadline;
use crate::schema::{BindBy, Encoding, EntityIx, EventDef};
use crate::step::any_event::{AnyEvent as _, event_from};
use crate::step::due::due_event;
use crate::step::field_codec::{FieldReader, encode_items};
use crate::step::model::Model;
use crate::step::undo::CoreMark;

/// How many events that are due are tried at most before one fires.
const DUE_MAX: usize = 1_024;

/// The name of what draws histories, for errors.
const OF: &str = "the strategy of histories";

/// An entity, independently of its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    /// It exists in the first state.
    First(EntityIx, Id),
    /// A step created it, as the entity of this number among those of its type. So it has the same identity where another event has
    /// created an entity of another type that the step needs, such as one of an `Ensure`.
    Created {
        step: u32,
        entity: EntityIx,
        nth: u32,
    },
}

/// A field of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A handle or token.
    One(Identity),
    Option(Option<Identity>),
    Many(Vec<Identity>),
    /// Any other value, in CBOR.
    Value(Vec<u8>),
}

impl Part {
    fn identities(&self) -> &[Identity] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Option(option) => option.as_slice(),
            Self::Many(many) => many,
            Self::Value(_) => &[],
        }
    }

    fn write(&self, id: impl Fn(&Identity) -> Option<Id>, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Value(bytes) => out.extend_from_slice(bytes),
            Self::Option(None) => out.push(NULL),
            _ => {
                if let Self::Many(many) = self {
                    head(out, ARRAY, many.len() as u64);
                }
                for identity in self.identities() {
                    head(out, UINT, id(identity)?.to_bits());
                }
            }
        }
        Some(())
    }
}

/// An event of a history, which names entities by their identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    /// The number of the step in the history that was drawn.
    pub step: u32,
    /// The event by its index among those of the trial.
    pub of: usize,
    pub parts: Vec<Part>,
    pub fate: Fate,
}

/// An event of a history, and the time of its transaction.
pub(super) struct Taken<M: Model> {
    pub draft: Draft,
    pub event: M::Event,
    pub time: Timestamp,
}

/// A store on which a history takes place.
pub(super) struct Course<M: Model> {
    pub trial: Trial<M>,
    first_time: Timestamp,
    /// From one event to the next.
    interval: Duration,
    /// How much time has passed since the first time.
    elapsed: Duration,
    /// The events that fire as they are due, by their index among all that have a due time: their index among those of the trial.
    dues: Vec<Option<usize>>,
    first: CoreMark,
    /// What was undone can still be here; no draft names it.
    ids: FastMap<Identity, (EntityIx, Id)>,
    identities: FastMap<(EntityIx, Id), Identity>,
}

impl<M: Model> Course<M> {
    pub(super) fn new(config: &Config<M>) -> Result<Self, MissingDomains> {
        let mut trial = Trial::new(config.domains.clone(), OF)?;
        let mut dues = vec![None; trial.store().plan.layout.dues.len()];
        for (of, event) in trial.events().iter().enumerate() {
            if let Some(due) = event.due
                && event.binder.is_none()
                && config.weight(&event.name) > 0.0
            {
                dues[usize::from(due)] = Some(of);
            }
        }
        let mut course = Self {
            first: trial.mark(),
            trial,
            first_time: config.domains.first_time(),
            interval: config.interval,
            elapsed: Duration::ZERO,
            dues,
            ids: FastMap::default(),
            identities: FastMap::default(),
        };
        course.restart();
        Ok(course)
    }

    /// Goes back to the first state.
    pub(super) fn restart(&mut self) {
        self.trial.undo(self.first);
        self.set_elapsed(Duration::ZERO);
        self.ids.clear();
        self.identities.clear();
        let graph = &self.trial.store().core.graph;
        for entity in EntityIx::all(graph.layout.schema.entities.len()) {
            for slot in graph.living(entity) {
                let id = graph.id(entity, slot);
                let identity = Identity::First(entity, id);
                self.ids.insert(identity, (entity, id));
                self.identities.insert((entity, id), identity);
            }
        }
    }

    /// The present time.
    pub(super) fn time(&self) -> Timestamp {
        self.first_time + self.elapsed
    }

    fn set_elapsed(&mut self, elapsed: Duration) {
        self.elapsed = elapsed;
        self.trial.set_time(self.time());
    }

    /// Lets the time pass from one event to the next.
    pub(super) fn pass(&mut self) {
        self.set_elapsed(self.elapsed.saturating_add(self.interval));
    }

    /// Fires the event of a step, and returns what it has changed if it fired. Entities that it creates have identities then.
    pub(super) fn fire(&mut self, (step, of): (u32, usize), event: &M::Event) -> (Tried, Effects) {
        let tried = self.trial.fire(event);
        let effects = match tried {
            Tried::Fired => self.identify((step, of)),
            _ => Effects::default(),
        };
        (tried, effects)
    }

    /// Returns what the last event has changed, which fired, and gives identities to the entities that it created.
    fn identify(&mut self, (step, of): (u32, usize)) -> Effects {
        let effects = self.trial.effects(self.trial.events()[of].event);
        let mut counts: FastMap<EntityIx, u32> = FastMap::default();
        for (_, entity, change) in &effects.changes {
            let (entity, Change::Created(id)) = (*entity, *change) else {
                continue;
            };
            let nth = counts.entry(entity).or_default();
            let identity = Identity::Created {
                step,
                entity,
                nth: *nth,
            };
            *nth += 1;
            self.ids.insert(identity, (entity, id));
            self.identities.insert((entity, id), identity);
        }
        effects
    }

    /// Whether an event fires only as it is due.
    pub(super) fn fires_when_due(&self, of: usize) -> bool {
        self.dues.contains(&Some(of))
    }

    /// Fires the event that is due next, at its due time or at the present time if that is later. Events that are rejected or cut are
    /// passed over. If another event than `expected` would fire, none does.
    pub(super) fn fire_due(
        &mut self,
        step: u32,
        expected: Option<&Draft>,
    ) -> Option<(Taken<M>, Effects)> {
        let layout = Arc::clone(&self.trial.store().plan.layout);
        let graph = GraphRef::Flat(&self.trial.store().core.graph);
        let deadlines: Vec<(usize, Deadline)> = graph
            .deadlines(Timestamp::from_micros(i64::MAX))
            .filter_map(|deadline| Some((self.dues[usize::from(deadline.1)]?, deadline)))
            .take(DUE_MAX)
            .collect();
        let (present, mark) = (self.elapsed, self.trial.mark());
        for (of, (time, due, slot)) in deadlines {
            if self.trial.is_full(of) {
                continue;
            }
            let graph = GraphRef::Flat(&self.trial.store().core.graph);
            let due = &layout.dues[usize::from(due)];
            let event = due_event::<M>(graph, due, (time, slot)).event;
            // Before it fires: an entity that it deletes has an identity only until then.
            let Some(parts) = self.parts(of, &event) else {
                continue;
            };
            self.set_elapsed(present.max(time.duration_since(self.first_time)));
            let fate = match self.trial.fire(&event) {
                Tried::Fired => Fate::Fires,
                Tried::Panicked(_) => Fate::Panics,
                Tried::Rejected(_) | Tried::Cut { .. } => continue,
            };
            let draft = Draft {
                step,
                of,
                parts,
                fate,
            };
            let fired = fate == Fate::Fires;
            if expected.is_some_and(|expected| *expected != draft) {
                if fired {
                    self.trial.undo(mark);
                }
                break;
            }
            let effects = match fired {
                true => self.identify((step, of)),
                false => Effects::default(),
            };
            let time = self.time();
            return Some((Taken { draft, event, time }, effects));
        }
        self.set_elapsed(present);
        None
    }

    fn def(&self, of: usize) -> &EventDef {
        let event = self.trial.events()[of].event;
        &self.trial.store().plan.layout.schema[event]
    }

    /// The parts of an event. `None` if a field cannot be encoded or names an entity that has never existed.
    pub(super) fn parts(&self, of: usize, event: &M::Event) -> Option<Vec<Part>> {
        let def = self.def(of);
        let bytes = encode_items(event.as_dyn(), def.fields.len()).ok()?;
        let tags: Vec<u16> = (0..def.fields.len() as u16).collect();
        let reader = FieldReader::new(&bytes, &tags).ok()?;
        let mut names = def.names.iter();
        let mut parts = Vec::with_capacity(def.fields.len());
        for (i, field) in def.fields.iter().enumerate() {
            let raw = reader.raw(i)?;
            let encoding = field.encoding.as_ref();
            let entity = encoding.and_then(Encoding::entity);
            let name = entity.and_then(|_| names.next());
            parts.push(match (encoding, entity, name.map(|name| name.by)) {
                (Some(encoding), Some(entity), Some(BindBy::Handle | BindBy::Token(_))) => {
                    self.entities(encoding, entity, raw)?
                }
                _ => Part::Value(raw.to_vec()),
            });
        }
        Some(parts)
    }

    /// A field of handles or tokens.
    fn entities(&self, encoding: &Encoding, entity: EntityIx, raw: &[u8]) -> Option<Part> {
        let mut d = Decoder::new(raw);
        if matches!(encoding, Encoding::List(_)) {
            d.array().ok()?;
        }
        let mut found = Vec::new();
        while let Ok(bits) = d.u64() {
            let id = Id::from_bits(bits)?;
            found.push(*self.identities.get(&(entity, id))?);
        }
        Some(match encoding {
            Encoding::List(_) => Part::Many(found),
            Encoding::Option(_) => Part::Option(found.pop()),
            _ => Part::One(found.pop()?),
        })
    }

    /// The event of a draft on this store. `None` if one of its entities never existed here.
    pub(super) fn event(&self, draft: &Draft) -> Option<M::Event> {
        let mut bytes = Vec::new();
        let def = self.def(draft.of);
        head(&mut bytes, MAP, def.fields.len() as u64);
        for ((i, part), field) in (0..).zip(&draft.parts).zip(&def.fields) {
            let entity = field.encoding.as_ref().and_then(Encoding::entity);
            head(&mut bytes, UINT, i);
            let id = |identity: &Identity| {
                let (of, id) = self.ids.get(identity)?;
                (Some(*of) == entity).then_some(*id)
            };
            part.write(id, &mut bytes)?;
        }
        let number = self.trial.events()[draft.of].number;
        event_from(number, &bytes, def.fields.len()).ok()
    }

    /// Repeats as many drafts as are valid: each event fires, is rejected or panics as it did before, and if a function of the user
    /// gives its bindings, it is one of these. Returns them with their events. O(drafts), and what their events cost.
    pub(super) fn repeat(&mut self, drafts: Vec<Draft>) -> Vec<Taken<M>> {
        self.restart();
        let mut valid = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let Some(taken) = self.take_again(draft) else {
                continue;
            };
            let ends = taken.draft.fate == Fate::Panics;
            valid.push(taken);
            if ends {
                break;
            }
            self.pass();
        }
        valid
    }

    /// Repeats a draft, if it is valid.
    fn take_again(&mut self, draft: Draft) -> Option<Taken<M>> {
        if self.fires_when_due(draft.of) && draft.fate != Fate::IsRejected {
            return Some(self.fire_due(draft.step, Some(&draft))?.0);
        }
        let event = self.event(&draft)?;
        if !self.is_given(&draft, &event) {
            return None;
        }
        let mark = self.trial.mark();
        let (tried, _) = self.fire((draft.step, draft.of), &event);
        let repeated = match (tried, draft.fate) {
            (Tried::Fired, Fate::Fires)
            | (Tried::Rejected(_), Fate::IsRejected)
            | (Tried::Panicked(_), Fate::Panics) => true,
            (Tried::Fired, _) => {
                self.trial.undo(mark);
                false
            }
            _ => false,
        };
        let time = self.time();
        repeated.then_some(Taken { draft, event, time })
    }

    /// Whether an event is among the bindings that a function of the user gives, if there is one for it.
    fn is_given(&self, draft: &Draft, event: &M::Event) -> bool {
        let Some(given) = self.trial.given(draft.of) else {
            return true;
        };
        let fields = self.def(draft.of).fields.len();
        let bytes = encode_items(event.as_dyn(), fields).ok();
        (given.iter()).any(|other| encode_items(other.as_dyn(), fields).ok() == bytes)
    }
}
