//! What `databuild serve --demo` opens on: a small pipeline with a calendar of two months, of which one day is broken and another was
//! corrected after it had been built.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail};
use ironweave::prelude::*;

use crate::dirs::{Dirs, cannot};
use crate::engine::{Engine, Stopped};
use crate::fresh;
use crate::model::build::PartitionRef;

/// The jobs of the demo.
const JOBS: &str = include_str!("../../jobs/days.toml");
/// The reports that are wanted. The second one cannot be built, because a day of its month fails.
const REPORTS: [&str; 2] = ["report/2026-01", "report/2026-02"];
/// The file that corrects a day, and what is built from that day afterwards. All else that was made from it is stale.
const CORRECTED: &str = "corrected-2026-01-08";
const AGAIN: [&str; 1] = ["daily/red/2026-01-08"];

/// Writes the jobs of the demo into the directory, where users can read them, and returns the path of the jobs file.
///
/// # Errors
/// If the file cannot be written.
pub fn write_jobs(dirs: &Dirs) -> Result<PathBuf> {
    let dir = dirs.jobs();
    fs::create_dir_all(&dir).map_err(|e| cannot("create the directory", &dir, &e))?;
    let path = dir.join("days.toml");
    fs::write(&path, JOBS).map_err(|e| cannot("write", &path, &e))?;
    Ok(path)
}

impl Engine {
    /// Builds the demo, if the store is empty. Returns the signal that stopped it, if there was one.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn build_demo(&mut self) -> Result<Option<i32>> {
        if self.store.place::<PartitionRef, Any>().next().is_some() {
            return Ok(None);
        }
        for report in REPORTS {
            if let Some(signal) = self.build_for_demo(&[report])? {
                return Ok(Some(signal));
            }
        }
        let corrected = self.dirs.jobs().join(CORRECTED);
        fs::write(&corrected, "").map_err(|e| cannot("write", &corrected, &e))?;
        let reports = REPORTS.map(str::to_owned);
        if let Some(signal) = fresh::look(self, &reports, Vec::new())? {
            return Ok(Some(signal));
        }
        self.build_for_demo(&AGAIN)
    }

    fn build_for_demo(&mut self, names: &[&str]) -> Result<Option<i32>> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.want(&names)?;
        let stopped = self.work()?;
        self.forget_wants();
        match stopped {
            None => Ok(None),
            Some(Stopped::Signal(signal)) => Ok(Some(signal)),
            Some(Stopped::Deadline) => bail!("the demo was not built in time"),
        }
    }
}
