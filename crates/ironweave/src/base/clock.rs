//! The clocks that a store can take the times of its transactions from.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::base::alarm::Alarm;
use crate::base::time::Timestamp;

/// The clock that a store takes the times of its transactions from; see [`Options::clock`](crate::Options::clock).
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The clock of the system, with a resolution of a microsecond.
    #[default]
    System,
    /// The clock of the system as of the last tick of the kernel. Reading it takes a sixth of the time of reading the exact
    /// clock. Its resolution is about 4 ms, so many successive transactions may have the same time, and a time may be up to
    /// 4 ms early. Available on Linux. On other systems it is the same as [`Clock::System`].
    #[cfg(feature = "coarse-clock")]
    #[cfg_attr(docsrs, doc(cfg(feature = "coarse-clock")))]
    Coarse,
    /// A clock that moves only when the program moves it.
    Manual(ManualClock),
}

impl From<ManualClock> for Clock {
    fn from(clock: ManualClock) -> Self {
        Self::Manual(clock)
    }
}

impl Clock {
    /// Reads the clock.
    #[inline]
    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            #[cfg(feature = "coarse-clock")]
            Self::Coarse => coarse(),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// Returns how long to wait until the clock has a time, for a thread or task that waits for that. `None` if that cannot be
    /// known: the clock is moved by the program, and [rings](Clock::ring_on_moves) when it is.
    pub(crate) fn duration_until(&self, time: Timestamp) -> Option<Duration> {
        match self {
            Self::Manual(_) => None,
            // The clock of the system may be set, and the wait is measured with another clock.
            clock => Some(time.duration_since(clock.now()).min(WAIT_MAX)),
        }
    }

    /// Rings the alarm whenever the program moves the clock. Other clocks move by themselves.
    pub(crate) fn ring_on_moves(&self, alarm: &Arc<Alarm>) {
        if let Self::Manual(clock) = self {
            let mut alarms = clock.alarms();
            alarms.retain(|alarm| alarm.strong_count() > 0);
            alarms.push(Arc::downgrade(alarm));
        }
    }
}

/// After this duration, a wait for a time looks at the clock again.
const WAIT_MAX: Duration = Duration::from_secs(60);

#[cfg(all(feature = "coarse-clock", target_os = "linux"))]
fn coarse() -> Timestamp {
    use rustix::time::{ClockId, clock_gettime};

    let now = clock_gettime(ClockId::RealtimeCoarse);
    // The kernel returns less than a second of nanoseconds.
    Timestamp::from_secs(now.tv_sec) + Duration::from_nanos(now.tv_nsec.unsigned_abs())
}

#[cfg(all(feature = "coarse-clock", not(target_os = "linux")))]
fn coarse() -> Timestamp {
    Timestamp::now()
}

/// A clock that moves only when the program moves it, for tests and simulations. Clones are handles of the same clock, which
/// any thread may move.
///
/// A transaction is never earlier than the one before it. If the clock is set back, the next transactions have the time of the
/// last one until the clock has passed that.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use std::time::Duration;
///
/// use ironweave::prelude::*;
/// use ironweave::ManualClock;
/// use lamps::Lit;
///
/// let noon: Timestamp = "2026-02-28T12:00:00Z".parse().unwrap();
/// let clock = ManualClock::starting_at(noon);
/// let mut store = Store::<lamps::Model>::options().clock(clock.clone()).memory();
/// store.try_step(Lit { lamp: "hall".into() })?;
/// clock.advance(Duration::from_secs(60));
/// store.try_step(Lit { lamp: "attic".into() })?;
///
/// let times = store.frames(1)?.map(|record| Ok(record?.time()));
/// let times = times.collect::<Result<Vec<_>, ironweave::ReadError>>()?;
/// assert_eq!(times, [noon, noon + Duration::from_secs(60)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<ManualState>);

struct ManualState {
    /// In microseconds since the Unix epoch.
    now: AtomicI64,
    /// Of threads and tasks that wait for a time of this clock.
    alarms: Mutex<Vec<Weak<Alarm>>>,
}

impl ManualClock {
    /// Returns a clock that is at `time`. The times of transactions begin in 1970, so an earlier time has the effect of
    /// `Timestamp::default()`.
    #[must_use]
    pub fn starting_at(time: Timestamp) -> Self {
        Self(Arc::new(ManualState {
            now: AtomicI64::new(time.as_micros()),
            alarms: Mutex::default(),
        }))
    }

    /// Returns the time of the clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.now.load(Ordering::SeqCst))
    }

    /// Moves the clock forward. A time that a [`Timestamp`] cannot represent becomes the last one that it can.
    pub fn advance(&self, duration: Duration) {
        let later = |now| Some((Timestamp::from_micros(now) + duration).as_micros());
        // `later` always returns a time, so the update cannot fail.
        let _ = (self.0.now).fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
        self.ring();
    }

    /// Sets the clock, forward or back.
    pub fn set(&self, time: Timestamp) {
        self.0.now.store(time.as_micros(), Ordering::SeqCst);
        self.ring();
    }

    // A change under this lock is one call of a list.
    fn alarms(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Alarm>>> {
        (self.0.alarms.lock()).unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        // Wakers are code of an executor, which does not run under the lock.
        let alarms: Vec<Arc<Alarm>> = self.alarms().iter().filter_map(Weak::upgrade).collect();
        alarms.iter().for_each(|alarm| alarm.ring());
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_its_handles() {
        let start = Timestamp::from_secs(50);
        let clock = ManualClock::starting_at(start);
        let other = clock.clone();
        assert_eq!(Clock::from(other.clone()).now(), start);
        clock.advance(Duration::from_micros(3));
        assert_eq!(other.now(), Timestamp::from_micros(50_000_003));
        other.set(Timestamp::from_secs(-1));
        assert_eq!(clock.now(), Timestamp::from_secs(-1));
        clock.advance(Duration::MAX);
        assert_eq!(other.now(), Timestamp::from_micros(i64::MAX));
    }

    #[cfg(feature = "coarse-clock")]
    #[test]
    fn the_coarse_clock_is_the_system_clock_of_a_moment_before() {
        let mut before = Clock::Coarse.now();
        for _ in 0..1000 {
            let (coarse, exact) = (Clock::Coarse.now(), Clock::System.now());
            assert!(before <= coarse && coarse <= exact, "{coarse} {exact}");
            before = coarse;
        }
        // A clock of another epoch or unit would be years apart.
        let apart = Clock::System.now().duration_since(before);
        assert!(apart < Duration::from_secs(3600), "{apart:?}");
    }
}
