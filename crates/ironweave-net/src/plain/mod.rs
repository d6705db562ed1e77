//! Place/transition nets: places with a number of tokens, and transitions with weighted arcs. The tokens have no identity.
//!
//! | to | use |
//! |---|---|
//! | build a net | [`Net`] |
//! | find place invariants and transition invariants | [`invariants`], [`transition_invariants`] |
//! | find siphons and traps, and what they show | [`siphons`], [`traps`], [`largest_trap`], [`commoner`] |
//! | visit all reachable markings, and check properties of them (feature `explore`) | [`Explorer`] |
//!
//! [`pnml`](crate::pnml) reads and writes them.

#[cfg(feature = "explore")]
mod explore;
mod invariants;
mod places;
#[cfg(feature = "explore")]
mod property;
mod structure;

#[cfg(feature = "explore")]
pub use explore::{ExploreError, Explorer, Found, Step, Verdict};
pub use invariants::{Invariant, invariants};
#[cfg(feature = "explore")]
pub use property::{Property, PropertyError};
pub use structure::{
    Commoner, TransitionInvariant, commoner, is_free_choice, largest_trap, siphons,
    transition_invariants, traps,
};

/// A place of a [`Net`], by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceIx(pub u32);

/// A transition of a [`Net`], by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransitionIx(pub u32);

/// A place with its tokens in the initial marking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name, unique in the net.
    pub name: String,
    /// The tokens in the initial marking.
    pub tokens: u64,
}

/// A transition with its weighted arcs. A place occurs at most once in each list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The name, unique in the net.
    pub name: String,
    /// The tokens that a firing consumes.
    pub inputs: Vec<(PlaceIx, u64)>,
    /// The tokens that a firing produces.
    pub outputs: Vec<(PlaceIx, u64)>,
}

/// A place/transition net with an initial marking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Net {
    /// The places.
    pub places: Vec<Place>,
    /// The transitions.
    pub transitions: Vec<Transition>,
}

impl Net {
    /// Adds a place.
    pub fn place(&mut self, name: impl Into<String>, tokens: u64) -> PlaceIx {
        let name = name.into();
        self.places.push(Place { name, tokens });
        PlaceIx(self.places.len() as u32 - 1)
    }

    /// Adds a transition. Arcs to the same place are added up, and arcs of weight 0 are left out.
    pub fn transition(
        &mut self,
        name: impl Into<String>,
        inputs: impl IntoIterator<Item = (PlaceIx, u64)>,
        outputs: impl IntoIterator<Item = (PlaceIx, u64)>,
    ) -> TransitionIx {
        self.transitions.push(Transition {
            name: name.into(),
            inputs: added_up(inputs),
            outputs: added_up(outputs),
        });
        TransitionIx(self.transitions.len() as u32 - 1)
    }

    /// Returns the number of arcs.
    #[must_use]
    pub fn arcs(&self) -> usize {
        let arcs = |transition: &Transition| transition.inputs.len() + transition.outputs.len();
        self.transitions.iter().map(arcs).sum()
    }

    /// Returns the position of a place by its name. O(places).
    #[must_use]
    pub fn find(&self, name: &str) -> Option<PlaceIx> {
        let at = self.places.iter().position(|place| place.name == name)?;
        Some(PlaceIx(at as u32))
    }
}

impl Transition {
    /// Returns by how much a firing changes the tokens of each place that it changes, in order of the places.
    #[must_use]
    pub fn effect(&self) -> Vec<(PlaceIx, i128)> {
        let minus = self.inputs.iter().map(|&(p, n)| (p, -i128::from(n)));
        let plus = self.outputs.iter().map(|&(p, n)| (p, i128::from(n)));
        let mut all: Vec<_> = minus.chain(plus).collect();
        all.sort_unstable();
        let mut effect: Vec<(PlaceIx, i128)> = Vec::with_capacity(all.len());
        for (place, n) in all {
            match effect.last_mut() {
                Some((last, sum)) if *last == place => *sum += n,
                _ => effect.push((place, n)),
            }
        }
        effect.retain(|&(_, n)| n != 0);
        effect
    }
}

fn added_up(arcs: impl IntoIterator<Item = (PlaceIx, u64)>) -> Vec<(PlaceIx, u64)> {
    let mut all: Vec<_> = arcs.into_iter().filter(|&(_, n)| n > 0).collect();
    all.sort_unstable();
    all.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 = kept.1.saturating_add(next.1);
        }
        same
    });
    all
}
