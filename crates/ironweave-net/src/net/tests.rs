//! What the net of a model has, as text.

use std::fmt::Write as _;

use crate::tests::model::net;
use crate::{Firing, Net};

/// Returns the transitions of a net as text, one line for each variable, read and arc.
fn text(net: &Net) -> String {
    let mut text = String::new();
    for t in &net.transitions {
        let _ = match t.firing {
            Firing::Requested => writeln!(text, "{}", t.name),
            Firing::Immediate { priority } => writeln!(text, "{}, immediate {priority}", t.name),
        };
        if let Some(order) = &t.order {
            let _ = writeln!(text, "  by {order}");
        }
        if let Some(due) = &t.due {
            let place = due.place.map_or("-", |place| &*net[place].name);
            let _ = writeln!(text, "  due {} in {place}", due.time);
        }
        for choice in &t.choices {
            let _ = writeln!(text, "  choose {}", net.choice_text(t, choice));
        }
        for read in &t.reads {
            let names: Vec<&str> = read.places.iter().map(|&p| &*net[p].name).collect();
            let tokens = net.tokens_text(t, &read.tokens);
            let inscription = format!("{:?}", read.inscription).to_lowercase();
            let amount = read.amount.as_ref();
            let amount = amount.map_or_else(String::new, |amount| format!(" {}", amount.text()));
            let _ = writeln!(
                text,
                "  read {inscription} {tokens} in {}{amount}",
                names.join(" | ")
            );
        }
        for condition in &t.conditions {
            let _ = writeln!(text, "  when {condition}");
        }
        for arc in &t.arcs {
            let implied = if arc.implied { "implied " } else { "" };
            let action = net.action_text(&arc.action);
            let tokens = net.tokens_text(t, &arc.tokens);
            let inscription = format!("{:?}", arc.inscription).to_lowercase();
            let _ = writeln!(text, "  {implied}{inscription} {tokens}: {action}");
        }
        for guard in &t.guards {
            let _ = writeln!(text, "  guard {guard}");
        }
        for action in t.handler.iter().flat_map(|handler| &handler.permits) {
            let _ = writeln!(text, "  may {}", net.action_text(action));
        }
    }
    text
}

fn check(model: &str, expected: &str) {
    let trim = |text: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join("\n")
    };
    let net = net(model);
    assert_eq!(trim(&text(&net)), trim(expected), "{model}");
}

const WARD: &str = "
    entity Ward Open
    entity Bed Free Occupied Cleaning
    entity Patient Waiting Admitted Gone!
    edge Ward.beds many cascade, Bed.ward one
    edge Patient.bed opt, Bed.patient opt restrict
    field Bed number
    field Bed Occupied since
";

#[test]
fn places_are_the_states_of_each_entity_and_then_the_edges() {
    let net = net(WARD);
    let names: Vec<&str> = net.places.iter().map(|place| &*place.name).collect();
    assert_eq!(
        names,
        [
            "Ward::Open",
            "Bed::Free",
            "Bed::Occupied",
            "Bed::Cleaning",
            "Patient::Waiting",
            "Patient::Admitted",
            "Patient::Gone",
            "Ward.beds",
            "Patient.bed"
        ]
    );
    let bed = net.find("Bed::Free").unwrap();
    assert_eq!(net.entities[1].initial, bed);
    let (from, to) = (&net.edges[0].from, &net.edges[0].to);
    assert_eq!((from.min, from.max, to.min, to.max), (0, None, 1, Some(1)));
}

#[test]
fn a_token_narrows_the_states_that_a_move_takes_it_from_and_is_else_a_read() {
    check(
        &format!(
            "{WARD}
            event Left patient:Patient<Admitted> bed:Bed<Occupied>
              move patient: Waiting | Admitted -> Gone
              unlink patient.bed -= bed
            event Cleaned beds:Bed<Cleaning>*
              move those beds: Cleaning -> Free"
        ),
        "Left
           read bound bed in Bed::Occupied
           bound patient: Admitted -> Gone
           those patient.bed, bed: unlink Patient.bed
         Cleaned
           read each beds in Bed::Cleaning
           those beds: Cleaning -> Free",
    );
}

#[test]
fn paths_read_the_links_that_they_follow_and_conditions_read_places() {
    check(
        &format!(
            "{WARD}
            event Closed ward:Ward
              when none ward.beds in Occupied
              move each ward.beds: Free | Cleaning -> Cleaning
              set ward.beds.number
              guard rules::may_close
            immediate Placed patient:Patient
              when any patient.bed in Free
              move patient: Waiting -> Admitted
            immediate Taken bed:Bed
              when any bed.patient in Admitted
              move bed: Free -> Occupied
              set bed.Occupied.since"
        ),
        "Closed
           read those ward.beds in Ward.beds
           read none ward.beds in Bed::Occupied
           each ward.beds: Free | Cleaning -> Cleaning
           each ward.beds: set Bed.number
           guard rules::may_close
         Placed, immediate 0
           read those patient.bed in Patient.bed
           read any patient.bed in Bed::Free
           bound patient: Waiting -> Admitted
         Taken, immediate 1
           read those bed.patient in Patient.bed
           read any bed.patient in Patient::Admitted
           read bound bed in Bed::Occupied
           bound bed: Free -> Occupied
           bound bed: set Bed::Occupied.since",
    );
}

#[test]
fn a_deletion_implies_what_the_policies_of_its_edges_say() {
    check(
        &format!(
            "{WARD}
            event Torn ward:Ward
              delete ward
            event Discarded bed:Bed
              delete bed"
        ),
        "Torn
           read none ward.beds.patient in Patient.bed
           bound ward: delete Ward
           implied those ward.beds: unlink Ward.beds
           implied each ward.beds: delete Bed
           implied those ward.beds.ward: unlink Ward.beds
         Discarded
           read none bed.patient in Patient.bed
           bound bed: delete Bed
           implied those bed.ward: unlink Ward.beds",
    );
}

#[test]
fn a_handler_may_do_what_its_event_permits_and_links_what_it_creates() {
    check(
        &format!(
            "{WARD}
            event Moved patients:Patient* ward:Ward!
              may create Bed
              may Patient Waiting -> Gone
              may relink Patient.bed
              may delete Ward
              may set Bed.number"
        ),
        "Moved
           bound ward: ensure Ward::Open
           may create Bed::Free
           may link Ward.beds
           may Waiting -> Gone
           may relink Patient.bed
           may delete Ward
           may unlink Ward.beds
           may delete Bed
           may set Bed.number",
    );
}

#[test]
fn a_choice_reads_the_places_of_its_candidates_and_the_links_that_its_path_follows() {
    check(
        &format!(
            "{WARD}
            event Admitted ward:Ward patient:Patient limit:u32
              choose bed: ward.beds in Free | Cleaning where number < limit by number desc
              choose others: 2 of Bed in Free
              choose more: up to limit of Bed in Occupied
              move bed: Free | Occupied -> Occupied
              move those others: Free -> Cleaning
              link patient.bed += bed"
        ),
        "Admitted
           choose bed: ward.beds in Free | Cleaning where number < limit by number desc
           choose others: 2 of Bed in Free
           choose more: up to limit of Bed in Occupied
           read those ward.beds in Ward.beds
           read chosen bed in Bed::Free | Bed::Cleaning
           read chosen others in Bed::Free
           read chosen more in Bed::Occupied
           bound bed: Free -> Occupied
           those others: Free -> Cleaning
           bound patient.bed, bed: link Patient.bed",
    );
}

#[test]
fn a_condition_on_data_of_a_state_requires_the_state() {
    check(
        &format!(
            "{WARD}
            event Left a:Bed b:Bed
              when a.number < b.Occupied.since
              when 3 <= a.number
            event Moved a:Bed
              choose bed: Bed in Free | Occupied where since > a.Occupied.since
              move bed: Free | Occupied -> Free
            event Tried a:Bed
              choose beds: up to 2 of Bed in Free where number > a.Occupied.since
            event Numbered a:Bed
              choose beds: up to a.Occupied.since of Bed in Free"
        ),
        "Left
           read bound b in Bed::Occupied
           when a.number < b.Occupied.since
           when 3 <= a.number
         Moved
           choose bed: Bed in Occupied where Occupied.since > a.Occupied.since
           read bound a in Bed::Occupied
           read chosen bed in Bed::Occupied
           bound bed: Occupied -> Free
         Tried
           choose beds: up to 2 of Bed in Free where number > a.Occupied.since
           read chosen beds in Bed::Free
         Numbered
           choose beds: up to a.Occupied.since of Bed in Free
           read bound a in Bed::Occupied
           read chosen beds in Bed::Free",
    );
}

#[test]
fn counts_orders_and_due_times_are_shown() {
    check(
        &format!(
            "{WARD}
            field Patient Waiting until
            field Patient urgency
            event Expired patient:Patient
              due patient.Waiting.until
              move patient: Waiting -> Gone
            immediate Filled patient:Patient
              by urgency desc
              when count patient.bed.ward.beds in Free | Cleaning < 2
              when count patient.bed >= 1
              move patient: Waiting -> Admitted"
        ),
        "Expired
           due patient.Waiting.until in Patient::Waiting
           bound patient: Waiting -> Gone
         Filled, immediate 0
           by urgency desc
           read those patient.bed in Patient.bed
           read those patient.bed.ward in Ward.beds
           read those patient.bed.ward.beds in Ward.beds
           read counted patient.bed.ward.beds in Bed::Free | Bed::Cleaning < 2
           read counted patient.bed in Bed::Free | Bed::Occupied | Bed::Cleaning >= 1
           bound patient: Waiting -> Admitted",
    );
}
