//! Logs whose segments are not all in their directory, and one that was restored: how `examples/write_logs.rs` writes them.
#![allow(dead_code)]

use std::fs;
use std::path::Path;

use ironweave::prelude::*;
use ironweave::{Retention, raw_log};

use crate::changes::{Done, fire};
use crate::models::first::bank::*;

/// Their directories.
pub const NAMES: [&str; 3] = ["archived", "dropped", "restored"];

pub fn write(name: &str, dir: &Path) -> Done {
    match name {
        "archived" => archived(dir),
        "dropped" => dropped(dir),
        "restored" => restored(dir),
        _ => Err(format!("there is no log `{name}`").into()),
    }
}

/// Opens a store with short segments.
fn open(dir: &Path) -> Result<Store<Model>, ironweave::OpenError> {
    Store::<Model>::options().segment_bytes_max(600).open(dir)
}

fn count(store: &mut Store<Model>, seconds: std::ops::Range<i64>) -> Done {
    for second in seconds {
        let account = ["ada", "bob", "eve"][second as usize % 3].into();
        let balance = second * 1000;
        fire(store, second, Counted { account, balance })?;
    }
    Ok(())
}

/// The first segments are in an archive inside the directory. No checkpoint is left, so the archive is replayed.
fn archived(dir: &Path) -> Done {
    let mut store = open(dir)?;
    count(&mut store, 0..12)?;
    let checkpoint = store.checkpoint()?;
    let plan = store
        .retention()?
        .before(7u64)
        .archive(dir.join("archive"))?;
    plan.execute(|_, _| {})?;
    count(&mut store, 12..14)?;
    drop(store);
    fs::remove_file(checkpoint.path())?;
    Ok(())
}

/// The first segments were dropped, and the graph is in two checkpoints.
fn dropped(dir: &Path) -> Done {
    let mut store = open(dir)?;
    count(&mut store, 0..9)?;
    store.checkpoint()?;
    count(&mut store, 9..11)?;
    store.checkpoint()?;
    count(&mut store, 11..13)?;
    drop(store);
    Retention::of(dir).drop_frames()?.execute(|_, _| {})?;
    Ok(())
}

/// A log that was restored up to a frame in the middle, and continued on a timeline of its own.
fn restored(dir: &Path) -> Done {
    let source = dir.with_extension("source");
    count(&mut open(&source)?, 0..9)?;
    raw_log::restore(&source, dir, Some(6.into()), |_, _| {})?;
    let mut store = open(dir)?;
    count(&mut store, 20..23)?;
    drop(store);
    fs::remove_dir_all(source)?;
    Ok(())
}
