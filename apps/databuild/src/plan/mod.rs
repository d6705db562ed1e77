//! `databuild plan`: what would be built for partitions that are wanted, or because some have changed, in which order and how long that
//! takes. Nothing is started and nothing is written.
//!
//! A plan is a [`rehearsal`] on a copy of the graph, after what the next databuild does first: it finds the partitions whose data is gone or
//! whose job has another version, and forgets failures whose cause may be gone. No `digest` command is started. The durations are those of
//! [`simulate`](crate::simulate).
//!
//! | file | what it does |
//! |---|---|
//! | [`scene`] | what is asked, of which graph, and what is not up to date in it |
//! | [`rehearsal`] | what the engine would do, and when |
//! | [`steps`] | the plan made of that: each partition with its reason, and the critical path |
//! | [`print`](mod@print) | the command |

pub mod print;
pub mod rehearsal;
pub mod scene;
pub mod steps;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::serve::commands::REFS_MAX;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// These are wanted.
    Want(#[schemars(length(max = REFS_MAX))] Vec<String>),
    /// These have changed, and all that is made from them is wanted.
    Change(#[schemars(length(max = REFS_MAX))] Vec<String>),
}

impl Question {
    /// The partitions, or selections of partitions, that it is about.
    pub fn refs(&self) -> &[String] {
        match self {
            Self::Want(refs) | Self::Change(refs) => refs,
        }
    }

    /// The same question about other names.
    #[must_use]
    pub fn about(&self, names: Vec<String>) -> Self {
        match self {
            Self::Want(_) => Self::Want(names),
            Self::Change(_) => Self::Change(names),
        }
    }
}

/// What would be built.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Plan {
    /// The partitions for which something is done, or that cannot be built, in the order in which they are built.
    pub steps: Vec<Step>,
    /// The number of steps without a limit.
    pub count: usize,
    /// The number of partitions by what happens to them.
    pub counts: Counts,
    /// How long it takes until the last one is built, if all that is checked is built.
    pub seconds: f64,
    /// The maximum number of runs at a time.
    pub jobs_max: usize,
    /// The partitions that wait for each other and take longest together. More runs at a time do not make the plan faster than this.
    pub critical_path: Vec<PathStep>,
    /// How long these take.
    pub critical_seconds: f64,
    /// The partitions that no other step needs. If these are wanted, all steps are done.
    pub ends: Names,
    /// The partitions of which neither a run nor one of the same job has ended, so that their durations are not known.
    pub unknown: Names,
    /// What the plan assumes, in sentences for people.
    pub notes: Vec<String>,
}

/// How many partitions there are by what happens to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PlanCounts")]
pub struct Counts {
    /// A run builds them.
    pub build: usize,
    /// A run builds them only if an input comes out different.
    pub check: usize,
    /// They are live again without a run.
    pub keep: usize,
    /// They are not built.
    pub blocked: usize,
}

/// What happens to a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A run builds it.
    Build,
    /// Its inputs are built, and a run builds it only if one of them comes out different.
    Check,
    /// It is live again without a run.
    Keep,
    /// It is not built, because it or something that it needs has failed or cannot be built.
    Blocked,
}

/// Where the duration of a run is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KnownFrom {
    /// Runs for the same partition.
    Partition,
    /// Runs of the same job.
    Job,
    /// Runs for the same partition or of the same job that only asked for partitions.
    Asking,
    /// Runs of other jobs.
    Others,
    /// No run has ended yet, so it counts as 0.
    Nothing,
}

/// A partition of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "PlanStep")]
pub struct Step {
    /// Its name.
    pub name: String,
    /// The present state of its current instance; none if it was never wanted.
    pub state: Option<String>,
    /// What happens to it.
    pub action: Action,
    /// Why.
    pub why: String,
    /// When the run that builds it begins; none if no run does.
    pub from_seconds: Option<f64>,
    /// When that run ends.
    pub to_seconds: Option<f64>,
    /// How long that run takes; none if nothing is known of it.
    pub seconds: Option<f64>,
    /// How long runs take before that only ask for partitions.
    pub asks_seconds: f64,
    /// Where the duration is known from; none if no run builds it.
    pub known_from: Option<KnownFrom>,
    /// The other steps that it needs.
    pub needs: Vec<String>,
}

/// A partition of a critical path.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PathStep {
    /// Its name.
    pub name: String,
    /// How long its runs take.
    pub seconds: f64,
}

/// A list of names that may be cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PlanNames")]
pub struct Names {
    /// The first ones.
    pub items: Vec<String>,
    /// The number of all of them.
    pub count: usize,
}

impl Names {
    /// All of these.
    fn of(items: Vec<String>) -> Self {
        let count = items.len();
        Self { items, count }
    }

    fn cut(&mut self, most: usize) {
        self.items.truncate(most);
    }
}

/// The number of names of a list of a plan that is cut.
const NAMES_MAX: usize = 100;
/// The number of ends of a plan that is cut, which are as many as can be wanted at once.
const ENDS_MAX: usize = 10_000;

impl Plan {
    /// Leaves out the steps after a number of them, and the ends of long lists.
    pub fn cut(&mut self, steps_max: usize) {
        self.steps.truncate(steps_max);
        for step in &mut self.steps {
            step.needs.truncate(NAMES_MAX);
        }
        self.critical_path.truncate(steps_max);
        self.ends.cut(ENDS_MAX);
        self.unknown.cut(NAMES_MAX);
    }
}
