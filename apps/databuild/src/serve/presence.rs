//! The file `DIR/daemon.json`, by which other databuilds find the daemon that serves a directory.
//!
//! The file is written when the daemon listens, and removed when it ends. The file of a daemon that was killed stays. It is recognized:
//! the store is not locked then or, if another databuild has it, no daemon answers at the address with the `instance` of the file.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::dirs::{Dirs, cannot};

/// What others know of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
    /// When it was started.
    pub started: String,
    /// A text that no other daemon has.
    pub instance: String,
    /// The jobs file.
    pub jobs: PathBuf,
    /// The file of the token that it demands.
    pub token_file: Option<PathBuf>,
}

/// The written file, which is removed when this is dropped.
pub struct Written(PathBuf);

impl Presence {
    /// The file of a daemon in the directory, which may be one that was killed.
    pub fn read(dirs: &Dirs) -> Option<Self> {
        let text = fs::read_to_string(dirs.daemon()).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Writes the file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, dirs: &Dirs) -> Result<Written> {
        let path = dirs.daemon();
        let draft = path.with_extension("draft");
        let text = serde_json::to_string_pretty(self).context("cannot write the daemon's file")?;
        fs::write(&draft, text + "\n").map_err(|e| cannot("write", &draft, &e))?;
        fs::rename(&draft, &path).map_err(|e| cannot("write", &path, &e))?;
        Ok(Written(path))
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // If it stays, it is recognized as the file of a daemon that has ended.
        drop(fs::remove_file(&self.0));
    }
}
