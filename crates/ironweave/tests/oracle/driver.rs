//! Runs a history on a store, step by step beside the oracle.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use ironweave::plumbing::{compiled_events, indexed_choices};
use ironweave::schema::{BindBy, EventIx, Schema};
use ironweave::{
    Durability, ManualClock, Meta, Model as _, Savepoint, StepError, Store, Timestamp, Transaction,
};

use crate::by_schema::agree;
use crate::compare::{Wrong, compare, same};
use crate::compile::compile;
use crate::due::Deadline;
use crate::filters::selects;
use crate::fingerprint::Salts;
use crate::firings::{Firings, chosen};
use crate::harness::named::assert_same_without_types;
use crate::history::{Case, End, Op, Step};
use crate::indexes;
use crate::meta::{Tried, expects, names, repeated};
use crate::model::{Model, event, set_current};
use crate::rules::Fire;
use crate::settle::{CREATED_FIRINGS_MAX, CREATION_DEPTH_MAX};
use crate::stats::Stats;
use crate::travel::{Kept, shows, with};
use crate::world::World;

/// Where the oracle and the graph part.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What kind of thing it is, so that a smaller history is one of the same.
    pub kind: String,
    pub text: String,
    pub step: usize,
    /// How many events had been fired.
    pub events: usize,
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps panics of this test from being printed: what matters of them is in the report.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let at = info
            .location()
            .map_or_else(String::new, ToString::to_string);
        PANIC.with(|p| *p.borrow_mut() = format!("{at}: {info}"));
    }));
}

/// Runs a case.
pub fn run(case: &Case) -> Result<Stats, Failure> {
    let mut run = Run {
        case,
        schema: &case.schema,
        salts: Salts::new(&case.schema),
        compiled: (case.schema.events.iter())
            .map(|event| compile(&case.schema, event).is_some())
            .collect(),
        indexed: Vec::new(),
        world: World::new(&case.schema),
        kept: Kept::default(),
        tried: Vec::new(),
        stayed: Vec::new(),
        stale: Vec::new(),
        clock: ManualClock::starting_at(Timestamp::from_micros(0)),
        postponed: false,
        not_undone: Vec::new(),
        stats: Stats::default(),
        step: 0,
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| run.all()));
    let (kind, text) = match outcome {
        Ok(Ok(())) => return Ok(run.stats),
        Ok(Err((kind, text))) => (kind.to_owned(), text),
        Err(_) => {
            let text = PANIC.with(|p| p.borrow().clone());
            let at = text.split(": ").next().unwrap_or_default().to_owned();
            (format!("panic at {at}"), text)
        }
    };
    let (step, events) = (run.step, run.stats.events);
    Err(Failure {
        kind,
        text,
        step,
        events,
    })
}

pub type Failed = (&'static str, Wrong);

pub fn of(kind: &'static str) -> impl Fn(Wrong) -> Failed {
    move |text| (kind, text)
}

pub struct Run<'c> {
    pub case: &'c Case,
    pub schema: &'c Schema,
    salts: Salts,
    /// Which events have compiled arcs.
    compiled: Vec<bool>,
    /// The events of the choices whose candidates an index finds.
    indexed: Vec<EventIx>,
    pub world: World,
    pub kept: Kept,
    /// What was tried in the present transaction, and the places in that of what is in it.
    tried: Vec<Tried>,
    stayed: Vec<usize>,
    /// Savepoints that are of no use any more.
    stale: Vec<Savepoint>,
    /// The clock of the stores, for transactions without a time of their own.
    pub clock: ManualClock,
    /// Whether a due event waits since it was rejected, or was due again at once.
    pub postponed: bool,
    /// What is still listed as due, if [`Bug::DueIndexNotUndone`](crate::planted::Bug) is planted.
    pub not_undone: Vec<Deadline>,
    pub stats: Stats,
    pub step: usize,
}

impl Run<'_> {
    fn all(&mut self) -> Result<(), Failed> {
        set_current(self.schema);
        self.macro_and_plan_agree()?;
        let choices = indexed_choices(Model::binding()).into_iter();
        let indexed = choices.filter(|(.., is_indexed)| *is_indexed);
        self.indexed = indexed.map(|(event, ..)| event).collect();
        let dir = self
            .case
            .files
            .then(|| tempfile::tempdir().expect("a directory"));
        let clock = self.clock.clone();
        let case = self.case;
        let open = || {
            let mut options = Store::<Model>::options()
                .durability(Durability::Os)
                .clock(clock.clone())
                .creation_depth_max(CREATION_DEPTH_MAX)
                .created_firings_max(CREATED_FIRINGS_MAX);
            if case.paranoid {
                options = options.paranoid();
            }
            if case.interpreted {
                options = options.interpreted();
            }
            match &dir {
                None => options.memory(),
                Some(dir) => options
                    .segment_bytes_max(8_192)
                    .open(dir.path())
                    .expect("it opens"),
            }
        };
        let mut store = open();
        // The newest checkpoint, from which the store opens, if the log lies in files.
        let mut checkpoint = None;
        for step in 0..self.case.steps.len() {
            self.step = step;
            let (schema, salts) = (self.schema, &self.salts);
            (self.kept.take(step, &store, (schema, salts), &self.world)).map_err(of("snapshot"))?;
            if dir.is_some() && step % 7 == 3 {
                checkpoint = Some(store.checkpoint().expect("it can be written").seq());
            }
            match &self.case.steps[step] {
                Step::Reopen => {
                    // One that was leaked would be seen by reads of the store.
                    if dir.is_none() {
                        drop(store.begin());
                    }
                    if dir.is_some() {
                        drop(std::mem::replace(&mut store, Store::memory()));
                        store = open();
                        self.postponed = false;
                        let opened = store.opened_from();
                        same(&opened.checkpoint(), &checkpoint, || opened.to_string())
                            .map_err(of("checkpoint"))?;
                        self.stats.reopened += 1;
                    }
                    let agreed = store.verify().map_err(|e| ("verify", e.to_string()))?;
                    let expected = self.stats.frames as u64;
                    same(&agreed, &expected, || "frames".into()).map_err(of("verify"))?;
                    self.settled(&store)?;
                }
                Step::Due => self.fire_due(&mut store)?,
                Step::Tx(ops, End::WhatIf) => self.what_if(&mut store, ops)?,
                Step::Tx(ops, end) => self.transaction(&mut store, ops, *end)?,
            }
            self.stats.entities = self.stats.entities.max(self.world.population());
        }
        let kept = std::mem::take(&mut self.kept);
        (kept.is_the_past_of(&store, (self.schema, &self.salts))).map_err(of("past"))?;
        if let Some(dir) = &dir {
            store.sync().map_err(|e| ("sync", e.to_string()))?;
            // It panics where the two differ.
            assert_same_without_types(dir.path(), &store);
        }
        drop(store);
        (kept.are_what_they_were(self.schema, &self.salts)).map_err(of("snapshot"))?;
        self.goes_on_from(kept)
    }

    /// Compares which events the macro gives compiled arcs with which the plan permits to have some. The arcs themselves are
    /// compared when a store opens.
    fn macro_and_plan_agree(&self) -> Result<(), Failed> {
        for (event, of_macro, of_plan) in compiled_events(Model::binding()) {
            same(&of_macro, &of_plan, || format!("compiled arcs of {event}"))
                .map_err(of("compiled"))?;
        }
        Ok(())
    }

    /// A store that begins at one of the snapshots goes on as any other does.
    fn goes_on_from(&mut self, kept: Kept) -> Result<(), Failed> {
        let middle = kept.all.len() / 2;
        let Some((step, snapshot, world)) = kept.all.into_iter().nth(middle) else {
            return Ok(());
        };
        self.world = world;
        let mut store = snapshot.into_store();
        self.settled(&store)?;
        let before = self.stats.frames;
        let steps = self.case.steps.iter().enumerate().skip(step);
        for (step, todo) in steps.take(8) {
            self.step = step;
            // Its clock is that of the system, so that nothing is due at the time of a step.
            if let Step::Tx(ops, end) = todo {
                self.transaction(&mut store, ops, *end)?;
            }
        }
        let expected = (self.stats.frames - before) as u64;
        self.stats.frames = before;
        let agreed = store.verify().map_err(|e| ("verify", e.to_string()))?;
        same(&agreed, &expected, || "frames".into()).map_err(of("verify"))
    }

    /// Compares a store between two transactions.
    pub fn settled(&mut self, store: &Store<Model>) -> Result<(), Failed> {
        compare(store, self.schema, &self.world).map_err(of("graph"))?;
        let rows = indexes::compare_all(store, self.schema, &self.world).map_err(of("index"))?;
        self.stats.index_rows += rows;
        let found = store.next_due().map(Timestamp::as_micros);
        let next = self.world.due(self.schema, i64::MAX).first().map(|d| d.0);
        if !self.postponed {
            same(&found, &next, || "the next due event".into()).map_err(of("due"))?;
        }
        let now = self.case.time(self.step);
        self.lists_due(store, now)?;
        self.lists_due(store, i64::MAX)?;
        // As many as there were steps: other questions each time.
        let number = (self.stats.events as u64) << 20 | self.step as u64;
        selects(store, self.schema, &self.world, number).map_err(of("select"))?;
        let expected = self.salts.fingerprint(self.schema, &self.world);
        same(&store.fingerprint(), &expected, || "the fingerprint".into())
            .map_err(of("fingerprint"))?;
        same(&store.check(), &Vec::new(), || "check".into()).map_err(of("check"))
    }

    fn transaction(
        &mut self,
        store: &mut Store<Model>,
        ops: &[Op],
        end: End,
    ) -> Result<(), Failed> {
        let commit = end == End::Commit;
        let seq = store.seq();
        let time = Timestamp::from_micros(self.case.time(self.step));
        // What would happen, before it does.
        let asked = match ops {
            [Op::Fire(fire)] if commit => {
                // The plan of a schema is made each time.
                if self.step % 8 == 3 {
                    agree(store, (self.schema, fire), time, &mut self.stats.tried)
                        .map_err(of("by schema"))?;
                }
                Some(with(store, fire, time))
            }
            _ => None,
        };
        if let [Op::Fire(fire)] = ops {
            self.expects(store, fire)?;
        }
        let base = self.world.clone();
        let key = format!("step {}", self.step);
        let keyed = commit && self.step % 4 == 1;
        let mut meta = Meta::new().with_time(time);
        if keyed {
            meta = meta.with_idempotency_key(&*key);
        }
        let mut t = store
            .begin_with(meta)
            .map_err(|e| ("time", e.to_string()))?;
        let (world, firings) = self.apply(&mut t, ops)?;
        if end == End::Leak {
            std::mem::forget(t);
            // No snapshot shows it, and the next transaction takes it back.
            let shown = (self.schema, &self.salts);
            return shows(&store.snapshot(), shown.0, shown.1, &self.world).map_err(of("leak"));
        }
        if !commit {
            drop(t);
            self.dropped(&world);
            return self.settled(store);
        }
        let holds = world.invariants_hold(self.schema);
        let committed = t.commit().map(drop).map_err(|e| variant(&e));
        let expected = if holds {
            Ok(())
        } else {
            Err("Invariant".to_owned())
        };
        same(&committed, &expected, || "the commit".into()).map_err(of("outcome"))?;
        if holds {
            self.world = world;
            let wrote = usize::from(!firings.is_empty());
            if wrote == 1 {
                self.kept.frames.push((store.seq(), self.world.clone()));
            }
            self.stats.frames += wrote;
            let next = seq.map(|s| s + wrote as u64);
            same(&store.seq(), &next, || "the sequence".into()).map_err(of("frames"))?;
            if wrote == 1 {
                self.logged(store, &firings)?;
            }
            if wrote == 1 && keyed {
                repeated(store, &key, &self.tried, &self.stayed).map_err(of("repeat"))?;
            }
        } else {
            self.stats.rejected_commits += 1;
        }
        if let Some((before, after)) = asked {
            let fired = holds && !firings.is_empty();
            same(&after.is_some(), &fired, || "with".into()).map_err(of("with"))?;
            if let Some(after) = after {
                shows(&after, self.schema, &self.salts, &self.world).map_err(of("with"))?;
                same(&after.seq(), &store.seq(), || "its sequence".into()).map_err(of("with"))?;
            }
            shows(&before, self.schema, &self.salts, &base).map_err(of("with"))?;
        }
        self.settled(store)
    }

    /// Asks whether an event can happen that expects nothing of its own to have changed since an earlier transaction.
    fn expects(&self, store: &mut Store<Model>, fire: &Fire) -> Result<(), Failed> {
        let frames = &self.kept.frames;
        let back = 1 + self.step % 3 * 2;
        let then = frames.len().checked_sub(back).map(|i| &frames[i]);
        let (Some((Some(seq), before)), time) = (then, self.case.time(self.step)) else {
            return Ok(());
        };
        let Ok((_, fired)) = self.world.after(self.schema, fire, time) else {
            return Ok(());
        };
        let names = &self.schema.events[usize::from(fire.event)].names;
        let mut named = Vec::new();
        // Those that it chooses are chosen now, whatever was there then.
        let known = names.iter().zip(&fired.names);
        for (name, ids) in known.filter(|(name, _)| name.by != BindBy::Chosen) {
            let there = ids.iter().filter(|id| self.world.alive(name.entity, **id));
            named.extend(there.map(|id| (name.entity, *id)));
        }
        let then = (*seq, before);
        expects(store, then, &self.world, (fire, time), &named).map_err(of("expect"))
    }

    fn what_if(&mut self, store: &mut Store<Model>, ops: &[Op]) -> Result<(), Failed> {
        let mut failed = None;
        let mut holds = true;
        let answer = store.what_if(|t| -> Result<_, StepError> {
            match self.apply(t, ops) {
                Ok((world, _)) => holds = world.invariants_hold(self.schema),
                Err(e) => failed = Some(e),
            }
            Ok(())
        });
        if let Some(failed) = failed {
            return Err(failed);
        }
        let expected = if holds {
            Ok(())
        } else {
            Err("Invariant".to_owned())
        };
        same(&answer.map_err(|e| variant(&e)), &expected, || {
            "what-if".into()
        })
        .map_err(of("outcome"))?;
        self.settled(store)
    }

    fn apply(
        &mut self,
        t: &mut Transaction<'_, Model>,
        ops: &[Op],
    ) -> Result<(World, Firings), Failed> {
        let mut world = self.world.clone();
        let mut firings: Firings = Vec::new();
        let mut saved: Vec<(Savepoint, World, (usize, usize))> = Vec::new();
        self.tried.clear();
        self.stayed.clear();
        let time = t.time().as_micros();
        for op in ops {
            match op {
                Op::Fire(fire) => self.fire(t, &mut world, &mut firings, fire, time)?,
                Op::Save => {
                    let lengths = (firings.len(), self.stayed.len());
                    saved.push((t.savepoint(), world.clone(), lengths));
                }
                Op::Back(to) => {
                    let Some((point, then, fired)) = saved.get(*to) else {
                        continue;
                    };
                    t.rollback_to(*point)
                        .map_err(|e| ("savepoint", e.to_string()))?;
                    world = then.clone();
                    firings.truncate(fired.0);
                    self.stayed.truncate(fired.1);
                    self.stale
                        .extend(saved.drain(to + 1..).map(|(point, ..)| point));
                }
                Op::Check => {
                    let expected = if world.invariants_hold(self.schema) {
                        Ok(())
                    } else {
                        Err("Invariant".to_owned())
                    };
                    same(&t.check().map_err(|e| variant(&e)), &expected, || {
                        "check()".into()
                    })
                    .map_err(of("outcome"))?;
                }
            }
            // Those of earlier transactions, and those that a rollback has undone, change nothing.
            for point in &self.stale {
                let refused = t.rollback_to(*point).map_err(|e| variant(&e));
                same(&refused, &Err("StaleSavepoint".to_owned()), || {
                    "a stale savepoint".into()
                })
                .map_err(of("savepoint"))?;
            }
            if ops.len() > 1 {
                compare(t, self.schema, &world).map_err(of("graph"))?;
            }
        }
        self.stale
            .extend(saved.into_iter().map(|(point, ..)| point));
        let known = self.stale.len().saturating_sub(8);
        self.stale.drain(..known);
        Ok((world, firings))
    }

    fn fire(
        &mut self,
        t: &mut Transaction<'_, Model>,
        world: &mut World,
        firings: &mut Firings,
        fire: &Fire,
        time: i64,
    ) -> Result<(), Failed> {
        self.stats.events += 1;
        let def = &self.schema.events[usize::from(fire.event)];
        let name = || def.name.clone();
        let expected = world.after(self.schema, fire, time);
        let found = t.apply_any(&event(fire.event, fire.fields.clone()));
        match (found, expected) {
            (Ok(applied), Ok((after, fired))) => {
                let names = names(&applied);
                same(&names, &fired.names, || format!("names of {}", name()))
                    .map_err(of("names"))?;
                self.stats.accepted += 1;
                self.stats.forms.fired(def);
                self.stats.compiled += usize::from(self.compiled[usize::from(fire.event)]);
                self.stayed.push(self.tried.len());
                self.tried.push((fire.clone(), Some(names)));
                self.stats.followed(self.schema, &fired);
                let followed = fired.immediates.iter().map(|followed| followed.event);
                for event in followed.chain([fire.event]) {
                    let indexed = self.indexed.iter().filter(|of| **of == event);
                    self.stats.index_choices += indexed.count();
                }
                let names = chosen(self.schema, fire.event, &fired.names);
                firings.push((fire.event, None, names));
                firings.extend(fired.immediates.iter().map(|followed| {
                    let names = chosen(self.schema, followed.event, &followed.names);
                    (followed.event, Some(followed.who), names)
                }));
                *world = after;
                Ok(())
            }
            (Err(e), Err(kinds)) if kinds.contains(&variant(&e).as_str()) => {
                self.tried.push((fire.clone(), None));
                self.stats.endless += usize::from(variant(&e) == "Loop");
                self.stats.forms.rejected(def, &variant(&e), &e.to_string());
                self.told(&e, &name()).map_err(of("chain"))
            }
            (found, expected) => {
                let found = found.map(|_| ()).map_err(|e| e.to_string());
                let expected = expected.map(|_| ());
                Err((
                    "outcome",
                    format!("{}: found {found:?}, expected {expected:?}", name()),
                ))
            }
        }
    }
}

impl Run<'_> {
    /// A rejection tells which events led to it: the one that was fired, then immediate ones.
    fn told(&self, e: &StepError, event: &str) -> Result<(), Wrong> {
        let immediate = |name: &ironweave::Name| {
            let defs = &self.schema.events;
            (defs.iter()).any(|def| def.immediate && *def.name == **name)
        };
        match e.chain() {
            [first, then @ ..] if **first == *event && then.iter().all(immediate) => Ok(()),
            chain => Err(format!("{event} was rejected by {chain:?}: {e}")),
        }
    }
}

/// The name of the variant of an error.
pub fn variant(e: &StepError) -> String {
    let text = format!("{e:?}");
    text.split([' ', '(']).next().unwrap_or_default().to_owned()
}

/// How long something took, in seconds.
pub fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}
