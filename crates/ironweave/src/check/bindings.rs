//! The bindings of all events in a state, as numbers of interned events.

#[cfg(feature = "proptest")]
pub(super) mod pools;

use crate::base::cbor::{ARRAY, CborWord, MAP, NULL, UINT, head};
use crate::base::hash::{FastMap, hash_bytes};
use crate::base::time::Timestamp;
use crate::check::domain::{By, EventChoices, FieldChoices, Keys, Resolved};
use crate::check::given::Domains;
use crate::check::interned::Events;
use crate::graph::storage::Flat;
use crate::graph::{Graph, GraphRef};
use crate::schema::{Cardinality, EntityIx};
use crate::step::any_event::{AnyEvent, event_from};
use crate::step::field_codec::encode_items;
use crate::step::model::Model;
use crate::store::Store;
use crate::value::DecodeError;

/// An event to try.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    /// The number of the interned event.
    pub number: u32,
    /// The index of its type among [`Resolved::events`].
    pub of: u32,
    /// Whether it will be cut if it fires, since it creates an entity of a type that has as many as it may.
    pub is_cut: bool,
    /// The number of the binding, if bindings are identified.
    #[cfg_attr(not(feature = "simulate"), allow(dead_code))]
    pub binding: u32,
}

/// The numbers of bindings. An event that creates an entity with the next key is the same binding whichever key is the next one, and
/// so is an event with the time as a field.
#[derive(Default)]
#[cfg_attr(not(feature = "simulate"), allow(dead_code))]
struct Identities {
    by_words: FastMap<Box<[u64]>, u32>,
    /// Reused.
    words: Vec<u64>,
}

impl Identities {
    /// The number of the binding of an event with some encoded fields.
    fn of_fields(&mut self, event: &EventChoices, encoded: &[u8]) -> u32 {
        self.words.clear();
        self.words
            .extend([event.number as u64, encoded.len() as u64]);
        let words = encoded.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        });
        self.words.extend(words);
        self.number()
    }

    /// The number of the binding with the present words.
    fn number(&mut self) -> u32 {
        if let Some(known) = self.by_words.get(&*self.words) {
            return *known;
        }
        let number = self.by_words.len() as u32;
        self.by_words.insert(self.words.as_slice().into(), number);
        number
    }
}

/// A word for what is not part of a binding.
const ANY: u64 = u64::MAX;

/// The keys of an entity type, by number.
struct KeyTable {
    domain: Keys,
    by_hash: FastMap<u64, u32>,
    /// All keys that were seen: first those of the domain.
    all: Vec<Vec<u8>>,
    /// The entities of the present state that have a key: slot and number.
    held: Vec<(u32, u32)>,
    /// By number, whether an entity of the present state has the key.
    is_held: Vec<bool>,
    /// The numbers of keys of the domain that no entity has, those that are tried.
    unused: Vec<u32>,
}

impl KeyTable {
    /// Which of the next keys a key is, if only these are tried: 0 for the first one.
    fn nth_next(&self, key: u64) -> Option<u64> {
        if !self.domain.only_next {
            return None;
        }
        let at = self.unused.binary_search(&(key as u32)).ok()?;
        Some(at as u64)
    }
}

/// The choices for one field in a state. A choice is a run of words.
#[derive(Default)]
struct Choices {
    words: Vec<u64>,
    ends: Vec<u32>,
}

impl Choices {
    fn clear(&mut self) {
        self.words.clear();
        self.ends.clear();
    }

    fn end(&mut self) {
        self.ends.push(self.words.len() as u32);
    }

    fn one(&mut self, word: u64) {
        self.words.push(word);
        self.end();
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, i: usize) -> &[u64] {
        let start = i
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        &self.words[start..self.ends[i] as usize]
    }
}

/// Finds the bindings in one state after the other.
pub(crate) struct Enumeration {
    keys: Vec<Option<KeyTable>>,
    bounds: Vec<usize>,
    /// Whether an event can delete entities, and so have room for more than there is.
    may_delete: bool,
    /// Of the fields of one event. Reused.
    choices: Vec<Choices>,
    /// The entities that a field can name. Reused.
    atoms: Vec<u64>,
    /// Keys of entities that an `Ensure` would create. Reused.
    fresh: Vec<u64>,
    chosen: Vec<usize>,
    words: Vec<u64>,
    identities: Option<Identities>,
    /// Whether events that will be cut are left out.
    pub skips_cut: bool,
    /// The time of the state.
    now: Timestamp,
    /// Of the event whose choices are found; see [`EventChoices::due`].
    due: Option<u16>,
}

impl Enumeration {
    pub(super) fn new(resolved: &mut Resolved) -> Self {
        let table = |keys: &mut Keys| {
            keys.is_used.then(|| {
                let domain = std::mem::take(keys);
                let hashes = domain.all.iter().map(|key| hash_bytes(key));
                KeyTable {
                    by_hash: hashes.zip(0..).collect(),
                    all: domain.all.clone(),
                    domain,
                    held: Vec::new(),
                    is_held: Vec::new(),
                    unused: Vec::new(),
                }
            })
        };
        Self {
            keys: resolved.keys.iter_mut().map(table).collect(),
            bounds: resolved.entities.clone(),
            may_delete: resolved.may_delete,
            choices: Vec::new(),
            atoms: Vec::new(),
            fresh: Vec::new(),
            chosen: Vec::new(),
            words: Vec::new(),
            identities: None,
            skips_cut: false,
            now: Timestamp::default(),
            due: None,
        }
    }

    /// The keys of an entity type that are tried, and those that were seen.
    pub(super) fn known_keys(&self, entity: EntityIx) -> &[Vec<u8>] {
        let table = self.keys[entity.index()].as_ref();
        table.map_or(&[], |table| &table.all)
    }

    /// Gives each binding a number from now on, beginning with 0.
    #[cfg(feature = "simulate")]
    pub(super) fn identify(&mut self) {
        self.identities = Some(Identities::default());
    }

    /// Appends the events to try in the state that the store is in, except those that could only create more entities than there
    /// may be.
    pub(super) fn collect<M: Model>(
        &mut self,
        (resolved, domains): (&Resolved, &Domains<M>),
        store: &Store<M>,
        events: &mut Events<M::Event>,
        out: &mut Vec<Candidate>,
    ) -> Result<(), String> {
        self.find_keys(&store.core.graph);
        self.now = store.core.open.clock.now();
        for (of, event) in (0..).zip(&resolved.events) {
            let graph = &store.core.graph;
            let is_full = |entity: &EntityIx| graph.alive(*entity) >= self.bounds[entity.index()];
            let is_cut = event.creates.iter().any(is_full);
            if is_cut && (self.skips_cut || !event.can_progress) {
                continue;
            }
            let fields = graph.layout.schema[event.event].fields.len();
            match event.binder.and_then(|at| domains.bindings.get(at)) {
                Some((_, bindings)) => {
                    for binding in bindings(store) {
                        let encoded = encode_items(binding.as_dyn(), fields);
                        let encoded = encoded.map_err(|(field, e)| {
                            format!("field {field} of a binding of {}: {e}", event.name)
                        })?;
                        let identity = match &mut self.identities {
                            None => 0,
                            Some(identities) => identities.of_fields(event, &encoded),
                        };
                        let number = events.of(binding, encoded);
                        out.push(Candidate {
                            number,
                            of,
                            is_cut,
                            binding: identity,
                        });
                    }
                }
                None => {
                    self.collect_event(graph, (of, event, is_cut), events, out)
                        .map_err(|e| {
                            format!("a binding of {} cannot be decoded: {e}", event.name)
                        })?;
                }
            }
        }
        Ok(())
    }

    /// Finds out which entity has which key.
    pub(super) fn find_keys(&mut self, graph: &Graph<Flat>) {
        for (entity, table) in EntityIx::all(self.keys.len()).zip(&mut self.keys) {
            let Some(table) = table else { continue };
            table.held.clear();
            for slot in graph.living(entity) {
                let (by_hash, all) = (&mut table.by_hash, &mut table.all);
                let hash = match &*graph.layout.entities[entity.index()].key {
                    [column] => graph.column(*column).hash(slot).unwrap_or(0),
                    _ => hash_bytes(&graph.encoded_key(entity, slot)),
                };
                let number = *by_hash.entry(hash).or_insert_with(|| {
                    all.push(graph.encoded_key(entity, slot));
                    all.len() as u32 - 1
                });
                table.held.push((slot, number));
            }
            table.is_held.clear();
            table.is_held.resize(table.all.len(), false);
            for (_, number) in &table.held {
                table.is_held[*number as usize] = true;
            }
            table.unused.clear();
            let domain = table.is_held.iter().take(table.domain.all.len());
            let unused = (0..).zip(domain).filter(|(_, is_held)| !**is_held);
            table.unused.extend(unused.map(|(number, _)| number));
        }
    }

    fn collect_event<A: AnyEvent>(
        &mut self,
        graph: &Graph<Flat>,
        (of, event, is_cut): (u32, &EventChoices, bool),
        events: &mut Events<A>,
        out: &mut Vec<Candidate>,
    ) -> Result<(), DecodeError> {
        let len = event.fields.len();
        while self.choices.len() < len {
            self.choices.push(Choices::default());
        }
        self.due = event.due;
        for (i, field) in event.fields.iter().enumerate() {
            let mut choices = std::mem::take(&mut self.choices[i]);
            choices.clear();
            self.choose(graph, (field, event.key_fields[i]), &mut choices);
            let is_empty = choices.len() == 0;
            self.choices[i] = choices;
            if is_empty {
                return Ok(());
            }
        }
        self.chosen.clear();
        self.chosen.resize(len, 0);
        let has_several = event.key_fields.iter().any(|count| *count > 1);
        loop {
            if !has_several || self.keys_are_in_order(event) {
                self.words.clear();
                self.words.push(event.number as u64);
                for (choices, chosen) in self.choices.iter().zip(&self.chosen) {
                    self.words.extend_from_slice(choices.get(*chosen));
                }
                let number = events.of_choices(&self.words, || {
                    self.make(event, |i, field, bytes| {
                        self.encode(field, self.choices[i].get(self.chosen[i]), bytes);
                    })
                })?;
                let binding = self.binding(event);
                out.push(Candidate {
                    number,
                    of,
                    is_cut,
                    binding,
                });
            }
            // The next combination.
            let advanced = (0..len).rev().find(|i| {
                self.chosen[*i] += 1;
                let more = self.chosen[*i] < self.choices[*i].len();
                if !more {
                    self.chosen[*i] = 0;
                }
                more
            });
            if advanced.is_none() {
                return Ok(());
            }
        }
    }

    /// The number of the binding with the present choices, or 0 if bindings are not identified.
    fn binding(&mut self, event: &EventChoices) -> u32 {
        let Some(identities) = &mut self.identities else {
            return 0;
        };
        let words = &mut identities.words;
        words.clear();
        words.push(event.number as u64);
        for (i, field) in event.fields.iter().enumerate() {
            let choice = self.choices[i].get(self.chosen[i]);
            if matches!(field, FieldChoices::Now) {
                words.push(ANY);
                continue;
            }
            let Some(entity) = field.new_entity() else {
                words.extend_from_slice(choice);
                continue;
            };
            let table = self.keys[entity.index()].as_ref();
            let (others, keys) = choice.split_at(field.words_before_keys());
            words.extend_from_slice(others);
            // The first of the next keys, the second and so on.
            let nth = |key: &u64| table.and_then(|table| table.nth_next(*key));
            words.extend(keys.iter().map(|key| nth(key).map_or(*key, |n| ANY - n)));
        }
        identities.number()
    }

    /// Whether the present choices use the next keys one after the other. Other choices would only give them to other fields.
    fn keys_are_in_order(&self, event: &EventChoices) -> bool {
        let mut used: FastMap<EntityIx, u64> = FastMap::default();
        event.fields.iter().enumerate().all(|(i, field)| {
            let Some(entity) = field.new_entity() else {
                return true;
            };
            let table = self.keys[entity.index()].as_ref();
            let used = used.entry(entity).or_default();
            let keys = &self.choices[i].get(self.chosen[i])[field.words_before_keys()..];
            let nth = |key: &u64| table.and_then(|table| table.nth_next(*key));
            keys.iter().filter_map(nth).all(|n| {
                let is_known = n < *used;
                let is_next = n == *used;
                *used += u64::from(is_next);
                is_known || is_next
            })
        })
    }

    /// Finds the choices for a field. `key_fields` is how many fields can give a key to a new entity of its type.
    fn choose(
        &mut self,
        graph: &Graph<Flat>,
        (field, key_fields): (&FieldChoices, usize),
        out: &mut Choices,
    ) {
        let (entity, states, count, by) = match field {
            FieldChoices::Values(values) => {
                return (0..values.len() as u64).for_each(|i| out.one(i));
            }
            FieldChoices::Now => return out.one(self.now.as_micros() as u64),
            FieldChoices::NewKey(entity) => {
                if let Some(table) = &self.keys[entity.index()] {
                    let tried = match table.domain.only_next {
                        true => key_fields,
                        false => usize::MAX,
                    };
                    (table.unused.iter().take(tried)).for_each(|key| out.one(u64::from(*key)));
                }
                return;
            }
            FieldChoices::Entities {
                entity,
                states,
                count,
                by,
            } => (*entity, states, *count, *by),
        };
        // One key more than there is room for, so that the event is known to be cut.
        let only_next = self.gather(graph, (entity, states, by), 1);
        // With several fields, a set can have keys of which another field has those before.
        let is_alone = key_fields <= 1;
        let fresh = match only_next && is_alone {
            true => 1,
            false => usize::MAX,
        };
        match count {
            Cardinality::One => {
                let all = self.atoms.iter().chain(self.fresh.iter().take(fresh));
                all.for_each(|atom| out.one(*atom));
            }
            Cardinality::Option => {
                out.one(0);
                for atom in self.atoms.iter().chain(self.fresh.iter().take(fresh)) {
                    out.words.extend([1, *atom]);
                    out.end();
                }
            }
            Cardinality::Many => {
                if !(only_next && is_alone) {
                    self.atoms.append(&mut self.fresh);
                }
                for fresh in 0..=self.fresh.len() {
                    subsets(&self.atoms, &self.fresh[..fresh], out);
                }
            }
        }
    }

    /// Finds the entities that a field can name, in one of some states: those that exist, and the keys of those that do not:
    /// of the next ones as many as there is room for, and `beyond` more. Returns whether only the next ones are tried.
    fn gather(
        &mut self,
        graph: &Graph<Flat>,
        (entity, states, by): (EntityIx, &[bool], By),
        beyond: usize,
    ) -> bool {
        let due = self.due.map(|due| &graph.layout.dues[usize::from(due)]);
        let is_allowed = |slot: u32| {
            let has_time = |due| GraphRef::Flat(graph).due_time(due, slot).is_some();
            states[usize::from(graph.state_of(entity, slot))] && due.is_none_or(has_time)
        };
        self.atoms.clear();
        self.fresh.clear();
        let mut only_next = false;
        match (&self.keys[entity.index()], by) {
            (Some(table), By::Key | By::Ensure) => {
                let held = table.held.iter().filter(|(slot, _)| is_allowed(*slot));
                self.atoms.extend(held.map(|(_, key)| u64::from(*key)));
                let initial = graph.layout.schema[entity].initial;
                if by == By::Ensure && states[usize::from(initial)] {
                    only_next = table.domain.only_next;
                    let room = match self.may_delete {
                        true => usize::MAX,
                        false => self.bounds[entity.index()]
                            .saturating_sub(graph.alive(entity))
                            .saturating_add(beyond),
                    };
                    let unused = table.unused.iter().map(|key| u64::from(*key));
                    self.fresh
                        .extend(unused.take(if only_next { room } else { usize::MAX }));
                }
            }
            _ => {
                let living = graph.living(entity).filter(|slot| is_allowed(*slot));
                self.atoms
                    .extend(living.map(|slot| graph.id(entity, slot).to_bits()));
            }
        }
        only_next
    }

    /// Makes an event from the encodings of its fields.
    fn make<A: AnyEvent>(
        &self,
        event: &EventChoices,
        encode: impl Fn(usize, &FieldChoices, &mut Vec<u8>),
    ) -> Result<A, DecodeError> {
        let mut bytes = Vec::new();
        head(&mut bytes, MAP, event.fields.len() as u64);
        for (i, field) in event.fields.iter().enumerate() {
            head(&mut bytes, UINT, i as u64);
            encode(i, field, &mut bytes);
        }
        event_from(event.number, &bytes, event.fields.len())
    }

    /// Encodes the choice for a field.
    fn encode(&self, field: &FieldChoices, choice: &[u64], out: &mut Vec<u8>) {
        let (entity, count, by) = match field {
            FieldChoices::Values(values) => {
                let value = choice.first().and_then(|i| values.get(*i as usize));
                return out.extend_from_slice(value.map_or(&[NULL], |value| value));
            }
            FieldChoices::Now => return CborWord::int(self.now.as_micros()).write(out),
            FieldChoices::NewKey(entity) => (*entity, Cardinality::One, By::Key),
            FieldChoices::Entities {
                entity, count, by, ..
            } => (*entity, *count, *by),
        };
        let atom = |atom: &u64, out: &mut Vec<u8>| match (&self.keys[entity.index()], by) {
            (Some(table), By::Key | By::Ensure) => {
                out.extend_from_slice(&table.all[*atom as usize]);
            }
            _ => head(out, UINT, *atom),
        };
        match (count, choice) {
            (Cardinality::Many, [len, atoms @ ..]) => {
                head(out, ARRAY, *len);
                atoms.iter().for_each(|one| atom(one, out));
            }
            (Cardinality::Option, [1, one]) | (Cardinality::One, [one]) => atom(one, out),
            _ => out.push(NULL),
        }
    }
}

/// Appends each set of some atoms, followed by all of the others.
fn subsets(atoms: &[u64], others: &[u64], out: &mut Choices) {
    // More than 63 entities have too many sets to try them in any case.
    let sets = 1u64.checked_shl(atoms.len() as u32).unwrap_or(u64::MAX);
    for set in 0..sets {
        out.words
            .push(u64::from(set.count_ones()) + others.len() as u64);
        let chosen = (atoms.iter().enumerate()).filter(|(i, _)| set >> i & 1 == 1);
        out.words.extend(chosen.map(|(_, atom)| *atom));
        out.words.extend_from_slice(others);
        out.end();
    }
}
