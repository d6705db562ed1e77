//! Half-typed models, as in an editor: everything except the broken part is still generated.

use super::pretty;

/// A correct model, in which each case breaks one thing.
const CORRECT: &str = "mod m {
    #[entity] pub struct Part { #[key] pub name: String, #[inverse(Job::parts)] pub job: Option<Job> }
    #[states(Part)] pub enum PartState { #[initial] #[to(Live)] Missing, #[to(Missing)] Live { at: Timestamp } }
    #[entity] pub struct Job { pub label: String, pub parts: Many<Part> }
    #[states(Job)] pub enum JobState { #[initial] #[to(Done)] Queued, #[terminal] Done }
    #[event] #[create(job: Job { label })] #[link(job.parts += parts)]
    pub struct Added { pub label: String, pub parts: Vec<Part> }
    #[event] #[moves(job: Queued -> Done)] #[may(Part: Missing -> Live)]
    pub struct Finished { pub job: Job<Queued> }
    #[immediate] #[when(all job.parts in Live)] #[moves(job: Queued -> Done)]
    pub struct Ready { pub job: Job }
}";

/// Parts of its expansion that other code may use.
const THERE: [&str; 23] = [
    "pub struct Part<",
    "pub struct Job<",
    "pub enum PartState",
    "pub enum JobState",
    "pub struct NewJob",
    "pub struct Added",
    "pub struct Finished",
    "pub struct Ready",
    "pub enum Missing {}",
    "pub enum Live {}",
    "pub enum Queued {}",
    "pub enum Done {}",
    "fn name<",
    "fn label<",
    "fn parts<",
    "fn parts_count(",
    "fn job(",
    "fn at<",
    "fn to_live<",
    "fn to_done<",
    "pub trait PartMissingToLive",
    "impl ::ironweave::Event for Added",
    "impl ::ironweave::Event for Finished",
];

/// Breaks the model, and checks that the expansion parses, has that many errors, and all of [`THERE`] except the parts in `gone`.
fn broken(from: &str, to: &str, errors: usize, gone: &[&str]) {
    assert_eq!(
        CORRECT.matches(from).count(),
        1,
        "`{from}` must occur exactly once"
    );
    let code = pretty(&CORRECT.replace(from, to));
    assert_eq!(
        code.matches("compile_error!").count(),
        errors,
        "{to}: {code}"
    );
    for part in THERE.iter().filter(|part| !gone.contains(part)) {
        assert!(code.contains(part), "{to}: `{part}` is not in {code}");
    }
}

#[test]
fn all_is_there_where_nothing_is_broken() {
    broken(
        "pub label: String, pub parts: Many",
        "pub label: String, pub parts: Many",
        0,
        &[],
    );
}

#[test]
fn an_arc_that_is_being_typed_takes_nothing_with_it() {
    for arc in [
        "#[moves]",
        "#[moves()]",
        "#[moves(j)]",
        "#[moves(job)]",
        "#[moves(job:)]",
        "#[moves(job: Que)]",
        "#[moves(job: Queued ->)]",
        "#[moves(job: Queued -> Do)]",
        "#[moves(each job.par: Missing -> Live)]",
        "#[mov(job: Queued -> Done)]",
    ] {
        broken(
            "#[moves(job: Queued -> Done)] #[may",
            &format!("{arc} #[may"),
            1,
            &[],
        );
    }
    for link in [
        "#[link(job.)]",
        "#[link(job.parts +=)]",
        "#[link(job.parts += p)]",
    ] {
        broken("#[link(job.parts += parts)]", link, 1, &[]);
    }
    for create in [
        "#[create(job)]",
        "#[create(job: Jo { label })]",
        "#[create(job: Job { lab })]",
    ] {
        broken("#[create(job: Job { label })]", create, 1, &[]);
    }
    for may in [
        "#[may(Part)]",
        "#[may(Part: Missing)]",
        "#[may(set Job)]",
        "#[may(create)]",
    ] {
        broken("#[may(Part: Missing -> Live)]", may, 1, &[]);
    }
    broken(
        "#[when(all job.parts in Live)]",
        "#[when(all job.parts)]",
        1,
        &[],
    );
}

#[test]
fn a_field_that_is_being_typed_takes_only_itself_with_it() {
    let parts = ["fn parts<", "fn parts_count("];
    broken("pub parts: Many<Part>", "pub parts: Many<Par>", 1, &[]);
    broken("pub parts: Many<Part>", "pub parts: Many<Zebra>", 1, &parts);
    broken("#[inverse(Job::parts)]", "#[inverse]", 1, &[]);
    broken("#[inverse(Job::parts)]", "#[inverse(Job)]", 1, &[]);
    broken("#[inverse(Job::parts)]", "#[inverse(Job::par)]", 1, &[]);
    broken("#[key]", "#[ke]", 1, &[]);
    broken(
        "pub label: String, pub parts: Many",
        "#[edge(mi)] pub label: String, pub parts: Many",
        1,
        &[],
    );
}

#[test]
fn a_state_that_is_being_typed_takes_nothing_with_it() {
    broken("#[to(Done)]", "#[to]", 1, &["fn to_done<"]);
    broken("#[to(Done)]", "#[to(finish ->)]", 1, &["fn to_done<"]);
    broken("#[initial] #[to(Done)]", "#[init] #[to(Done)]", 1, &[]);
    broken("#[states(Job)]", "#[states]", 1, &[]);
    broken("#[states(Job)]", "#[states(Jo)]", 1, &[]);
}

#[test]
fn an_event_that_is_being_typed_takes_nothing_with_it() {
    broken("pub job: Job<Queued>", "pub job: Job<Que>", 1, &[]);
    broken("pub job: Job<Queued>", "pub job: Jo", 1, &[]);
    broken("pub parts: Vec<Part>", "pub parts: Vec<Ensure<Pa>>", 1, &[]);
    broken("#[immediate]", "#[immediat]", 1, &[]);
    broken("pub struct Added {", "pub struct Added<T> {", 1, &[]);
}
