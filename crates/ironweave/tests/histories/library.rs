//! Books on shelves. Which event creates a shelf depends on the ones before it, and whether a book may be returned on the time.

use std::cell::Cell;

use ironweave::{Db, Guarded, Reject, Timestamp};

#[ironweave::model]
pub mod library {
    use ironweave::prelude::*;

    #[entity]
    pub struct Shelf {
        #[key]
        pub name: String,
        pub books: Many<Book>,
    }
    #[states(Shelf)]
    pub enum ShelfState {
        #[initial]
        #[to(Incomplete)]
        Complete,
        #[to(Complete)]
        Incomplete,
    }

    #[entity]
    pub struct Book {
        #[key]
        pub isbn: u64,
        pub tags: Vec<String>,
        #[inverse(Shelf::books)]
        pub shelf: Option<Shelf>,
    }
    #[states(Book)]
    pub enum BookState {
        #[initial]
        #[to(Lent)]
        Here,
        #[to(Here)]
        Lent { since: Timestamp },
    }

    #[event]
    #[create(book: Book { isbn, tags })]
    #[link(shelf.books += book)]
    pub struct Bought {
        pub isbn: u64,
        pub tags: Vec<String>,
        pub shelf: Ensure<Shelf>,
    }

    #[event]
    #[guard(crate::library::few_books)]
    #[moves(each books: Here -> Lent { since = meta.time })]
    pub struct Borrowed {
        pub books: Vec<Book<Here>>,
    }

    #[event]
    #[guard(crate::library::in_the_afternoon)]
    #[moves(book: Lent -> Here)]
    pub struct Returned {
        pub book: Key<Book>,
    }

    #[immediate]
    #[when(any shelf.books in Lent)]
    #[moves(shelf: Complete -> Incomplete)]
    pub struct BecameIncomplete {
        pub shelf: Shelf,
    }

    #[immediate]
    #[when(none shelf.books in Lent)]
    #[moves(shelf: Incomplete -> Complete)]
    pub struct BecameComplete {
        pub shelf: Shelf,
    }
}

thread_local! {
    /// How many books may be lent at once on this thread. That a guard depends on it is a mistake.
    pub static BOOKS_MAX: Cell<usize> = const { Cell::new(3) };
}

pub fn few_books(event: &library::Borrowed, _: &impl Db) -> Result<(), Reject> {
    match event.books.len() {
        books if books <= BOOKS_MAX.get() => Ok(()),
        books => Err(Reject::new(format!("{books} books are too many"))),
    }
}

pub fn in_the_afternoon(
    _: &library::Returned,
    db: &Guarded<'_, library::Returned>,
) -> Result<(), Reject> {
    match db.time() >= Timestamp::from_secs(43_200) {
        true => Ok(()),
        false => Err(Reject::new("it is too early")),
    }
}
