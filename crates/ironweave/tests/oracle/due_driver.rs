//! Fires what is due, beside a scan of the oracle's graph for each event.

use ironweave::schema::EventIx;
use ironweave::{AnyEvent as _, DueEvent, Id, Store, Timestamp};

use crate::compare::same;
use crate::driver::{Failed, Run, of, variant};
use crate::model::Model;
use crate::planted::Bug;
use crate::world::World;

/// The time, the number of the event and the entity of what is due.
type Found = (i64, String, (u32, u32));

fn who(id: Id) -> (u32, u32) {
    (id.slot(), id.generation())
}

impl Run<'_> {
    /// Compares what a store lists as due.
    pub fn lists_due(&self, store: &Store<Model>, now: i64) -> Result<(), Failed> {
        let found = |due: DueEvent<Model>| -> Found {
            let event = due.event.name().to_owned();
            (due.time.as_micros(), event, who(due.entity.id))
        };
        let found: Vec<Found> = store.due(Timestamp::from_micros(now)).map(found).collect();
        let mut expected = self.world.due(self.schema, now);
        expected.extend(self.not_undone.iter().filter(|(time, ..)| *time <= now));
        expected.sort_unstable();
        let expected: Vec<Found> = (expected.into_iter())
            .map(|(time, event, who)| (time, event.to_string(), who))
            .collect();
        same(&found, &expected, || format!("due at {now}")).map_err(of("due"))
    }

    /// Notes what was due in a transaction that was dropped, and is not any more.
    pub fn dropped(&mut self, after: &World) {
        if Bug::DueIndexNotUndone.is_planted() {
            let before = self.world.due(self.schema, i64::MAX);
            let after = after.due(self.schema, i64::MAX).into_iter();
            self.not_undone
                .extend(after.filter(|due| !before.contains(due)));
        }
    }

    /// Moves the clock, fires what is due and compares what fired and what was rejected, in order.
    pub fn fire_due(&mut self, store: &mut Store<Model>) -> Result<(), Failed> {
        let now = self.case.time(self.step);
        self.clock.set(Timestamp::from_micros(now));
        let (world, tried) = self.world.fire_due(self.schema, now);
        let report = store.fire_due(Timestamp::from_micros(now));
        let report = report.map_err(|e| ("due", e.to_string()))?;
        same(&report.is_complete, &true, || {
            "whether all were tried".into()
        })
        .map_err(of("due"))?;
        let fired: Vec<Found> = (report.fired.iter())
            .map(|f| (f.time.as_micros(), f.event.to_owned(), who(f.entity.id)))
            .collect();
        let rejected: Vec<Found> = (report.rejected.iter())
            .map(|r| {
                let due = &r.due;
                (
                    due.time.as_micros(),
                    due.event.name().to_owned(),
                    who(due.entity.id),
                )
            })
            .collect();
        let of_tried = |fires: bool| -> Vec<Found> {
            let some = tried.iter().filter(|t| t.outcome.is_ok() == fires);
            let found = |(time, event, who): (i64, EventIx, _)| (time, event.to_string(), who);
            some.map(|t| found(t.deadline)).collect()
        };
        same(&fired, &of_tried(true), || "due events that fired".into()).map_err(of("due"))?;
        same(&rejected, &of_tried(false), || {
            "due events that were rejected".into()
        })
        .map_err(of("due"))?;
        let kinds = tried.iter().filter_map(|t| t.outcome.as_ref().err());
        for (found, expected) in report.rejected.iter().zip(kinds) {
            if !expected.contains(&variant(&found.error).as_str()) {
                let text = format!("{}: expected {expected:?}", found.error);
                return Err(("due", text));
            }
        }
        self.world = world;
        for t in &tried {
            let (_, event, who) = t.deadline;
            self.stats.events += 1;
            let Ok(fired) = &t.outcome else {
                self.postponed = true;
                self.stats.due_rejected += 1;
                continue;
            };
            self.stats.due += 1;
            self.stats.frames += 1;
            self.stats.followed(self.schema, fired);
            // It waits then, as one that was rejected.
            let again = self.world.due(self.schema, now);
            self.postponed |= again.iter().any(|d| (d.1, d.2) == (event, who));
        }
        if !fired.is_empty() {
            self.kept.frames.push((store.seq(), self.world.clone()));
        }
        self.settled(store)
    }
}
