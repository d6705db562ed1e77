//! The states that were found: for each its fingerprint, the state before it and the event between both.

/// The number of the first state.
pub(super) const FIRST: u32 = 0;
/// The number that no state and no event has.
pub(super) const NOTHING: u32 = u32::MAX;

/// Where a state was found first.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    /// The state before it; [`NOTHING`] for the first.
    pub parent: u32,
    /// The event that led from there; [`NOTHING`] for the first.
    pub event: u32,
}

/// All states that were found, in the order in which they were found, with a hash table of their numbers.
pub(super) struct States {
    fingerprints: Vec<u128>,
    origins: Vec<Origin>,
    /// Open addressing with linear probing. Its length is a power of two.
    table: Vec<u32>,
}

/// The place for a state that is not known.
pub(super) struct Vacant {
    at: usize,
    fingerprint: u128,
}

impl States {
    pub(super) fn new() -> Self {
        Self {
            fingerprints: Vec::new(),
            origins: Vec::new(),
            table: vec![NOTHING; 1 << 10],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.origins.len()
    }

    /// Returns how many bytes the states have.
    pub(super) fn bytes(&self) -> usize {
        self.table.capacity() * size_of::<u32>()
            + self.fingerprints.capacity() * size_of::<u128>()
            + self.origins.capacity() * size_of::<Origin>()
    }

    pub(super) fn origin(&self, state: u32) -> Origin {
        self.origins[state as usize]
    }

    pub(super) fn fingerprint(&self, state: u32) -> u128 {
        self.fingerprints[state as usize]
    }

    /// Returns the depth of the last state, which is the greatest.
    pub(super) fn depth(&self) -> usize {
        self.events_to(self.len() as u32 - 1).len()
    }

    /// Returns the number of the state with a fingerprint. If there is none, the error is the place for it.
    pub(super) fn find(&self, fingerprint: u128) -> Result<u32, Vacant> {
        let mask = self.table.len() - 1;
        let mut at = fingerprint as usize & mask;
        loop {
            match self.table[at] {
                NOTHING => return Err(Vacant { at, fingerprint }),
                known if self.fingerprints[known as usize] == fingerprint => return Ok(known),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Adds a state at a place that was just found, and returns its number.
    pub(super) fn insert(&mut self, vacant: Vacant, origin: Origin) -> u32 {
        let number = self.origins.len() as u32;
        self.table[vacant.at] = number;
        self.fingerprints.push(vacant.fingerprint);
        self.origins.push(origin);
        if self.origins.len() * 3 > self.table.len() * 2 {
            self.grow();
        }
        number
    }

    fn grow(&mut self) {
        let len = self.table.len() * 2;
        let mut table = vec![NOTHING; len];
        for (number, fingerprint) in (0..).zip(&self.fingerprints) {
            let mut at = *fingerprint as usize & (len - 1);
            while table[at] != NOTHING {
                at = (at + 1) & (len - 1);
            }
            table[at] = number;
        }
        self.table = table;
    }

    /// Returns the events that lead to a state, from the first one on.
    pub(super) fn events_to(&self, mut state: u32) -> Vec<u32> {
        let mut events = Vec::new();
        while state != FIRST {
            let origin = self.origin(state);
            events.push(origin.event);
            state = origin.parent;
        }
        events.reverse();
        events
    }
}
