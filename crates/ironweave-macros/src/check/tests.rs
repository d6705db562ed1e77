//! Models with a mistake, and their errors. The cases are in `wrong.txt`; `BLESS=1` updates the errors in it.
//!
//! Each model there is a small correct one with one change. The list of errors must be complete, so that one
//! mistake causes one error.

use std::fmt::Write as _;

use ironweave_schema::Schema;

use crate::errors::Errors;
use crate::{check, parse};

/// The correct model that the cases change.
const CORRECT: &str = r#"pub mod m {
    use ironweave::prelude::*;
    #[entity] pub struct Part { #[key] pub name: String, #[inverse(Job::parts)] pub job: Option<Job> }
    #[states(Part)] pub enum PartState {
        #[initial] #[to(Live)] Missing,
        #[to(Missing)] Live { at: Timestamp },
    }
    #[entity] pub struct Job { pub label: String, pub parts: Many<Part> }
    #[states(Job)] pub enum JobState {
        #[initial] #[to(start -> Running, fail -> Failed)] Queued,
        #[to(Done, fail -> Failed)] Running,
        #[terminal] Done,
        #[terminal] Failed { exit: i32 },
    }
    #[event]
    #[create(job: Job { label })]
    #[link(job.parts += parts)]
    pub struct Added { pub label: String, pub parts: Vec<Part>, pub extra: Vec<Ensure<Part>> }
    #[event]
    #[moves(job: Running -> Failed { exit })]
    #[set(job.label = text)]
    #[may(Part: Missing -> Live)]
    pub struct Lost { pub job: Job, pub exit: i32, pub text: String }
    #[immediate]
    #[when(all job.parts in Live)]
    #[moves(job: Running -> Done)]
    pub struct Ready { pub job: Job }
    #[invariant(Part, via = [job], crate::rules::fine)]
    pub struct Fine;
}"#;

fn errors_of(model: &str) -> Vec<String> {
    let mut errors = Errors::default();
    let tokens = model.parse().expect("the test input has tokens");
    if let Some(ast) = parse::module(tokens, &mut errors) {
        check::model(ast, &mut errors);
    }
    let show = |error: &syn::Error| {
        let at = error.span().source_text().unwrap_or_default();
        let at: Vec<&str> = at.split_whitespace().collect();
        format!("{} | {error}", at.join(" "))
    };
    errors.list().iter().map(show).collect()
}

/// The correct model with texts replaced, each of which must occur exactly once.
fn changed(title: &str, changes: &[(String, String)]) -> String {
    let mut model = CORRECT.to_string();
    for (from, to) in changes {
        assert_eq!(
            model.matches(from).count(),
            1,
            "{title}: `{from}` must occur exactly once"
        );
        model = model.replace(from, to);
    }
    model
}

/// Runs each case of a file: a title in brackets, what is replaced in the correct model (`- from`, `+ to`), and then what
/// comes of it, each line with a mark before it.
fn cases(file: &str, mark: &str, least: usize, run: impl Fn(&str) -> Vec<String>) {
    let path = format!("{}/src/check/{file}", env!("CARGO_MANIFEST_DIR"));
    let written = std::fs::read_to_string(&path).expect("the cases are there");
    let written = written.replace("\r\n", "\n");
    let (mut out, mut cases) = (String::new(), 0);
    let (mut title, mut changes) = (String::new(), Vec::new());
    let mut lines = written.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with(mark) {
            continue;
        }
        out += line;
        out += "\n";
        if let Some(name) = line.strip_prefix('[') {
            title = name.trim_end_matches(']').to_string();
            changes.clear();
        } else if let Some(from) = line.strip_prefix("- ") {
            changes.push((from.replace("\\n", "\n"), String::new()));
        } else if let (Some(to), Some((_, last))) = (line.strip_prefix('+'), changes.last_mut()) {
            *last = to.strip_prefix(' ').unwrap_or(to).replace("\\n", "\n");
            if !lines.peek().is_some_and(|next| next.starts_with("- ")) {
                let results = run(&changed(&title, &changes));
                assert!(!results.is_empty(), "[{title}] changes nothing");
                for result in results {
                    let _ = writeln!(out, "{mark}{result}");
                }
                cases += 1;
            }
        }
    }
    assert!(cases >= least, "only {cases} cases were found");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, out).expect("the cases can be written");
    } else if out != written {
        let differs = out
            .lines()
            .zip(written.lines())
            .find(|(now, then)| now != then);
        panic!("{file} differs first at (now, then): {differs:#?}");
    }
}

#[test]
fn each_mistake_in_a_model_is_reported() {
    cases("wrong.txt", "! ", 40, errors_of);
}

fn schema_of(model: &str) -> Schema {
    let mut errors = Errors::default();
    let tokens = model.parse().expect("the test input has tokens");
    let ast = parse::module(tokens, &mut errors).expect("it is a module");
    let schema = check::model(ast, &mut errors).resolved.schema;
    assert!(errors.list().is_empty(), "{:?}", errors_of(model));
    schema
}

#[test]
fn each_change_of_a_model_is_reported() {
    let right = schema_of(CORRECT);
    cases("differences.txt", "= ", 30, |model| {
        let now = schema_of(model);
        let differences = right.compatibility(&now).differences.into_iter();
        differences
            .map(|difference| match difference.is_of_shape() {
                true => format!("{difference}"),
                false => format!("(rule) {difference}"),
            })
            .collect()
    });
}

#[test]
fn the_correct_model_has_no_errors() {
    assert_eq!(errors_of(CORRECT), Vec::<String>::new());
}

#[test]
fn more_states_than_fit_are_refused() {
    let (mut states, mut to) = (String::new(), String::new());
    for i in 0..260 {
        let _ = write!(states, "#[terminal] S{i}, ");
        let _ = write!(to, "S{i}, ");
    }
    let model = CORRECT
        .replace("#[terminal] Done,", &format!("#[terminal] Done, {states}"))
        .replace("#[to(Done,", &format!("#[to({to} Done,"));
    assert_eq!(
        errors_of(&model),
        ["JobState | `JobState` has 264 states, but at most 250 are allowed"]
    );
}

#[test]
fn only_an_inline_module_is_accepted() {
    assert_eq!(
        errors_of("mod build;"),
        [
            "mod | write the module inline, as `mod build { .. }`: an attribute cannot read other files"
        ]
    );
    assert_eq!(
        errors_of("struct A;"),
        ["struct A; | `#[ironweave::model]` belongs on an inline module: `pub mod name { .. }`"]
    );
}
