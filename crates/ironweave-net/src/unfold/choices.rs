//! The choices on the way to a transition, in the order in which they were made.
//!
//! An event is executed once for each transition of the unfolded net. Whenever the execution depends on something that is not known
//! of the marking, it makes a choice. [`Choices::next`] goes to the next combination, as an odometer does.

/// The choices of one execution.
#[derive(Default)]
pub(super) struct Choices {
    /// What was chosen, and of how many.
    made: Vec<(u32, u32)>,
    at: usize,
}

impl Choices {
    /// Returns a number below `of`, which is not 0.
    pub(super) fn choose(&mut self, of: usize) -> usize {
        if of == 1 {
            return 0;
        }
        if self.at == self.made.len() {
            self.made.push((0, of as u32));
        }
        self.at += 1;
        self.made[self.at - 1].0 as usize
    }

    /// Goes to the next combination, and returns whether there is one.
    pub(super) fn next(&mut self) -> bool {
        // Choices that were not made again belonged to another combination.
        self.made.truncate(self.at);
        self.at = 0;
        while let Some((chosen, of)) = self.made.last_mut() {
            *chosen += 1;
            if chosen < of {
                return true;
            }
            self.made.pop();
        }
        false
    }
}
