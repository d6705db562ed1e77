//! The `digest` commands of jobs, which are asked for the digests of partitions that were built. They do not need the engine, so that a
//! daemon goes on while they run.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use crate::child::{Children, Ended, Event, Spec, Written};
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

/// What the `digest` commands of some jobs have answered.
#[derive(Default)]
pub struct Answers {
    /// The patterns of these jobs.
    pub jobs: Vec<String>,
    /// The partitions whose digest is another one now.
    pub differing: Vec<Built>,
    /// By the pattern of the job, the errors of commands, with the partitions that they were asked about.
    pub failures: BTreeMap<String, (String, Vec<Built>)>,
    /// Messages for the progress display.
    pub notes: Vec<String>,
}

impl Questions {
    /// Returns whether a question is about one of some partitions.
    pub fn is_about(&self, is_one: impl Fn(&Partition) -> bool) -> bool {
        let mut built = self.jobs.values().flat_map(|question| &question.built);
        built.any(|(partition, ..)| is_one(partition))
    }

    /// Returns whether one of the jobs has this pattern.
    pub fn is_of(&self, pattern: &str) -> bool {
        self.jobs
            .values()
            .any(|question| question.pattern == pattern)
    }

    /// Parts the questions to some jobs from the others, which are returned second.
    pub fn split(self, is_one: impl Fn(usize) -> bool) -> (Self, Self) {
        let Self { jobs, vars, dirs } = self;
        let (some, others) = jobs.into_iter().partition(|(job, _)| is_one(*job));
        let of = |jobs| Self {
            jobs,
            vars: vars.clone(),
            dirs: dirs.clone(),
        };
        (of(some), of(others))
    }

    /// Runs the commands, those of different jobs at the same time. `each` gets the answers of each job, by its index, as soon as they are
    /// there.
    ///
    /// # Errors
    /// What `stop` returned, if it returned something. The commands have ended then.
    pub fn ask(
        &self,
        stop: &dyn Fn() -> Option<i32>,
        each: &mut dyn FnMut(usize, Answers),
    ) -> Result<(), i32> {
        let jobs = self.jobs.iter();
        let mut comparison = Comparison {
            questions: self,
            todo: jobs
                .map(|(job, question)| (*job, question.built.chunks(BATCH).collect()))
                .collect(),
            asked: HashMap::new(),
            children: Children::new(usize::MAX),
            answers: BTreeMap::new(),
            each,
        };
        comparison.run(stop)
    }

    /// Runs the commands, and returns the answers of all jobs.
    ///
    /// # Errors
    /// As those of [`Questions::ask`].
    pub fn ask_all(&self, stop: &dyn Fn() -> Option<i32>) -> Result<Answers, i32> {
        let mut all = Answers::default();
        self.ask(stop, &mut |_, answers| all.add(answers))?;
        Ok(all)
    }
}

impl Answers {
    /// Adds the answers of other jobs.
    pub fn add(&mut self, others: Self) {
        self.jobs.extend(others.jobs);
        self.differing.extend(others.differing);
        self.failures.extend(others.failures);
        self.notes.extend(others.notes);
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
    /// By job, what is known of the answers that are not complete.
    answers: BTreeMap<usize, Answers>,
    each: &'e mut dyn FnMut(usize, Answers),
}

impl Comparison<'_> {
    /// Runs all commands, until they have ended or a signal arrives.
    fn run(&mut self, stop: &dyn Fn() -> Option<i32>) -> Result<(), i32> {
        for (job, question) in &self.questions.jobs {
            let answers = Answers {
                jobs: vec![question.pattern.clone()],
                ..Answers::default()
            };
            self.answers.insert(*job, answers);
            self.start_next(*job);
        }
        while !self.children.is_empty() {
            if let Some(signal) = stop() {
                self.children.end();
                for job in std::mem::take(&mut self.answers).into_keys() {
                    self.questions.dirs.discard(&run_of(job));
                }
                return Err(signal);
            }
            match self.children.next(TICK) {
                Some(Event::Ended(ended)) => {
                    let job = ended.key;
                    match self.compare(ended) {
                        Ok(()) => self.start_next(job),
                        Err(why) => self.failed(job, &why),
                    }
                }
                Some(Event::NotStarted { key, why }) => self.failed(key, &format!("{why:#}")),
                Some(Event::Started { .. }) | None => {}
            }
        }
        Ok(())
    }

    /// Starts the command of a job for its next batch. If there is none, the answers of the job are complete.
    fn start_next(&mut self, job: usize) {
        let Some(batch) = self.todo.get_mut(&job).and_then(Vec::pop) else {
            return self.complete(job);
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
            stderr: Written::to(dirs.stderr(&run), jobs[&job].env.secrets()),
            stdin: String::new(),
        };
        self.children.spawn(job, spec, Digests::of(&names))?;
        Ok(())
    }

    /// Compares the output of a command with the digests that were recorded when the partitions were built.
    fn compare(&mut self, ended: Ended<usize, Digests>) -> Result<(), String> {
        let job = ended.key;
        if let Some(left) = ended.left.message() {
            let pattern = &self.questions.jobs[&job].pattern;
            let note = format!("the `digest` command of the job for `{pattern}`: {left}");
            self.of(job).notes.push(note);
        }
        if ended.exit != 0 {
            let stderr = ended.stderr.tail(STDERR_LINES_MAX);
            return Err(format!("it {}\n{stderr}", ended.status));
        }
        let now = ended.output?;
        let differs = |(_, name, digest): &&Built| now.get(name) != Some(digest);
        let batch = self.asked.remove(&job).unwrap_or_default();
        let differing = batch.iter().filter(differs).cloned();
        self.of(job).differing.extend(differing);
        Ok(())
    }

    fn of(&mut self, job: usize) -> &mut Answers {
        self.answers.entry(job).or_default()
    }

    fn failed(&mut self, job: usize, why: &str) {
        self.todo.remove(&job);
        let Question { pattern, built, .. } = &self.questions.jobs[&job];
        let failure = format!("the `digest` command of the job for `{pattern}` failed: {why}");
        let (pattern, failure) = (pattern.clone(), (failure, built.clone()));
        self.of(job).failures.insert(pattern, failure);
        self.complete(job);
    }

    fn complete(&mut self, job: usize) {
        self.questions.dirs.discard(&run_of(job));
        if let Some(answers) = self.answers.remove(&job) {
            (self.each)(job, answers);
        }
    }
}

/// The name of the directory for the stderr of a job's `digest` command.
fn run_of(job: usize) -> String {
    format!("digest-{job}")
}
