//! Petri nets: the net of an ironweave model, place/transition nets, and what can be computed from them.
//!
//! | to | use |
//! |---|---|
//! | derive the net of a model from its schema | [`Net::of`] |
//! | draw the lifecycles, the edges and the net of a model (feature `draw`) | `draw::Diagram` |
//! | find what can never happen in a model, and loops of its immediate events | [`Net::lint`] |
//! | unfold a model to a place/transition net, for a number of entities | [`Net::unfold`] |
//! | work with place/transition nets: invariants, all reachable markings | [`plain`] |
//! | read a place/transition net from PNML, unfolding a symmetric one (feature `pnml`) | [`pnml::read`] |
//! | write a place/transition net as PNML (feature `pnml`) | [`pnml::write`] |
#![doc = "\n"]
#![doc = include_str!("../README.md")]

#[cfg(feature = "draw")]
pub mod draw;
pub mod lint;
mod net;
pub mod plain;
#[cfg(feature = "pnml")]
pub mod pnml;
#[cfg(test)]
mod tests;
pub mod unfold;

pub use ironweave_schema::{
    BindBy, Cardinality, Comparison, EdgeIx, EntityIx, EventIx, Hop, NameIx, OnDelete, Path,
    StateIx,
};
pub use net::{
    Action, Amount, Arc, Choice, Due, Edge, End, Entity, Field, Firing, Handler, Inscription,
    Invariant, Lifecycle, Net, Number, Place, PlaceIx, PlaceKind, Read, Take, Tokens, Transition,
    Variable,
};
