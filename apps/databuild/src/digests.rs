//! The `digest` commands of jobs, which are asked for the digests of partitions that were built. They do not need the engine, so that a
//! daemon goes on while they run.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use crate::child::{self, Children, Ended, Spec};
use crate::command::{Environment, Var};
use crate::dirs::Dirs;
use crate::engine::{STDERR_LINES_MAX, TICK};
use crate::model::build::Partition;
use crate::protocol::Digests;

/// The number of partitions per `digest` command, because the length of a command line is limited.
const BATCH: usize = 500;

/// A live or failed partition, its name and the digest that it was built with.
pub type Built = (Partition, String, String);

/// What the command of a job is asked.
pub struct Question {
    /// The pattern of the job, for messages.
    pub pattern: String,
    /// The command.
    pub command: Vec<String>,
    /// The environment of the job.
    pub env: Environment,
    /// The partitions whose digests are asked for.
    pub built: Vec<Built>,
}

/// What is asked of `digest` commands, by the index of the job.
pub struct Questions {
    /// The questions.
    pub jobs: BTreeMap<usize, Question>,
    /// The variables that all jobs get.
    pub vars: Vec<Var>,
    /// Where the commands run, and what they print is kept.
    pub dirs: Dirs,
}

/// What `digest` commands have answered.
#[derive(Default)]
pub struct Answers {
    /// The partitions whose digest is another one now.
    pub differing: Vec<Built>,
    /// The errors of commands, with the partitions that they were asked about.
    pub failures: Vec<(String, Vec<Built>)>,
    /// Messages for the progress display.
    pub notes: Vec<String>,
}

impl Questions {
    /// Returns whether a question is about one of some partitions.
    pub fn is_about(&self, is_one: impl Fn(&Partition) -> bool) -> bool {
        let mut built = self.jobs.values().flat_map(|question| &question.built);
        built.any(|(partition, ..)| is_one(partition))
    }

    /// Runs the commands, those of different jobs at the same time.
    ///
    /// # Errors
    /// What `stop` returned, if it returned something. The commands have ended then.
    pub fn ask(&self, stop: &dyn Fn() -> Option<i32>) -> Result<Answers, i32> {
        let jobs = self.jobs.iter();
        let mut comparison = Comparison {
            questions: self,
            todo: jobs
                .map(|(job, question)| (*job, question.built.chunks(BATCH).collect()))
                .collect(),
            asked: HashMap::new(),
            children: Children::new(),
            answers: Answers::default(),
        };
        match comparison.run(stop) {
            Some(signal) => Err(signal),
            None => Ok(comparison.answers),
        }
    }
}

/// The `digest` commands, which run concurrently.
struct Comparison<'e> {
    questions: &'e Questions,
    /// By job, the remaining batches.
    todo: BTreeMap<usize, Vec<&'e [Built]>>,
    /// By job, the batch that its command is running for.
    asked: HashMap<usize, &'e [Built]>,
    children: Children<usize, Digests>,
    answers: Answers,
}

impl Comparison<'_> {
    /// Runs all commands. Returns the signal that stopped it, if there was one.
    fn run(&mut self, stop: &dyn Fn() -> Option<i32>) -> Option<i32> {
        let jobs: Vec<usize> = self.todo.keys().copied().collect();
        for job in &jobs {
            self.start_next(*job);
        }
        let signal = self.wait(stop);
        for job in jobs {
            let secrets = self.questions.jobs[&job].env.secrets();
            self.questions.dirs.discard(&run_of(job));
            self.questions.dirs.tidy(&run_of(job), &secrets);
        }
        signal
    }

    /// Waits until all commands have ended, or until a signal arrives.
    fn wait(&mut self, stop: &dyn Fn() -> Option<i32>) -> Option<i32> {
        while !self.children.is_empty() {
            if let Some(signal) = stop() {
                self.children.end();
                return Some(signal);
            }
            if let Some(ended) = self.children.ended(TICK) {
                let job = ended.key;
                match self.compare(ended) {
                    Ok(()) => self.start_next(job),
                    Err(why) => self.failed(job, &why),
                }
            }
        }
        None
    }

    /// Starts the command of a job for its next batch, if there is one.
    fn start_next(&mut self, job: usize) {
        let Some(batch) = self.todo.get_mut(&job).and_then(Vec::pop) else {
            return;
        };
        self.asked.insert(job, batch);
        if let Err(e) = self.start(job, batch) {
            self.failed(job, &format!("{e:#}"));
        }
    }

    fn start(&mut self, job: usize, batch: &[Built]) -> Result<()> {
        let Questions { jobs, vars, dirs } = self.questions;
        let names: Vec<String> = batch.iter().map(|(_, name, _)| name.clone()).collect();
        let run = run_of(job);
        dirs.make_run(&run)?;
        let spec = Spec {
            command: &jobs[&job].command,
            arguments: &names,
            vars,
            env: &jobs[&job].env,
            dir: &dirs.data(),
            stderr: &dirs.stderr(&run),
            stdin: String::new(),
        };
        self.children.spawn(job, spec, Digests::of(&names))?;
        Ok(())
    }

    /// Compares the output of a command with the digests that were recorded when the partitions were built.
    fn compare(&mut self, mut ended: Ended<usize, Digests>) -> Result<(), String> {
        let job = ended.key;
        if let Some(left) = ended.group.message() {
            let pattern = &self.questions.jobs[&job].pattern;
            let note = format!("the `digest` command of the job for `{pattern}`: {left}");
            self.answers.notes.push(note);
        }
        if ended.exit != 0 {
            let secrets = self.questions.jobs[&job].env.secrets();
            let stderr = secrets.redact(child::tail(&mut ended.stderr, STDERR_LINES_MAX));
            return Err(format!("it {}\n{stderr}", ended.status));
        }
        let now = ended.output?;
        let differs = |(_, name, digest): &&Built| now.get(name) != Some(digest);
        let batch = self.asked.remove(&job).unwrap_or_default();
        let differing = batch.iter().filter(differs).cloned();
        self.answers.differing.extend(differing);
        Ok(())
    }

    fn failed(&mut self, job: usize, why: &str) {
        self.todo.remove(&job);
        let Question { pattern, built, .. } = &self.questions.jobs[&job];
        let failure = format!("the `digest` command of the job for `{pattern}` failed: {why}");
        self.answers.failures.push((failure, built.clone()));
    }
}

/// The name of the directory for the stderr of a job's `digest` command.
fn run_of(job: usize) -> String {
    format!("digest-{job}")
}
