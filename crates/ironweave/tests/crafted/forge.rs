//! Makes logs with right checksums and any content: the frames of a log are read, changed, and written to another directory
//! by the log itself, which does not know the content of frames.

use std::fs;
use std::path::Path;

use ironweave::log::{Durability, FileLog, FrameHeader, FrameKind, Log as _, Options, ReadOnlyLog};
use ironweave::{Model, OpenError, Store};

use crate::cbor::{Item, parse};

/// A frame that is to be written.
#[derive(Clone, Debug)]
pub struct Forged {
    pub kind: FrameKind,
    pub epoch: u32,
    pub fingerprint: u128,
    pub payload: Item,
    /// What follows the payload in its frame.
    pub behind: Vec<u8>,
}

/// The frames of a log.
pub fn frames(dir: &Path) -> Vec<Forged> {
    let log = ReadOnlyLog::open(dir).expect("the log opens");
    let frames = log.read(0).expect("the log can be read");
    frames
        .map(|frame| {
            let frame = frame.expect("the log can be read");
            Forged {
                kind: frame.header.kind,
                epoch: frame.header.epoch,
                fingerprint: frame.header.fingerprint,
                payload: parse(&mut &*frame.payload),
                behind: Vec::new(),
            }
        })
        .collect()
}

/// Writes a log of these frames; gives the place of each in its one segment.
pub fn write(dir: &Path, frames: &[Forged]) -> Vec<u64> {
    let options = Options {
        durability: Durability::Os,
        spare_bytes_max: 0,
        ..Options::default()
    };
    let mut log = FileLog::open(dir, options).expect("the log opens");
    let (mut places, mut at) = (Vec::new(), 64);
    for (seq, frame) in frames.iter().enumerate() {
        let mut payload = frame.payload.bytes();
        payload.extend_from_slice(&frame.behind);
        let header = FrameHeader::new(seq as u64, frame.epoch, frame.kind, frame.fingerprint);
        log.append(header, &payload)
            .expect("the log can be written");
        places.push(at);
        at += (56 + payload.len() as u64).next_multiple_of(8);
    }
    log.close().expect("the log can be closed");
    places
}

/// As [`write()`], with the fingerprints that the graph has when it is replayed, as far as it can be.
pub fn write_consistent<M: Model>(dir: &Path, frames: &mut [Forged]) -> Vec<u64> {
    loop {
        if dir.exists() {
            fs::remove_dir_all(dir).expect("an old log");
        }
        let places = write(dir, frames);
        let Err(e) = Store::<M>::open_read_only(dir) else {
            return places;
        };
        let Some((seq, fingerprint)) = wanted(&e) else {
            return places;
        };
        // Schemas after it have the same.
        let from = seq as usize;
        frames[from].fingerprint = fingerprint;
        for frame in &mut frames[from + 1..] {
            if frame.kind != FrameKind::Schema {
                break;
            }
            frame.fingerprint = fingerprint;
        }
    }
}

/// The fingerprint that a frame should have had, if that is what an error is about.
fn wanted(e: &OpenError) -> Option<(u64, u128)> {
    let text = e.to_string();
    let (_, rest) = text.split_once("the graph has the fingerprint ")?;
    assert!(e.is_damage());
    let fingerprint = u128::from_str_radix(rest.get(..32)?, 16).ok()?;
    Some((e.seq()?, fingerprint))
}
