//! Lints of small models, and of random ones beside a program that executes them.

mod choices;
mod random;

use crate::tests::model::net;

/// Compares the findings of a model, without its notes, with lines `name: message`.
fn check(model: &str, expected: &[&str]) {
    let net = net(model);
    let all = net.lint();
    let found: Vec<String> = (all.iter().filter(|f| !f.is_note()))
        .map(|f| format!("{}: {f}", f.lint.name()))
        .collect();
    assert_eq!(found, expected, "{model}");
}

/// Compares the notes of a model with lines.
fn check_notes(model: &str, expected: &[&str]) {
    let net = net(model);
    let all = net.lint();
    let notes: Vec<String> = (all.iter().filter(|f| f.is_note()))
        .map(|f| f.to_string())
        .collect();
    assert_eq!(notes, expected, "{model}");
}

const BEDS: &str = "
    entity Bed Free Occupied Cleaning
    event Bought
      create bed:Bed
    event Admitted bed:Bed
      move bed: Free -> Occupied
    event Left bed:Bed
      move bed: Occupied -> Cleaning
";

#[test]
fn a_state_that_cannot_be_left_is_found() {
    check(
        BEDS,
        &[
            "state_never_left: Bed::Cleaning cannot be left: no event moves a Bed out of it, and it is not #[terminal]",
        ],
    );
    check(
        &format!("{BEDS}\nevent Cleaned bed:Bed\nmove bed: Cleaning -> Free"),
        &[],
    );
    check(
        &format!("{BEDS}\nevent Discarded bed:Bed<Cleaning>\ndelete bed"),
        &[],
    );
    check(
        &format!("{BEDS}\nevent Inspected\nmay Bed Cleaning -> Free"),
        &[],
    );
    // A move to the same state does not leave it.
    check(
        &format!("{BEDS}\nevent Wiped bed:Bed\nmove bed: Cleaning -> Cleaning"),
        &[
            "state_never_left: Bed::Cleaning cannot be left: no event moves a Bed out of it, and it is not #[terminal]",
        ],
    );
    check(
        &BEDS.replace("Cleaning\n    event B", "Cleaning!\n    event B"),
        &[],
    );
}

#[test]
fn a_state_that_is_not_entered_or_never_reached_blocks_what_needs_it() {
    check(
        "entity Parcel Ordered Packed Sent! Lost!
         event Ordered
           create parcel:Parcel
         event Sent parcel:Parcel
           move parcel: Packed -> Sent
         event Closed parcel:Parcel
           move parcel: Ordered | Sent -> Sent",
        &[
            "state_never_entered: Parcel::Packed is never entered: no event moves a Parcel into it or creates one in it",
            "state_never_entered: Parcel::Lost is never entered: no event moves a Parcel into it or creates one in it",
            "event_never_fires: Sent can never fire: it needs `parcel` in Packed, where no Parcel ever is",
        ],
    );
    check(
        "entity Parcel Ordered Packed Sent!
         event Ordered
           create parcel:Parcel
         event Packed parcel:Parcel<Packed>
           move parcel: Packed -> Packed
         event Sent parcel:Parcel
           move parcel: Packed -> Sent
         event Sold parcels:Parcel*
           move those parcels: Packed -> Sent
         event Returned parcel:Parcel<Ordered>
           delete parcel",
        &[
            "state_never_entered: Parcel::Packed is never entered: no event moves a Parcel into it or creates one in it",
            "state_never_reached: Parcel::Sent is never reached: Sent, Sold would move an entity into it, but from states that are never reached",
            "event_never_fires: Packed can never fire: it needs `parcel` in Packed, where no Parcel ever is",
            "event_never_fires: Sent can never fire: it needs `parcel` in Packed, where no Parcel ever is",
            "arc_never_acts: Sold never changes `those parcels: Packed -> Sent`: there is nothing that it could change",
        ],
    );
}

#[test]
fn an_entity_that_is_never_created_is_one_finding_and_not_one_for_each_state() {
    check(
        "entity Bed Free Occupied
         entity Ward Open
         edge Ward.beds many, Bed.ward opt
         event Opened
           create ward:Ward
         event Placed bed:Bed ward:Ward
           link ward.beds += bed
         event Admitted beds:Bed*
           move each beds: Free -> Occupied",
        &[
            "entity_never_created: a Bed is never created: no event creates one",
            "event_never_fires: Placed can never fire: it needs a Bed, and none is ever created",
            "arc_never_acts: Admitted never changes `each beds: Free -> Occupied`: there is nothing that it could change",
        ],
    );
}

#[test]
fn conditions_that_exclude_each_other_are_found() {
    let model = |when: &str| {
        format!(
            "entity Bed Free Occupied
             entity Ward Open Full Closed!
             edge Ward.beds many min=1, Bed.ward opt
             event Opened
               create ward:Ward
               create bed:Bed
               link ward.beds += bed
             event Admitted bed:Bed
               move bed: Free -> Occupied
             event Left bed:Bed
               move bed: Occupied -> Free
             event Filled ward:Ward
               move ward: Open -> Full
             event Closed ward:Ward
               move ward: Open | Full -> Closed
               {when}"
        )
    };
    let found = |what: &str| {
        format!(
            "event_never_fires: Closed can never fire: its conditions on `{what}` exclude each other"
        )
    };
    let never = "state_never_entered";
    let _ = never;
    let check_closed = |when: &str, what: Option<&str>| {
        let net = net(&model(when));
        let lines: Vec<String> = (net.lint().iter())
            .filter(|f| f.subject == "Closed")
            .map(|f| format!("{}: {f}", f.lint.name()))
            .collect();
        assert_eq!(
            lines,
            what.map(found).into_iter().collect::<Vec<_>>(),
            "{when}"
        );
    };
    check_closed("when all ward.beds in Free", None);
    check_closed(
        "when all ward.beds in Free\nwhen none ward.beds in Free",
        Some("ward.beds"),
    );
    check_closed(
        "when any ward.beds in Free\nwhen any ward.beds in Occupied",
        None,
    );
    check_closed(
        "when any ward.beds in Free\nwhen all ward.beds in Occupied",
        Some("ward.beds"),
    );
    check_closed("when none ward in Open", None);
    check_closed("when none ward in Open | Full", Some("ward"));
}

#[test]
fn a_trap_of_several_states_is_found_if_others_end() {
    let trap = "
        entity Job Queued Running Paused Done!
        event Queued
          create job:Job
        event Run job:Job
          move job: Queued | Paused -> Running
        event Paused job:Job
          move job: Running -> Paused
    ";
    check(
        &format!("{trap}\nevent Skipped job:Job\nmove job: Queued -> Done"),
        &[
            "never_ends: a Job in Running | Paused never ends: no event moves it to another state or deletes it",
        ],
    );
    check(
        &format!("{trap}\nevent Ended job:Job\nmove job: Queued | Paused -> Done"),
        &[],
    );
    // Beds have no end.
    check(
        &format!("{BEDS}\nevent Cleaned bed:Bed\nmove bed: Cleaning -> Free"),
        &[],
    );
}

#[test]
fn an_edge_that_no_event_links_is_found_with_what_it_blocks() {
    check(
        "entity Ward Open Full
         entity Bed Free
         edge Ward.beds many, Bed.ward opt
         event Opened
           create ward:Ward
         event Bought
           create bed:Bed
         event Freed ward:Ward
           move ward: Full -> Open
         immediate Filled ward:Ward
           when any ward.beds in Free
           move ward: Open -> Full",
        &[
            "state_never_reached: Ward::Full is never reached: Filled would bring an entity into it, but can never fire",
            "state_never_left: Ward::Open cannot be left: Filled would move a Ward out of it, but can never do so, and it is not #[terminal]",
            "event_never_fires: Freed can never fire: it needs `ward` in Full, where no Ward ever is",
            "event_never_fires: Filled can never fire: it needs one of `ward.beds`, and there never is one",
            "edge_never_linked: Ward.beds never has a link: no event links entities by it",
        ],
    );
    // A handler links what it creates by the ends that hold exactly one.
    check(
        "entity Ward Open
         entity Bed Free
         edge Ward.beds many, Bed.ward one
         event Opened
           create ward:Ward
           may create Bed",
        &[],
    );
}

const WANTS: &str = "
    entity Part Missing Building Live!
    entity Want Idle Busy Done!
    edge Want.parts many min=1, Part.wants many
    event Wanted part:Part!
      create want:Want
      link want.parts += part
    event Started part:Part
      move part: Missing -> Building
    event Ended part:Part
      move part: Building -> Live
    event Failed part:Part
      move part: Building -> Missing
    immediate Satisfied want:Want
      when all want.parts in Live
      move want: Idle | Busy -> Done
    immediate Begun want:Want
      when any want.parts in Building
      move want: Idle -> Busy
";

#[test]
fn a_loop_of_immediate_events_is_found_unless_their_conditions_exclude_each_other() {
    check(
        &format!(
            "{WANTS}\nimmediate Stopped want:Want\nwhen none want.parts in Building\nmove want: Busy -> Idle"
        ),
        &[],
    );
    check(
        &format!(
            "{WANTS}\nimmediate Stopped want:Want\nwhen any want.parts in Missing\nmove want: Busy -> Idle"
        ),
        &[
            "immediate_loop: immediate events can move a Want in a circle: Begun moves it Idle -> Busy, Stopped moves it Busy -> Idle; a step that enters it is rejected after 64 firings",
        ],
    );
    // An event of higher priority ends it first: with all parts live, none is being built.
    check(
        &format!(
            "{WANTS}\nimmediate Stopped want:Want\nwhen all want.parts in Live\nmove want: Busy -> Idle"
        ),
        &[
            "event_never_fires: Stopped can never fire: whenever it is enabled, Satisfied is enabled too, which is declared earlier and fires first",
        ],
    );
}

#[test]
fn a_loop_through_neighbours_and_one_that_creates_entities_are_found() {
    check(
        "entity Lamp Off On
         edge Lamp.next opt, Lamp.last opt
         event Bought
           create lamp:Lamp
         event Chained a:Lamp b:Lamp
           link a.next += b
         immediate Lit lamp:Lamp
           when any lamp.next in Off
           move lamp: Off -> On
         immediate Dimmed lamp:Lamp
           when any lamp.next in On
           move lamp: On -> Off",
        &[
            "immediate_loop: immediate events can move a Lamp in a circle: Lit moves it Off -> On, Dimmed moves it On -> Off; a step that enters it is rejected after 64 firings",
        ],
    );
    check(
        "entity Cell Young Old!
         event Planted
           create cell:Cell
         immediate Grown cell:Cell
           create child:Cell
           move cell: Young -> Old",
        &[
            "immediate_loop: Grown can fire without end: each firing can create an entity or move one on which another of them fires; a step with such a loop is rejected",
        ],
    );
    check(
        "entity Cell Young Old!
         entity Root Thin Thick!
         event Planted
           create cell:Cell
         immediate Grown cell:Cell
           create root:Root
           move cell: Young -> Old
         immediate Swollen root:Root
           move root: Thin -> Thick",
        &[],
    );
}

#[test]
fn an_event_with_a_guard_or_a_handler_is_not_thought_to_do_more_or_less() {
    // The handler may do nothing, and may do what it is permitted.
    check(
        "entity Bed Free Occupied!
         event Bought
           create bed:Bed
           guard rules::never
         event Inspected
           may Bed Free -> Occupied",
        &[],
    );
}

#[test]
fn notes_say_in_which_states_an_entity_is_linked() {
    let model = "
        entity Part Missing Building Live
        entity Run Running Ended!
        edge Run.builds many, Part.run opt
        event Known part:Part!
        event Started parts:Part*
          create run:Run
          relink run.builds += parts
          move each parts: Missing -> Building
        event Ended run:Run
          move run: Running -> Ended
          move each run.builds: Building -> Live
    ";
    check_notes(
        &format!(
            "{model}\nevent Dropped part:Part\nmove part: Live -> Missing\nunlink part.run -= part.run"
        ),
        &["a Part has a link `run` exactly if it is in Building | Live"],
    );
    check_notes(
        &format!("{model}\nevent Dropped part:Part\nmove part: Live -> Missing"),
        &["a Part in Building | Live always has a link `run`"],
    );
    check_notes(
        &format!(
            "{model}\nevent Forgotten run:Run\ndelete run\nevent Dropped part:Part\nmove part: Live -> Missing"
        ),
        &[],
    );
}

#[test]
fn notes_tell_of_counters_and_of_moves_that_no_event_makes() {
    check_notes(
        "entity Ward Open
         entity Bed Free Occupied
         to Bed Free Occupied
         to Bed Occupied Free
         edge Ward.beds many counted, Bed.ward one
         event Opened
           create ward:Ward
           create bed:Bed
           link ward.beds += bed
         event Admitted bed:Bed
           move bed: Free -> Occupied
         event Discarded bed:Bed
           delete bed",
        &[
            "Ward.beds is counted, and no `when` or invariant of the model reads it: only the code of the program can, with `beds_in`",
            "the lifecycle allows Bed::Occupied -> Free, and no event makes this move",
        ],
    );
}

#[test]
fn two_names_of_an_event_may_be_one_entity() {
    check_notes(
        "entity A P Q
         entity B S
         edge A.e opt, B.i many
         event NewA
           create a:A
         event NewB
           create b:B
         event Linked a:A b:B
           relink a.e += b
         event Moved a:A b:A<P>
           when any a.e in S
           move a: P -> Q
           unlink b.e -= b.e
         event Ended a:A<Q>
           delete a",
        &[],
    );
}
