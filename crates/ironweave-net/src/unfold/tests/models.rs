//! Models by hand and random ones.

use super::compare::{compare, unfold};
use crate::tests::model::net;
use crate::tests::random::{Random, Writer};
use crate::unfold::{NotUnfolded, Scope};

#[test]
fn of_random_models() {
    let seeds = std::env::var("IRONWEAVE_UNFOLD_SEEDS").ok();
    let seeds = seeds.and_then(|n| n.parse().ok()).unwrap_or(150);
    let (mut compared, mut complete, mut states, mut edges, mut skipped) = (0, 0, 0, 0, 0);
    for seed in 0..seeds {
        let mut random = Random(seed);
        let text = Writer::write_without_code(&mut random);
        let slots = *random.pick(&[[1, 1], [2, 1], [1, 2], [2, 2], [3, 1], [1, 3], [0, 2]]);
        match compare(&text, &slots, 200) {
            Some(found) => {
                compared += 1;
                complete += u32::from(found.is_complete);
                states += found.states;
                edges += found.edges;
            }
            None => skipped += 1,
        }
    }
    println!(
        "{compared} models, {complete} completely, {states} states, {edges} edges, {skipped} too large"
    );
    assert!(complete * 3 > compared, "{complete} of {compared}");
}

const BEDS: &str = "
    entity Ward Open
    entity Bed Free Occupied
    edge Ward.beds many max=2 cascade, Bed.ward one unlink
    event WardOpened
      create ward:Ward
    event WardClosed ward:Ward
      delete ward
    event Bought ward:Ward
      create bed:Bed
      link ward.beds += bed
    event Occupied beds:Bed*
      move each beds: Free -> Occupied
";

#[test]
fn of_a_model_at_several_scopes() {
    let states = |slots: &[u8]| compare(BEDS, slots, 5_000).unwrap().states;
    assert_eq!(states(&[0, 0]), 1);
    assert_eq!(states(&[1, 0]), 2);
    // A ward without beds, or with one that is free or occupied; and none.
    assert_eq!(states(&[1, 1]), 4);
    // Beds that are deleted with their ward become free in order of their slots.
    assert!(states(&[1, 2]) > states(&[1, 1]));
    assert!(states(&[2, 2]) > states(&[1, 2]));
}

#[test]
fn of_a_deletion_that_links_prevent() {
    let model = "
        entity Ward Open
        entity Bed Free
        edge Ward.beds many restrict, Bed.ward opt unlink
        event WardOpened
          create ward:Ward
        event WardClosed ward:Ward
          delete ward
        event Bought ward:Ward
          create bed:Bed
          link ward.beds += bed
        event Sold bed:Bed
          delete bed
    ";
    let states = |slots: &[u8]| compare(model, slots, 5_000).unwrap().states;
    // No ward, one without a bed, and one with a bed, which stays open.
    assert_eq!(states(&[1, 1]), 3);
    assert!(states(&[2, 2]) > 3);
}

#[test]
fn of_a_condition_that_a_neighbour_makes_true() {
    let model = "
        entity Van Parked Driving
        entity Parcel Loaded Delivered
        edge Van.carries many, Parcel.van opt
        event Bought
          create van:Van
        event Loaded van:Van
          create parcel:Parcel
          link van.carries += parcel
          move van: Parked -> Driving
        event Delivered parcel:Parcel
          move parcel: Loaded -> Delivered
        immediate Returned van:Van
          when all van.carries in Delivered
          move van: Driving -> Parked
    ";
    // No van; a parked one; a driving one with a parcel; and a parked one with a parcel that was delivered.
    assert_eq!(compare(model, &[1, 1], 5_000).unwrap().states, 4);
    assert!(compare(model, &[2, 2], 5_000).unwrap().is_complete);
}

/// What an event deletes last is used first by an immediate event that follows.
#[test]
fn of_entities_that_one_step_deletes_and_creates() {
    let model = "
        entity Ward Open Short
        entity Bed Free
        event WardOpened
          create ward:Ward
        event Bought
          create bed:Bed
        event Replaced ward:Ward beds:Bed*
          move ward: Open -> Short
          delete beds
        immediate Refilled ward:Ward
          move ward: Short -> Open
          create bed:Bed
    ";
    assert!(compare(model, &[1, 3], 5_000).unwrap().is_complete);
}

const ADMISSIONS: &str = "
    entity Ward Open Full
    entity Bed Free Occupied
    entity Patient Waiting Admitted!
    edge Ward.beds many, Bed.ward one
    edge Patient.bed opt, Bed.patient opt
    event WardOpened
      create ward:Ward
    event Bought ward:Ward
      create bed:Bed
      link ward.beds += bed
    event Arrived
      create patient:Patient
    event Left bed:Bed
      move bed: Occupied -> Free
";

#[test]
fn of_choices_among_neighbours_and_places() {
    let model = format!(
        "{ADMISSIONS}
        event Admitted ward:Ward patient:Patient
          choose bed: ward.beds in Free
          move bed: Free -> Occupied
          move patient: Waiting -> Admitted
          relink patient.bed += bed
        event Emptied
          choose beds: 2 of Bed in Occupied
          move each beds: Occupied -> Free
        event Sold
          choose beds: up to 1 of Bed in Free
          delete beds"
    );
    let found = compare(&model, &[1, 2, 1], 5_000).unwrap();
    assert!(found.is_complete && found.states > 20, "{found:?}");
    // The choice among two beds depends on which of them are free.
    let net = unfold(&model, &[1, 2, 1]).unwrap().net;
    let ways = net.transitions.iter();
    let ways = ways.filter(|t| t.name.starts_with("Admitted(ward=0,patient=0)"));
    assert!(ways.count() >= 2);
}

#[test]
fn of_immediate_events_that_choose_among_what_others_free() {
    let model = format!(
        "{ADMISSIONS}
        event Cleared
          choose beds: up to 2 of Bed in Occupied
          move each beds: Occupied -> Free
        event Torn bed:Bed
          delete bed
        immediate Admitted patient:Patient
          choose bed: Bed in Free
          when any bed.ward in Open
          move patient: Waiting -> Admitted
          move bed: Free -> Occupied
          relink patient.bed += bed
        event Closed ward:Ward
          move ward: Open -> Full
        event Reopened ward:Ward
          move ward: Full -> Open"
    );
    let found = compare(&model, &[1, 2, 2], 5_000).unwrap();
    assert!(found.is_complete && found.states > 30, "{found:?}");
    let found = compare(&model, &[2, 2, 1], 5_000).unwrap();
    assert!(found.is_complete && found.states > 100, "{found:?}");
}

/// A ward lights up as soon as it can choose one of its beds, or the first bed of all is a free one.
#[test]
fn of_immediate_events_that_links_and_deletions_enable() {
    let model = |choice: &str| {
        format!(
            "entity Ward Dark Lit!
             entity Bed Free Occupied
             edge Ward.beds many, Bed.ward opt
             event Opened
               create ward:Ward
             event Bought
               create bed:Bed
             event Placed ward:Ward bed:Bed
               relink ward.beds += bed
             event Taken bed:Bed
               move bed: Free -> Occupied
             event Torn bed:Bed
               delete bed
             immediate LitUp ward:Ward
               {choice}
               when count ward in Dark == 1
               move ward: Dark | Lit -> Lit"
        )
    };
    let among = model("choose bed: ward.beds in Free");
    assert!(compare(&among, &[1, 2], 5_000).unwrap().is_complete);
    let first = model("choose bed: Bed in Free | Occupied\nwhen any bed in Free");
    assert!(compare(&first, &[1, 2], 5_000).unwrap().is_complete);
}

#[test]
fn of_immediate_events_with_conditions_over_two_edges() {
    let model = format!(
        "{ADMISSIONS}
        event Placed patient:Patient bed:Bed
          relink patient.bed += bed
        event Closed ward:Ward
          move ward: Open -> Full
        event Reopened ward:Ward
          move ward: Full -> Open
        event Taken bed:Bed
          move bed: Free -> Occupied
        immediate Admitted patient:Patient
          when any patient.bed.ward in Open
          when count patient.bed.ward.beds in Free >= 2
          move patient: Waiting -> Admitted"
    );
    for slots in [[1, 2, 1], [2, 2, 1]] {
        let found = compare(&model, &slots, 5_000).unwrap();
        assert!(found.is_complete && found.states > 30, "{found:?}");
    }
}

#[test]
fn of_counts_of_ordinary_and_immediate_events() {
    let model = format!(
        "{ADMISSIONS}
        event Taken bed:Bed
          move bed: Free -> Occupied
        event Torn bed:Bed
          when count bed.ward.beds > 1
          when count bed in Free == 1
          delete bed
        immediate Filled ward:Ward
          when count ward.beds in Occupied >= 2
          move ward: Open -> Full
        immediate Emptied ward:Ward
          when count ward.beds in Occupied < 2
          move ward: Full -> Open"
    );
    let found = compare(&model, &[1, 3, 0], 5_000).unwrap();
    assert!(found.is_complete && found.states > 20, "{found:?}");
}

#[test]
fn names_are_those_of_the_model() {
    let net = unfold(BEDS, &[1, 2]).unwrap().net;
    let places: Vec<&str> = net.places.iter().map(|place| &*place.name).collect();
    for name in [
        "Bed::Free(1)",
        "no Bed(0)",
        "Ward.beds(0,1)",
        "no Ward.beds(0,0)",
        "next Bed(none)",
        "next Bed after(0,1)",
    ] {
        assert!(places.contains(&name), "{name}: {places:?}");
    }
    let transitions: Vec<&str> = net.transitions.iter().map(|t| &*t.name).collect();
    for name in [
        "WardOpened()",
        "Occupied(beds={0,1})",
        "WardClosed(ward=0)#2",
    ] {
        assert!(transitions.contains(&name), "{name}: {transitions:?}");
    }
}

#[test]
fn everything_that_cannot_be_unfolded_is_listed_at_once() {
    let model = "
        entity Bed Free Occupied
        event Bought
          create bed:Bed
          guard rules::has_room
        event Left bed:Bed
          move bed: Occupied -> Free
          may Bed Free -> Occupied
    ";
    let NotUnfolded::Unsupported(all) = unfold(model, &[1]).unwrap_err() else {
        panic!();
    };
    let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "Bought has the guard `rules::has_room`, which is code of the program",
            "Left has a handler, which is code of the program and may Free -> Occupied",
        ]
    );
    assert_eq!(
        all.iter()
            .map(|one| one.is_restriction())
            .collect::<Vec<_>>(),
        [true, false]
    );
}

#[test]
fn what_depends_on_values_is_listed_by_name() {
    let model = "
        entity Bid Open Done!
        entity Ask Open Done!
        edge Bid.asks many, Ask.bid opt
        field Bid price
        field Ask price
        field Bid Open until
        event BidPlaced limit:u32
          create bid:Bid
        event AskPlaced
          create ask:Ask
        event Bought bid:Bid n:u32
          choose ask: Ask in Open where price <= bid.price
          choose asks: n of bid.asks in Open
          choose others: up to 2 of bid.asks in Open
          when count bid.asks in Done < n
          when bid.price >= n - 1
          move ask: Open -> Done
        event Expired bid:Bid
          due bid.Open.until
          move bid: Open -> Done
        immediate Matched bid:Bid
          by price desc
          choose ask: Ask in Open by price
          when bid.price >= ask.price
          move bid: Open -> Done
          move ask: Open -> Done
    ";
    let NotUnfolded::Unsupported(all) = unfold(model, &[1, 1]).unwrap_err() else {
        panic!();
    };
    let restrictions = |one: &crate::unfold::Unsupported| match one.is_restriction() {
        true => format!("{one} (restriction)"),
        false => one.to_string(),
    };
    let lines: Vec<String> = all.iter().map(restrictions).collect();
    assert_eq!(
        lines,
        [
            "Bought chooses `ask: Ask in Open where price <= bid.price`, and values are not part of the net",
            "Bought chooses `asks: n of bid.asks in Open`, and values are not part of the net",
            "Bought has the condition `count bid.asks in Done < n`, and values are not part of the net (restriction)",
            "Bought has the condition `bid.price >= n - 1`, and values are not part of the net (restriction)",
            "Bought calculates `n - 1`, and is rejected if that overflows (restriction)",
            "Matched chooses `ask: Ask in Open by price`, and values are not part of the net",
            "Matched has the condition `bid.price >= ask.price`, and values are not part of the net",
            "Matched fires first by `price desc`, and values are not part of the net",
        ]
    );
}

#[test]
fn a_scope_has_a_number_for_each_type_and_the_net_is_limited() {
    let error = |scope: Scope| net(BEDS).unfold(&scope).unwrap_err().to_string();
    assert_eq!(
        error(Scope::new().entities("Bet", 1).entities("Ward", 1)),
        "the model has no entity type Bet; the number of entities is missing for Bed"
    );
    let huge = Scope::new()
        .entities("Bed", u32::MAX)
        .entities("Ward", u32::MAX);
    let message = error(huge);
    assert!(message.starts_with("the net would have 5534"), "{message}");
    let scope = Scope::new().entities("Bed", 9).entities("Ward", 1);
    assert_eq!(
        error(scope.transitions_max(100)),
        "the net would have more than 100 transitions, most of them perhaps of WardClosed; use fewer entities or a higher limit"
    );
}

#[test]
fn guards_are_left_out_on_request() {
    let model = BEDS.replace("create bed:Bed", "create bed:Bed\n guard rules::has_room");
    let scope = Scope::new().entities("Bed", 1).entities("Ward", 1);
    let found = net(&model).unfold(&scope.over_approximate()).unwrap();
    assert_eq!(found.left_out.len(), 1);
    assert_eq!(found.net, unfold(BEDS, &[1, 1]).unwrap().net);
    assert_eq!(found.cut.len(), 2);
}

#[test]
fn immediate_events_without_an_end_reject_their_step() {
    let model = "
        entity Lamp On Off
        event Bought
          create lamp:Lamp in On
        event Broken
          create lamp:Lamp in Off
        immediate Switched lamp:Lamp
          move lamp: On -> Off
        immediate Back lamp:Lamp
          move lamp: Off -> On
    ";
    assert_eq!(unfold(model, &[2]).unwrap().net.transitions, []);
}
