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
        for read in &t.reads {
            let names: Vec<&str> = read.places.iter().map(|&p| &*net[p].name).collect();
            let tokens = net.tokens_text(t, &read.tokens);
            let inscription = format!("{:?}", read.inscription).to_lowercase();
            let _ = writeln!(
                text,
                "  read {inscription} {tokens} in {}",
                names.join(" | ")
            );
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
