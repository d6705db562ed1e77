//! `databuild logs`: what a run wrote, also while it writes.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ironweave::prelude::*;

use crate::dirs::Dirs;
use crate::engine::BuildStore;
use crate::invoked;
use crate::keep::why_removed;
use crate::model::build::JobRun;
use crate::model::build::state::{Queued, Running};
use crate::rules::current;
use crate::start::{is_in_use, open_read_only};
use crate::text::{one_line, shown};

/// How often a run that is followed is looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// Prints what a run wrote: its stdout without the lines for databuild, then its stderr. The run is named by its number, or by the
/// partition whose last run it is. A line on stderr has its command, if that is kept. With `follow`, goes on until the run has ended, with what it writes to either as it arrives.
pub fn logs(dirs: &Dirs, which: &str, follow: bool) -> Result<()> {
    let mut store = open_read_only(dirs)?;
    let run = find(&store, dirs, which)?;
    let id = run.id().to_string();
    if let Some(command) = invoked::find(dirs, &id) {
        let (label, command) = (run.label(&store), invoked::in_shell(&command));
        // A closed stderr is not an error.
        drop(writeln!(
            std::io::stderr(),
            "{}",
            lines(&format!("run {id} for {label}: {command}"))
        ));
    }
    let mut files = [Tail::of(dirs.stdout(&id)), Tail::of(dirs.stderr(&id))];
    let mut out = std::io::stdout().lock();
    loop {
        // Whether it has ended is determined before its files are read, so that the last lines are not missed.
        let goes_on = run.is::<Queued>(&store) || run.is::<Running>(&store);
        let goes_on = goes_on && is_in_use(dirs);
        for file in &mut files {
            file.copy(&mut out)?;
        }
        out.flush().context("cannot write to stdout")?;
        if !follow || !goes_on {
            break;
        }
        std::thread::sleep(PAUSE);
        let refreshed = store.refresh();
        refreshed.map_err(|e| {
            anyhow::anyhow!("cannot read the log in {}: {e}", dirs.shown().display())
        })?;
    }
    if files.iter().all(|file| file.copied == 0) {
        if let Some(why) = why_removed(dirs, &id) {
            bail!(
                "nothing is kept of run {id} for {}: {why}",
                run.label(&store)
            );
        }
        bail!(
            "nothing is kept of run {id} for {}, which is {}: it wrote nothing, or an earlier databuild removed it",
            run.label(&store),
            run.state(&store)
        );
    }
    Ok(())
}

/// A text of several lines, with other control characters escaped.
fn lines(text: &str) -> String {
    text.split('\n')
        .map(one_line)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The run with a number, or the last one of a partition.
fn find(store: &BuildStore, dirs: &Dirs, which: &str) -> Result<JobRun> {
    let number = which.split('.').next();
    let number = number.and_then(|slot| slot.parse::<u32>().ok());
    let by_number = store
        .place::<JobRun, Any>()
        .find(|run| Some(run.id().slot()) == number);
    let by_name = || current(which, store).and_then(|p| p.built_by(store));
    by_number.or_else(by_name).with_context(|| {
        format!(
            "there is no run {} in {}, nor a partition of that name with a run: `databuild runs` lists them",
            shown(which),
            dirs.shown().display()
        )
    })
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
        out.write_all(&new).context("cannot write to stdout")
    }
}
