//! `databuild logs`: what a run wrote, also while it writes.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ironweave::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dirs::Dirs;
use crate::invoked;
use crate::keep::why_removed;
use crate::model::build::JobRun;
use crate::model::build::state::{Queued, Running};
use crate::reports::{Origin, Report, Source, UNWRITABLE};
use crate::rules::current;
use crate::start::is_in_use;
use crate::text::{one_line, shown};

/// How often a run that is followed is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// A run, as `databuild logs` needs it.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    id: String,
    label: String,
    state: String,
    /// Whether it has not ended.
    goes_on: bool,
}

/// Prints what a run wrote: its stdout without the lines for databuild, then its stderr. The run is named by its number, or by the
/// partition whose last run it is. A line on stderr has its command, if that is kept. With `follow`, goes on until the run has ended, with what it writes to either as it arrives.
pub fn logs(dirs: &Dirs, which: &str, follow: bool) -> Result<()> {
    let mut source = Source::of(dirs)?;
    let mut run = ask(&mut source, dirs, which)?;
    if let Some(command) = invoked::find(dirs, &run.id) {
        let command = invoked::in_shell(&command);
        let line = lines(&format!("run {} for {}: {command}", run.id, run.label));
        // A closed stderr is not an error.
        drop(writeln!(std::io::stderr(), "{line}"));
    }
    let mut files = [
        Tail::of(dirs.stdout(&run.id)),
        Tail::of(dirs.stderr(&run.id)),
    ];
    let mut out = std::io::stdout().lock();
    loop {
        // Whether it has ended is determined before its files are read, so that the last lines are not missed.
        let goes_on = run.goes_on && is_in_use(dirs);
        for file in &mut files {
            file.copy(&mut out)?;
        }
        out.flush().context(UNWRITABLE)?;
        if !follow || !goes_on {
            break;
        }
        std::thread::sleep(PAUSE);
        source.refresh(dirs)?;
        run = ask(&mut source, dirs, &run.id)?;
    }
    if files.iter().all(|file| file.copied == 0) {
        let of = format!("nothing is kept of run {} for {}", run.id, run.label);
        match why_removed(dirs, &run.id) {
            Some(why) => bail!("{of}: {why}"),
            None => bail!(
                "{of}, which is {}: it wrote nothing, or an earlier databuild removed it",
                run.state
            ),
        }
    }
    Ok(())
}

fn ask(source: &mut Source, dirs: &Dirs, which: &str) -> Result<Found> {
    let which = which.to_owned();
    let found = source.ask(&Report::Run { which }, dirs)?;
    serde_json::from_str(&found).context("the answer of the daemon is no run")
}

/// The run with a number, or the last one of a partition, as JSON.
///
/// # Errors
/// If there is none.
pub fn find(from: &impl Origin, dirs: &Dirs, which: &str) -> Result<String> {
    let db = from.graph();
    let number = which.split('.').next();
    let number = number.and_then(|slot| slot.parse::<u32>().ok());
    let by_number = db
        .place::<JobRun, Any>()
        .find(|run| Some(run.id().slot()) == number);
    let by_name = || current(which, db).and_then(|p| p.built_by(db));
    let run = by_number.or_else(by_name).with_context(|| {
        format!(
            "there is no run {} in {}, nor a partition of that name with a run: `databuild runs` lists them",
            shown(which),
            dirs.shown().display()
        )
    })?;
    let found = Found {
        id: run.id().to_string(),
        label: run.label(db).to_owned(),
        state: run.state(db).to_string(),
        goes_on: run.is::<Queued>(db) || run.is::<Running>(db),
    };
    serde_json::to_string(&found).context("cannot write JSON")
}

/// A text of several lines, with other control characters escaped.
fn lines(text: &str) -> String {
    text.split('\n')
        .map(one_line)
        .collect::<Vec<_>>()
        .join("\n")
}

/// A file that may grow.
struct Tail {
    path: PathBuf,
    /// How many bytes were copied.
    copied: u64,
}

impl Tail {
    fn of(path: PathBuf) -> Self {
        Self { path, copied: 0 }
    }

    /// Copies what is new.
    fn copy(&mut self, out: &mut impl Write) -> Result<()> {
        let cannot = || format!("cannot read {}", self.path.display());
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e).with_context(cannot),
        };
        file.seek(SeekFrom::Start(self.copied))
            .with_context(cannot)?;
        let mut new = Vec::new();
        file.read_to_end(&mut new).with_context(cannot)?;
        self.copied += new.len() as u64;
        out.write_all(&new).context(UNWRITABLE)
    }
}
