//! Counts what a run of histories did, to show whether the random models cover everything.

use std::fmt;

use ironweave::schema::{Arc, EventDef, Schema, SortBy, Source, Take};

use crate::by_schema::Tried;
use crate::edit;
use crate::rules::Fired;

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    pub events: usize,
    pub accepted: usize,
    /// How many accepted events have compiled arcs, which were executed unless all were interpreted.
    pub compiled: usize,
    pub immediates: usize,
    /// How often immediate events created anything, and how deep at most.
    pub creating: usize,
    pub deepest: u32,
    /// How many events were rejected since immediate events did not end.
    pub endless: usize,
    pub frames: usize,
    pub reopened: usize,
    pub entities: usize,
    pub rejected_commits: usize,
    /// How many due events fired, and how many were rejected.
    pub due: usize,
    pub due_rejected: usize,
    /// How many immediate events fired that count entities or compare values.
    pub watched: usize,
    /// How many immediate events fired that choose, and whose handlers did something.
    pub choosing: usize,
    pub handled: usize,
    /// How many entities indexes of several parts were asked for.
    pub index_rows: usize,
    /// How many choices found their candidates in an index.
    pub index_choices: usize,
    pub decided: Decided,
    /// Results of events that were tried by the schema alone.
    pub tried: Tried,
    pub forms: Forms,
}

/// How often an order decided: without it, other entities would have been chosen, or an event would have fired on another one
/// first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Decided {
    pub choices: usize,
    pub choices_descending: usize,
    pub choices_of_immediates: usize,
    /// How often the order of slots decided, which is not that of a list.
    pub slots: usize,
    pub firings: usize,
    pub firings_descending: usize,
}

impl Decided {
    /// A choice has chosen what it would not have chosen without its order.
    pub fn chooses_by(&mut self, order: &SortBy) {
        self.choices += 1;
        self.choices_descending += usize::from(order.descending);
    }

    /// Adds the choices of an event.
    pub fn add_choices(&mut self, other: Self, immediate: bool) {
        self.choices += other.choices;
        self.choices_descending += other.choices_descending;
        self.choices_of_immediates += if immediate { other.choices } else { 0 };
        self.slots += other.slots;
    }

    /// An immediate event fires on an entity; `by_slot` is the smallest slot on which it is enabled.
    pub fn fires_in_order(&mut self, def: &EventDef, by_slot: Option<u32>, slot: u32) {
        if let (Some(order), true) = (def.order, by_slot.is_some_and(|first| first != slot)) {
            self.firings += 1;
            self.firings_descending += usize::from(order.descending);
        }
    }

    fn add(&mut self, other: Self) {
        self.choices += other.choices;
        self.choices_descending += other.choices_descending;
        self.choices_of_immediates += other.choices_of_immediates;
        self.slots += other.slots;
        self.firings += other.firings;
        self.firings_descending += other.firings_descending;
    }

    /// The kinds of orders that decided less often than `least` times.
    pub fn rarer_than(&self, least: usize) -> Vec<(&'static str, usize)> {
        let mut all = vec![
            ("choices", self.choices),
            ("choices, descending", self.choices_descending),
            ("choices of immediate events", self.choices_of_immediates),
            ("slots, not lists", self.slots),
            ("firings", self.firings),
            ("firings, descending", self.firings_descending),
        ];
        all.retain(|(_, times)| *times < least);
        all
    }
}

impl Stats {
    /// Counts the immediate events that an event led to.
    pub fn followed(&mut self, schema: &Schema, fired: &Fired) {
        self.immediates += fired.immediates.len();
        for followed in &fired.immediates {
            let def = &schema.events[usize::from(followed.event)];
            self.watched += usize::from(has(def, Form::Compare) || has(def, Form::Count));
            self.choosing += usize::from(choices(def) > 0);
            self.handled += usize::from(!def.mays.is_empty());
        }
        self.creating += usize::from(fired.deepest > 0);
        self.deepest = self.deepest.max(fired.deepest);
        self.decided.add(fired.decided);
    }

    pub fn add(&mut self, other: Self) {
        self.events += other.events;
        self.accepted += other.accepted;
        self.compiled += other.compiled;
        self.immediates += other.immediates;
        self.creating += other.creating;
        self.deepest = self.deepest.max(other.deepest);
        self.endless += other.endless;
        self.frames += other.frames;
        self.reopened += other.reopened;
        self.entities = self.entities.max(other.entities);
        self.rejected_commits += other.rejected_commits;
        self.due += other.due;
        self.due_rejected += other.due_rejected;
        self.watched += other.watched;
        self.choosing += other.choosing;
        self.handled += other.handled;
        self.index_rows += other.index_rows;
        self.index_choices += other.index_choices;
        self.decided.add(other.decided);
        self.tried.add(other.tried);
        for (own, others) in self.forms.0.iter_mut().zip(other.forms.0) {
            own.fired += others.fired;
            own.rejected += others.rejected;
        }
    }
}

/// A form of the language that few events have, so that it is counted whether it is met often enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// `when(a < b)`
    Compare,
    /// `when(count path < n)`
    Count,
    /// `a + b`
    Calculated,
    /// `choose(x: X in A)`
    Choose,
    /// `choose(x: 3 of X in A)`
    ChooseExactly,
    /// `choose(x: up to 3 of X in A)`
    ChooseUpTo,
    /// `choose(x: X in A where y < z)`
    ChooseWhere,
    /// `choose(x: X in A by y)`
    ChooseBy,
}

const FORMS: [Form; 8] = [
    Form::Compare,
    Form::Count,
    Form::Calculated,
    Form::Choose,
    Form::ChooseExactly,
    Form::ChooseUpTo,
    Form::ChooseWhere,
    Form::ChooseBy,
];

/// How often events of a form fired, and how often one was rejected because of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub fired: usize,
    pub rejected: usize,
}

/// A tally for each form.
#[derive(Clone, Copy, Default)]
pub struct Forms([Tally; FORMS.len()]);

impl fmt::Debug for Forms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (form, tally) in FORMS.iter().zip(self.0) {
            map.entry(form, &format_args!("{}/{}", tally.fired, tally.rejected));
        }
        map.finish()
    }
}

impl Forms {
    /// An event has fired.
    pub fn fired(&mut self, def: &EventDef) {
        for form in FORMS {
            self.0[form as usize].fired += usize::from(has(def, form));
        }
    }

    /// An event has been rejected, with an error of this kind and this text.
    pub fn rejected(&mut self, def: &EventDef, kind: &str, text: &str) {
        for form in FORMS.into_iter().filter(|form| has(def, *form)) {
            self.0[form as usize].rejected += usize::from(match form {
                Form::Count => kind == "When" && text.contains("when(count "),
                Form::Compare => kind == "When" && !is_of_states(text),
                Form::Calculated => kind == "Overflow",
                // Of an event with one choice, it is this one that finds nothing.
                _ => kind == "NothingToChoose" && choices(def) == 1,
            });
        }
    }

    /// Panics if a form fired or was rejected less often than `least` times.
    pub fn assert_each_at_least(&self, least: usize) {
        for (form, tally) in FORMS.iter().zip(self.0) {
            let fewer = match form {
                // It is content with nothing.
                Form::ChooseUpTo => tally.fired,
                _ => tally.fired.min(tally.rejected),
            };
            assert!(
                fewer >= least,
                "{form:?}: {tally:?}, expected {least} of both"
            );
        }
    }
}

/// Whether the text of an error is of a condition on states or on a number of entities.
fn is_of_states(text: &str) -> bool {
    let words = ["when(all ", "when(any ", "when(none ", "when(count "];
    words.iter().any(|word| text.contains(word))
}

fn choices(def: &EventDef) -> usize {
    let chooses = |arc: &&Arc| matches!(arc, Arc::Choose { .. });
    def.arcs.iter().filter(chooses).count()
}

fn has(def: &EventDef, form: Form) -> bool {
    def.arcs.iter().any(|arc| match (form, arc) {
        (Form::Compare, arc) => matches!(arc, Arc::Compare { .. }),
        (Form::Count, arc) => matches!(arc, Arc::Count { .. }),
        (Form::Calculated, arc) => {
            let mut calculated = false;
            edit::sources(&mut arc.clone(), &mut |source| {
                calculated |= matches!(source, Source::Calculated { .. });
            });
            calculated
        }
        (Form::Choose, Arc::Choose { take, .. }) => *take == Take::One,
        (Form::ChooseExactly, Arc::Choose { take, .. }) => matches!(take, Take::Exactly { .. }),
        (Form::ChooseUpTo, Arc::Choose { take, .. }) => matches!(take, Take::UpTo { .. }),
        (Form::ChooseWhere, Arc::Choose { conditions, .. }) => !conditions.is_empty(),
        (Form::ChooseBy, Arc::Choose { order, .. }) => !order.is_empty(),
        _ => false,
    })
}
