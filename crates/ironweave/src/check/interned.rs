//! The events that were tried: each event with its fields exists once, so that a state remembers the event that led to it as a
//! number.

use crate::base::hash::FastMap;
use crate::step::any_event::AnyEvent;

/// All events that were tried, by number.
pub(super) struct Events<A> {
    all: Vec<A>,
    /// By the number of the event's type and the choices for its fields.
    by_choices: FastMap<Box<[u64]>, u32>,
    /// By the number of the event's type and its encoded fields.
    by_fields: FastMap<(u16, Vec<u8>), u32>,
}

impl<A: AnyEvent> Events<A> {
    pub(super) fn new() -> Self {
        Self {
            all: Vec::new(),
            by_choices: FastMap::default(),
            by_fields: FastMap::default(),
        }
    }

    pub(super) fn get(&self, number: u32) -> &A {
        &self.all[number as usize]
    }

    /// Returns how many bytes the events have, about.
    pub(super) fn bytes(&self) -> usize {
        self.all.len() * (size_of::<A>() + 96)
    }

    /// Returns the number of the event that follows from some choices, which `make` makes if it is not known yet.
    pub(super) fn of_choices<E>(
        &mut self,
        choices: &[u64],
        make: impl FnOnce() -> Result<A, E>,
    ) -> Result<u32, E> {
        if let Some(known) = self.by_choices.get(choices) {
            return Ok(*known);
        }
        let number = self.push(make()?);
        self.by_choices.insert(choices.into(), number);
        Ok(number)
    }

    /// Returns the number of an event with these encoded fields.
    pub(super) fn of(&mut self, event: A, encoded: Vec<u8>) -> u32 {
        let key = (event.as_dyn().index().get(), encoded);
        if let Some(known) = self.by_fields.get(&key) {
            return *known;
        }
        let number = self.push(event);
        self.by_fields.insert(key, number);
        number
    }

    /// Returns how many events there are.
    #[cfg(feature = "simulate")]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    fn push(&mut self, event: A) -> u32 {
        self.all.push(event);
        self.all.len() as u32 - 1
    }
}
