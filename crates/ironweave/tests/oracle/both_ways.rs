//! Compiled arcs do what the interpreter does: random events of models that the macro compiled are fired at two stores, one
//! of which interprets all arcs, and results, names and facts are compared. The models of most other files of this folder
//! are made at runtime, so that only the interpreter can execute them.

use std::any::Any;
use std::time::Instant;

use ironweave::plumbing::{EventVisitor, alive, compiled_events, copy_event, state_of};
use ironweave::schema::{BindBy, ColumnIx, Encoding, EntityIx, EventDef, NameDef, Schema};
use ironweave::{AnyEvent, Event, Id, Meta, Model, Options, Seq, StepError, Store, Timestamp};
use serde_json::{Map, Value, json};

use crate::driver::seconds;
use crate::harness::random::Random;
use crate::number;

/// The models of the examples in the documentation and in the guide.
#[allow(dead_code, missing_docs)]
pub mod doc {
    include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs"));

    pub mod depot {
        include!("../../../../docs/guide/src/models/depot.rs");
    }

    pub mod guide {
        include!("../../../../docs/guide/src/models/shop.rs");
    }
}

/// Does something with each model that the macro compiled.
macro_rules! of_each_model {
    ($does:ident($($argument:expr)?)) => {
        [
            $does::<crate::crew::Model>($($argument)?),
            $does::<crate::limits::Model>($($argument)?),
            $does::<crate::shop::Model>($($argument)?),
            $does::<crate::shed::Model>($($argument)?),
            $does::<crate::pool::Model>($($argument)?),
            $does::<crate::bank::Model>($($argument)?),
            $does::<crate::ward::Model>($($argument)?),
            $does::<crate::logged::shop::Model>($($argument)?),
            $does::<crate::logged::first::bank::Model>($($argument)?),
            $does::<crate::logged::second::bank::Model>($($argument)?),
            $does::<crate::both_ways::doc::lamps::Model>($($argument)?),
            $does::<crate::both_ways::doc::depot::depot::Model>($($argument)?),
            $does::<crate::both_ways::doc::guide::shop::Model>($($argument)?),
            $does::<crate::readme::build::Model>($($argument)?),
        ]
    };
}
pub(crate) use of_each_model;

/// How many histories of each model a plain `cargo test` draws, and how many events each has.
const HISTORIES: u64 = 8;
const EVENTS: usize = 250;

#[test]
fn compiled_arcs_do_what_the_interpreter_does() {
    let histories = number("IRONWEAVE_ORACLE_SEEDS").map_or(HISTORIES, |n| n / 50 + 1);
    let from = number("IRONWEAVE_ORACLE_FROM").unwrap_or(0);
    let began = Instant::now();
    let (mut models, mut total) = (0, 0);
    for seed in from..from + histories {
        let fired = of_each_model!(compare(seed));
        assert!(
            fired.iter().all(|fired| *fired > EVENTS / 25),
            "seed {seed}: few of the events fire: {fired:?}"
        );
        models = fired.len();
        total += fired.iter().sum::<usize>();
    }
    println!(
        "{histories} histories of {models} compiled models in {:.1} s: {total} events fired both ways",
        seconds(began)
    );
}

#[test]
fn the_macro_compiles_the_arcs_of_each_event_whose_plan_permits_it() {
    let all = of_each_model!(events());
    for (event, of_macro, of_plan) in all.iter().flatten() {
        assert_eq!(of_macro, of_plan, "{event}");
    }
    let interpreted = |model: &[(String, bool, bool)]| -> Vec<String> {
        let events = model.iter().filter(|(_, compiled, _)| !compiled);
        events.map(|(name, ..)| name.clone()).collect()
    };
    assert_eq!(interpreted(&all[0]), ["Drowned"]);
    assert_eq!(
        interpreted(&all[1]),
        ["Made", "NineNames", "TwentyFiveArcs", "Turned"]
    );
}

fn events<M: Model>() -> Vec<(String, bool, bool)> {
    compiled_events(M::binding())
}

/// Runs a history of a model both ways, and returns how many events fired.
fn compare<M: Model>(seed: u64) -> usize {
    let mut random = Random(seed);
    let open = |options: Options<M>| options.memory();
    let mut compiled = open(Store::options());
    let mut interpreted = open(Store::options().interpreted());
    let mut fired = 0;
    for step in 0..EVENTS {
        let Some(event) = draw::<M>(&compiled, &mut random) else {
            continue;
        };
        let way = random.below(5);
        let before = compiled.seq().unwrap_or_default();
        let (a, b) = (
            fire(&mut compiled, &event, way, step),
            fire(&mut interpreted, &event, way, step),
        );
        let text = || {
            let event = serde_json::to_string(&event).unwrap_or_default();
            format!("{}: seed {seed}, step {step}: {event}", M::NAME)
        };
        fired += usize::from(compiled.seq() > Some(before));
        assert_eq!(a, b, "{}", text());
        let (of_compiled, of_interpreted) =
            (frames(&compiled, before), frames(&interpreted, before));
        assert_eq!(of_compiled, of_interpreted, "{}", text());
    }
    for store in [&compiled, &interpreted] {
        assert_eq!(store.check(), [], "{}: seed {seed}", M::NAME);
        store
            .verify()
            .expect("the interpreter does what was logged");
    }
    fired
}

/// Fires an event in one of several ways, and returns its names, or its error.
pub fn fire<M: Model>(
    store: &mut Store<M>,
    event: &M::Event,
    way: usize,
    step: usize,
) -> Result<String, String> {
    let result = match way {
        // As an event whose type is known only at runtime.
        0 => store
            .try_step_any(event)
            .map(|receipt| format!("{:?}", receipt.names)),
        _ => event.accept(Typed { store, way, step }),
    };
    result.map_err(|e| e.to_string())
}

struct Typed<'s, M: Model> {
    store: &'s mut Store<M>,
    way: usize,
    step: usize,
}

impl<'e, M: Model> EventVisitor<'e> for Typed<'_, M> {
    type Output = Result<String, StepError>;

    fn visit<E: Event>(self, event: &'e E) -> Self::Output {
        let store = (self.store as &mut dyn Any)
            .downcast_mut::<Store<E::Model>>()
            .expect("an event of the model");
        let meta = Meta::new().with_actor("ann").with_correlation("tuesday");
        match self.way {
            1 => store.try_step(copy_event(event)).map(|_| String::new()),
            2 => store
                .try_step_with(meta, copy_event(event))
                .map(|_| String::new()),
            3 => {
                let fired = store.step_all([copy_event(event), copy_event(event)]);
                let results = fired.into_iter().map(|result| match result {
                    Ok(receipt) => Ok(receipt.seq),
                    Err(e) => Err(e.to_string()),
                });
                Ok(format!("{:?}", results.collect::<Vec<_>>()))
            }
            // Several times in one transaction, of which some are rolled back.
            _ => {
                let times = self.step % 3;
                let fired = store.transaction(|t| {
                    let first = t.apply(copy_event(event)).map(|_| ());
                    let point = t.savepoint();
                    let again = t.apply(copy_event(event)).map(|_| ());
                    if times == 0 {
                        t.rollback_to(point)?;
                    }
                    let facts = t.facts().to_string();
                    let results = [first, again].map(|result| result.map_err(|e| e.to_string()));
                    Ok::<_, StepError>(format!("{results:?} {}", without_times(&facts)))
                });
                fired.map(|(text, _)| text)
            }
        }
    }
}

/// The transactions from a frame on as text. The two stores read the clock at different times.
fn frames<M: Model>(store: &Store<M>, from: Seq) -> String {
    let mut text = String::new();
    for record in store.frames(from).expect("the log can be read") {
        for firing in record.expect("the log can be read").firings() {
            text += &format!("{firing}: {}\n", firing.facts());
        }
    }
    without_times(&text)
}

/// The same text with one word in the place of each time.
fn without_times(text: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_ascii_digit() || "-:.TZ".contains(c) {
            run.push(c);
            continue;
        }
        let time = run.contains('T') && run.contains('Z');
        out.push_str(if time { "TIME" } else { &run });
        out.push(c);
        run.clear();
    }
    out
}

/// A random event of a model; `None` if it has a field whose values cannot be drawn.
pub fn draw<M: Model>(store: &Store<M>, random: &mut Random) -> Option<M::Event> {
    // Fields may have other names in JSON.
    serde_json::from_value(draw_json(store, random)?).ok()
}

/// A random event with its fields by the names in the schema, as [`draw`].
pub fn draw_json<M: Model>(store: &Store<M>, random: &mut Random) -> Option<Value> {
    let schema = store.schema();
    let events: Vec<&EventDef> = schema.events.iter().filter(|e| !e.immediate).collect();
    let def = events[random.below(events.len())];
    let mut fields = Map::new();
    for field in &def.fields {
        let name = def.names.iter().find(|name| name.name == field.name);
        let value = match (name, field.encoding.as_ref()?) {
            (Some(name), Encoding::Option(_)) if random.chance(30) => {
                let _ = name;
                Value::Null
            }
            (Some(name), Encoding::List(_)) => {
                let n = random.below(3);
                let all: Option<Vec<Value>> = (0..n).map(|_| entity(store, name, random)).collect();
                Value::Array(all?)
            }
            (Some(name), _) => entity(store, name, random)?,
            (None, encoding) => value(encoding, random)?,
        };
        fields.insert(field.name.clone(), value);
    }
    Some(json!({ &def.name: if def.fields.is_empty() { json!({}) } else { fields.into() } }))
}

/// An entity as an event names it: mostly one that exists, in the state that a token claims.
fn entity<M: Model>(store: &Store<M>, name: &NameDef, random: &mut Random) -> Option<Value> {
    let schema = store.schema();
    if let BindBy::Key | BindBy::Ensure = name.by {
        return key(schema, name.entity, random);
    }
    let mut id = Id::from_bits(1)?;
    for _ in 0..12 {
        let slot = random.below(10) as u64;
        let generation = 1 + random.below(4).saturating_sub(1) as u64;
        id = Id::from_bits(slot << 24 | generation)?;
        let fits = alive(store, name.entity.get(), id)
            && match name.by {
                BindBy::Token(state) => state_of(store, name.entity.get(), id) == state.get(),
                _ => true,
            };
        if fits && random.chance(95) {
            break;
        }
    }
    Some(json!(format!("{}/{id}", schema[name.entity].name)))
}

fn key(schema: &Schema, entity: EntityIx, random: &mut Random) -> Option<Value> {
    let columns = ColumnIx::all(schema.columns.len()).map(|ix| &schema[ix]);
    let parts: Option<Vec<Value>> = columns
        .filter(|column| column.entity == entity && column.key)
        .map(|column| value(column.encoding.as_ref()?, random))
        .collect();
    let mut parts = parts?;
    match parts.len() {
        1 => parts.pop(),
        _ => Some(Value::Array(parts)),
    }
}

fn value(encoding: &Encoding, random: &mut Random) -> Option<Value> {
    let n = random.below(5);
    Some(match encoding {
        Encoding::Bool => json!(n < 3),
        Encoding::Text => json!(["a", "b", "link twice", "unlink", "reject"][n]),
        Encoding::Timestamp => json!(Timestamp::from_secs(n as i64)),
        Encoding::Option(_) if n == 0 => Value::Null,
        Encoding::Option(of) => value(of, random)?,
        Encoding::U8
        | Encoding::U16
        | Encoding::U32
        | Encoding::U64
        | Encoding::I8
        | Encoding::I16
        | Encoding::I32
        | Encoding::I64 => json!(n),
        _ => return None,
    })
}
