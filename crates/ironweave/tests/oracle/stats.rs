//! Counts what a run of histories did, to show whether the random models cover everything.

use std::fmt;

use ironweave::schema::{Arc, EventDef, Source};

use crate::edit;

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
    pub forms: Forms,
}

impl Stats {
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
}

const FORMS: [Form; 3] = [Form::Compare, Form::Count, Form::Calculated];

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
        let form = match kind {
            "When" if text.contains("when(count ") => Form::Count,
            "When" if has(def, Form::Compare) && !is_of_states(text) => Form::Compare,
            "Overflow" => Form::Calculated,
            _ => return,
        };
        self.0[form as usize].rejected += 1;
    }

    /// Panics if a form fired or was rejected less often than `least` times.
    pub fn assert_each_at_least(&self, least: usize) {
        for (form, tally) in FORMS.iter().zip(self.0) {
            let fewer = tally.fired.min(tally.rejected);
            assert!(
                fewer >= least,
                "{form:?}: {tally:?}, expected {least} of both"
            );
        }
    }
}

/// Whether the text of an error is of a condition on states: `all x.y in A`.
fn is_of_states(text: &str) -> bool {
    ["when(all ", "when(any ", "when(none "]
        .iter()
        .any(|word| text.contains(word))
}

fn has(def: &EventDef, form: Form) -> bool {
    def.arcs.iter().any(|arc| match form {
        Form::Compare => matches!(arc, Arc::Compare { .. }),
        Form::Count => matches!(arc, Arc::Count { .. }),
        Form::Calculated => {
            let mut calculated = false;
            edit::sources(&mut arc.clone(), &mut |source| {
                calculated |= matches!(source, Source::Calculated { .. });
            });
            calculated
        }
    })
}
