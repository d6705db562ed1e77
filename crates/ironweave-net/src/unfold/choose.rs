//! Choices and counts of an execution.

use ironweave_schema::Path;

use super::fire::{Bound, Step};
use super::known::Stop;
use super::model::{count, states_of};
use crate::net::{Choice, Inscription, Read, Take, Transition, compare};

impl Step<'_> {
    /// Chooses the entities of a variable: those with the smallest slots. `None` if there are too few candidates.
    pub(super) fn choose(
        &mut self,
        transition: &Transition,
        choice: &Choice,
        bound: &Bound,
    ) -> Result<Option<Vec<u32>>, Stop> {
        let entity = transition[choice.variable].entity;
        let states = states_of(self.known.model.net, &choice.places);
        let candidates = match &choice.from {
            Some(path) => self.reach(path, bound)?,
            None => (0..self.known.model.slots(entity)).collect(),
        };
        let (min, max) = match &choice.take {
            Take::One => (1, 1),
            Take::Exactly(number) => (number.literal.unwrap_or(0), number.literal.unwrap_or(0)),
            Take::UpTo(number) => (0, number.literal.unwrap_or(0)),
        };
        let mut chosen = Vec::new();
        for slot in candidates {
            if chosen.len() as i128 >= max {
                break;
            }
            if self.known.is_in(entity, slot, states)? {
                chosen.push(slot);
            }
        }
        Ok(Some(chosen).filter(|chosen| chosen.len() as i128 >= min))
    }

    /// Whether a condition on entities holds.
    pub(super) fn is_met(
        &mut self,
        transition: &Transition,
        read: &Read,
        path: &Path,
        bound: &Bound,
    ) -> Result<bool, Stop> {
        let entity = self.reached(transition, path);
        let states = states_of(self.known.model.net, &read.places);
        let slots = self.reach(path, bound)?;
        if let Some(with) = count(read) {
            return self.counts(slots.len(), with, |step, at| {
                step.known.is_in(entity, slots[at], states)
            });
        }
        for slot in slots {
            let is_in = self.known.is_in(entity, slot, states)?;
            match read.inscription {
                Inscription::Any if is_in => return Ok(true),
                Inscription::None if is_in => return Ok(false),
                Inscription::All if !is_in => return Ok(false),
                _ => {}
            }
        }
        Ok(read.inscription != Inscription::Any)
    }

    /// Whether the number of items that are counted compares so with another number. No more items are looked at than decide it.
    pub(super) fn counts(
        &mut self,
        items: usize,
        (comparison, with): (ironweave_schema::Comparison, i128),
        mut is_counted: impl FnMut(&mut Self, usize) -> Result<bool, Stop>,
    ) -> Result<bool, Stop> {
        let mut count = 0;
        for at in 0..items {
            let holds = |n: u64| compare(n, comparison, with);
            let most = count + (items - at) as u64;
            if (count..=most).all(|n| holds(n) == holds(count)) {
                break;
            }
            count += u64::from(is_counted(self, at)?);
        }
        Ok(compare(count, comparison, with))
    }
}
