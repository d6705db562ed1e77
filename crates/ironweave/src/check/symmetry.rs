//! Symmetry: states that differ only by which entity is which are one state. Whether the program keeps to that is sampled: the
//! steps of some states are fired again after a random renaming, and must give the same up to the renaming.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::Decoder;
use minicbor::data::Type;

use crate::base::cbor::{ARRAY, MAP, UINT, head};
use crate::base::id::Id;
use crate::check::domain::Resolved;
use crate::check::observed::Observed;
use crate::check::random::Random;
use crate::graph::Graph;
use crate::graph::coloured::Renamed;
use crate::graph::renamed::{Renaming, TypeRenaming};
use crate::graph::storage::Flat;
use crate::schema::{Encoding, EntityIx, Schema};
use crate::step::any_event::{AnyEvent, event_from};
use crate::step::field_codec::encode_items;
use crate::value::DecodeError;
use crate::value::item::raw_item;

/// The number of states at the beginning of an exploration whose steps are all fired again.
const FIRST_SAMPLED: u32 = 100;
/// Of the later ones, one of so many.
const SAMPLED_OF: u64 = 64;
/// How often another permutation is drawn if one changes nothing.
const DRAWS: usize = 8;

/// What the user of a checker asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requested {
    /// All types.
    pub all: bool,
    pub types: BTreeSet<EntityIx>,
    /// Types whose keys have no meaning, although they were given.
    pub keys: BTreeSet<EntityIx>,
}

impl Requested {
    /// Finds out what is renamed. The error lists what was asked for by name and cannot be renamed.
    pub(super) fn resolve(
        &self,
        schema: &Schema,
        resolved: &Resolved,
    ) -> Result<Names, Vec<String>> {
        let all = || EntityIx::all(schema.entities.len());
        let observed = Observed::of(schema);
        let is_symmetric =
            |ix: &EntityIx| self.all || self.types.contains(ix) || self.keys.contains(ix);
        let (mut wrong, mut kept) = (Vec::new(), Vec::new());
        let mut renamed = Renamed {
            slots: vec![false; schema.entities.len()],
            keys: vec![false; schema.entities.len()],
        };
        for ix in all().filter(is_symmetric) {
            let name = &schema[ix].name;
            match &observed.slots[ix.index()] {
                None => renamed.slots[ix.index()] = true,
                Some(why) if self.types.contains(&ix) || self.keys.contains(&ix) => {
                    wrong.push(format!("symmetry of `{name}`: {why}"));
                }
                Some(why) => kept.push(format!("{name} kept its ids, since {why}")),
            }
            let wants_keys = resolved.default_keys[ix.index()] || self.keys.contains(&ix);
            match &observed.keys[ix.index()] {
                None => renamed.keys[ix.index()] = wants_keys && renamed.slots[ix.index()],
                Some(why) if self.keys.contains(&ix) => {
                    wrong.push(format!("symmetric keys of `{name}`: {why}"));
                }
                Some(why) if wants_keys => kept.push(format!("{name} kept its keys, since {why}")),
                Some(_) => {}
            }
        }
        for entity in &self.keys {
            let columns = schema.columns.iter();
            let parts = columns.filter(|def| def.entity == *entity && def.key);
            if parts.count() != 1 {
                let name = &schema[*entity].name;
                wrong.push(format!(
                    "symmetric keys of `{name}`: its key has several fields, and only a key of one field can be renamed"
                ));
            }
        }
        match wrong.is_empty() {
            false => Err(wrong),
            true => Ok(Names {
                renamed: Some(renamed).filter(|renamed| renamed.slots.contains(&true)),
                kept,
            }),
        }
    }
}

/// What is renamed.
#[derive(Default)]
pub(super) struct Names {
    /// `None` if nothing is.
    pub renamed: Option<Renamed>,
    /// What is not, although symmetry was asked for, with the reason.
    pub kept: Vec<String>,
}

/// Whether the steps of a state are fired again.
pub(super) fn is_sampled(state: u32) -> bool {
    state < FIRST_SAMPLED || random_of(state).below(SAMPLED_OF) == 0
}

/// The random numbers for the renaming of a state.
pub(super) fn random_of(state: u32) -> Random {
    Random::new(u64::from(state))
}

/// Draws a renaming of a graph. `bounds` are the numbers of entities that there may be.
pub(super) fn draw(
    random: &mut Random,
    graph: &Graph<Flat>,
    renamed: &Renamed,
    bounds: &[usize],
    keys: &[BTreeSet<Vec<u8>>],
) -> Renaming {
    let of_type = |entity: EntityIx| {
        let slots = graph.slots(entity);
        let living: BTreeSet<u32> = graph.living(entity).collect();
        if !renamed.slots[entity.index()] {
            return TypeRenaming {
                slots: (0..slots).collect(),
                free: graph.free(entity).collect(),
                keys: BTreeMap::new(),
            };
        }
        let len = slots.max(u32::try_from(bounds[entity.index()]).unwrap_or(slots));
        let mut new: Vec<u32> = (0..len).collect();
        for _ in 0..DRAWS {
            random.shuffle(&mut new);
            if living.iter().any(|slot| new[*slot as usize] != *slot) {
                break;
            }
        }
        let free = (0..).zip(&new).filter(|(old, _)| !living.contains(old));
        let mut free: Vec<u32> = free.map(|(_, new)| *new).collect();
        random.shuffle(&mut free);
        let known = keys[entity.index()].iter().cloned();
        let mut others: Vec<Vec<u8>> = known.clone().collect();
        random.shuffle(&mut others);
        TypeRenaming {
            slots: new,
            free,
            keys: match renamed.keys[entity.index()] {
                true => known.zip(others).collect(),
                false => BTreeMap::new(),
            },
        }
    };
    let all = EntityIx::all(graph.layout.entities.len());
    Renaming {
        types: all.map(of_type).collect(),
    }
}

/// By event and field, the type of the entity that the event creates with the field as its key.
pub(super) type KeyFields = Vec<Vec<Option<EntityIx>>>;

/// Returns the event with the entities that a renaming makes of those that it names. `number` is its number among the events that a
/// program can fire.
pub(super) fn renamed_event<A: AnyEvent>(
    event: &A,
    number: usize,
    schema: &Schema,
    key_fields: &[Option<EntityIx>],
    renaming: &Renaming,
) -> Result<A, String> {
    let dynamic = event.as_dyn();
    let fields = &schema[dynamic.index()].fields;
    let items = encode_items(dynamic, fields.len()).map_err(|(_, e)| e.to_string())?;
    let rewrite = || -> Result<A, DecodeError> {
        let mut decoder = Decoder::new(&items);
        let mut bytes = Vec::new();
        let len = decoder.map()?.unwrap_or_default();
        head(&mut bytes, MAP, len);
        for _ in 0..len {
            let field = decoder.u16()?;
            head(&mut bytes, UINT, field.into());
            let encoding = match key_fields.get(usize::from(field)).copied().flatten() {
                Some(entity) => Encoding::Key(entity),
                None => (fields.get(usize::from(field)))
                    .and_then(|def| def.encoding.clone())
                    .unwrap_or_default(),
            };
            rename_value(&encoding, renaming, &mut decoder, &mut bytes)?;
        }
        event_from(number, &bytes, fields.len())
    };
    rewrite().map_err(|e| e.to_string())
}

/// Copies a value, with the new names of entities.
fn rename_value(
    encoding: &Encoding,
    renaming: &Renaming,
    from: &mut Decoder<'_>,
    to: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    match encoding {
        Encoding::Id(entity) => {
            let bits = from.u64()?;
            let new = Id::from_bits(bits).and_then(|id| {
                let slots = &renaming.types[entity.index()].slots;
                let slot = *slots.get(id.slot as usize)?;
                Some(Id { slot, ..id }.to_bits())
            });
            head(to, UINT, new.unwrap_or(bits));
        }
        Encoding::Key(entity) => {
            let key = raw_item(from)?;
            let new = renaming.types[entity.index()].keys.get(key);
            to.extend_from_slice(new.map_or(key, |new| new));
        }
        Encoding::Option(of) if from.datatype()? != Type::Null => {
            rename_value(of, renaming, from, to)?;
        }
        Encoding::List(of) => {
            let len = from.array()?.unwrap_or_default();
            head(to, ARRAY, len);
            for _ in 0..len {
                rename_value(of, renaming, from, to)?;
            }
        }
        _ => to.extend_from_slice(raw_item(from)?),
    }
    Ok(())
}
