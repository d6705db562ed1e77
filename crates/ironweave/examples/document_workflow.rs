//! Documents that cite and replace each other, and are published after two reviewers have approved.
//! Run it with `cargo run --example document_workflow`.
//!
//! The model has no handler: the types of the events' fields state the preconditions, and immediate events the consequences.
#![allow(missing_docs)]

use std::{error::Error, io};

use ironweave::prelude::*;
use workflow::{AnyEvent, Document, ReviewAsked};

#[rustfmt::skip] // one line for a small event: the model reads like a table
#[ironweave::model]
pub mod workflow {
    use ironweave::prelude::*;

    #[entity]
    pub struct Person {
        #[key]
        pub name: String,
        #[inverse(Document::author)]
        pub writes: Many<Document>,
        #[inverse(Review::reviewer)]
        pub reviews: Many<Review>,
    }
    #[entity]
    pub struct Document {
        #[key]
        pub title: String,
        #[default]
        pub text: String,
        pub author: Person,
        #[edge(on_delete = cascade)]
        pub reviews: Many<Review>,
        #[edge(acyclic)]                                // no document replaces itself, directly or indirectly
        pub replaces: Option<Document>,
        #[inverse(Document::replaces)]
        pub replaced_by: Option<Document>,
        #[edge(acyclic)]
        pub cites: Many<Document>,
        #[inverse(Document::cites)]
        pub cited_by: Many<Document>,
    }
    #[states(Document)]
    pub enum DocumentState {
        #[initial] #[to(InReview)] Draft,
        #[to(Draft, Published)] InReview,
        #[to(Outdated, Replaced)] Published { at: Timestamp },
        #[to(Draft, Replaced)] Outdated,                // it cites a replaced document
        #[terminal] Replaced,
    }
    #[entity]
    pub struct Review {
        #[inverse(Document::reviews)]
        #[edge(on_delete = unlink)]
        pub document: Document,
        pub reviewer: Person,
    }
    #[states(Review)]
    pub enum ReviewState {
        #[initial] #[to(Approved, Refused)] Asked,
        #[terminal] Approved,
        #[terminal] Refused { comment: String },
    }

    #[event]
    #[create(document: Document { title })]
    #[link(document.author += author)]
    #[link(document.cites += cites)]
    #[link(document.replaces += replaces)]
    pub struct Begun {
        pub title: String,
        pub author: Ensure<Person>,
        pub cites: Vec<Key<Document>>,
        pub replaces: Option<Key<Document>>,
    }

    #[event]                                            // a token: only drafts can be edited
    #[set(document.text = text)]
    #[unlink(document.cites -= drops)]
    pub struct Edited { pub document: Document<Draft>, pub text: String, pub drops: Vec<Document> }

    #[event]
    #[guard(super::four_eyes)]
    #[create(one: Review)]
    #[create(two: Review)]
    #[link(one.reviewer += first)]
    #[link(two.reviewer += second)]
    #[link(document.reviews += one)]
    #[link(document.reviews += two)]
    #[moves(document: Draft -> InReview)]
    #[delete(document.reviews)]                         // deletes the reviews of an earlier round: paths are
    pub struct ReviewAsked {                            // evaluated before the new reviews are linked
        pub document: Document<Draft>,
        pub first: Ensure<Person>,
        pub second: Ensure<Person>,
    }

    #[event]
    #[when(all review.document in InReview)]
    #[moves(review: Asked -> Approved)]
    pub struct ReviewApproved { pub review: Review<Asked> }

    #[event]
    #[when(all review.document in InReview)]
    #[moves(review: Asked -> Refused { comment })]
    pub struct ReviewRefused { pub review: Review<Asked>, pub comment: String }

    #[event]
    #[moves(document: Outdated -> Draft)]
    pub struct Reopened { pub document: Document<Outdated> }

    #[immediate]
    #[when(any document.reviews in Refused)]
    #[moves(document: InReview -> Draft)]
    pub struct SentBack { pub document: Document }

    #[immediate]
    #[when(all document.reviews in Approved)]
    #[moves(document: InReview -> Published { at = meta.time })]
    #[moves(those document.replaces: Published | Outdated -> Replaced)]
    pub struct Accepted { pub document: Document }

    #[immediate]
    #[when(any document.cites in Replaced)]
    #[moves(document: Published -> Outdated)]
    pub struct WentOutOfDate { pub document: Document }
}

fn four_eyes(event: &ReviewAsked, db: &impl Db) -> Result<(), Reject> {
    let author = event.document.author(db);
    let reviewers = [event.first.key(), event.second.key()];
    if reviewers[0] == reviewers[1] || reviewers.iter().any(|name| *name == author.name(db)) {
        return Err(Reject::new(
            "a document needs two reviewers other than its author",
        ));
    }
    Ok(())
}

/// The events that a front end sends. A handle is `"Document/0.1"` (slot and generation), and a `Key`
/// or `Ensure` is the key.
const EVENTS: [&str; 19] = [
    r#"{"Begun": {"title": "guide", "author": "ada", "cites": []}}"#,
    r#"{"ReviewAsked": {"document": "Document/0.1", "first": "bob", "second": "ada"}}"#,
    r#"{"ReviewAsked": {"document": "Document/0.1", "first": "bob", "second": "eve"}}"#,
    r#"{"ReviewApproved": {"review": "Review/0.1"}}"#,
    r#"{"ReviewRefused": {"review": "Review/1.1", "comment": "too short"}}"#,
    r#"{"Edited": {"document": "Document/0.1", "text": "longer", "drops": []}}"#,
    r#"{"ReviewAsked": {"document": "Document/0.1", "first": "bob", "second": "eve"}}"#,
    r#"{"ReviewApproved": {"review": "Review/2.1"}}"#,
    r#"{"ReviewApproved": {"review": "Review/3.1"}}"#,
    r#"{"Edited": {"document": "Document/0.1", "text": "one more word", "drops": []}}"#,
    r#"{"Begun": {"title": "book", "author": "eve", "cites": ["guide"]}}"#,
    r#"{"ReviewAsked": {"document": "Document/1.1", "first": "bob", "second": "ada"}}"#,
    r#"{"ReviewApproved": {"review": "Review/1.2"}}"#,
    r#"{"ReviewApproved": {"review": "Review/0.2"}}"#,
    r#"{"Begun": {"title": "guide 2", "author": "ada", "cites": [], "replaces": "guide"}}"#,
    r#"{"ReviewAsked": {"document": "Document/2.1", "first": "bob", "second": "eve"}}"#,
    r#"{"ReviewApproved": {"review": "Review/4.1"}}"#,
    r#"{"ReviewApproved": {"review": "Review/5.1"}}"#,
    r#"{"Reopened": {"document": "Document/1.1"}}"#,
];

pub fn run(out: &mut dyn io::Write) -> Result<(), Box<dyn Error>> {
    let mut store = Store::<workflow::Model>::memory();
    for json in EVENTS {
        let event: AnyEvent = serde_json::from_str(json)?;
        write!(out, "{:<14}", event.name())?;
        if let Err(refused) = store.try_step_any(&event) {
            writeln!(out, " refused: {refused}")?;
            continue;
        }
        for document in store.place::<Document, Any>() {
            let (title, state) = (document.title(&store), document.state(&store));
            write!(out, " [{title}: {state}]")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[allow(dead_code)] // the test that compares the output has its own `main`
fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}
