//! Petri nets: place/transition nets as plain data, and what can be computed from them.
//!
//! | to | use |
//! |---|---|
//! | build a net | [`Net`] |
//! | read a net from PNML, unfolding a symmetric one | [`pnml::read`] |
//! | write a net as PNML | [`pnml::write`] |
//! | find place invariants | [`invariants`] |
//! | visit all reachable markings, and check properties of them | [`Explorer`] |
#![doc = "\n"]
#![doc = include_str!("../README.md")]

mod explore;
mod invariants;
mod net;
pub mod pnml;
mod property;

pub use explore::{ExploreError, Explorer, Found, Step, Verdict};
pub use invariants::{Invariant, invariants};
pub use net::{Net, Place, PlaceIx, Transition, TransitionIx};
pub use property::{Property, PropertyError};
