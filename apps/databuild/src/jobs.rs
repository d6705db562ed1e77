//! The jobs file, which maps patterns of partitions to commands.
//!
//! ```toml
//! [[job]]
//! partitions = "sloc/*"                                       # a pattern, see `crate::pattern`
//! command    = ["$DATABUILD", "job", "sloc", "$PARTITION"]    # started without a shell, in the run's own directory
//! digest     = ["$DATABUILD", "job", "digest"]                # optional, as all that follows; see below
//! retries    = 3              # how often it is run again after a failure [default: 0]
//! backoff    = "2s"           # the time before it is run again, which doubles each time, up to an hour [default: 1s]
//! timeout    = "10m"          # a run that takes longer fails [default: none]
//! ttl        = "24h"          # how long after its run a partition is live; then it is stale [default: none]
//! sla        = "30m"          # a want for a partition is late if it is not built by then [default: none]
//! version    = "2"            # partitions that another version made are stale [default: a hash of `command`]
//! live       = ["manifest"]   # patterns: the names of the live partitions that match are on stdin, one per line [default: none]
//! env        = ["LEVEL=3", "CARGO_*"]   # variables of its environment: with a value, or as databuild has them, see below
//! secrets    = ["API_TOKEN"]  # the same for values that are kept nowhere
//! pool       = "database"     # the runs of a pool are limited to the number in `[pools]` at a time
//! inputs     = ["votes/{day}"]    # what each partition is made from, with the fields of its pattern, see below
//! strict     = true           # each line on stdout must be one for databuild [default: false]
//!
//! [pools]
//! database = 2
//! ```
//!
//! A partition is made by the only job whose pattern matches its name. databuild replaces the following names in the arguments of a command
//! if they follow a `$` or are in `${..}`. All of them are also in the environment of the process.
//! Any other `$` is kept. Nothing is replaced in the script of a shell, the argument after
//! `sh -c`. The shell expands the names from its environment, and quotes keep a value with a space together, as in
//! `"$DATABUILD_DATA"`. A program that passes its arguments to a remote shell (`ssh`) must quote them itself.
//!
//! | name | value |
//! |---|---|
//! | `PARTITION` | the partition to build |
//! | `DATABUILD_OUT` | the directory of the run, which is also the current one; its content becomes the partition when the run succeeds |
//! | `DATABUILD_DATA` | the directory of the live partitions: `$DATABUILD_DATA/<partition>/` |
//! | `DATABUILD_JOBS` | the directory of the jobs file |
//! | `DATABUILD` | the databuild program itself |
//! | `DATABUILD_WORKSPACE` | in the demo: the cargo workspace |
//! | `FIELD_DAY` | the field `{day}` of the partition, if the pattern has it |
//!
//! Of the environment of databuild, a job has `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`, `LANG`, `LC_*`, `TZ`, `TMPDIR`, `TERM` and what `env` and
//! `secrets` name; a name that ends with `*` is for all variables that begin so. In whatever databuild keeps of a run, the value of a secret is
//! replaced by the name, as in `[API_TOKEN]`.
//!
//! What a run writes to stderr is kept in `DIR/logs/RUN.stderr`, as it arrives; a run that writes nothing has no such file. What it prints on stdout
//! is kept in `DIR/logs/RUN.stdout`, without the lines with which it reports what it did. The command of the run, without secrets, is kept in `DIR/logs` too. Each line for databuild is a JSON object:
//!
//! | line | meaning |
//! |---|---|
//! | `{"read": "a"}` | it read partition `a` |
//! | `{"input": "a"}` | it read `a` and its own content is made from it, so that it becomes stale when `a` does |
//! | `{"missed": "a"}` | it needs `a`, which is not live |
//! | `{"digest": "text"}` | a digest of what its content is a function of |
//! | `{"content": "text"}` | what its content is compared by with that of another run, instead of a hash of the output directory |
//!
//! A job names a partition before it reads the partition's data, because the data may be replaced while the job runs.
//!
//! | end of the process | result |
//! |---|---|
//! | exit status 0 | the run succeeded |
//! | exit status 0, and it missed a partition, or read one that is not live | databuild builds that partition, then runs the job again |
//! | exit status 0, and the output directory was made read-only, or the data of the partition cannot be replaced | the run failed |
//! | any other exit status or a signal, and it read a partition that is not live | the same: it may have failed because the data was old |
//! | any other exit status, a signal, an invalid object on stdout, or with `strict` any other line | the run failed; its stderr is shown |
//! | it missed a partition, read one that is not live or one that has become stale since, and then named none for 200 ms | it was ended like that; databuild builds the partition, then runs the job again |
//! | it took longer than the `timeout` of its job | it was ended by SIGTERM, or two seconds later by SIGKILL, and failed |
//!
//! With `inputs`, no run is needed to find these out: they are built before the run begins, and count as its inputs without a line on stdout.
//!
//! A run that failed is repeated as often as `retries` says. Then the failure is remembered: a want for the partition fails, and nothing
//! runs, until it is retried (`databuild retry`), or its digest, the version of its job or an input that it reported has changed. If the
//! cause can be gone without that, the next databuild runs it again: the program could not be started, the output could not be written or
//! moved into place, or the job has a `digest` command and failed before it printed its digest.
//!
//! What is made from a stale partition is stale too. If it is wanted, all that its last run had read is brought up to date first. If the contents that it was
//! made from have come out the same, it is live again without a run (see [`crate::stale`]). A content is compared by a hash of the output
//! directory ([`crate::content`]).
//!
//! A partition of a job with a `ttl` is stale when that time has passed since its run succeeded, also if no source has changed, and is built
//! again when it is wanted. What is made from it is not, if its content comes out the same. A `ttl` that is changed in the file counts for
//! what is built from then on. With an `sla`, a want is late when the least of these times has passed for a partition that it names: `status`
//! shows that, and the log has an event.
//!
//! A run ends with its process. Processes that are left in its process group are then killed, and
//! databuild reports it. A process that left the group (`setsid`) is neither waited for nor ended, and what it writes after the end of the run is
//! lost: stdout and stderr are pipes that databuild has closed by then. The same holds for a run whose databuild was killed.
//!
//! With `digest`, the partitions of the job become stale when their digest changes. When something is wanted, databuild runs
//! that command with names of live partitions of the job as further arguments, up to 500 at a time, and the command prints a line
//! `{"partition": "a", "digest": "text"}` for each. These are the partitions that the wanted ones are made from. If something is to be built, they
//! are all live partitions of the job, since the runs may read any of them. A partition without a line becomes
//! stale. The run itself prints the digest too, as above. Without `digest`, a partition becomes stale only with
//! its inputs. If the command fails, these partitions are not known to be up to date: partitions that depend on
//! them are not built, and all others are.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Deserialize;

use crate::command::{Environment, NAMES, Var, unknown_name};
use crate::keep::Keep;
use crate::pattern::{Finder, Pattern};
use crate::text::{duration, shown};

/// The time before a job is run again that has failed, if the file does not say another.
const BACKOFF: Duration = Duration::from_secs(1);

/// The jobs of a jobs file.
#[derive(Debug)]
pub struct Jobs {
    file: PathBuf,
    jobs: Vec<Job>,
    finder: Finder,
    /// How many runs there may be at a time, by the index of the pool.
    pools: Vec<usize>,
    /// The limits on the output of runs that is kept.
    keep: Keep,
}

/// A job, which makes the partitions that match its pattern.
#[derive(Debug)]
pub struct Job {
    /// Its line in the file.
    pub line: usize,
    /// The pattern of the partitions that it makes, as written.
    pub pattern: String,
    matcher: Pattern,
    /// The live partitions whose names it gets on stdin.
    pub live: Vec<Pattern>,
    /// Its environment.
    pub env: Environment,
    /// The index of its pool in [`Jobs::pools`].
    pub pool: Option<usize>,
    /// Whether each line on stdout must be one for databuild.
    pub strict: bool,
    /// The inputs of its partitions, with fields.
    inputs: Vec<Pattern>,
    /// The program and its arguments, as written.
    pub command: Vec<String>,
    /// The program that prints digests and its arguments, as written.
    pub digest: Option<Vec<String>>,
    /// How often it is run again after it has failed.
    pub retries: u32,
    /// The time before it is run again; after each further failure, it is twice as long.
    pub backoff: Duration,
    /// How long a run may take.
    pub timeout: Option<Duration>,
    /// How long its partitions are live.
    pub ttl: Option<Duration>,
    /// After which time a want for one of its partitions is late.
    pub sla: Option<Duration>,
    /// Its version, if it is given.
    given_version: Option<String>,
}

impl Job {
    /// The inputs of a partition, as the job declares them.
    pub fn inputs(&self, partition: &str) -> BTreeSet<String> {
        if self.inputs.is_empty() {
            return BTreeSet::new();
        }
        let fields = self.matcher.captures(partition).unwrap_or_default();
        let names = self.inputs.iter().filter_map(|input| input.fill(&fields));
        names.collect()
    }

    /// The variables with the fields of a partition.
    pub fn fields(&self, partition: &str) -> impl Iterator<Item = Var> {
        let fields = self.matcher.captures(partition).into_iter().flatten();
        let vars = fields.map(|(name, value)| {
            let name = format!("FIELD_{}", name.to_uppercase());
            (name.into(), value.to_owned())
        });
        vars.collect::<Vec<Var>>().into_iter()
    }

    /// The version of the job. Partitions that another version has made are stale. Without one in the file, it is a hash of the
    /// command.
    pub fn version(&self) -> String {
        match &self.given_version {
            Some(version) => format!("={version}"),
            None => {
                let command: Vec<u8> = (self.command.iter())
                    .flat_map(|word| word.bytes().chain([0]))
                    .collect();
                format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&command))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    job: Vec<Entry>,
    /// How many runs of the jobs of a pool there are at a time.
    #[serde(default)]
    pools: BTreeMap<String, toml::Spanned<usize>>,
    /// The limits on the output of runs that is kept.
    #[serde(default)]
    logs: Logs,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Logs {
    days: Option<u32>,
    bytes: Option<toml::Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    partitions: toml::Spanned<String>,
    command: toml::Spanned<Vec<String>>,
    digest: Option<toml::Spanned<Vec<String>>>,
    #[serde(default)]
    retries: u32,
    backoff: Option<toml::Spanned<String>>,
    timeout: Option<toml::Spanned<String>>,
    ttl: Option<toml::Spanned<String>>,
    sla: Option<toml::Spanned<String>>,
    version: Option<String>,
    #[serde(default)]
    live: Vec<String>,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    secrets: Vec<String>,
    pool: Option<String>,
    #[serde(default)]
    strict: bool,
    #[serde(default)]
    inputs: Vec<String>,
}

impl Jobs {
    /// The limits on the output of runs that is kept.
    pub fn keep(&self) -> Keep {
        self.keep
    }

    /// Reads a jobs file.
    pub fn load(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|e| {
            anyhow::anyhow!(
                "cannot read the jobs file {}: {e}: name one with --jobs",
                file.display()
            )
        })?;
        Self::parse(file, &text)
    }

    /// Reads the text of a jobs file; `file` is for messages.
    pub fn parse(file: &Path, text: &str) -> Result<Self> {
        // A file may have many jobs, and each of them its line.
        let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        let line = |at: usize| ends.partition_point(|end| *end < at) + 1;
        let parsed: File = toml::from_str(text).map_err(|e| {
            let at = e.span().map_or(1, |span| line(span.start));
            anyhow::anyhow!("{}, line {at}: {}", file.display(), e.message())
        })?;
        let refuse = |at: usize, what: String| {
            anyhow::anyhow!("{}, line {}: {what}", file.display(), line(at))
        };
        if parsed.job.is_empty() {
            bail!(
                "{}: it has no [[job]]: add one with `partitions` and `command`",
                file.display()
            );
        }
        if let Some((name, size)) = parsed.pools.iter().find(|(_, size)| *size.get_ref() == 0) {
            let at = size.span().start;
            return Err(refuse(
                at,
                format!("the pool `{name}` has no place for a run"),
            ));
        }
        let mut keep = Keep::default();
        keep.days = parsed.logs.days.unwrap_or(keep.days);
        if let Some(bytes) = &parsed.logs.bytes {
            let read = crate::keep::bytes(bytes.get_ref());
            keep.bytes = read.map_err(|why| refuse(bytes.span().start, why))?;
        }
        let mut seen = HashSet::new();
        let mut jobs = Vec::new();
        for entry in parsed.job {
            let pattern = entry.partitions.get_ref();
            let at = entry.partitions.span().start;
            if pattern.is_empty() {
                return Err(refuse(
                    at,
                    "`partitions` is empty: write a name or a pattern such as \"sloc/*\"".into(),
                ));
            }
            if !seen.insert(pattern.clone()) {
                return Err(refuse(at, format!("another job makes `{pattern}` already")));
            }
            for command in std::iter::once(&entry.command).chain(&entry.digest) {
                let at = command.span().start;
                if command.get_ref().first().is_none_or(String::is_empty) {
                    return Err(refuse(
                        at,
                        format!("the job for `{pattern}` has a command without a program"),
                    ));
                }
                for argument in command.get_ref() {
                    if let Some(name) = unknown_name(argument) {
                        return Err(refuse(
                            at,
                            format!(
                                "there is no variable `${name}`; the variables are {}",
                                NAMES.join(", ")
                            ),
                        ));
                    }
                }
            }
            let time = |given: &Option<toml::Spanned<String>>| match given {
                None => Ok(None),
                Some(text) => match duration(text.get_ref()) {
                    Ok(time) => Ok(Some(time)),
                    Err(why) => Err(refuse(text.span().start, why)),
                },
            };
            let read = |text: &str| Pattern::parse(text).map_err(|why| refuse(at, why));
            let matcher = read(pattern)?;
            let env =
                Environment::parse(entry.env, entry.secrets).map_err(|why| refuse(at, why))?;
            let pool = match &entry.pool {
                None => None,
                Some(name) => match parsed.pools.keys().position(|known| known == name) {
                    None => {
                        let why = format!("there is no pool `{name}`: give its size in [pools]");
                        return Err(refuse(at, why));
                    }
                    found => found,
                },
            };
            let inputs = entry.inputs.iter().map(|text| {
                let input = read(text)?;
                if input.is_given_by(&matcher) {
                    return Ok(input);
                }
                let why = format!(
                    "the input `{text}` has a wildcard, or a field that `{pattern}` does not have"
                );
                Err(refuse(at, why))
            });
            let inputs = inputs.collect::<Result<_>>()?;
            jobs.push(Job {
                line: line(at),
                matcher,
                live: (entry.live.iter().map(|text| read(text))).collect::<Result<_>>()?,
                env,
                pool,
                strict: entry.strict,
                inputs,
                retries: entry.retries,
                backoff: time(&entry.backoff)?.unwrap_or(BACKOFF),
                timeout: time(&entry.timeout)?,
                ttl: time(&entry.ttl)?,
                sla: time(&entry.sla)?,
                given_version: entry.version,
                pattern: entry.partitions.into_inner(),
                command: entry.command.into_inner(),
                digest: entry.digest.map(toml::Spanned::into_inner),
            });
        }
        Ok(Self {
            file: file.to_owned(),
            finder: Finder::of(jobs.iter().map(|job| &job.matcher)),
            jobs,
            keep,
            pools: (parsed.pools.into_values().map(toml::Spanned::into_inner)).collect(),
        })
    }

    /// The job that makes a partition.
    pub fn job_for(&self, partition: &str) -> Result<&Job> {
        self.index_for(partition).map(|i| &self.jobs[i])
    }

    /// The index in [`Jobs::all`] of the job that makes a partition.
    pub fn index_for(&self, partition: &str) -> Result<usize> {
        // The store may have names that an earlier version allowed.
        check_name(partition)?;
        let matching = |i: &usize| self.jobs[*i].matcher.matches(partition);
        let mut found = self.finder.candidates(partition).filter(matching);
        let file = self.file.display();
        let Some(first) = found.next() else {
            bail!("no job in {file} makes `{partition}`: add one, or ask for another partition");
        };
        if let Some(second) = found.next() {
            let (a, b) = (&self.jobs[first.min(second)], &self.jobs[first.max(second)]);
            bail!(
                "{file}, lines {} and {}: both `{}` and `{}` make `{partition}`: narrow one of the patterns",
                a.line,
                b.line,
                a.pattern,
                b.pattern
            );
        }
        Ok(first)
    }

    /// How many runs there may be at a time, by the index of the pool.
    pub fn pools(&self) -> &[usize] {
        &self.pools
    }

    /// The path of the file, for messages.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// All jobs, in the order of the file.
    pub fn all(&self) -> &[Job] {
        &self.jobs
    }

    /// The directory of the jobs file, for jobs with scripts beside it.
    pub fn dir(&self) -> PathBuf {
        let dir = self
            .file
            .parent()
            .filter(|d| !d.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned())
    }
}

/// Refuses names that cannot be the path of a directory in the data directory, that a shell could
/// expand, or that a program could take for an option.
pub fn check_name(partition: &str) -> Result<()> {
    let fine = |c: u8| {
        c.is_ascii_alphanumeric()
            || matches!(
                c,
                b'.' | b'_' | b'-' | b'+' | b'@' | b'=' | b',' | b':' | b'%' | b'~' | b'/'
            )
    };
    let odd_part = |part: &str| part.is_empty() || part.starts_with('.') || part.len() > 200;
    if partition.starts_with('-') {
        bail!(
            "`{}` cannot be the name of a partition: a program would take it for an option, so begin it with another \
             character than `-`",
            shown(partition)
        );
    }
    if partition.len() > 1000 || !partition.bytes().all(fine) || partition.split('/').any(odd_part)
    {
        bail!(
            "`{}` cannot be the name of a partition: a name consists of letters, digits and ._-+@=,:%~ with / between its \
             parts, none of which is empty or begins with a dot; a part has at most 200 characters, and the name at most 1000",
            shown(partition)
        );
    }
    Ok(())
}

/// Refuses two names of which one is a parent directory of the other, because the data of one would be
/// inside that of the other.
pub fn check_apart<'a>(names: impl Iterator<Item = &'a str>) -> Result<()> {
    let all: HashSet<&str> = names.collect();
    for name in &all {
        for (at, _) in name.match_indices('/') {
            if all.contains(&name[..at]) {
                bail!(
                    "there cannot be both a partition `{}` and a partition `{name}`: the data of the second would be \
                     inside that of the first",
                    &name[..at]
                );
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Jobs, String> {
        Jobs::parse(Path::new("dir/jobs.toml"), text).map_err(|e| format!("{e:#}"))
    }

    #[test]
    fn a_jobs_file_is_read() {
        let jobs = parse(
            "[[job]]\npartitions = 'a/*'\ncommand = ['x', '$PARTITION']\n\n\
             [[job]]\npartitions = 'b'\ncommand = ['y']\ndigest = ['z']\n",
        )
        .unwrap();
        assert_eq!(jobs.job_for("a/1").unwrap().command, ["x", "$PARTITION"]);
        assert_eq!(
            jobs.job_for("b").unwrap().digest.as_deref(),
            Some(&["z".to_owned()][..])
        );
        assert_eq!(jobs.job_for("b").unwrap().line, 6);
        assert!(jobs.dir().ends_with("dir"));
    }

    #[test]
    fn names_that_a_program_or_shell_could_misread_are_refused() {
        for name in ["a", "a/b", "~root/x", "a/-b", "x=~y,z:%20+@1"] {
            check_name(name).unwrap();
        }
        let long = "a".repeat(2000);
        for name in [
            "", "/a", "a//b", "a/../b", ".a", "a b", "$x", "a\nb", "--help", "-", &long,
        ] {
            let error = format!("{:#}", check_name(name).unwrap_err());
            assert!(
                error.contains("cannot be the name of a partition"),
                "{error}"
            );
            assert!(error.len() < 500 && !error.contains('\n'), "{error}");
        }
        let jobs = parse("[[job]]\npartitions = '**'\ncommand = ['x']\n").unwrap();
        let error = jobs.job_for("--help").unwrap_err().to_string();
        assert!(error.contains("for an option"), "{error}");
    }

    #[test]
    fn mistakes_are_refused_with_their_line() {
        for (text, expect) in [
            ("", "dir/jobs.toml: it has no [[job]]"),
            ("[[job]]\npartitions = \n", "dir/jobs.toml, line 2: "),
            (
                "[[job]]\npartitions = 'a'\n",
                "dir/jobs.toml, line 1: missing field `command`",
            ),
            (
                "[[job]]\npartitions = 'a'\ncommand = ['x']\nretry = 3\n",
                "dir/jobs.toml, line 4: unknown field `retry`",
            ),
            (
                "[[job]]\npartitions = '{A}'\ncommand = ['x']\n",
                "dir/jobs.toml, line 2: `{A}` is no field",
            ),
            (
                "[[job]]\npartitions = 'a'\ncommand = ['x']\nenv = ['=1']\n",
                "dir/jobs.toml, line 2: `=1` is no variable",
            ),
            (
                "[[job]]\npartitions = 'a/{x}'\ncommand = ['x']\ninputs = ['b/{y}']\n",
                "dir/jobs.toml, line 2: the input `b/{y}` has",
            ),
            (
                "[[job]]\npartitions = 'a'\ncommand = ['x']\npool = 'db'\n",
                "dir/jobs.toml, line 2: there is no pool `db`",
            ),
            (
                "[pools]\ndb = 0\n[[job]]\npartitions = 'a'\ncommand = ['x']\npool = 'db'\n",
                "dir/jobs.toml, line 2: the pool `db` has no place",
            ),
            (
                "[[job]]\npartitions = 'a'\ncommand = ['x']\nretries = -1\n",
                "dir/jobs.toml, line 4: invalid value",
            ),
            (
                "[[job]]\npartitions = 'a'\ncommand = ['x']\ntimeout = '10'\n",
                "dir/jobs.toml, line 4: `10` is no duration: write",
            ),
            ("[[jobs]]\n", "dir/jobs.toml, line 1: unknown field `jobs`"),
            (
                "[[job]]\npartitions = 'a'\ncommand = 'x'\n",
                "dir/jobs.toml, line 3: invalid type",
            ),
            (
                "[[job]]\npartitions = 'a'\ncommand = []\n",
                "dir/jobs.toml, line 3: the job for `a` has a command without",
            ),
            (
                "[[job]]\npartitions = ''\ncommand = ['x']\n",
                "dir/jobs.toml, line 2: `partitions` is empty",
            ),
            (
                "[[job]]\npartitions = 'a'\ncommand = ['x', '$DATABUILD_OUTPUT']\n",
                "dir/jobs.toml, line 3: there is no variable `$DATABUILD_OUTPUT`",
            ),
            (
                "[[job]]\npartitions = 'a'\ncommand = ['x']\n[[job]]\npartitions = 'a'\ncommand = ['x']\n",
                "dir/jobs.toml, line 5: another job makes `a` already",
            ),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with(expect), "{text}\n{error}\n{expect}");
        }
    }

    #[test]
    fn a_partition_has_exactly_one_job() {
        let jobs = parse(
            "[[job]]\npartitions = 'a/*'\ncommand = ['x']\n[[job]]\npartitions = '*/1'\ncommand = ['x']\n",
        )
        .unwrap();
        assert!(jobs.job_for("a/2").is_ok());
        assert_eq!(jobs.index_for("b/1").unwrap(), 1);
        let both = jobs.job_for("a/1").unwrap_err().to_string();
        assert!(
            both.contains("lines 2 and 5: both `a/*` and `*/1` make `a/1`"),
            "{both}"
        );
        let none = jobs.job_for("c").unwrap_err().to_string();
        assert!(none.contains("no job in dir/jobs.toml makes `c`"), "{none}");
    }

    #[test]
    fn names_of_partitions() {
        for good in [
            "a",
            "sloc/serde-1.0.0+spec",
            "daily/2024-01-01",
            "a~b@c=d,e:f%g",
        ] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in [
            "", "/a", "a/", "a//b", "../a", "a/./b", "a b", "a\nb", "a;b", "$a", ".a", "ä",
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_apart(["a", "b/c", "b/d"].into_iter()).is_ok());
        assert!(check_apart(["b/c", "a", "b/c/d"].into_iter()).is_err());
    }
}
