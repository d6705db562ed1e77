//! An event that is tried by the schema alone does what the program does: random events of models that the macro compiled are tried
//! on snapshots by both, and results, names, facts and fingerprints are compared. An event that needs code of the program is
//! refused, and the schema has the code that is named.

use std::collections::BTreeMap;

use ironweave::dynamic::{NeededCode, TrialError, code_needed_by};
use ironweave::schema::{EntityIx, Schema};
use ironweave::{AnyEvent as _, Meta, Model, Record, Store, Timestamp};
use serde_json::{Map, Value, json};

use crate::both_ways::{draw_json, fire, of_each_model};
use crate::harness::random::Random;
use crate::model::{self as random, Field, Who};
use crate::number;
use crate::rules::Fire;
use crate::values::{Val, duration};

/// How many histories of each model a plain `cargo test` draws, and how many events each has.
const HISTORIES: u64 = 4;
const EVENTS: usize = 200;

/// Results of the events of a model.
#[derive(Clone, Debug, Default)]
struct Outcomes {
    fired: usize,
    immediate: usize,
    rejected: usize,
    /// By the kind of the code that was needed.
    refused: BTreeMap<&'static str, usize>,
}

#[test]
fn an_event_does_by_the_schema_alone_what_it_does_in_the_program() {
    let histories = number("IRONWEAVE_ORACLE_SEEDS").map_or(HISTORIES, |n| n / 50 + 1);
    let from = number("IRONWEAVE_ORACLE_FROM").unwrap_or(0);
    let mut all: Vec<Outcomes> = Vec::new();
    for seed in from..from + histories {
        for (at, outcomes) in of_each_model!(compare(seed)).into_iter().enumerate() {
            if let Some(total) = all.get_mut(at) {
                total.fired += outcomes.fired;
                total.immediate += outcomes.immediate;
                total.rejected += outcomes.rejected;
                for (kind, n) in outcomes.refused {
                    *total.refused.entry(kind).or_default() += n;
                }
            } else {
                all.push(outcomes);
            }
        }
    }
    for outcomes in &all {
        println!("{outcomes:?}");
    }
    let sum = |of: fn(&Outcomes) -> usize| all.iter().map(of).sum::<usize>();
    assert!(
        sum(|o| o.fired) > 100 * histories as usize,
        "few events fire"
    );
    assert!(sum(|o| o.immediate) > 10, "few immediate events follow");
    assert!(sum(|o| o.rejected) > 100, "few events are rejected");
    for kind in ["guard", "handler", "invariant"] {
        assert!(
            all.iter().any(|o| o.refused.contains_key(kind)),
            "no {kind} is needed"
        );
    }
}

fn compare<M: Model>(seed: u64) -> Outcomes {
    let mut random = Random(seed);
    let mut store = Store::<M>::options().memory();
    let mut outcomes = Outcomes::default();
    for step in 0..EVENTS {
        let Some(json) = draw_json::<M>(&store, &mut random) else {
            continue;
        };
        // Fields may have other names in JSON.
        let Ok(event) = serde_json::from_value(json.clone()) else {
            continue;
        };
        try_both(&store, (&event, json), step, &mut outcomes);
        let _ = fire(&mut store, &event, random.below(5), step);
    }
    outcomes
}

fn try_both<M: Model>(
    store: &Store<M>,
    (event, json): (&M::Event, Value),
    step: usize,
    outcomes: &mut Outcomes,
) {
    let snapshot = store.snapshot();
    let time = snapshot.time().max(Timestamp::from_secs(step as i64));
    let meta = || {
        let meta = Meta::new().with_time(time).with_actor("ann");
        if step.is_multiple_of(2) {
            meta
        } else {
            meta.with_correlation("tuesday")
        }
    };
    let typed = snapshot.with_any(meta(), event);
    let found = snapshot.to_dynamic().with_by_name(meta(), json.clone());
    let text = format!("{}: step {step}: {json}", M::NAME);
    let def = (store.schema().events.iter()).find(|def| def.name == event.name());
    let needed = code_needed_by(store.schema(), def.expect("an event of the schema"));
    match (found, typed) {
        (Ok(found), Ok(typed)) => {
            assert_eq!(needed, None, "{text}");
            assert_eq!(found.applied.names, typed.applied.names, "{text}");
            assert_eq!(facts(&found.record), facts(&typed.record), "{text}");
            assert_eq!(found.record.seq(), typed.record.seq(), "{text}");
            let (a, b) = (found.snapshot, typed.snapshot);
            assert_eq!(a.fingerprint(), b.fingerprint(), "{text}");
            assert_eq!((a.seq(), a.time()), (b.seq(), b.time()), "{text}");
            assert_eq!(a.check(), [], "{text}");
            outcomes.fired += 1;
            outcomes.immediate += found.record.firings().filter(|f| f.is_immediate()).count();
        }
        (Err(TrialError::Rejected(found)), Err(typed)) => {
            assert_eq!(found.to_string(), typed.to_string(), "{text}");
            outcomes.rejected += 1;
        }
        (Err(TrialError::NeedsCode { event: of, code }), _) => {
            assert_eq!(*of, *event.name(), "{text}");
            if let Some(needed) = needed {
                assert_eq!(code, needed, "{text}");
            }
            let kind = kind_of(store.schema(), &code);
            *outcomes.refused.entry(kind).or_default() += 1;
        }
        (found, typed) => panic!(
            "{text}: by the schema {:?}, in the program {:?}",
            found.map(|found| found.applied),
            typed.map(|typed| typed.applied)
        ),
    }
}

/// Results of the events of random models.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    pub fired: usize,
    pub immediate: usize,
    pub rejected: usize,
    pub refused: usize,
}

impl Tried {
    pub fn add(&mut self, other: Self) {
        self.fired += other.fired;
        self.immediate += other.immediate;
        self.rejected += other.rejected;
        self.refused += other.refused;
    }

    /// Returns the least of the numbers.
    pub fn least(&self) -> usize {
        let all = [self.fired, self.immediate, self.rejected, self.refused];
        all.into_iter().min().unwrap_or_default()
    }
}

/// Tries an event of a random model by both, and returns how they differ.
pub fn agree(
    store: &Store<random::Model>,
    (schema, fire): (&Schema, &Fire),
    time: Timestamp,
    tried: &mut Tried,
) -> Result<(), String> {
    let def = &schema.events[usize::from(fire.event)];
    let mut names = def.names.iter();
    let mut fields = Map::new();
    for (field, given) in def.fields.iter().zip(&fire.fields) {
        let who = |who: &Who, entity: EntityIx| match who {
            Who::Id(slot, generation) => {
                json!(format!(
                    "{}/{}",
                    schema[entity].name,
                    random::id(*slot, *generation)
                ))
            }
            Who::Key(parts) => match &*parts.iter().map(as_json).collect::<Vec<_>>() {
                [part] => part.clone(),
                parts => json!(parts),
            },
        };
        let mut entity = || names.next().expect("a name for each field").entity;
        let value = match given {
            Field::Value(value) => as_json(value),
            Field::One(one) => who(one, entity()),
            Field::Option(None) => {
                entity();
                Value::Null
            }
            Field::Option(Some(one)) => who(one, entity()),
            Field::Many(all) => {
                let entity = entity();
                all.iter().map(|one| who(one, entity)).collect()
            }
        };
        fields.insert(field.name.clone(), value);
    }
    let json = json!({ &def.name: fields });
    let (snapshot, meta) = (store.snapshot(), || Meta::new().with_time(time));
    let event = random::event(fire.event, fire.fields.clone());
    let typed = snapshot.with_any(meta(), &event);
    let found = snapshot.to_dynamic().with_by_name(meta(), json.clone());
    let differ = |what: &str, a: &dyn std::fmt::Debug, b: &dyn std::fmt::Debug| {
        Err(format!(
            "{json}: {what} by the schema {a:?}, in the program {b:?}"
        ))
    };
    match (found, typed) {
        (Ok(a), Ok(b)) => {
            tried.fired += 1;
            tried.immediate += a.record.firings().filter(|f| f.is_immediate()).count();
            let (a_facts, b_facts) = (facts(&a.record), facts(&b.record));
            if a_facts != b_facts || a.applied != b.applied {
                return differ("facts", &(a_facts, a.applied), &(b_facts, b.applied));
            }
            let (a, b) = (a.snapshot.fingerprint(), b.snapshot.fingerprint());
            if a == b {
                Ok(())
            } else {
                differ("fingerprint", &a, &b)
            }
        }
        (Err(TrialError::Rejected(a)), Err(b)) => {
            tried.rejected += 1;
            let (a, b) = (a.to_string(), b.to_string());
            if a == b {
                Ok(())
            } else {
                differ("error", &a, &b)
            }
        }
        (Err(TrialError::NeedsCode { code, .. }), _) => {
            tried.refused += 1;
            match code {
                NeededCode::Value { .. } | NeededCode::Unknown { .. } => {
                    Err(format!("{json}: {code} is not needed"))
                }
                _ => Ok(()),
            }
        }
        (a, b) => differ("result", &a.map(|a| a.applied), &b.map(|b| b.applied)),
    }
}

fn as_json(value: &Val) -> Value {
    match value {
        Val::U(n) => json!(n),
        Val::S(text) => json!(text),
        Val::O(n) => json!(n),
        Val::T(micros) => json!(Timestamp::from_micros(*micros)),
        Val::M(micros) => json!(micros.map(Timestamp::from_micros)),
        Val::D(nanos) => json!(duration(*nanos)),
    }
}

/// The facts of each firing. Handles of a record are read by the graph around it.
fn facts<M: Model>(record: &Record<M>) -> Vec<String> {
    let firing = |firing: ironweave::Firing<'_, M>| format!("{firing}: {}", firing.facts());
    record.firings().map(firing).collect()
}

/// The kind of some code, which the schema must have.
fn kind_of(schema: &Schema, code: &NeededCode) -> &'static str {
    let event = |name: &str| {
        let found = schema.events.iter().find(|def| def.name == name);
        found.expect("an event of the schema")
    };
    match code {
        NeededCode::Guard { event: of, guard } => {
            assert!(event(of).guards.iter().any(|of| **of == **guard));
            "guard"
        }
        NeededCode::Handler { event: of } => {
            assert!(!event(of).mays.is_empty());
            "handler"
        }
        NeededCode::Invariant { invariant, .. } => {
            assert!(schema.invariants.iter().any(|def| *def.name == **invariant));
            "invariant"
        }
        NeededCode::Value { .. } => "value",
        code => panic!("{code}"),
    }
}
