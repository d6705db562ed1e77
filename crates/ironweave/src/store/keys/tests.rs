//! Keys beside an oracle that keeps all of them.

use std::collections::BTreeMap;

use super::*;

/// A checkpoint in memory.
#[derive(Default)]
struct Bytes(Vec<u8>, usize);

impl ImageSink for Bytes {
    fn put(&mut self, bytes: &[u8]) -> Result<(), ImageError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

impl ImageSource for Bytes {
    fn take(&mut self, len: usize) -> Result<&[u8], ImageError> {
        let from = self.1;
        self.1 += len;
        (self.0.get(from..self.1)).ok_or_else(|| ImageError::content("it ends too early"))
    }

    fn left(&self) -> u64 {
        (self.0.len() - self.1) as u64
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(seconds as i64)
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

#[test]
fn every_key_is_kept_or_known_to_have_expired() {
    let forever = KeyRetention::forever();
    let retentions = [
        forever,
        forever.transactions(1),
        forever.transactions(40),
        forever.age(Duration::ZERO),
        forever.age(Duration::from_secs(50)),
        forever.age(Duration::from_secs(50)).transactions(30),
    ];
    for (seed, retention) in (1..).zip(retentions) {
        let mut random = Random(seed);
        let mut keys = Keys::new(retention);
        let mut oracle: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut time = 1_000;
        for seq in 1..800u64 {
            time += random.below(4);
            if random.below(3) > 0 {
                let key = format!("request {seq}");
                assert_eq!(
                    keys.status(&key, (Some(Seq::new(seq)), at(time))),
                    KeyStatus::Unused
                );
                keys.insert(&key, Seq::new(seq), at(time));
                oracle.insert(key, (seq, time));
            }
            let last = (Seq::new(seq), at(time));
            if random.below(50) == 0 {
                let mut checkpoint = Bytes::default();
                keys.write(&mut checkpoint, last).expect("it has room");
                keys = Keys::read(retention, &mut checkpoint, last).expect("it is whole");
                assert_eq!(checkpoint.left(), 0);
            }
            for (key, (of, then)) in &oracle {
                let is_over = retention.transactions <= seq - of
                    || (retention.age).is_some_and(|age| time - then > age.as_secs());
                let expected = match is_over {
                    true => KeyStatus::Expired,
                    false => KeyStatus::Of(Seq::new(*of)),
                };
                let status = keys.status(key, (Some(last.0), last.1));
                assert_eq!(status, expected, "{retention:?}: {key} after {seq}");
            }
            let kept = oracle.values().filter(|(of, then)| {
                retention.transactions > seq - of
                    && (retention.age).is_none_or(|age| time - then <= age.as_secs())
            });
            // The memory is that of twice as many keys as are kept, in addition to a constant.
            let kept = kept.count();
            let most = match retention == forever {
                true => oracle.len(),
                false => REMOVAL_MIN + 2 * kept.max(40),
            };
            assert!(
                keys.kept.len() <= most,
                "{retention:?}: {}",
                keys.kept.len()
            );
        }
    }
}

#[test]
fn a_longer_retention_does_not_revive_expired_keys() {
    let mut keys = Keys::new(KeyRetention::forever().transactions(1));
    (1..=9).for_each(|seq| keys.insert(&format!("{seq}"), Seq::new(seq), at(seq)));
    let last = (Seq::new(9), at(9));
    let mut checkpoint = Bytes::default();
    keys.write(&mut checkpoint, last).expect("it has room");
    let keys = Keys::read(KeyRetention::forever(), &mut checkpoint, last).expect("it is whole");
    let status = |key: &str| keys.status(key, (Some(last.0), last.1));
    assert_eq!(status("1"), KeyStatus::Expired);
    assert_eq!(status("9"), KeyStatus::Of(Seq::new(9)));
    assert_eq!(status("10"), KeyStatus::Unused);
}

#[test]
fn invalid_keys_of_a_checkpoint_are_refused() {
    let read = |numbers: &[u64]| {
        let bytes = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let last = (Seq::new(5), at(5));
        Keys::read(KeyRetention::forever(), &mut Bytes(bytes, 0), last).is_ok()
    };
    assert!(read(&[2, 7, 7, 4, 0, 8, 8, 5, 0, 1, 9]));
    // Not in order, after the last frame or transaction, twice, or more than there are.
    assert!(!read(&[2, 7, 7, 5, 0, 8, 8, 4, 0, 0]));
    assert!(!read(&[1, 7, 7, 6, 0, 0]));
    assert!(!read(&[1, 7, 7, 5, 6_000_000, 0]));
    assert!(!read(&[2, 7, 7, 4, 0, 7, 7, 5, 0, 0]));
    assert!(!read(&[0, 2, 9, 9]));
    assert!(!read(&[3, 7, 7, 4, 0]));
    assert!(!read(&[0, u64::MAX, 9]));
}
