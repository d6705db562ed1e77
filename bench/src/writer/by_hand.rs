//! By hand: arrays under a lock, where reader and writer wait for each other, one for a step and one for a look; and
//! persistent collections, of which the writer publishes a clone after each step.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{READS, Read, Reader, Writer};
use crate::contenders::flat::Flat;
use crate::contenders::persistent::{Imbl, Rpds};
use crate::work::{Contender, Keeps, Op, Value};

/// Arrays, under a lock as soon as there is a reader.
pub enum Locked {
    /// Without a reader.
    Alone(Box<Flat>),
    /// With a reader.
    Shared(Arc<RwLock<Flat>>),
    /// Between the two.
    Nothing,
}

/// The other end.
pub struct Look(Arc<RwLock<Flat>>);

impl Writer for Locked {
    const NAME: &'static str = "flat";
    const ALONE: &'static str = "flat_alone";
    type Event = Op;
    type Reader = Look;

    fn new(tasks: usize) -> Self {
        Self::Alone(Box::new(Flat::new(tasks, Keeps::Nothing)))
    }

    fn reader(&mut self) -> Look {
        let shared = match std::mem::replace(self, Self::Nothing) {
            Self::Alone(flat) => Arc::new(RwLock::new(*flat)),
            Self::Shared(shared) => shared,
            Self::Nothing => unreachable!("it is put back below"),
        };
        *self = Self::Shared(Arc::clone(&shared));
        Look(shared)
    }

    fn event(&self, op: Op) -> Op {
        op
    }

    fn step(&mut self, op: Op) {
        match self {
            Self::Alone(flat) => flat.step(op),
            Self::Shared(shared) => {
                let mut flat = shared.write().unwrap_or_else(PoisonError::into_inner);
                flat.step(op);
            }
            Self::Nothing => unreachable!("it was put back"),
        }
    }
}

impl Reader for Look {
    fn look(&mut self, tasks: &[u32]) -> [Read; READS] {
        let flat = self.0.read().unwrap_or_else(PoisonError::into_inner);
        std::array::from_fn(|i| flat.read(tasks[i]))
    }
}

/// A value, and where it is published, if anybody looks.
pub struct Published<V> {
    value: V,
    shown: Option<Arc<Mutex<V>>>,
}

/// The other end.
pub struct Shown<V>(Arc<Mutex<V>>);

/// Over imbl.
pub type OfImbl = Published<Imbl>;
/// Over rpds.
pub type OfRpds = Published<Rpds>;

/// The name in the table without a reader.
trait Alone: Value {
    const ALONE: &'static str;
}

impl Alone for Imbl {
    const ALONE: &'static str = "imbl_alone";
}

impl Alone for Rpds {
    const ALONE: &'static str = "rpds_alone";
}

#[allow(private_bounds)]
impl<V: Alone + Send> Writer for Published<V> {
    const NAME: &'static str = V::NAME;
    const ALONE: &'static str = <V as Alone>::ALONE;
    const BATCH: usize = 25_000;
    type Event = Op;
    type Reader = Shown<V>;

    fn new(tasks: usize) -> Self {
        Self {
            value: V::new(tasks),
            shown: None,
        }
    }

    fn reader(&mut self) -> Shown<V> {
        let shown = Arc::new(Mutex::new(self.value.clone()));
        self.shown = Some(Arc::clone(&shown));
        Shown(shown)
    }

    fn event(&self, op: Op) -> Op {
        op
    }

    fn step(&mut self, op: Op) {
        self.value.step(op);
        if let Some(shown) = &self.shown {
            let mut next = self.value.clone();
            std::mem::swap(
                &mut *shown.lock().unwrap_or_else(PoisonError::into_inner),
                &mut next,
            );
            // The value that was shown before is dropped after the lock is released.
            drop(next);
        }
    }
}

impl<V: Value + Send> Reader for Shown<V> {
    fn look(&mut self, tasks: &[u32]) -> [Read; READS] {
        let now = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        std::array::from_fn(|i| now.read(tasks[i]))
    }
}
