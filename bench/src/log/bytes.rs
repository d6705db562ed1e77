//! `log_bytes`: the bytes of an event in the log, beside its JSON.

use std::error::Error;

use ironweave::Durability;
use ironweave::prelude::*;

use crate::contenders::ironweave::Ours;
use crate::contenders::ironweave::model::Model;
#[cfg(feature = "peers")]
use crate::contenders::logged::record;
use crate::harness::{Row, row};
use crate::rows::Scratch;
use crate::work::{Contender as _, operations};
use crate::{Measured, Options};

/// The number of tasks, and of events.
const COUNT: usize = 1_000;

/// Counts the bytes of an event.
pub fn run(_: &Options) -> Measured {
    let (dir, store) = written()?;
    let from = store.seq().map_or(0, |seq| seq.get() + 1 - COUNT as u64);
    let (mut events, mut records) = (0, 0);
    for record in store.frames(from)? {
        let record = serde_json::to_value(record?)?;
        records += record.to_string().len();
        events += record["firings"][0]["event"].to_string().len();
    }
    drop((store, dir));
    let bytes_of = |name, bytes: f64| -> Row {
        row("log_bytes", name, 1, vec![bytes])
            .in_bytes()
            .of("event")
    };
    Ok(vec![
        bytes_of("ironweave", frame_bytes()? as f64),
        bytes_of("json_event", events as f64 / COUNT as f64),
        bytes_of("json_record", records as f64 / COUNT as f64),
        #[cfg(feature = "peers")]
        bytes_of("fxhash_logged", record().len() as f64),
    ])
}

fn written() -> Result<(Scratch, Store<Model>), Box<dyn Error>> {
    let dir = Scratch::new("bytes")?;
    let options = Store::options().durability(Durability::Os);
    let mut ours = Ours::on(options.open(&dir.0)?, COUNT);
    for op in operations(COUNT, COUNT, 3) {
        let event = ours.event(op);
        ours.step(event);
    }
    Ok((dir, ours.store))
}

/// Returns the length of the frame of an event of [`crate::work`].
pub fn frame_bytes() -> Result<u64, Box<dyn Error>> {
    let length = |steps: usize| -> Result<u64, Box<dyn Error>> {
        let dir = Scratch::new("frame")?;
        let options = Store::options().durability(Durability::Os);
        let mut ours = Ours::on(options.open(&dir.0)?, COUNT);
        for op in operations(COUNT, steps, 3) {
            let event = ours.event(op);
            ours.step(event);
        }
        ours.store.close()?;
        let mut bytes = 0;
        for file in std::fs::read_dir(&dir.0)? {
            let file = file?;
            let is_segment = file.path().extension().is_some_and(|e| e == "log");
            bytes += if is_segment {
                file.metadata()?.len()
            } else {
                0
            };
        }
        Ok(bytes)
    };
    Ok((length(COUNT)? - length(0)?) / COUNT as u64)
}
