//! Many callers of a store that has one writer: a thread takes what callers have submitted, writes it together, syncs once and
//! answers them. What is submitted during the sync is the next batch. This is how the experts of SQLite, redb and fjall group
//! commits, and no other way of theirs has fewer syncs.

use std::sync::mpsc;
use std::thread;

use crate::harness::sample;

/// A store that appends records together.
pub trait Batches: Send {
    /// Appends records. When it returns, they survive a power failure.
    fn append_all(&mut self, records: &[Vec<u8>]);
}

/// A record, and where its caller waits for the answer.
type Submitted = (Vec<u8>, mpsc::SyncSender<()>);

/// Lets so many callers append so many copies of a record each, and returns the time of one append in nanoseconds.
pub fn grouped(keeper: &mut dyn Batches, callers: usize, each: usize, record: &[u8]) -> f64 {
    sample(callers * each, || {
        let (submit, submitted) = mpsc::channel::<Submitted>();
        thread::scope(|s| {
            s.spawn(move || write(keeper, &submitted));
            for _ in 0..callers {
                let submit = submit.clone();
                s.spawn(move || {
                    let (answer, answered) = mpsc::sync_channel(1);
                    for _ in 0..each {
                        let record = record.to_vec();
                        submit.send((record, answer.clone())).expect("it runs");
                        answered.recv().expect("it is written");
                    }
                });
            }
            drop(submit);
        });
    })
}

fn write(keeper: &mut dyn Batches, submitted: &mpsc::Receiver<Submitted>) {
    let (mut records, mut answers) = (Vec::new(), Vec::new());
    while let Ok(first) = submitted.recv() {
        for (record, answer) in [first].into_iter().chain(submitted.try_iter()) {
            records.push(record);
            answers.push(answer);
        }
        keeper.append_all(&records);
        records.clear();
        for answer in answers.drain(..) {
            answer.send(()).expect("the caller waits");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Counts(usize, usize);

    impl Batches for Counts {
        fn append_all(&mut self, records: &[Vec<u8>]) {
            assert!(!records.is_empty() && records.len() <= 8);
            self.0 += records.len();
            self.1 += 1;
        }
    }

    #[test]
    fn each_record_is_appended_once_and_batches_have_at_most_one_of_each_caller() {
        let mut counts = Counts::default();
        grouped(&mut counts, 8, 100, b"record");
        assert_eq!(counts.0, 800);
        assert!(counts.1 <= 800);
    }
}
