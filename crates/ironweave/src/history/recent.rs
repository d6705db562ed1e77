//! A cache of the transactions that histories have read last. They are kept decoded, so that a history that is read again, for
//! example for a page that is shown repeatedly, reads only the frames that were written since.

use std::sync::Arc;

use crate::base::hash::FastMap;
use crate::base::position::Seq;

/// The number of bytes of all values.
const BYTES_MAX: usize = 16 << 20;

/// The first frame of a segment, and the place of a frame in it. A segment keeps its first frame when it is sealed.
pub(super) type Key = (Seq, u64);

/// Values in two generations. When the young generation has half of the bytes, it becomes the old one, and the values of the
/// previous old one that were not read since are dropped. So each operation is O(1) amortized.
pub(super) struct Recent<T> {
    young: Generation<T>,
    old: Generation<T>,
}

struct Generation<T> {
    /// Each value with its bytes.
    values: FastMap<Key, (Arc<T>, usize)>,
    bytes: usize,
}

impl<T> Default for Generation<T> {
    fn default() -> Self {
        Self {
            values: FastMap::default(),
            bytes: 0,
        }
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self {
            young: Generation::default(),
            old: Generation::default(),
        }
    }
}

impl<T> Recent<T> {
    pub(super) fn get(&mut self, key: Key) -> Option<Arc<T>> {
        if let Some((known, _)) = self.young.values.get(&key) {
            return Some(Arc::clone(known));
        }
        let (known, bytes) = self.old.values.remove(&key)?;
        self.old.bytes -= bytes;
        self.insert(key, Arc::clone(&known), bytes);
        Some(known)
    }

    /// Adds a value with its length in bytes, unless that is more than an eighth of all bytes. The key must have no value yet.
    pub(super) fn insert(&mut self, key: Key, value: Arc<T>, bytes: usize) {
        if bytes > BYTES_MAX / 8 {
            return;
        }
        if self.young.bytes + bytes > BYTES_MAX / 2 {
            std::mem::swap(&mut self.young, &mut self.old);
            // The table keeps its memory.
            self.young.values.clear();
            self.young.bytes = 0;
        }
        self.young.bytes += bytes;
        self.young.values.insert(key, (value, bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(place: u64) -> Key {
        (Seq::ZERO, place)
    }

    #[test]
    fn what_was_read_last_is_kept_and_the_bytes_of_all_are_limited() {
        let mut recent = Recent::default();
        let bytes = BYTES_MAX / 100;
        for place in 0..1_000 {
            recent.insert(key(place), Arc::new(place), bytes);
            // The first one is read all the time.
            assert_eq!(recent.get(key(0)).as_deref(), Some(&0));
            assert_eq!(recent.get(key(place)).as_deref(), Some(&place));
            assert_eq!(recent.get((Seq::new(1), place)), None);
            let sums = [&recent.young, &recent.old].map(|generation| {
                let bytes = generation.values.values().map(|(_, bytes)| bytes);
                assert_eq!(bytes.sum::<usize>(), generation.bytes);
                generation.bytes
            });
            assert!(sums.iter().sum::<usize>() <= BYTES_MAX);
        }
        assert_eq!(recent.get(key(700)), None);
        assert_eq!(recent.get(key(970)).as_deref(), Some(&970));
    }

    #[test]
    fn a_value_that_would_replace_most_others_is_not_kept() {
        let mut recent = Recent::default();
        recent.insert(key(0), Arc::new(()), BYTES_MAX / 2);
        assert!(recent.get(key(0)).is_none());
    }
}
