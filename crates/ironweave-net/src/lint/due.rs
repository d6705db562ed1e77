//! Findings on events that are due at a time.

use ironweave_schema::Path;

use crate::{Action, Due, Net, Transition};

use super::reach::{Reach, states_text};
use super::{Certainty, Finding, Lint};

pub(super) fn findings(net: &Net, reach: &Reach<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, transition) in net.transitions.iter().enumerate() {
        // An event that never fires has a finding of its own.
        if let (Some(due), None) = (&transition.due, &reach.blocked[at]) {
            let finding = never(net, reach, at, due);
            found.extend(finding.or_else(|| again(net, transition, due)));
        }
    }
    found
}

/// Finds a time that is data of a state in which the event cannot fire.
fn never(net: &Net, reach: &Reach<'_>, at: usize, due: &Due) -> Option<Finding> {
    let transition = &net.transitions[at];
    let place = due.place?;
    let (name, state) = (&transition.name, &net[place].name);
    let root = Path {
        root: due.variable,
        hops: Vec::new(),
    };
    let required = reach.path(at, &root).map(|of| &of.states);
    let why = match required {
        _ if !reach.is_marked(place) => format!("{state}, which has the time, is never reached"),
        Some(states) if !states.contains(&place) => format!(
            "`{}` has the time in {}, and the event requires it in {}",
            transition[due.variable].name,
            net.state_name(place),
            states_text(net, states)
        ),
        _ => return None,
    };
    let message = format!("{name} never fires at its time: {why}");
    Some(Finding::certain(Lint::NeverDue, name, message))
}

/// Finds an event that changes nothing by which it would no longer be due.
fn again(net: &Net, transition: &Transition, due: &Due) -> Option<Finding> {
    let entity = transition[due.variable].entity;
    let (_, field) = due.time.rsplit_once('.')?;
    let ends = |action: &Action| match action {
        Action::Move { to, .. } => net[*to].entity() == Some(entity),
        Action::Delete { from } => from.iter().any(|p| net[*p].entity() == Some(entity)),
        Action::Set {
            entity: of,
            state,
            field: name,
        } => (*of, *state, &**name) == (entity, due.place, field),
        _ => false,
    };
    let arcs = transition.arcs.iter().map(|arc| &arc.action);
    let permits = transition.handler.iter().flat_map(|h| &h.permits);
    if arcs.chain(permits).any(ends) {
        return None;
    }
    let (name, variable) = (&transition.name, &transition[due.variable].name);
    let message = format!(
        "{name} is still due when it has fired: it does not move or delete `{variable}` or set `{}`",
        due.time
    );
    Some(Finding {
        certainty: Certainty::Net,
        ..Finding::certain(Lint::DueAgain, name, message)
    })
}
