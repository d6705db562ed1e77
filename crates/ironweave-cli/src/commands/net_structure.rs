//! `ironweave net stat --structure`: siphons, traps, transition invariants, and what they show.

use ironweave_net::plain::{
    Commoner, Net, PlaceIx, commoner, is_free_choice, largest_trap, siphons, transition_invariants,
    traps,
};
use serde::Serialize;

use crate::failure::Result;
use crate::output::Output;

/// The most siphons and traps that are listed.
const SIPHONS_MAX: usize = 1_000;

#[derive(Serialize)]
struct Structure {
    free_choice: bool,
    siphons: usize,
    all_siphons: bool,
    /// Siphons that may become empty, as far as traps show.
    siphons_without_marked_trap: usize,
    traps: usize,
    all_traps: bool,
    transition_invariants: usize,
    all_transition_invariants: bool,
    /// `live`, `not_live`, `deadlock_free` or `unknown`.
    commoner: &'static str,
}

#[derive(Serialize)]
struct PlacesLine<'a> {
    /// `siphon` or `trap`.
    kind: &'static str,
    places: Vec<&'a str>,
    /// Of a siphon, whether it has a trap that is marked initially.
    has_marked_trap: bool,
}

pub(super) fn print(out: &mut Output, net: &Net) -> Result {
    let (all_siphons, siphons_complete) = siphons(net, SIPHONS_MAX);
    let (all_traps, traps_complete) = traps(net, SIPHONS_MAX);
    let (cycles, cycles_complete) = transition_invariants(net, super::net::ROWS_MAX);
    let is_marked = |place: &PlaceIx| net.places[place.0 as usize].tokens > 0;
    let is_kept = |siphon: &Vec<PlaceIx>| largest_trap(net, siphon).iter().any(is_marked);
    let shown = match siphons_complete {
        true => commoner(net, &all_siphons),
        false => Commoner::Unknown,
    };
    let (shown, sentence) = match shown {
        Commoner::Live => (
            "live",
            "each siphon has a marked trap: the net is live, so each transition can always fire again",
        ),
        Commoner::NotLive => (
            "not_live",
            "a siphon has no marked trap: the net is not live, so some transition may never fire again",
        ),
        Commoner::DeadlockFree => (
            "deadlock_free",
            "each siphon has a marked trap: there is no deadlock",
        ),
        _ => ("unknown", "siphons and traps do not decide liveness"),
    };
    let structure = Structure {
        free_choice: is_free_choice(net),
        siphons: all_siphons.len(),
        all_siphons: siphons_complete,
        siphons_without_marked_trap: all_siphons.iter().filter(|siphon| !is_kept(siphon)).count(),
        traps: all_traps.len(),
        all_traps: traps_complete,
        transition_invariants: cycles.len(),
        all_transition_invariants: cycles_complete,
        commoner: shown,
    };
    let at_least = |complete: bool| if complete { "" } else { "at least " };
    if out.is_json() {
        out.object(&structure)?;
    } else {
        let free_choice = if structure.free_choice { "yes" } else { "no" };
        out.line(format_args!("free choice: {free_choice}"))?;
        for (what, complete, count) in [
            ("siphons", siphons_complete, structure.siphons),
            (
                "siphons without a marked trap",
                siphons_complete,
                structure.siphons_without_marked_trap,
            ),
            ("traps", traps_complete, structure.traps),
            (
                "transition invariants",
                cycles_complete,
                structure.transition_invariants,
            ),
        ] {
            out.line(format_args!("{what}: {}{count}", at_least(complete)))?;
        }
        out.line(sentence)?;
    }
    let kinds = [("siphon", &all_siphons), ("trap", &all_traps)];
    for (kind, sets) in kinds {
        for places in sets {
            let line = PlacesLine {
                kind,
                places: places
                    .iter()
                    .map(|p| &*net.places[p.0 as usize].name)
                    .collect(),
                has_marked_trap: is_kept(places),
            };
            if out.is_json() {
                out.object(&line)?;
                continue;
            }
            let note = match kind == "siphon" && !line.has_marked_trap {
                true => " (no marked trap)",
                false => "",
            };
            out.line(format_args!("{kind} {}{note}", line.places.join(", ")))?;
        }
    }
    Ok(())
}
