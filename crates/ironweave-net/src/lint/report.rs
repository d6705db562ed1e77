//! The findings of a model as text.

use std::fmt::Write as _;

use super::{Certainty, Finding};

/// Returns the findings that are not accepted as text, or `None` if there are none. Notes are left out.
///
/// A finding is accepted by its [name](Finding::name), `state_never_left Bed::Cleaning`. An accepted name that is none of the findings is an
/// error too, so that the list does not outlive its reasons.
#[must_use]
pub fn report(model: &str, findings: &[Finding], allow: &[&str]) -> Option<String> {
    let wrong = |finding: &&Finding| !finding.is_note();
    let names: Vec<String> = findings.iter().filter(wrong).map(Finding::name).collect();
    let open = findings.iter().filter(wrong).filter(|finding| {
        let name = finding.name();
        !allow.contains(&&*name)
    });
    let open: Vec<&Finding> = open.collect();
    let outdated = allow
        .iter()
        .filter(|name| names.iter().all(|other| other != *name));
    let outdated: Vec<&&str> = outdated.collect();
    if open.is_empty() && outdated.is_empty() {
        return None;
    }
    let mut text = String::new();
    if !open.is_empty() {
        let findings = if open.len() == 1 {
            "finding"
        } else {
            "findings"
        };
        let _ = writeln!(text, "the model `{model}` has {} {findings}", open.len());
    }
    for (certainty, title) in [
        (Certainty::Program, "certain for the program:"),
        (
            Certainty::Net,
            "possible in the net; guards, invariants, values and the calls of the program may rule it out:",
        ),
    ] {
        let mut of = open
            .iter()
            .filter(|finding| finding.certainty == certainty)
            .peekable();
        if of.peek().is_some() {
            let _ = writeln!(text, "{title}");
        }
        for finding in of {
            let _ = writeln!(text, "  - {finding}");
        }
    }
    if !open.is_empty() {
        let names: Vec<String> = open
            .iter()
            .map(|finding| format!("{:?}", finding.name()))
            .collect();
        let _ = writeln!(
            text,
            "to accept them, write `allow = [{}]`",
            names.join(", ")
        );
    }
    for name in outdated {
        let _ = writeln!(
            text,
            "{name:?} is accepted, but is not a finding; remove it from `allow`"
        );
    }
    Some(text)
}
