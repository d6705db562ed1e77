//! The idempotency keys of a log, and how long they are kept.
//!
//! A key is kept with its transaction until it expires by the [`KeyRetention`] of the store. Of an expired key, 8 bytes of its hash
//! stay, so that using it again is an error and never a second execution. So keys can have any form, and need not contain a
//! time. What has expired depends only on the log: on the sequence number and the time of the last transaction.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_128;

use crate::base::image::{ImageError, ImageSink, ImageSource, must_have, take_u64};
use crate::base::position::Seq;
use crate::base::split_map::SplitMap;
use crate::base::time::Timestamp;

/// How long a store keeps the idempotency keys of its transactions; see [`Options::keep_keys`](crate::Options::keep_keys).
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use ironweave::{KeyRetention, Meta};
/// use lamps::Bought;
///
/// let retention = KeyRetention::forever().transactions(2);
/// let mut store = Store::<lamps::Model>::options().keep_keys(retention).memory();
/// let mut buy = |request: u32| {
///     let meta = Meta::new().with_idempotency_key(format!("request {request}"));
///     store.try_step_with(meta, Bought { room: format!("room {request}") })
/// };
/// buy(1)?;
/// buy(2)?;
/// assert!(buy(1)?.repeated);
/// buy(3)?;
/// assert!(matches!(buy(1), Err(StepError::KeyExpired { .. })));
/// # Ok::<(), StepError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a retention does nothing until a store is opened with it"]
pub struct KeyRetention {
    age: Option<Duration>,
    transactions: u64,
}

impl Default for KeyRetention {
    fn default() -> Self {
        Self::forever()
    }
}

impl KeyRetention {
    /// Returns the default: keys never expire.
    pub const fn forever() -> Self {
        Self {
            age: None,
            transactions: u64::MAX,
        }
    }

    /// Also lets a key expire when a transaction is committed whose time is later than that of its own transaction by more than
    /// this.
    pub const fn age(self, age: Duration) -> Self {
        Self {
            age: Some(age),
            ..self
        }
    }

    /// Also lets a key expire when this many transactions, with a key or without, were committed after its own one. At least 1. A
    /// schema and a part of a migration in the log count as transactions.
    pub const fn transactions(self, count: u64) -> Self {
        let transactions = if count == 0 { 1 } else { count };
        Self {
            transactions,
            ..self
        }
    }

    /// Returns whether a key has expired after the last transaction of a log.
    fn is_over(self, kept: Kept, (last, now): (Seq, Timestamp)) -> bool {
        let age = now.as_micros().saturating_sub(kept.time.as_micros());
        let by_age = |max: Duration| age > 0 && u128::from(age.unsigned_abs()) > max.as_micros();
        let after = last.frames_since(kept.seq).unwrap_or_default();
        after >= self.transactions || self.age.is_some_and(by_age)
    }
}

/// The transaction of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    seq: Seq,
    time: Timestamp,
}

/// What a store knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyStatus {
    /// No transaction has it.
    Unused,
    /// The transaction that has it.
    Of(Seq),
    /// A transaction has it, which is no longer known.
    Expired,
}

/// The keys of a log by their hashes.
#[derive(Default)]
pub(crate) struct Keys {
    kept: SplitMap<u128, Kept>,
    /// The low halves of the hashes of expired keys.
    expired: SplitMap<u64, ()>,
    retention: KeyRetention,
    /// The number of kept keys at which the expired ones among them are removed. It is twice the number that the last removal
    /// left, so that a removal costs O(1) for each key.
    removal_at: usize,
}

/// The number of kept keys below which none are removed.
const REMOVAL_MIN: usize = if cfg!(test) { 8 } else { 1 << 10 };

fn hash(key: &str) -> u128 {
    xxh3_128(key.as_bytes())
}

impl Keys {
    pub(super) fn new(retention: KeyRetention) -> Self {
        Self {
            retention,
            ..Self::default()
        }
    }

    /// Adds the key of the last transaction of the log.
    pub(crate) fn insert(&mut self, key: &str, seq: Seq, time: Timestamp) {
        self.kept.insert(hash(key), Kept { seq, time });
        if self.kept.len() > self.removal_at.max(REMOVAL_MIN) {
            self.remove_expired((seq, time));
        }
    }

    fn remove_expired(&mut self, last: (Seq, Timestamp)) {
        let Self {
            kept,
            expired,
            retention,
            removal_at,
        } = self;
        if *retention != KeyRetention::forever() {
            kept.retain(|hash, of| {
                let is_over = retention.is_over(*of, last);
                if is_over {
                    expired.insert(*hash as u64, ());
                }
                !is_over
            });
        }
        *removal_at = kept.len().saturating_mul(2);
    }

    /// Returns the transaction of a key, if it is kept.
    pub(crate) fn get(&self, key: &str) -> Option<Seq> {
        self.kept.get(&hash(key)).map(|kept| kept.seq)
    }

    /// Returns what is known of a key after the last transaction of the log.
    pub(super) fn status(&self, key: &str, (last, now): (Option<Seq>, Timestamp)) -> KeyStatus {
        let hash = hash(key);
        match self.kept.get(&hash) {
            Some(kept) if (self.retention).is_over(*kept, (last.unwrap_or(kept.seq), now)) => {
                KeyStatus::Expired
            }
            Some(kept) => KeyStatus::Of(kept.seq),
            None if self.expired.get(&(hash as u64)).is_some() => KeyStatus::Expired,
            None => KeyStatus::Unused,
        }
    }

    /// Writes the keys to a checkpoint: those that are kept in the order of their frames, then the expired ones.
    pub(super) fn write(
        &self,
        to: &mut dyn ImageSink,
        last: (Seq, Timestamp),
    ) -> Result<(), ImageError> {
        let mut expired: Vec<u64> = self.expired.iter().map(|(hash, ())| *hash).collect();
        let mut kept: Vec<(Seq, u128, Timestamp)> = Vec::with_capacity(self.kept.len());
        for (hash, of) in self.kept.iter() {
            match self.retention.is_over(*of, last) {
                true => expired.push(*hash as u64),
                false => kept.push((of.seq, *hash, of.time)),
            }
        }
        kept.sort_unstable();
        to.put(&(kept.len() as u64).to_le_bytes())?;
        for (seq, hash, time) in kept {
            to.put(&hash.to_le_bytes())?;
            to.put(&seq.get().to_le_bytes())?;
            to.put(&time.as_micros().to_le_bytes())?;
        }
        expired.sort_unstable();
        expired.dedup();
        to.put(&(expired.len() as u64).to_le_bytes())?;
        (expired.iter()).try_for_each(|hash| to.put(&hash.to_le_bytes()))
    }

    /// Reads the keys of the frames up to one from a checkpoint.
    pub(super) fn read(
        retention: KeyRetention,
        from: &mut dyn ImageSource,
        last: (Seq, Timestamp),
    ) -> Result<Self, ImageError> {
        let mut keys = Self::new(retention);
        let count = take_u64(from)?;
        must_have(from, count, 32)?;
        keys.kept.reserve(count as usize);
        let mut next = Seq::ZERO;
        for _ in 0..count {
            let (low, high) = (take_u64(from)?, take_u64(from)?);
            let seq = Seq::new(take_u64(from)?);
            let time = Timestamp::from_micros(take_u64(from)? as i64);
            if seq < next || seq > last.0 || time > last.1 {
                return Err(ImageError::content("its idempotency keys are not in order"));
            }
            next = seq.saturating_add(1);
            let hash = u128::from(high) << 64 | u128::from(low);
            if keys.kept.insert(hash, Kept { seq, time }).is_some() {
                return Err(ImageError::content("it has an idempotency key twice"));
            }
        }
        let count = take_u64(from)?;
        must_have(from, count, 8)?;
        keys.expired.reserve(count as usize);
        for _ in 0..count {
            if keys.expired.insert(take_u64(from)?, ()).is_some() {
                return Err(ImageError::content(
                    "it has an expired idempotency key twice",
                ));
            }
        }
        keys.remove_expired(last);
        Ok(keys)
    }
}

#[cfg(test)]
mod tests;
