//! The payload of a transaction's frame: its time, and each firing with its event, binding and facts.
//!
//! Numbers in it are indexes of the schema under which it was written; [`Tags`] turns them into those of
//! this program, by name.

use std::ops::Range;

use minicbor::Decoder;

use crate::cbor::{ARRAY, MAP, NULL, Pen, TEXT, UINT, Word};
use crate::fact::{Fact, Facts};
use crate::graph::layout::Layout;
use crate::schema::Schema;
use crate::step::Core;
use crate::step::repeat::{Attempt, Keyed, Outcome};
use crate::value::{DecodeError, raw_item};
use crate::{Meta, Timestamp};

/// For each index of a logged schema, the index in this program's.
pub(crate) struct Tags {
    entities: Vec<u16>,
    states: Vec<Vec<u8>>,
    columns: Vec<u16>,
    edges: Vec<u16>,
    events: Vec<u16>,
    /// Fields of each event of the log.
    fields: Vec<Vec<u16>>,
}

/// One transaction, read back.
pub(crate) struct Decoded {
    pub time: Timestamp,
    pub meta: Meta,
    /// What each event bound and created, in a frame with an idempotency key.
    pub names: Vec<u8>,
    /// What its transaction tried, where not all of it stayed.
    pub attempts: Option<Vec<u8>>,
    pub facts: Facts,
    pub firings: Vec<DecodedFiring>,
}

pub(crate) struct DecodedFiring {
    /// Index in this program's schema.
    pub event: u16,
    /// As logged: a map of fields, or the id that an immediate event bound.
    pub binding: Vec<u8>,
    pub facts: Range<usize>,
    /// This program's field for each field tag of the log.
    pub fields: Vec<u16>,
}

/// What sets two schemas apart in what they store; `None` where a log of one can be read as the other.
pub(crate) fn shape_difference(logged: &Schema, ours: &Schema) -> Option<String> {
    let named = |what: &str, logged: Vec<String>, ours: Vec<String>| -> Option<String> {
        if let Some(gone) = logged.iter().find(|x| !ours.contains(x)) {
            return Some(format!("the store has {what} {gone}, the program does not"));
        }
        ours.iter()
            .find(|x| !logged.contains(x))
            .map(|new| format!("the program has {what} {new}, the store does not"))
    };
    let entities = |s: &Schema| s.entities.iter().map(|e| format!("`{}`", e.name)).collect();
    let states = |s: &Schema| {
        let of = |e: &crate::schema::EntityDef| -> Vec<String> {
            e.states
                .iter()
                .map(|state| format!("`{}` of `{}`", state.name, e.name))
                .collect()
        };
        s.entities.iter().flat_map(of).collect()
    };
    let columns = |s: &Schema| {
        let layout = Layout::new(s.clone());
        let of = |(c, l): (
            &crate::schema::ColumnDef,
            &crate::graph::layout::ColumnLayout,
        )| {
            format!(
                "`{}: {}`{}",
                l.path,
                c.ty,
                if c.key { " (the key)" } else { "" }
            )
        };
        s.columns.iter().zip(&layout.columns).map(of).collect()
    };
    let edges = |s: &Schema| {
        let end = |e: &crate::schema::EndDef| {
            format!(
                "{}.{} ({:?})",
                s.entities[usize::from(e.entity)].name,
                e.name,
                e.cardinality
            )
        };
        let data = |e: &crate::schema::EdgeDef| {
            (e.data.as_ref()).map_or_else(String::new, |ty| format!(" with `{ty}`"))
        };
        s.edges
            .iter()
            .map(|e| format!("`{} <-> {}`{}", end(&e.from), end(&e.to), data(e)))
            .collect()
    };
    let events = |s: &Schema| {
        let of = |e: &crate::schema::EventDef| {
            let fields: Vec<String> = e
                .fields
                .iter()
                .map(|f| format!("{}: {}", f.name, f.ty))
                .collect();
            let kind = if e.immediate { "immediate " } else { "" };
            format!("`{kind}{} {{ {} }}`", e.name, fields.join(", "))
        };
        s.events.iter().map(of).collect()
    };
    named("the entity", entities(logged), entities(ours))
        .or_else(|| named("the state", states(logged), states(ours)))
        .or_else(|| named("the field", columns(logged), columns(ours)))
        .or_else(|| named("the edge", edges(logged), edges(ours)))
        .or_else(|| named("the event", events(logged), events(ours)))
}

impl Tags {
    /// The mapping between two schemas of the same shape.
    pub(crate) fn new(logged: &Schema, ours: &Schema) -> Option<Self> {
        fn by_name<T>(logged: &[T], ours: &[T], same: impl Fn(&T, &T) -> bool) -> Option<Vec<u16>> {
            logged
                .iter()
                .map(|l| ours.iter().position(|o| same(l, o)).map(|ix| ix as u16))
                .collect()
        }
        let entities = by_name(&logged.entities, &ours.entities, |a, b| a.name == b.name)?;
        let states: Option<Vec<Vec<u8>>> = (logged.entities.iter().zip(&entities))
            .map(|(l, ix)| {
                let tags = by_name(
                    &l.states,
                    &ours.entities[usize::from(*ix)].states,
                    |a, b| a.name == b.name,
                )?;
                Some(tags.into_iter().map(|t| t as u8).collect())
            })
            .collect();
        let states = states?;
        let columns = by_name(&logged.columns, &ours.columns, |a, b| {
            let state = a
                .state
                .map(|s| states[usize::from(a.entity)].get(usize::from(s)).copied());
            a.name == b.name
                && entities[usize::from(a.entity)] == b.entity
                && state == b.state.map(Some)
        })?;
        let edges = by_name(&logged.edges, &ours.edges, |a, b| {
            a.from.name == b.from.name && entities[usize::from(a.from.entity)] == b.from.entity
        })?;
        let events = by_name(&logged.events, &ours.events, |a, b| a.name == b.name)?;
        let fields: Option<Vec<Vec<u16>>> = (logged.events.iter().zip(&events))
            .map(|(l, ix)| {
                by_name(&l.fields, &ours.events[usize::from(*ix)].fields, |a, b| {
                    a.name == b.name
                })
            })
            .collect();
        Some(Self {
            entities,
            states,
            columns,
            edges,
            events,
            fields: fields?,
        })
    }

    /// The index in the logged schema of a type of this program.
    pub(crate) fn logged_entity(&self, entity: usize) -> Option<usize> {
        self.entities.iter().position(|e| usize::from(*e) == entity)
    }

    fn fact(&self, fact: Fact) -> Option<Fact> {
        let state = |entity: u16, state: u8| {
            self.states
                .get(usize::from(entity))?
                .get(usize::from(state))
                .copied()
        };
        Some(match fact {
            Fact::Create {
                entity,
                state: s,
                slot,
                generation,
            } => Fact::Create {
                entity: *self.entities.get(usize::from(entity))?,
                state: state(entity, s)?,
                slot,
                generation,
            },
            Fact::Delete {
                entity,
                state: s,
                slot,
                generation,
            } => Fact::Delete {
                entity: *self.entities.get(usize::from(entity))?,
                state: state(entity, s)?,
                slot,
                generation,
            },
            Fact::Move {
                entity,
                slot,
                from,
                to,
            } => Fact::Move {
                entity: *self.entities.get(usize::from(entity))?,
                slot,
                from: state(entity, from)?,
                to: state(entity, to)?,
            },
            Fact::Set {
                column,
                slot,
                at,
                len,
            } => Fact::Set {
                column: *self.columns.get(usize::from(column))?,
                slot,
                at,
                len,
            },
            Fact::Link { edge, from, to } => Fact::Link {
                edge: *self.edges.get(usize::from(edge))?,
                from,
                to,
            },
            Fact::Unlink { edge, from, to } => Fact::Unlink {
                edge: *self.edges.get(usize::from(edge))?,
                from,
                to,
            },
            Fact::SetLink {
                edge,
                from,
                to,
                at,
                len,
            } => Fact::SetLink {
                edge: *self.edges.get(usize::from(edge))?,
                from,
                to,
                at,
                len,
            },
        })
    }
}

/// Writes the open transaction.
pub(crate) fn encode(core: &Core, out: &mut Pen) {
    let facts = &core.graph.journal.facts;
    let open = &core.open;
    let meta = &open.meta;
    let text = |text: &Option<String>| text.as_ref().map_or(0, |text| text.len() + 16);
    out.begin(
        128 + text(&meta.actor)
            + text(&meta.correlation)
            + text(&meta.key)
            + open.keyed.as_ref().map_or(0, |keyed| keyed_room(keyed))
            + open.event_bytes.len()
            + open.firings.len() * 32
            + Facts::room(facts.list.len())
            + facts.bytes.len(),
    );
    encode_meta(core, out);
    out.small(ARRAY, open.firings.len() as u64);
    let (mut binding_at, mut facts_at) = (0, 0);
    for firing in &open.firings {
        let (binding_end, facts_end) = (firing.binding_end as usize, firing.facts_end as usize);
        out.word(Word::bytes([ARRAY | 3]));
        out.small(UINT, firing.event.into());
        out.raw(&open.event_bytes[binding_at..binding_end]);
        out.small(ARRAY, (facts_end - facts_at) as u64);
        for fact in &facts.list[facts_at..facts_end] {
            facts.encode(*fact, out);
        }
        (binding_at, facts_at) = (binding_end, facts_end);
    }
}

/// What the transaction says of itself, as a map; the codes are in `docs/log-format.md`.
fn encode_meta(core: &Core, out: &mut Pen) {
    let time = Word::int(core.open.clock.now().as_micros());
    if !core.open.has_metadata() {
        // Nothing but the time, with which it begins: an array of two, a map of one, of code 0.
        out.word(Word::bytes([ARRAY | 2, MAP | 1, 0]).then(time));
        return;
    }
    let (meta, keyed) = (&core.open.meta, core.open.keyed.as_deref());
    let texts = [(1, &meta.actor), (2, &meta.correlation), (4, &meta.key)];
    let given = texts.iter().filter(|(_, text)| text.is_some()).count();
    let all_fired = keyed.is_none_or(Keyed::all_fired);
    let more = given
        + usize::from(meta.causation.is_some())
        + usize::from(keyed.is_some())
        + usize::from(!all_fired);
    out.word(Word::bytes([ARRAY | 2]));
    out.head(MAP, 1 + more as u64);
    out.head(UINT, 0);
    out.word(time);
    for (code, text) in texts {
        if let Some(text) = text {
            out.head(UINT, code);
            out.head(TEXT, text.len() as u64);
            out.raw(text.as_bytes());
        }
    }
    if let Some(seq) = meta.causation {
        out.head(UINT, 3);
        out.head(UINT, seq);
    }
    let Some(keyed) = keyed else {
        return;
    };
    let fired = keyed.attempts.iter().filter_map(|a| match &a.outcome {
        Outcome::Fired(names) => Some(names),
        Outcome::TakenBack(_) | Outcome::Rejected(_) => None,
    });
    out.head(UINT, 5);
    out.head(ARRAY, fired.clone().count() as u64);
    fired.for_each(|names| out.raw(names));
    if all_fired {
        return;
    }
    out.head(UINT, 6);
    out.head(ARRAY, keyed.attempts.len() as u64);
    for Attempt { print, outcome } in &keyed.attempts {
        out.word(Word::bytes([ARRAY | 3]));
        out.head(UINT, (print >> 64) as u64);
        out.head(UINT, *print as u64);
        match outcome {
            Outcome::Fired(_) => out.word(Word::bytes([NULL])),
            Outcome::TakenBack(names) => out.raw(names),
            Outcome::Rejected(reason) => {
                out.head(TEXT, reason.len() as u64);
                out.raw(reason.as_bytes());
            }
        }
    }
}

/// How many bytes at most what is kept of a transaction with a key takes.
fn keyed_room(keyed: &Keyed) -> usize {
    let room = |attempt: &Attempt| match &attempt.outcome {
        Outcome::Fired(bytes) | Outcome::TakenBack(bytes) => bytes.len() + 48,
        Outcome::Rejected(reason) => reason.len() + 48,
    };
    32 + keyed.attempts.iter().map(room).sum::<usize>()
}

/// Reads a transaction.
pub(crate) fn decode(payload: &[u8], tags: &Tags) -> Result<Decoded, DecodeError> {
    read(payload, tags, Facts::default(), true)
}

/// Reads a transaction without what fired in it, which replay has no need of. Its facts are read into `room`.
pub(crate) fn decode_facts(
    payload: &[u8],
    tags: &Tags,
    mut room: Facts,
) -> Result<Decoded, DecodeError> {
    room.clear();
    read(payload, tags, room, false)
}

fn read(payload: &[u8], tags: &Tags, facts: Facts, firings: bool) -> Result<Decoded, DecodeError> {
    let mut d = Decoder::new(payload);
    let sized = |n: Option<u64>| n.ok_or_else(|| DecodeError::new("an array of unknown length"));
    if sized(d.array()?)? != 2 {
        return Err(DecodeError::new("no transaction"));
    }
    let mut time = Timestamp::default();
    let (mut meta, mut names, mut attempts) = (Meta::default(), Vec::new(), None);
    for _ in 0..sized(d.map()?)? {
        match d.u8()? {
            0 => time = Timestamp::from_micros(d.i64()?),
            1 => meta.actor = Some(d.str()?.to_owned()),
            2 => meta.correlation = Some(d.str()?.to_owned()),
            3 => meta.causation = Some(d.u64()?),
            4 => meta.key = Some(d.str()?.to_owned()),
            5 => names = raw_item(&mut d)?.to_vec(),
            6 => attempts = Some(raw_item(&mut d)?.to_vec()),
            _ => d.skip()?,
        }
    }
    let mut decoded = Decoded {
        time,
        meta,
        names,
        attempts,
        facts,
        firings: Vec::new(),
    };
    for _ in 0..sized(d.array()?)? {
        if sized(d.array()?)? != 3 {
            return Err(DecodeError::new("no firing"));
        }
        let tag = usize::from(d.u16()?);
        let binding = raw_item(&mut d)?;
        let start = decoded.facts.list.len();
        for _ in 0..sized(d.array()?)? {
            decoded.facts.decode(&mut d)?;
        }
        let (Some(event), Some(fields)) = (tags.events.get(tag), tags.fields.get(tag)) else {
            return Err(DecodeError::new(format_args!(
                "event {tag} is not in the schema"
            )));
        };
        if !firings {
            continue;
        }
        decoded.firings.push(DecodedFiring {
            event: *event,
            binding: binding.to_vec(),
            facts: start..decoded.facts.list.len(),
            fields: fields.clone(),
        });
    }
    for fact in &mut decoded.facts.list {
        *fact = tags
            .fact(*fact)
            .ok_or_else(|| DecodeError::new(format_args!("{fact:?} is not in the schema")))?;
    }
    Ok(decoded)
}
