//! The bindings of one event in a state, by number or drawn at random, without a list of all of them.

use crate::base::id::Id;
use crate::check::bindings::Enumeration;
use crate::check::domain::{By, EventChoices, FieldChoices};
use crate::check::random::Random;
use crate::graph::Graph;
use crate::graph::storage::Flat;
use crate::schema::{Cardinality, EntityIx};
use crate::step::any_event::AnyEvent;
use crate::value::DecodeError;

/// What each field of an event can be in a state.
pub(crate) struct Pools {
    fields: Vec<Pool>,
}

/// What a field can be.
enum Pool {
    /// One of these, by its number.
    Numbers(u64),
    /// One of these.
    One(Vec<u64>),
    /// None, or one of these.
    Option(Vec<u64>),
    /// Some of these, and the first ones of others.
    Many { atoms: Vec<u64>, fresh: Vec<u64> },
}

impl Pool {
    /// How many choices there are, or the greatest number.
    fn len(&self) -> u64 {
        match self {
            Self::Numbers(len) => *len,
            Self::One(atoms) => atoms.len() as u64,
            Self::Option(atoms) => atoms.len() as u64 + 1,
            Self::Many { atoms, fresh } => 1u64
                .checked_shl(atoms.len() as u32)
                .and_then(|sets| sets.checked_mul(fresh.len() as u64 + 1))
                .unwrap_or(u64::MAX),
        }
    }

    /// The choice of a number.
    fn nth(&self, i: u64) -> Vec<u64> {
        match self {
            Self::Numbers(_) => vec![i],
            Self::One(atoms) => vec![atoms[i as usize]],
            Self::Option(atoms) => match i.checked_sub(1) {
                Some(i) => vec![1, atoms[i as usize]],
                None => vec![0],
            },
            Self::Many { atoms, fresh } => {
                let (set, fresh_len) = match atoms.len() {
                    64.. => (i, 0),
                    len => (i & ((1 << len) - 1), i >> len),
                };
                let chosen = (atoms.iter().enumerate()).filter(|(at, _)| set >> at & 1 == 1);
                let chosen = chosen.map(|(_, atom)| *atom);
                with_len(chosen.chain(fresh.iter().copied().take(fresh_len as usize)))
            }
        }
    }

    /// A choice at random. Each is as likely, except for sets: a bound of the size is drawn from 1, 2, 4 and so on up to all, then
    /// a size up to that bound, and then a set of that size in any order.
    fn draw(&self, random: &mut Random) -> Vec<u64> {
        let Self::Many { atoms, fresh } = self else {
            return self.nth(random.below(self.len()));
        };
        let all = atoms.len() + fresh.len();
        let bounds = u64::from(all.next_power_of_two().trailing_zeros()) + 1;
        let bound = (1usize << random.below(bounds)).min(all);
        let len = random.below(bound as u64 + 1) as usize;
        let mut numbers: Vec<usize> = (0..all).collect();
        for at in 0..len {
            let other = at as u64 + random.below((all - at) as u64);
            numbers.swap(at, other as usize);
        }
        // Of the others, the first ones are used first.
        let mut next = fresh.iter();
        with_len(numbers[..len].iter().filter_map(|number| {
            let atom = atoms.get(*number).or_else(|| next.next());
            atom.copied()
        }))
    }
}

/// A set as a choice.
fn with_len(atoms: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut words = vec![0];
    words.extend(atoms);
    words[0] = words.len() as u64 - 1;
    words
}

impl Pools {
    /// How many bindings there are, or the greatest number.
    pub(crate) fn len(&self) -> u64 {
        (self.fields.iter()).fold(1u64, |len, field| len.saturating_mul(field.len()))
    }

    /// The binding of a number, as choices.
    pub(crate) fn nth(&self, mut i: u64) -> Vec<Vec<u64>> {
        let choice = |field: &Pool| {
            let at = i % field.len();
            i /= field.len();
            field.nth(at)
        };
        self.fields.iter().map(choice).collect()
    }

    /// A binding at random, as choices; `None` if there is none.
    pub(crate) fn draw(&self, random: &mut Random) -> Option<Vec<Vec<u64>>> {
        if self.len() == 0 {
            return None;
        }
        Some(self.fields.iter().map(|field| field.draw(random)).collect())
    }
}

/// Which bindings of an event are to be found.
#[derive(Clone, Copy)]
pub(crate) enum Breadth<'d> {
    /// Those with which it could fire.
    Possible,
    /// Also those with entities in other states, with keys that an entity has or that none has, and with these entities, which were
    /// deleted.
    Any(&'d [(EntityIx, Id)]),
}

impl Enumeration {
    /// Finds out what the fields of an event can be. The keys must have been found in this state. O(entities of their types).
    pub(crate) fn pools(
        &mut self,
        graph: &Graph<Flat>,
        event: &EventChoices,
        breadth: Breadth<'_>,
    ) -> Pools {
        let fields = event.fields.iter().zip(&event.key_fields);
        let pool = |(field, key_fields): (&FieldChoices, &usize)| {
            self.pool(graph, (field, *key_fields), breadth)
        };
        Pools {
            fields: fields.map(pool).collect(),
        }
    }

    fn pool(
        &mut self,
        graph: &Graph<Flat>,
        (field, key_fields): (&FieldChoices, usize),
        breadth: Breadth<'_>,
    ) -> Pool {
        let (entity, states, count, by) = match field {
            FieldChoices::Values(values) => return Pool::Numbers(values.len() as u64),
            FieldChoices::Now => return Pool::Numbers(1),
            FieldChoices::NewKey(entity) => {
                let Some(table) = &self.keys[entity.index()] else {
                    return Pool::One(Vec::new());
                };
                let unused = table.unused.iter();
                let unused = unused.take(match table.domain.only_next {
                    true => key_fields,
                    false => usize::MAX,
                });
                let mut keys: Vec<u64> = unused.map(|key| u64::from(*key)).collect();
                if matches!(breadth, Breadth::Any(_)) {
                    keys.extend(table.held.iter().map(|(_, key)| u64::from(*key)));
                }
                return Pool::One(keys);
            }
            FieldChoices::Entities {
                entity,
                states,
                count,
                by,
            } => (*entity, states, *count, *by),
        };
        let any_state;
        let states = match breadth {
            Breadth::Possible => states,
            Breadth::Any(_) => {
                any_state = vec![true; states.len()];
                &any_state
            }
        };
        let only_next = self.gather(graph, (entity, states, by), 0);
        let is_alone = key_fields <= 1;
        let (mut atoms, mut fresh) = (self.atoms.clone(), self.fresh.clone());
        if let Breadth::Any(deleted) = breadth {
            match (by, &self.keys[entity.index()]) {
                (By::Id, _) | (_, None) => {
                    let deleted = deleted.iter().filter(|(of, _)| *of == entity);
                    atoms.extend(deleted.map(|(_, id)| id.to_bits()));
                }
                (By::Key, Some(table)) => {
                    atoms.extend(table.unused.first().map(|key| u64::from(*key)));
                }
                (By::Ensure, Some(_)) => {}
            }
        }
        match count {
            Cardinality::One | Cardinality::Option => {
                fresh.truncate(match only_next {
                    true => key_fields,
                    false => usize::MAX,
                });
                atoms.append(&mut fresh);
                match count {
                    Cardinality::One => Pool::One(atoms),
                    _ => Pool::Option(atoms),
                }
            }
            Cardinality::Many => {
                if !(only_next && is_alone) {
                    atoms.append(&mut fresh);
                }
                Pool::Many { atoms, fresh }
            }
        }
    }

    /// Makes an event from a choice for each field. A field among `given` has that value instead, in CBOR.
    pub(crate) fn event_of<A: AnyEvent>(
        &self,
        event: &EventChoices,
        choices: &[Vec<u64>],
        given: &[(usize, Vec<u8>)],
    ) -> Result<A, DecodeError> {
        self.make(event, |i, field, bytes| {
            match given.iter().find(|(at, _)| *at == i) {
                Some((_, value)) => bytes.extend_from_slice(value),
                None => self.encode(field, &choices[i], bytes),
            }
        })
    }
}
