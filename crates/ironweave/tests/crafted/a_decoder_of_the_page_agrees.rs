//! A decoder that is written from `docs/log-format.md` alone reads the committed logs of version 3. It agrees with `Record` on
//! each firing, field, fact and value, and with each frame on the fingerprint of the graph.

use std::collections::HashMap;
use std::path::Path;

use ironweave::{Fact, FactKind, Model, Store};
use xxhash_rust::xxh3::xxh3_64;

use crate::cbor::{Array, Item, Map, Negative, Raw, Text, Uint, parse, text};
use crate::forge::{self, FrameKind};
use crate::models::{first, shop};
use crate::records::{FactRecord, Records};
use crate::{committed, scratch_dir};

/// Removes a key of a map; `None` if the map does not have it, or if its value is null.
fn optional(map: &mut Item, key: &str) -> Option<Item> {
    let Map(entries) = map else {
        panic!("{map:?} is no map");
    };
    let at = entries.iter().position(|(k, _)| *k == text(key))?;
    Some(entries.swap_remove(at).1).filter(|value| *value != Raw(vec![0xf6]))
}

fn required(map: &mut Item, key: &str) -> Item {
    optional(map, key).unwrap_or_else(|| panic!("there is no {key} in {map:?}"))
}

fn list(map: &mut Item, key: &str) -> Vec<Item> {
    match required(map, key) {
        Array(items) => items,
        other => panic!("{other:?} is no array"),
    }
}

fn name_in(map: &mut Item) -> String {
    match required(map, "name") {
        Text(name) => name,
        other => panic!("{other:?} is no text"),
    }
}

fn index(item: Item) -> usize {
    match item {
        Uint(n) => n as usize,
        other => panic!("{other:?} is no index"),
    }
}

struct Entity {
    name: String,
    states: Vec<String>,
}

struct Column {
    entity: usize,
    state: Option<usize>,
    name: String,
    encoding: Option<Item>,
}

/// An edge: the declaring end, and the entity type at the other one.
struct Edge {
    from: usize,
    name: String,
    to: usize,
}

struct Event {
    name: String,
    immediate: bool,
    /// The name and the encoding of each field.
    fields: Vec<(String, Option<Item>)>,
}

/// What a schema says about the frames after it.
#[derive(Default)]
struct Schema {
    entities: Vec<Entity>,
    columns: Vec<Column>,
    edges: Vec<Edge>,
    events: Vec<Event>,
}

impl Schema {
    fn read(mut item: Item) -> Self {
        let entities = list(&mut item, "entities").into_iter().map(|mut e| Entity {
            name: name_in(&mut e),
            states: (list(&mut e, "states").iter_mut()).map(name_in).collect(),
        });
        let entities = entities.collect();
        let columns = list(&mut item, "columns").into_iter().map(|mut c| Column {
            entity: index(required(&mut c, "entity")),
            state: optional(&mut c, "state").map(index),
            name: name_in(&mut c),
            encoding: optional(&mut c, "encoding"),
        });
        let columns = columns.collect();
        let edges = list(&mut item, "edges").into_iter().map(|mut e| {
            let (mut from, mut to) = (required(&mut e, "from"), required(&mut e, "to"));
            Edge {
                from: index(required(&mut from, "entity")),
                name: name_in(&mut from),
                to: index(required(&mut to, "entity")),
            }
        });
        let edges = edges.collect();
        let events = list(&mut item, "events").into_iter().map(|mut e| Event {
            name: name_in(&mut e),
            immediate: required(&mut e, "immediate") == Raw(vec![0xf5]),
            fields: (list(&mut e, "fields").into_iter())
                .map(|mut f| (name_in(&mut f), optional(&mut f, "encoding")))
                .collect(),
        });
        let events = events.collect();
        Self {
            entities,
            columns,
            edges,
            events,
        }
    }

    fn entity(&self, entity: usize, id: u64) -> String {
        format!(
            "{}/{}.{}",
            self.entities[entity].name,
            id >> 24,
            id & 0xff_ffff
        )
    }

    fn state(&self, entity: usize, state: u64) -> String {
        self.entities[entity].states[state as usize].clone()
    }
}

/// The CBOR item that a word of an encoding is equivalent to; `None` if the encoding has no words.
fn of_word(encoding: Option<&Item>, word: u64) -> Option<Vec<u8>> {
    let item = match encoding? {
        Text(name) => match &**name {
            "U8" | "U16" | "U32" | "U64" | "Char" => Uint(word),
            "I8" | "I16" | "I32" | "I64" | "Timestamp" if word >> 63 == 1 => Negative(!word),
            "I8" | "I16" | "I32" | "I64" | "Timestamp" => Uint(word),
            "Bool" => Raw(vec![0xf4 + word as u8]),
            "F32" => Raw([&[0xfa][..], &(word as u32).to_be_bytes()].concat()),
            "F64" => Raw([&[0xfb][..], &word.to_be_bytes()].concat()),
            _ => return None,
        },
        Map(entries) if entries[0].0 == text("Id") => Uint(word),
        _ => return None,
    };
    Some(item.bytes())
}

/// One change of the graph.
#[derive(Debug, PartialEq)]
struct Told {
    kind: FactKind,
    entity: String,
    other: Option<String>,
    field: Option<String>,
    data_of: Option<String>,
    from: Option<String>,
    to: Option<String>,
    value: Option<Vec<u8>>,
}

impl Told {
    /// What a fact of a `Record` says.
    fn by(fact: Fact<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            kind: fact.kind(),
            entity: fact.entity().to_string(),
            other: fact.other().map(|other| other.to_string()),
            field: owned(fact.field()),
            data_of: owned(fact.data_of()),
            from: owned(fact.from()),
            to: owned(fact.to()),
            value: fact.encoded().map(<[u8]>::to_vec),
        }
    }

    fn read(record: FactRecord, schema: &Schema, values: &mut &[u8]) -> Self {
        let (at, operand) = (usize::from(record.index), record.operand);
        let mut told = Self {
            kind: [
                FactKind::Create,
                FactKind::Delete,
                FactKind::Move,
                FactKind::Set,
                FactKind::Link,
                FactKind::Unlink,
                FactKind::SetLink,
            ][usize::from(record.kind)],
            entity: String::new(),
            other: None,
            field: None,
            data_of: None,
            from: None,
            to: None,
            value: None,
        };
        let encoding = match record.kind {
            3 => schema.columns[at].encoding.as_ref(),
            _ => None,
        };
        if record.kind == 3 {
            // What ironweave writes as a word, if it has one.
            let has_words = of_word(encoding, 0).is_some();
            assert_eq!(record.form, if has_words { 1 } else { 2 });
        }
        told.value = match record.form {
            0 => None,
            1 => Some(of_word(encoding, operand).expect("the encoding has words")),
            2 => {
                let (value, rest) = values.split_at(record.value_bytes as usize);
                *values = rest;
                Some(value.to_vec())
            }
            form => panic!("there is no form {form}"),
        };
        let entity = match record.kind {
            0 => {
                told.to = Some(schema.state(at, operand));
                at
            }
            1 => {
                told.from = Some(schema.state(at, operand));
                at
            }
            2 => {
                told.from = Some(schema.state(at, operand % 256));
                told.to = Some(schema.state(at, operand / 256));
                at
            }
            3 => {
                let column = &schema.columns[at];
                told.field = Some(column.name.clone());
                told.data_of = column.state.map(|s| schema.state(column.entity, s as u64));
                column.entity
            }
            _ => {
                let edge = &schema.edges[at];
                told.field = Some(edge.name.clone());
                told.other = Some(schema.entity(edge.to, operand));
                edge.from
            }
        };
        told.entity = schema.entity(entity, record.entity);
        told
    }
}

/// The fields of a firing in CBOR, each with its name.
fn fields(event: &Event, mut binding: &[u8]) -> Vec<(String, Vec<u8>)> {
    let word = |binding: &mut &[u8]| {
        let (word, rest) = binding.split_first_chunk().expect("a word");
        *binding = rest;
        u64::from_le_bytes(*word)
    };
    let fields = event.fields.iter().map(|(name, encoding)| {
        let word = word(&mut binding);
        let value = if event.immediate {
            Uint(word).bytes()
        } else if let Some(value) = of_word(encoding.as_ref(), word) {
            value
        } else {
            let (value, rest) = binding.split_at(word as usize);
            binding = &rest[value.len().next_multiple_of(8) - value.len()..];
            value.to_vec()
        };
        (name.clone(), value)
    });
    let fields = fields.collect();
    assert!(binding.is_empty());
    fields
}

fn fold(x: u64, y: u64) -> u64 {
    let product = u128::from(x) * u128::from(y);
    product as u64 ^ (product >> 64) as u64
}

fn spread(s: u64, id: u64) -> u64 {
    fold(id ^ 0xa076_1d64_78bd_642f, s | 1)
}

fn term(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

/// The graph, by the names that its fingerprint has. An entity is its text, such as `Order/1.1`.
#[derive(Default)]
struct Graph {
    states: HashMap<String, String>,
    /// By entity and `field` or `State.field`.
    values: HashMap<(String, String), Vec<u8>>,
    /// By the declaring end and both entities, with the data of the link.
    links: HashMap<(String, String, String), Option<Vec<u8>>>,
}

impl Graph {
    fn apply(&mut self, told: &Told) {
        let entity = told.entity.clone();
        let field = told.field.clone().unwrap_or_default();
        let link = || {
            (
                field.clone(),
                entity.clone(),
                told.other.clone().expect("an end"),
            )
        };
        match told.kind {
            FactKind::Create => {
                self.states
                    .insert(entity, told.to.clone().expect("a state"));
            }
            FactKind::Delete => {
                self.states.remove(&entity);
                self.values.retain(|(of, _), _| *of != entity);
            }
            FactKind::Move => {
                let from = format!("{}.", told.from.as_deref().expect("a state"));
                self.values
                    .retain(|(of, name), _| *of != entity || !name.starts_with(&from));
                self.states
                    .insert(entity, told.to.clone().expect("a state"));
            }
            FactKind::Set => {
                let name = match &told.data_of {
                    Some(state) => format!("{state}.{field}"),
                    None => field,
                };
                let value = told.value.clone().expect("a value");
                self.values.insert((entity, name), value);
            }
            FactKind::Link => assert!(self.links.insert(link(), None).is_none()),
            FactKind::Unlink => assert!(self.links.remove(&link()).is_some()),
            FactKind::SetLink => {
                *self.links.get_mut(&link()).expect("a link") = told.value.clone();
            }
        }
    }

    fn fingerprint(&self) -> u128 {
        let of = |entity: &str| entity.split_once('/').expect("an entity").0.to_owned();
        let id = |entity: &str| {
            let (_, id) = entity.split_once('/').expect("an entity");
            let (slot, generation) = id.split_once('.').expect("an id");
            let [slot, generation] =
                [slot, generation].map(|n| n.parse::<u64>().expect("a number"));
            (slot << 24) + generation
        };
        let mut sum = 0u128;
        for (entity, state) in &self.states {
            let s = xxh3_64(format!("{}: {state}", of(entity)).as_bytes());
            sum = sum.wrapping_add(term(spread(s, id(entity)), s));
        }
        for ((entity, name), value) in &self.values {
            let s = xxh3_64(format!("{}.{name}", of(entity)).as_bytes());
            sum = sum.wrapping_add(term(spread(s, id(entity)), xxh3_64(value)));
        }
        for ((end, from, to), data) in &self.links {
            let s = xxh3_64(format!("{}.{end}", of(from)).as_bytes());
            let to = spread(0x8ebc_6af0_9c88_c6e3, id(to));
            sum = sum.wrapping_add(term(spread(s, id(from)), to));
            if let Some(data) = data {
                let s = fold(
                    s ^ 0x2d35_8dcc_aa6c_78a5,
                    xxh3_64(data) ^ 0x8bb8_4b93_962e_acc9,
                );
                sum = sum.wrapping_add(term(spread(s, id(from)), to));
            }
        }
        sum
    }
}

/// Reads a committed log with both decoders; returns the number of its facts.
fn committed_agrees<M: Model>(name: &str) -> usize {
    let dir = scratch_dir();
    crate::describe::copy(&committed(name), dir.path()).expect("a copy");
    agrees::<M>(dir.path())
}

/// Reads a log with both decoders; returns the number of its facts.
pub fn agrees<M: Model>(dir: &Path) -> usize {
    let store = Store::<M>::open_read_only(dir).expect("the log can be read");
    let mut records = store.frames(0).expect("the log can be read");
    let (mut schema, mut graph, mut count) = (Schema::default(), Graph::default(), 0);
    for frame in forge::frames(dir) {
        if frame.kind == FrameKind::Schema {
            schema = Schema::read(frame.payload);
            assert_eq!(frame.fingerprint, graph.fingerprint());
            continue;
        }
        let record = records.next().expect("a record").expect("it can be read");
        let Raw(bytes) = frame.payload else {
            panic!("it is of version 2");
        };
        let decoded = Records::parse(&bytes);
        assert_eq!(record.time().as_micros(), decoded.time);
        metadata(&decoded.metadata, record.meta());
        let (mut facts_at, mut binding_at, mut values) = (0, 0, &*decoded.values);
        let mut theirs = record.firings();
        for firing in &decoded.firings {
            let their = theirs.next().expect("a firing");
            let event = &schema.events[usize::from(firing.event)];
            assert_eq!(their.name(), event.name);
            let (facts_end, binding_end) = (firing.facts_end as usize, firing.binding_end as usize);
            let their_fields = their.fields().into_iter();
            let their_fields: Vec<_> = their_fields
                .map(|field| (field.name().to_owned(), field.encoded().to_vec()))
                .collect();
            let binding = &decoded.bindings[binding_at..binding_end];
            assert_eq!(their_fields, fields(event, binding), "{their}");
            let ours = decoded.facts[facts_at..facts_end].iter();
            let ours: Vec<Told> = ours
                .map(|fact| Told::read(*fact, &schema, &mut values))
                .collect();
            let their_facts: Vec<Told> = their.facts().iter().map(Told::by).collect();
            assert_eq!(their_facts, ours, "{their}");
            ours.iter().for_each(|fact| graph.apply(fact));
            count += ours.len();
            (facts_at, binding_at) = (facts_end, binding_end);
        }
        assert!(theirs.next().is_none() && values.is_empty());
        assert_eq!(
            graph.fingerprint(),
            frame.fingerprint,
            "frame {}",
            record.seq()
        );
        assert_eq!(graph.fingerprint(), record.fingerprint());
    }
    assert!(records.next().is_none());
    count
}

/// Compares the metadata of a transaction.
fn metadata(mut bytes: &[u8], theirs: &ironweave::Meta) {
    let mut map = match bytes {
        [] => Map(Vec::new()),
        _ => parse(&mut bytes),
    };
    let Map(entries) = &mut map else {
        panic!("it is no map");
    };
    let mut take = |code: u64| {
        let at = entries.iter().position(|(key, _)| *key == Uint(code));
        at.map(|at| entries.swap_remove(at).1)
    };
    assert_eq!(take(1), theirs.actor().map(text));
    assert_eq!(take(2), theirs.correlation().map(text));
    assert_eq!(take(3), theirs.causation().map(|seq| Uint(seq.get())));
    assert_eq!(take(4), theirs.idempotency_key().map(text));
}

#[test]
fn a_decoder_that_is_written_from_the_page_reads_the_committed_logs() {
    assert!(committed_agrees::<shop::Model>("version3/constructs") > 100);
    for name in ["version3/epochs", "version3/segments", "version3/killed"] {
        assert!(committed_agrees::<first::bank::Model>(name) > 5, "{name}");
    }
}
