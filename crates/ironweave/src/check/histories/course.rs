//! The course of a history: its events fire one after the other on a store, and each entity has an identity that does not depend on
//! its slot. So an event can be repeated in a shorter history, in which its entities have other slots.

use minicbor::Decoder;

use crate::base::cbor::{ARRAY, MAP, NULL, UINT, head};
use crate::base::hash::FastMap;
use crate::base::id::Id;
use crate::base::time::Timestamp;
use crate::check::domain::MissingDomains;
use crate::check::given::Domains;
use crate::check::live::Tried;
use crate::check::rust_test::Fate;
use crate::check::trial::{Change, Effects, Trial};
use crate::schema::{BindBy, Encoding, EntityIx, EventDef};
use crate::step::any_event::{AnyEvent as _, event_from};
use crate::step::field_codec::{FieldReader, encode_items};
use crate::step::model::Model;
use crate::step::undo::CoreMark;

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

/// A store on which a history takes place.
pub(super) struct Course<M: Model> {
    pub trial: Trial<M>,
    first: CoreMark,
    /// What was undone can still be here; no draft names it.
    ids: FastMap<Identity, (EntityIx, Id)>,
    identities: FastMap<(EntityIx, Id), Identity>,
}

impl<M: Model> Course<M> {
    pub(super) fn new(domains: &Domains<M>) -> Result<Self, MissingDomains> {
        let mut trial = Trial::new(domains.clone(), OF)?;
        let mut course = Self {
            first: trial.mark(),
            trial,
            ids: FastMap::default(),
            identities: FastMap::default(),
        };
        course.restart();
        Ok(course)
    }

    /// Goes back to the first state.
    pub(super) fn restart(&mut self) {
        self.trial.undo(self.first);
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

    /// Fires the event of a step at a time, and returns what it has changed if it fired. Entities that it creates have identities then.
    pub(super) fn fire(&mut self, (step, of): (u32, usize), event: &M::Event) -> (Tried, Effects) {
        let tried = self.trial.fire(event);
        let mut effects = Effects::default();
        if matches!(tried, Tried::Fired) {
            effects = self.trial.effects(self.trial.events()[of].event);
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
        }
        (tried, effects)
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
    pub(super) fn repeat(
        &mut self,
        drafts: Vec<Draft>,
        time: impl Fn(usize) -> Timestamp,
    ) -> Vec<(Draft, M::Event)> {
        self.restart();
        let mut valid = Vec::with_capacity(drafts.len());
        for draft in drafts {
            self.trial.set_time(time(valid.len()));
            let Some(event) = self.event(&draft) else {
                continue;
            };
            if !self.is_given(&draft, &event) {
                continue;
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
            if repeated {
                let ends = draft.fate == Fate::Panics;
                valid.push((draft, event));
                if ends {
                    break;
                }
            }
        }
        valid
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
