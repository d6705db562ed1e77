//! A checker that does not know what to try says what to write, for all that is missing at once.

use ironweave::check::Checker;

use crate::machine::machine;
use crate::ward::ward;

#[test]
fn with_the_line_to_write() {
    let error = Checker::<machine::Model>::new()
        .check()
        .expect_err("nothing is given");
    assert_eq!(
        error.to_string(),
        "the checker does not know what to try:\n  \
         how many `Machine` may exist: .entities::<Machine>(2)\n  \
         the values of `Raised.by`, which is a `crate::machine::Step`: .values::<Raised, _>(\"by\", [..])"
    );
}

#[test]
fn also_what_is_given_and_not_valid() {
    let error = Checker::<machine::Model>::new()
        .entities::<machine::Machine>(1)
        .values::<machine::Raised, _>("by", ["much"])
        .values::<machine::Built, _>("nam", ["press"])
        .values::<machine::SwitchedOn, _>("machine", ["press"])
        .check()
        .expect_err("a value of another type");
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert!(
        lines[0].starts_with("  a value of `Raised.by` is not of type `crate::machine::Step`: "),
        "{text}"
    );
    assert_eq!(lines[1], "  `Built` has no field `nam`; it has name");
    assert!(
        lines[2].starts_with("  `SwitchedOn.machine` names entities"),
        "{text}"
    );
}

#[test]
fn nothing_is_missing_of_what_has_few_values() {
    // A `bool`, an option of an enum without data, a number and a text that are keys.
    let report = Checker::<ward::Model>::new()
        .entities::<ward::Bed>(1)
        .entities::<ward::Patient>(1)
        .entities::<ward::Doctor>(0)
        .assert_properties();
    let discharged = report.event("PatientDischarged").expect("an event");
    let admitted = report.event("PatientAdmitted").expect("an event");
    assert_eq!(discharged.fired, 3 * admitted.fired);
}
