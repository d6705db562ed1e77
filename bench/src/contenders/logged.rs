//! By hand with hash maps and a log: what `step_logged` of ironweave is compared with.
//!
//! An event and its facts are encoded as CBOR, with the time, and a [`Keeper`] keeps that record under its sequence number. The
//! keeper here is a buffer: a record has a length and a checksum before it. ironweave also maintains a fingerprint of the graph,
//! checks that handles are alive, and rejects values that would be read back differently.

use std::time::{SystemTime, UNIX_EPOCH};

use minicbor::Encoder;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::maps::fxhash::Maps;
use crate::work::{Contender, Keeps, Op, Picture};

/// A graph by hand that executes events which are not rolled back.
pub trait Fires {
    /// Executes an event. Returns the worker that the task had before.
    fn fire(&mut self, op: Op) -> u32;
}

/// A log of records.
pub trait Keeper {
    /// The name of the contender in the table.
    const NAME: &'static str;
    /// Creates an empty one. If it is `durable`, a record survives a power failure once `keep` has returned.
    fn new(durable: bool) -> Self;
    /// Keeps the record that `encode` appends to a vector.
    fn keep(&mut self, seq: u64, encode: impl FnOnce(&mut Vec<u8>));
}

/// Hash maps and a log.
pub struct Logged<K> {
    maps: Maps,
    keeper: K,
    next: u64,
}

impl<K: Keeper> Logged<K> {
    /// The graph of [`Contender::new`], with a log that is durable or not.
    pub fn with_log(tasks: usize, durable: bool) -> Self {
        Self {
            maps: Maps::new(tasks, Keeps::Log),
            keeper: K::new(durable),
            next: 0,
        }
    }
}

/// The whole log in memory.
#[derive(Default)]
pub struct Buffer(Vec<u8>);

/// The contender that does the work of `step_logged`.
pub type FxHashLogged = Logged<Buffer>;

/// The length, the checksum and the sequence number of a record.
const HEADER_BYTES: usize = 4 + 8 + 8;

impl Keeper for Buffer {
    const NAME: &'static str = "fxhash_logged";

    fn new(_: bool) -> Self {
        Self::default()
    }

    fn keep(&mut self, seq: u64, encode: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.0.len();
        self.0.extend_from_slice(&[0; HEADER_BYTES]);
        encode(&mut self.0);
        let (header, record) = self.0[begin..].split_at_mut(HEADER_BYTES);
        header[0..4].copy_from_slice(&(record.len() as u32).to_le_bytes());
        header[4..12].copy_from_slice(&xxh3_64_with_seed(record, seq).to_le_bytes());
        header[12..20].copy_from_slice(&seq.to_le_bytes());
    }
}

/// Encodes an event with its time and its facts. `old` is the worker that the task had before.
fn encode(op: Op, old: u32, out: &mut Vec<u8>) {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = time.map_or(0, |time| time.as_micros() as u64);
    let mut e = Encoder::new(out);
    let mut write = || -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        // The time; the event with its fields; its facts.
        e.array(3)?.u64(micros)?;
        e.array(4)?.bool(op.start)?.u32(op.task)?;
        e.u32(op.worker)?.u64(op.value)?;
        e.array(4)?;
        e.array(3)?.u8(0)?.u32(old)?.u32(op.task)?;
        e.array(3)?.u8(1)?.u32(op.worker)?.u32(op.task)?;
        e.array(3)?.u8(2)?.u32(op.task)?.u64(op.value)?;
        e.array(3)?.u8(3)?.u32(op.task)?.bool(op.start)?;
        Ok(())
    };
    write().expect("a vector takes any bytes");
}

/// Returns the record of an event, as [`Logged`] keeps it.
#[allow(dead_code)] // not in each binary that includes this file
pub fn record() -> Vec<u8> {
    let op = Op {
        task: 300,
        worker: 31,
        value: 1 << 20,
        start: true,
    };
    let mut record = Vec::new();
    encode(op, 30, &mut record);
    record
}

impl<K: Keeper> Contender for Logged<K> {
    const NAME: &'static str = K::NAME;
    type Event = Op;

    fn new(tasks: usize, _: Keeps) -> Self {
        Self::with_log(tasks, false)
    }

    fn event(&self, op: Op) -> Op {
        op
    }

    fn step(&mut self, op: Op) {
        let old = self.maps.fire(op);
        self.keeper.keep(self.next, |out| encode(op, old, out));
        self.next += 1;
    }

    fn reject(&mut self, op: Op) {
        self.maps.reject(op);
    }

    fn step_and_undo(&mut self, events: &[Op]) {
        self.maps.step_and_undo(events);
    }

    fn facts(&self) -> usize {
        self.maps.facts()
    }

    fn picture(&self) -> Picture {
        self.maps.picture()
    }
}

#[cfg(test)]
mod tests {
    use minicbor::Decoder;

    use super::*;
    use crate::work::operations;

    /// Reads the operation of a record back, and the worker that the task had before.
    fn decode(record: &[u8]) -> Result<(Op, u32), minicbor::decode::Error> {
        let mut d = Decoder::new(record);
        d.array()?;
        assert!(d.u64()? > 1_700_000_000_000_000, "the time in microseconds");
        d.array()?;
        let (start, task, worker, value) = (d.bool()?, d.u32()?, d.u32()?, d.u64()?);
        let facts = d.array()?;
        d.array()?;
        let (_, old, _) = (d.u8()?, d.u32()?, d.u32()?);
        for _ in 1..facts.unwrap_or_default() {
            d.skip()?;
        }
        assert_eq!(d.position(), record.len());
        let op = Op {
            task,
            worker,
            value,
            start,
        };
        Ok((op, old))
    }

    #[test]
    fn the_log_has_all_events_with_their_checksums() {
        let ops = operations(57, 500, 4);
        let mut logged = FxHashLogged::new(57, Keeps::Log);
        let mut holders: Vec<u32> = (logged.picture().tasks.iter().map(|task| task.2)).collect();
        ops.iter().for_each(|op| logged.step(*op));
        let mut rest = logged.keeper.0.as_slice();
        for (seq, op) in ops.iter().enumerate() {
            let (header, after) = rest.split_at(HEADER_BYTES);
            let len = u32::from_le_bytes(header[0..4].try_into().expect("four bytes"));
            let (record, after) = after.split_at(len as usize);
            let sum = xxh3_64_with_seed(record, seq as u64);
            assert_eq!(header[4..12], sum.to_le_bytes());
            assert_eq!(header[12..20], (seq as u64).to_le_bytes());
            let old = std::mem::replace(&mut holders[op.task as usize], op.worker);
            assert_eq!(decode(record).expect("a record"), (*op, old));
            rest = after;
        }
        assert!(rest.is_empty());
    }
}
