//! A log in memory beside a plain list of frames.

use super::*;
use crate::log::{Frame, FrameKind};

/// A generator of numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    /// Returns a number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (self.0 >> 33) % end
    }
}

/// The list that the log is compared with.
#[derive(Default)]
struct List {
    first: Seq,
    frames: Vec<(FrameHeader, Vec<u8>)>,
}

impl List {
    fn next(&self) -> Seq {
        self.first + self.frames.len() as u64
    }

    /// Appends a frame to the list and to the log.
    fn append(&mut self, log: &mut MemoryLog, kind: FrameKind, number: u64, bytes: usize) {
        let seq = self.next();
        let fingerprint = u128::from(number) << 70 | u128::from(seq.get());
        let header = FrameHeader::new(seq, number as u32 % 5, kind, fingerprint);
        let payload = vec![number as u8; bytes];
        // A log that other threads read has no space.
        match log.space(seq, bytes).filter(|_| number.is_multiple_of(2)) {
            Some(space) => {
                space.payload.copy_from_slice(&payload);
                let bytes = space.write_header(&header);
                log.push(bytes);
            }
            None => log.append(header, &payload).expect("it is the next frame"),
        }
        assert!(log.space(seq, bytes).is_none(), "it is not the next frame");
        let durable = seq.checked_sub(1);
        self.frames
            .push((FrameHeader { durable, ..header }, payload));
    }

    /// Compares the frames from `from` on with those that a log returns, which ends after `next`.
    fn compare(&self, log: &dyn ReadLog, from: Seq, next: Seq) {
        let skipped = from.frames_since(self.first).unwrap_or(0) as usize;
        let count = next.frames_since(self.first).expect("not before the log") as usize;
        let expected = self.frames[..count].iter().skip(skipped);
        let mut found = log.read(from).expect("it reads");
        for (header, payload) in expected {
            let frame: Frame = found.next().expect("there are more").expect("it reads");
            assert_eq!(&frame.header, header);
            assert!(&frame.payload == payload, "frame {}", header.seq);
            let position = log.position_of(header.seq).expect("it reads");
            assert_eq!(position, Some(frame.position));
        }
        assert!(found.next().is_none());
        assert_eq!(log.head().map(|head| head.seq), next.checked_sub(1));
        assert_eq!(log.position_of(next).expect("it reads"), None);
    }
}

#[test]
fn frames_in_several_chunks_are_those_of_a_list() {
    const KINDS: [FrameKind; 3] = [
        FrameKind::Schema,
        FrameKind::Transaction,
        FrameKind::Migration,
    ];
    for (first, shared) in [(0, false), (0, true), (1_000, false), (1_000, true)] {
        let first = Seq::new(first);
        let mut log = MemoryLog::after(first.checked_sub(1), 7);
        let mut list = List {
            first,
            ..List::default()
        };
        let mut numbers = Numbers(first.get() + u64::from(shared));
        let mut readers: Vec<(MemoryReader, Seq)> = Vec::new();
        for i in 0..3_000 {
            let number = numbers.below(1 << 20);
            let bytes = match number % 100 {
                // Longer than a chunk.
                0 if i > 1_000 && numbers.below(4) == 0 => {
                    CHUNK_BYTES + 1 + numbers.below(9) as usize
                }
                1..10 => numbers.below(20_000) as usize,
                10 => 0,
                _ => numbers.below(300) as usize,
            };
            list.append(&mut log, KINDS[i % 3], number, bytes);
            if shared && numbers.below(100) == 0 {
                readers.push((log.memory_reader(), list.next()));
            }
            if numbers.below(300) == 0 {
                let from = first + numbers.below(list.frames.len() as u64 + 2);
                list.compare(&log, from, list.next());
            }
        }
        assert!(log.see(|chunks| chunks.full.len()) > 3);
        list.compare(&log, Seq::ZERO, list.next());
        // Each reader has the frames of its moment, on any thread.
        assert_eq!(readers.len() > 10, shared);
        std::thread::scope(|scope| {
            for (i, (reader, next)) in readers.iter().enumerate() {
                let (list, from) = (&list, Seq::new(next.get() * (i as u64 % 4) / 4));
                scope.spawn(move || list.compare(reader, from, *next));
            }
        });
        if let Some((reader, _)) = readers.first_mut() {
            reader.refresh();
            list.compare(reader, first, list.next());
        }
    }
}

#[test]
fn a_log_that_fills_chunks_takes_prepared_memory() {
    let mut log = MemoryLog::new();
    let mut list = List::default();
    list.append(&mut log, FrameKind::Transaction, 1, CHUNK_BYTES / 2);
    // The second half: the next chunk is prepared.
    let ready = loop {
        if let Some(memory) = log.own.ahead.take() {
            break memory;
        }
        std::thread::yield_now();
    };
    assert_eq!(ready.capacity(), CHUNK_BYTES);
    // Without it the log goes on.
    list.append(&mut log, FrameKind::Transaction, 2, CHUNK_BYTES / 2);
    assert_eq!(log.own.full.len(), 1);
    list.compare(&log, Seq::ZERO, Seq::new(2));
}
