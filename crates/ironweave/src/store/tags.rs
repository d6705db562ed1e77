//! The mapping from the indexes in the frames of a log to those of this program's schema, which has each logged item and may
//! have more.
//!
//! A logged schema may be large, so the mapping is computed in time linear in the two schemas.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, LazyLock};

use crate::base::cbor::CborWord;
use crate::graph::fact::Fact;
use crate::graph::image::ImageOrder;
use crate::schema::{
    BindBy, Cardinality, ColumnIx, EdgeIx, Encoding, EntityIx, EventDef, EventIx, NameDef, Schema,
    StateIx,
};
use crate::value::DecodeError;
use crate::value::fixed::FixedEncoding;

/// For each index of a logged schema, the index in this program's schema.
pub(crate) struct Tags {
    /// The format version of the frames of the epoch.
    pub(super) version: u16,
    entities: Vec<EntityIx>,
    states: Vec<Vec<StateIx>>,
    columns: Vec<ColumnIx>,
    /// For each logged column, the form of its values in 8 bytes, if they have one.
    words: Vec<Option<FixedEncoding>>,
    edges: Vec<EdgeIx>,
    pub(super) events: Vec<EventTags>,
    pub(super) encodings: Arc<Encodings>,
}

/// The encodings of the values in the frames of a logged schema, by the indexes of this program's schema. A value without
/// an entry has the encoding of this program's schema.
#[derive(Debug, Default)]
pub(crate) struct Encodings {
    columns: HashMap<ColumnIx, Encoding>,
    edges: HashMap<EdgeIx, Encoding>,
    fields: HashMap<(EventIx, usize), Encoding>,
}

impl Encodings {
    /// Returns the encodings of a transaction of this program, which differ from its schema nowhere. All callers share them.
    pub(crate) fn of_this_program() -> Arc<Self> {
        static NONE: LazyLock<Arc<Encodings>> = LazyLock::new(Arc::default);
        Arc::clone(&NONE)
    }

    /// Returns the encoding of the value of a fact.
    pub(crate) fn of_fact<'s>(&'s self, fact: Fact, ours: &'s Schema) -> Option<&'s Encoding> {
        let logged = match fact {
            Fact::Set { column, .. } => self.columns.get(&column),
            Fact::SetLink { edge, .. } => self.edges.get(&edge),
            _ => None,
        };
        logged.or_else(|| fact.encoding(ours))
    }

    /// Returns the encoding of a field of an event.
    pub(crate) fn of_field<'s>(
        &'s self,
        event: EventIx,
        field: usize,
        ours: &'s Schema,
    ) -> Option<&'s Encoding> {
        let logged = self.fields.get(&(event, field));
        logged.or_else(|| ours[event].fields.get(field)?.encoding.as_ref())
    }
}

/// Returns a logged encoding with the entity indexes of this program's schema, if it differs from this program's encoding.
fn other_encoding(
    logged: Option<&Encoding>,
    ours: Option<&Encoding>,
    entities: &[EntityIx],
) -> Option<Encoding> {
    fn mapped(encoding: &Encoding, entities: &[EntityIx]) -> Option<Encoding> {
        let inner = |of: &Encoding| Some(Box::new(mapped(of, entities)?));
        Some(match encoding {
            Encoding::Id(entity) => Encoding::Id(*entities.get(entity.index())?),
            Encoding::Key(entity) => Encoding::Key(*entities.get(entity.index())?),
            Encoding::Option(of) => Encoding::Option(inner(of)?),
            Encoding::List(of) => Encoding::List(inner(of)?),
            other => other.clone(),
        })
    }
    mapped(logged?, entities).filter(|logged| Some(logged) != ours)
}

/// The mapping of an event of a logged schema.
pub(super) struct EventTags {
    /// The index of the event in this program's schema.
    pub event: EventIx,
    pub immediate: bool,
    /// For each logged field, the index in this program's schema.
    pub fields: Arc<[u16]>,
    /// For each logged field, the form of its values in 8 bytes, if they have one.
    pub words: Vec<Option<FixedEncoding>>,
    /// The cardinality of each logged name.
    pub names: Vec<Cardinality>,
    /// The cardinality of each logged name that the event chose.
    pub chosen: Vec<Cardinality>,
    /// For each name that the event chooses in this program's schema, the index among the logged ones. `None` as for `named`.
    pub chosen_now: Vec<Option<usize>>,
    /// For each name of the event in this program's schema, the index of the logged name. `None` if the logged event has no
    /// such name or binds it differently.
    pub named: Vec<Option<usize>>,
}

/// Returns for each logged item the index of this program's item with the same key, or `None` if one has no counterpart.
fn matched<K: Hash + Eq, Ix: Copy + TryFrom<usize>>(
    logged: impl Iterator<Item = Option<K>>,
    ours: impl Iterator<Item = K>,
) -> Option<Vec<Ix>> {
    let ours: HashMap<K, usize> = ours.zip(0..).collect();
    logged
        .map(|key| Ix::try_from(*ours.get(&key?)?).ok())
        .collect()
}

/// Returns the mapping of a logged event to one of this program's schema. Adds the encodings of the fields that have others in
/// this program. Returns `None` if the program lacks a field.
fn event_tags(
    logged: &EventDef,
    (event, ours): (EventIx, &Schema),
    entities: &[EntityIx],
    encodings: &mut HashMap<(EventIx, usize), Encoding>,
) -> Option<EventTags> {
    let fields: Vec<u16> = matched(
        logged.fields.iter().map(|f| Some(&f.name)),
        ours[event].fields.iter().map(|f| &f.name),
    )?;
    for (f, ix) in logged.fields.iter().zip(&fields) {
        let ix = usize::from(*ix);
        let encoding = ours[event].fields[ix].encoding.as_ref();
        if let Some(other) = other_encoding(f.encoding.as_ref(), encoding, entities) {
            encodings.insert((event, ix), other);
        }
    }
    let names = logged.names.iter().map(|n| &*n.name);
    let known: HashMap<&str, usize> = names.zip(0..).collect();
    let entity = |e: EntityIx| entities.get(usize::from(e)).copied();
    let named = ours[event].names.iter().map(|now| {
        let then = *known.get(&*now.name)?;
        let NameDef {
            entity: of, count, ..
        } = logged.names[then];
        ((entity(of), count) == (Some(now.entity), now.count)).then_some(then)
    });
    let named: Vec<Option<usize>> = named.collect();
    let is_chosen = |name: &NameDef| name.by == BindBy::Chosen;
    let chosen: Vec<usize> = (0..logged.names.len())
        .filter(|at| is_chosen(&logged.names[*at]))
        .collect();
    let among_chosen = |then: usize| chosen.iter().position(|at| *at == then);
    let chosen_now = (ours[event].names.iter().zip(&named))
        .filter(|(name, _)| is_chosen(name))
        .map(|(_, then)| then.and_then(among_chosen))
        .collect();
    let chosen = chosen.iter().map(|at| logged.names[*at].count).collect();
    Some(EventTags {
        named,
        chosen,
        chosen_now,
        event,
        immediate: logged.immediate,
        fields: fields.into(),
        words: (logged.fields.iter())
            .map(|f| FixedEncoding::of(f.encoding.as_ref()))
            .collect(),
        names: logged.names.iter().map(|n| n.count).collect(),
    })
}

impl Tags {
    /// Returns the mapping from a logged schema to that of this program, both [valid](Schema::validate), for frames of a format
    /// version. Returns `None` if this program lacks a logged item.
    pub(crate) fn new(version: u16, logged: &Schema, ours: &Schema) -> Option<Self> {
        Self::of(version, logged, ours, |entities, fields| {
            matched(
                logged.events.iter().map(|e| Some(&e.name)),
                ours.events.iter().map(|e| &e.name),
            )?
            .into_iter()
            .zip(&logged.events)
            .map(|(event, l)| event_tags(l, (event, ours), entities, fields))
            .collect()
        })
    }

    /// As [`Tags::new`], for the facts alone: events keep the indexes of the logged schema. Returns `None` if this program lacks
    /// an entity type, a state, a column or an edge.
    pub(crate) fn of_facts(version: u16, logged: &Schema, ours: &Schema) -> Option<Self> {
        Self::of(version, logged, ours, |_, _| {
            (EventIx::all(logged.events.len()).zip(&logged.events))
                .map(|(event, l)| {
                    let own = EntityIx::all(logged.entities.len()).collect::<Vec<_>>();
                    event_tags(l, (event, logged), &own, &mut HashMap::new())
                })
                .collect()
        })
    }

    fn of(
        version: u16,
        logged: &Schema,
        ours: &Schema,
        events: impl FnOnce(
            &[EntityIx],
            &mut HashMap<(EventIx, usize), Encoding>,
        ) -> Option<Vec<EventTags>>,
    ) -> Option<Self> {
        let entities: Vec<EntityIx> = matched(
            logged.entities.iter().map(|e| Some(&e.name)),
            ours.entities.iter().map(|e| &e.name),
        )?;
        let states = (logged.entities.iter().zip(&entities)).map(|(l, ix)| {
            matched(
                l.states.iter().map(|s| Some(&s.name)),
                ours[*ix].states.iter().map(|s| &s.name),
            )
        });
        let states: Vec<Vec<StateIx>> = states.collect::<Option<_>>()?;
        let entity = |e: EntityIx| entities.get(usize::from(e)).copied();
        let state =
            |e: EntityIx, s: StateIx| states.get(usize::from(e))?.get(usize::from(s)).copied();
        let columns: Vec<ColumnIx> = matched(
            logged.columns.iter().map(|c| {
                let state = match c.state {
                    None => None,
                    Some(s) => Some(state(c.entity, s)?),
                };
                Some((entity(c.entity)?, state, &c.name))
            }),
            ours.columns.iter().map(|c| (c.entity, c.state, &c.name)),
        )?;
        let edges: Vec<EdgeIx> = matched(
            logged
                .edges
                .iter()
                .map(|e| Some((entity(e.from.entity)?, &e.from.name))),
            ours.edges.iter().map(|e| (e.from.entity, &e.from.name)),
        )?;
        let other = |logged: &Option<Encoding>, ours: &Option<Encoding>| {
            other_encoding(logged.as_ref(), ours.as_ref(), &entities)
        };
        let of_columns = (logged.columns.iter().zip(&columns))
            .filter_map(|(l, ix)| Some((*ix, other(&l.encoding, &ours[*ix].encoding)?)));
        let of_edges = (logged.edges.iter().zip(&edges))
            .filter_map(|(l, ix)| Some((*ix, other(&l.encoding, &ours[*ix].encoding)?)));
        let mut encodings = Encodings {
            columns: of_columns.collect(),
            edges: of_edges.collect(),
            fields: HashMap::new(),
        };
        let events = events(&entities, &mut encodings.fields)?;
        Some(Self {
            version,
            encodings: Arc::new(encodings),
            words: (logged.columns.iter())
                .map(|c| FixedEncoding::of(c.encoding.as_ref()))
                .collect(),
            entities,
            states,
            columns,
            edges,
            events,
        })
    }

    /// Returns the order of the tables in an image that was written with the logged schema.
    pub(super) fn image_order(&self) -> ImageOrder {
        ImageOrder {
            entities: self.entities.clone(),
            states: self.states.clone(),
            columns: self.columns.clone(),
            edges: self.edges.clone(),
        }
    }

    /// Returns whether the values of a logged column are words.
    #[inline]
    pub(super) fn has_words(&self, column: ColumnIx) -> bool {
        matches!(self.words.get(column.index()), Some(Some(_)))
    }

    /// Returns the word of a value of a logged column, or `None` if the record of a fact has no room for it.
    #[inline]
    pub(super) fn word_of(&self, column: ColumnIx, value: &[u8]) -> Option<u64> {
        self.words.get(column.index())?.as_ref()?.of_cbor(value)
    }

    /// Returns the value of a logged column that has this word.
    #[inline]
    pub(super) fn word_to_cbor(&self, column: u16, word: u64) -> Result<CborWord, DecodeError> {
        let fixed = self.words.get(usize::from(column)).copied().flatten();
        let value = fixed.and_then(|fixed| fixed.to_cbor(word));
        value.ok_or_else(|| {
            DecodeError::new(format_args!(
                "column {column} of the schema has no value with the word {word:#x}"
            ))
        })
    }

    /// Returns a logged fact with the indexes of this program's schema. An error says that an index is not in the logged
    /// schema.
    pub(super) fn fact(&self, fact: Fact) -> Result<Fact, DecodeError> {
        self.mapped(fact)
            .ok_or_else(|| DecodeError::new(format_args!("{fact:?} is not in the schema")))
    }

    fn mapped(&self, mut fact: Fact) -> Option<Fact> {
        match &mut fact {
            Fact::Create { entity, state, .. } | Fact::Delete { entity, state, .. } => {
                *state = self.state(*entity, *state)?;
                *entity = *self.entities.get(usize::from(*entity))?;
            }
            Fact::Move {
                entity, from, to, ..
            } => {
                *from = self.state(*entity, *from)?;
                *to = self.state(*entity, *to)?;
                *entity = *self.entities.get(usize::from(*entity))?;
            }
            Fact::Set { column, .. } => *column = *self.columns.get(usize::from(*column))?,
            Fact::Link { edge, .. } | Fact::Unlink { edge, .. } | Fact::SetLink { edge, .. } => {
                *edge = *self.edges.get(usize::from(*edge))?;
            }
        }
        Some(fact)
    }

    /// Returns the index of a state of a logged entity type.
    fn state(&self, entity: EntityIx, state: StateIx) -> Option<StateIx> {
        let states = self.states.get(usize::from(entity))?;
        states.get(usize::from(state)).copied()
    }
}
