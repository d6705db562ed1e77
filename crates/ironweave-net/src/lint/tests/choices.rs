//! Lints of models that choose, count and compare, and of events that are due.

use super::{check, check_notes};
use crate::lint::Certainty;
use crate::tests::model::net;

const WARD: &str = "
    entity Ward Open Full
    entity Bed Free Occupied Broken
    entity Patient Waiting Admitted!
    edge Ward.beds many max=2, Bed.ward one
    edge Patient.bed opt, Bed.patient opt
    field Bed number
    field Ward size
    event WardOpened
      create ward:Ward
    event Bought ward:Ward
      create bed:Bed
      link ward.beds += bed
    event Arrived
      create patient:Patient
    event Left bed:Bed
      move bed: Occupied -> Free
    event Reopened ward:Ward
      move ward: Full -> Open
    event Broke bed:Bed
      move bed: Free -> Broken
    event Repaired bed:Bed
      move bed: Broken -> Free
";

const ADMITTED: &str = "
    event Admitted ward:Ward patient:Patient
      choose bed: ward.beds in Free by number desc
      move bed: Free -> Occupied
      move patient: Waiting -> Admitted
      relink patient.bed += bed
    event Filled ward:Ward
      move ward: Open -> Full
";

/// The findings of the ward with further events, without notes.
#[track_caller]
fn check_ward(events: &str, expected: &[&str]) {
    check(&format!("{WARD}{ADMITTED}{events}"), expected);
}

#[test]
fn a_choice_moves_and_links_what_it_binds() {
    check_ward("", &[]);
    // Without the choice, no bed is ever occupied.
    let without = ADMITTED.replace("move bed: Free -> Occupied", "");
    check(
        &format!("{WARD}{without}"),
        &[
            "state_never_entered: Bed::Occupied is never entered: no event moves a Bed into it or creates one in it",
            "event_never_fires: Left can never fire: it needs `bed` in Occupied, where no Bed ever is",
        ],
    );
}

#[test]
fn a_choice_among_none_never_fires() {
    check_ward(
        "entity Van Parked Driving
         event Lent patient:Patient
           choose van: Van in Parked
           move van: Parked -> Driving",
        &[
            "entity_never_created: a Van is never created: no event creates one",
            "event_never_fires: Lent can never fire: it needs a Van, and none is ever created",
        ],
    );
    check_ward(
        "entity Van Parked Lost
         event Bought2
           create van:Van
         event Found
           choose van: Van in Lost
           move van: Lost -> Parked
         event Sold
           choose vans: up to 3 of Van in Lost
           delete vans
         event Counted
           choose vans: 2 of Van in Lost
           delete vans",
        &[
            "state_never_entered: Van::Lost is never entered: no event moves a Van into it or creates one in it",
            "state_never_left: Van::Parked cannot be left: no event moves a Van out of it, and it is not #[terminal]",
            "event_never_fires: Found can never fire: it needs `van` in Lost, where no Van ever is",
            "event_never_fires: Counted can never fire: it needs `vans` in Lost, where no Van ever is",
            "arc_never_acts: Sold never changes `each vans: delete Van`: there is nothing that it could change",
        ],
    );
}

#[test]
fn a_choice_over_an_edge_that_is_never_linked_or_has_too_few_ends_never_fires() {
    check_ward(
        "edge Ward.spare many, Bed.spare_of opt
         event Swapped ward:Ward
           choose bed: ward.spare in Free
           move bed: Free -> Broken
         event Cleared ward:Ward
           choose beds: 3 of ward.beds in Free
           move each beds: Free -> Broken
         event Halved ward:Ward
           choose beds: 2 of ward.beds in Free
           move each beds: Free -> Broken",
        &[
            "event_never_fires: Swapped can never fire: it chooses one of `ward.spare` in Free, and there never is one",
            "event_never_fires: Cleared can never fire: it chooses 3 of `ward.beds`, and there are at most 2",
            "edge_never_linked: Ward.spare never has a link: no event links entities by it",
        ],
    );
}

#[test]
fn an_event_may_choose_what_it_creates() {
    check(
        "entity Lot New Sold!
         event Drawn
           create lot:Lot
           choose first: Lot in New
           move first: New -> Sold",
        &[],
    );
}

#[test]
fn a_count_that_never_holds_is_found() {
    let check_count = |when: &str, why: Option<&str>| {
        let model = format!("{WARD}{ADMITTED}\nevent Closed ward:Ward\n{when}\ndelete ward");
        let all = net(&model).lint();
        let of: Vec<_> = all.iter().filter(|f| f.subject == "Closed").collect();
        let found: Vec<String> = of.iter().map(|f| f.to_string()).collect();
        let expected = why.map(|why| format!("Closed can never fire: {why}"));
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{when}");
        assert!(of.iter().all(|f| f.certainty == Certainty::Program));
    };
    check_count("when count ward.beds >= 2", None);
    check_count("when count ward.beds in Free == 2", None);
    check_count("when count ward.beds.patient <= 2", None);
    check_count(
        "when count ward.beds >= 3",
        Some("`count ward.beds >= 3` never holds: there are at most 2"),
    );
    check_count(
        "when count ward.beds in Free | Broken > 2",
        Some("`count ward.beds in Free | Broken > 2` never holds: there are at most 2"),
    );
    check_count(
        "when count ward.beds in Free < 0",
        Some("`count ward.beds in Free < 0` never holds: there are at most 2"),
    );
    // Each bed has at most one patient.
    check_count(
        "when count ward.beds.patient == 3",
        Some("`count ward.beds.patient == 3` never holds: there are at most 2"),
    );
    check_count(
        "when count ward.beds.ward != 1\nwhen count ward.beds.ward > 0",
        None,
    );
    check_count(
        "when count ward.beds in Free >= 2\nwhen count ward.beds in Free < 2",
        Some("`count ward.beds in Free >= 2 and < 2` never holds: there are at most 2"),
    );
    check_count(
        "when count ward.beds in Free >= 2\nwhen count ward.beds < 2",
        None,
    );
    // The number of a value is not known.
    check_count(
        "when count ward.beds in Free > ward.size\nwhen count ward.beds in Free < 1",
        None,
    );
    // A count is a condition on states as `any` and `none` are.
    check_count(
        "when count ward.beds in Free == 0\nwhen any ward.beds in Free",
        Some("its conditions on `ward.beds` exclude each other"),
    );
    check_count(
        "when count ward.beds in Free > 0\nwhen all ward.beds in Broken",
        Some("its conditions on `ward.beds` exclude each other"),
    );
}

#[test]
fn counts_follow_the_bounds_of_what_exists() {
    let model = "
        entity Order Placed Sent!
        entity Line Open Packed
        edge Order.lines many min=2, Line.order one
        event Placed
          create order:Order
          create a:Line
          create b:Line
          link order.lines += a
          link order.lines += b
        event Packed line:Line
          move line: Open -> Packed
    ";
    let never = |event: &str, why: &str| {
        let found = format!("event_never_fires: Sent can never fire: {why}");
        check(
            &format!("{model}\nevent Sent {event}"),
            &[
                "state_never_reached: Order::Sent is never reached: Sent would bring an entity into it, but can never fire",
                "state_never_left: Order::Placed cannot be left: Sent would move an Order out of it, but can never do so, and it is not #[terminal]",
                "state_never_left: Line::Packed cannot be left: no event moves a Line out of it, and it is not #[terminal]",
                &found,
            ],
        );
    };
    let sent = "\nmove order: Placed -> Sent";
    never(
        &format!("order:Order\nwhen count order.lines < 2{sent}"),
        "`count order.lines < 2` never holds: there are at least 2",
    );
    // One that the event may create has none.
    check(
        &format!("{model}\nevent Sent order:Order!\nwhen count order.lines < 2{sent}"),
        &[
            "state_never_left: Line::Packed cannot be left: no event moves a Line out of it, and it is not #[terminal]",
        ],
    );
    // An order that the event creates has no lines yet.
    never(
        &format!(
            "\ncreate new:Order\nchoose order: Order in Placed\nwhen count new.lines > 0{sent}"
        ),
        "it needs one of `new.lines`, and there never is one",
    );
    check(
        &format!("{model}\nevent Sent order:Order\nwhen count order.lines in Open < 2{sent}"),
        &[
            "state_never_left: Line::Packed cannot be left: no event moves a Line out of it, and it is not #[terminal]",
        ],
    );
}

#[test]
fn conditions_on_values_may_hold_or_not() {
    let events = |condition: &str| {
        format!(
            "entity Bid Open Done!
             entity Ask Open Done!
             field Bid price
             field Ask price
             event BidPlaced
               create bid:Bid
             event AskPlaced
               create ask:Ask
             immediate Matched bid:Bid
               choose ask: Ask in Open by price
               {condition}
               move bid: Open -> Done
               move ask: Open -> Done
             immediate Expired bid:Bid
               move bid: Open -> Done"
        )
    };
    // The first one does not always forestall the second one.
    check(&events("when bid.price >= ask.price"), &[]);
    check(&events(""), &[]);
    // A condition that always holds does.
    check(
        &events("")
            .replace("choose ask: Ask in Open by price", "")
            .replace("move ask: Open -> Done", ""),
        &[
            "state_never_entered: Ask::Done is never entered: no event moves an Ask into it or creates one in it",
            "state_never_left: Ask::Open cannot be left: no event moves an Ask out of it, and it is not #[terminal]",
            "event_never_fires: Expired can never fire: whenever it is enabled, Matched is enabled too, which is declared earlier and fires first",
        ],
    );
}

#[test]
fn counts_decide_whether_immediate_events_enable_each_other_without_end() {
    let lamps = |when: [&str; 2]| {
        format!(
            "entity Lamp Off On
             entity Switch Up Down
             edge Lamp.switches many, Switch.lamp opt
             event Bought
               create lamp:Lamp
               create switch:Switch
               link lamp.switches += switch
             event Pressed switch:Switch
               move switch: Up -> Down
             event Released switch:Switch
               move switch: Down -> Up
             immediate Lit lamp:Lamp
               when {}
               move lamp: Off -> On
             immediate Dimmed lamp:Lamp
               when {}
               move lamp: On -> Off",
            when[0], when[1]
        )
    };
    check(
        &lamps([
            "count lamp.switches in Up >= 1",
            "count lamp.switches in Up == 0",
        ]),
        &[],
    );
    check(
        &lamps(["count lamp.switches in Up > 0", "none lamp.switches in Up"]),
        &[],
    );
    let found = "immediate_loop: immediate events can move a Lamp in a circle: Lit moves it Off -> On, Dimmed moves it On -> Off; a step that enters it is rejected after 64 firings";
    check(
        &lamps([
            "count lamp.switches in Up >= 1",
            "count lamp.switches in Up <= 1",
        ]),
        &[found],
    );
    check(
        &lamps([
            "count lamp.switches in Up >= 2",
            "count lamp.switches in Up < 3",
        ]),
        &[found],
    );
}

#[test]
fn a_handler_of_an_immediate_event_can_enable_it_again() {
    check(
        "entity Lamp Off On
         event Bought
           create lamp:Lamp
         immediate Lit lamp:Lamp
           move lamp: Off -> On
           may Lamp On -> Off",
        &[
            "immediate_loop: immediate events can move a Lamp in a circle: Lit moves it On -> Off, Lit moves it Off -> On; a step that enters it is rejected after 64 firings",
        ],
    );
}

#[test]
fn an_event_that_is_never_due_or_is_due_again_is_found() {
    let model = |due: &str| {
        format!(
            "entity Hold Open Kept Lost!
             field Hold Open until
             field Hold Kept until
             field Hold Lost until
             field Hold end
             event Held
               create hold:Hold
             event Kept hold:Hold
               move hold: Open -> Kept
             event Dropped hold:Hold
               move hold: Kept -> Open
             event Expired hold:Hold
               {due}"
        )
    };
    let lost = "\nmove hold: Open -> Lost";
    check(&model(&format!("due hold.Open.until{lost}")), &[]);
    check(&model(&format!("due hold.end{lost}")), &[]);
    check(
        &model(&format!("due hold.Kept.until{lost}")),
        &[
            "never_due: Expired never fires at its time: `hold` has the time in Kept, and the event requires it in Open",
        ],
    );
    check(
        &model("due hold.Lost.until\ndelete hold"),
        &[
            "state_never_entered: Hold::Lost is never entered: no event moves a Hold into it or creates one in it",
            "never_due: Expired never fires at its time: Hold::Lost, which has the time, is never reached",
        ],
    );
    let check_again = |arc: &str, time: &str, is_found: bool| {
        let model = model(&format!("due hold.{time}\n{arc}"));
        let all = net(&model).lint();
        let found: Vec<_> = all
            .iter()
            .filter(|f| f.lint.name() == "due_again")
            .collect();
        assert_eq!(found.len(), usize::from(is_found), "{arc}: {all:?}");
        if let [found] = found[..] {
            assert_eq!(
                found.to_string(),
                format!(
                    "Expired is still due when it has fired: it does not move or delete `hold` or set `hold.{time}`"
                )
            );
            assert_eq!(found.certainty, Certainty::Net);
        }
    };
    check_again("", "Open.until", true);
    check_again("set hold.end", "Open.until", true);
    check_again("set hold.Open.until", "Open.until", false);
    check_again("set hold.end", "end", false);
    check_again("set hold.Open.until", "end", true);
    check_again("may set Hold.end", "end", false);
    check_again("delete hold", "end", false);
    check_again("may Hold Open -> Lost", "Open.until", false);
}

#[test]
fn notes_know_that_what_is_chosen_over_an_edge_is_linked() {
    let model = "
        entity Ward Open
        entity Bed Free Taken
        edge Ward.beds many, Bed.ward opt
        event Opened
          create ward:Ward
        event Bought
          create bed:Bed
        event Placed ward:Ward bed:Bed
          link ward.beds += bed
    ";
    let taken = "event Taken ward:Ward\nchoose bed: ward.beds in Free\nmove bed: Free -> Taken";
    let any = "event Taken\nchoose bed: Bed in Free\nmove bed: Free -> Taken";
    let note = "a Bed in Taken always has a link `ward`";
    check_notes(&format!("{model}{taken}"), &[note]);
    check_notes(&format!("{model}{any}"), &[]);
}

#[test]
fn a_counter_that_a_count_reads_is_watched() {
    let model = |when: &str| {
        format!(
            "entity Ward Open Full
             entity Bed Free
             edge Ward.beds many counted, Bed.ward one
             event Opened
               create ward:Ward
             event Bought ward:Ward
               create bed:Bed
               link ward.beds += bed
             event Filled ward:Ward
               {when}
               move ward: Open -> Full
             event Cleared ward:Ward
               move ward: Full -> Open"
        )
    };
    check_notes(&model("when count ward.beds in Free < 4"), &[]);
    check_notes(
        &model(""),
        &[
            "Ward.beds is counted, and no `when` or invariant of the model reads it: only the code of the program can, with `beds_in`",
        ],
    );
}
