//! databuild's domain by hand beside databuild's model: the same random histories, compared after each event.
//!
//! It shows that [`by_hand`] does what the model declares, so that the two may be set side by side (the figures
//! are in `apps/databuild/README.md`), and checks the model by a second opinion. `IRONWEAVE_SEEDS=n` runs n histories.

mod by_hand;
mod indexes;
mod model;
mod random;

use by_hand::{Databuild, PartitionKind, RunKind, WantState};
use model::Model;
use random::Random;

const HISTORIES: u64 = 30;
const EVENTS: u64 = 150;

/// Everything that a history should come through, or the comparison shows little.
#[derive(Default)]
struct Seen {
    refused: usize,
    partitions: std::collections::BTreeSet<PartitionKind>,
    runs: std::collections::BTreeSet<RunKind>,
    wants: std::collections::BTreeSet<WantState>,
}

fn history(seed: u64, seen: &mut Seen) {
    let mut random = Random(seed);
    let (mut hand, mut model) = (Databuild::default(), Model::new());
    for now in 1..=EVENTS {
        let event = random.event(&hand);
        let before = hand.clone();
        let by_hand = hand.step(&event, now);
        let declared = model.step(&event);
        let context = || format!("seed {seed}, event {now}: {event:?}");
        assert_eq!(
            by_hand.is_ok(),
            declared.is_ok(),
            "{}: by hand {by_hand:?}, declared {declared:?}",
            context()
        );
        if by_hand.is_err() {
            seen.refused += 1;
            assert_eq!(hand, before, "{}: refused, and changed", context());
        }
        indexes::check(&hand).unwrap_or_else(|e| panic!("{}: {e}", context()));
        model.compare(&hand, &context);
        seen.partitions.extend(hand.partitions_by_state.keys());
        seen.runs.extend(hand.runs_by_state.keys());
        seen.wants.extend(hand.wants_by_state.keys());
    }
    assert_eq!(model.store.check(), []);
}

#[test]
fn by_hand_and_declared_come_to_the_same() {
    let histories = std::env::var("IRONWEAVE_SEEDS").ok();
    let histories = histories.and_then(|n| n.parse().ok()).unwrap_or(HISTORIES);
    let mut seen = Seen::default();
    for seed in 1..=histories {
        history(seed, &mut seen);
    }
    assert!(seen.refused > 0, "nothing was refused");
    assert_eq!(
        (seen.partitions.len(), seen.runs.len(), seen.wants.len()),
        (8, 6, 7),
        "a state was never reached"
    );
}
