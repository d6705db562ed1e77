//! A library that changes its model twice: the first change is taken as it is, the second one needs a migration. Run it with
//! `cargo run --example migration`.
#![allow(missing_docs)]

use std::{error::Error, io, path::Path};

use ironweave::dynamic::{Dynamic, GraphView};
use ironweave::prelude::*;
use ironweave::{Migration, MigrationError, OpenError};

#[rustfmt::skip]
pub mod v1 {
    #[ironweave::model]
    pub mod library {
        use ironweave::prelude::*;

        #[entity]
        pub struct Reader {
            #[key]
            pub name: String,
            pub borrows: Many<Book>,
        }
        #[entity]
        pub struct Book {
            #[key]
            pub title: String,
            #[inverse(Reader::borrows)]
            pub borrower: Option<Reader>,
        }
        #[states(Book)]
        pub enum BookState {
            #[initial] #[to(Lent, Gone)] Present,
            #[to(Present, Gone)] Lent { days: u32 },
            #[terminal] Gone { why: String },
        }

        #[event]
        #[create(book: Book { title })]
        pub struct Bought { pub title: String }

        #[event]
        #[moves(book: Present -> Lent { days })]
        #[link(reader.borrows += book)]
        pub struct Borrowed { pub reader: Ensure<Reader>, pub book: Key<Book>, pub days: u32 }

        #[event]
        #[moves(book: Present -> Gone { why })]
        pub struct Lost { pub book: Key<Book>, pub why: String }
    }
}

/// An optional field, a field with a default, and another name.
#[rustfmt::skip]
pub mod v2 {
    #[ironweave::model]
    pub mod library {
        use ironweave::prelude::*;

        #[entity]
        pub struct Reader {
            #[key]
            pub name: String,
            pub phone: Option<String>,
            #[renamed(from = "borrows")]
            pub reads: Many<Book>,
        }
        #[entity]
        pub struct Book {
            #[key]
            pub title: String,
            #[default(1u32)]
            pub copies: u32,
            #[inverse(Reader::reads)]
            pub borrower: Option<Reader>,
        }
        #[states(Book)]
        pub enum BookState {
            #[initial] #[to(Lent, Gone)] Present,
            #[to(Present, Gone)] Lent { days: u32 },
            #[terminal] Gone { why: String },
        }

        #[event]
        #[create(book: Book { title })]
        pub struct Bought { pub title: String }

        #[event]
        #[moves(book: Present -> Lent { days })]
        #[link(reader.reads += book)]
        pub struct Borrowed { pub reader: Ensure<Reader>, pub book: Key<Book>, pub days: u32 }

        #[event]
        #[moves(book: Present -> Gone { why })]
        pub struct Lost { pub book: Key<Book>, pub why: String }
    }
}

/// A loan is an entity, and what is gone was lost or sold.
#[rustfmt::skip]
pub mod v3 {
    #[ironweave::model]
    pub mod library {
        use ironweave::prelude::*;

        #[entity]
        pub struct Reader {
            #[key]
            pub name: String,
            pub phone: Option<String>,
            #[inverse(Loan::reader)]
            pub loans: Many<Loan>,
        }
        #[entity]
        pub struct Loan {
            pub days: u32,
            pub reader: Reader,
            pub book: Book,
        }
        #[entity]
        pub struct Book {
            #[key]
            pub title: String,
            pub copies: u32,
            #[inverse(Loan::book)]
            pub loan: Option<Loan>,
        }
        #[states(Book)]
        pub enum BookState {
            #[initial] #[to(Lent, Lost, Sold)] Present,
            #[to(Present, Lost)] Lent,
            #[to(Present)] Lost,
            #[terminal] Sold,
        }

        #[event]
        #[create(book: Book { title, copies })]
        pub struct Bought { pub title: String, pub copies: u32 }

        #[event]
        #[create(loan: Loan { days })]
        #[link(loan.reader += reader)]
        #[link(loan.book += book)]
        #[moves(book: Present -> Lent)]
        pub struct Borrowed { pub reader: Ensure<Reader>, pub book: Key<Book>, pub days: u32 }

        #[event]
        #[moves(book: Present | Lent -> Lost)]
        pub struct BookLost { pub book: Key<Book> }

        #[event]
        #[moves(book: Present -> Sold)]
        pub struct BookSold { pub book: Key<Book> }
    }
}

use v3::library::{Book, Loan, Model};

fn migrate(old: GraphView<'_>, new: &mut Migration<'_, Model>) -> Result<(), MigrationError> {
    let books = old.entity_type("Book")?;
    for book in books.entities_in("Lent")? {
        let loan = new.create::<Loan>(&[("days", &book.field("days")?)])?;
        new.link(loan, "book", book)?;
        for reader in book.links("borrower")? {
            new.link(loan, "reader", reader.entity())?;
        }
    }
    for book in books.entities_in("Gone")? {
        let why: String = book.get("why")?;
        new.move_to(book, if why == "sold" { "Sold" } else { "Lost" }, &[])?;
    }
    Ok(())
}

fn write_old(dir: &Path) -> Result<(), StepError> {
    use v1::library::{Borrowed, Bought, Lost, Model};
    let mut store = Store::<Model>::open(dir).expect("a new store");
    for title in ["Emma", "Ulysses", "Walden"] {
        store.try_step(Bought {
            title: title.into(),
        })?;
    }
    store.try_step(Borrowed {
        reader: "Ada".into(),
        book: "Emma".into(),
        days: 14,
    })?;
    store.try_step(Lost {
        book: "Walden".into(),
        why: "sold".into(),
    })?;
    Ok(())
}

pub fn run(dir: &Path, out: &mut dyn io::Write) -> Result<(), Box<dyn Error>> {
    write_old(dir)?;

    // The second version needs no code.
    let store = Store::<v2::library::Model>::open(dir)?;
    let emma = store
        .find::<v2::library::Book>("Emma")
        .expect("it was bought");
    writeln!(
        out,
        "version 2: {} copies of {}",
        emma.copies(&store),
        emma.title(&store)
    )?;
    let before = store.seq().expect("it has frames");
    drop(store);

    // The third one is refused without a migration.
    if let Err(OpenError::Schema { differences, .. }) = Store::<Model>::open(dir) {
        writeln!(out, "\nversion 3 is refused:")?;
        for difference in differences {
            writeln!(out, "- {difference}")?;
        }
    }

    // What the migration would do. Nothing is written.
    let report = Store::<Model>::options()
        .migrate(migrate)
        .migrate_dry_run(dir)?;
    writeln!(out, "\n{report}")?;

    let store = Store::<Model>::options().migrate(migrate).open(dir)?;
    writeln!(out, "\nversion 3:")?;
    for book in store.place::<Book, Any>() {
        write!(out, "{} is {}", book.title(&store), book.state(&store))?;
        match book.loan(&store) {
            Some(loan) => writeln!(out, ", {} has it", loan.reader(&store).name(&store))?,
            None => writeln!(out)?,
        }
    }
    drop(store);

    // From now on, the store opens without the code.
    drop(Store::<Model>::open(dir)?);

    // The past is read by the names of then.
    let log = Store::<Dynamic>::open_read_only(dir)?;
    let then = log.as_of(before)?;
    let walden = then
        .by_name()
        .find("Book", "Walden")?
        .expect("it was bought");
    writeln!(
        out,
        "\nbefore: {walden} is {}, {}",
        walden.state(),
        walden.field("why")?.expect("it is gone")
    )?;
    Ok(())
}

#[allow(dead_code)] // the test includes the file
fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    run(dir.path(), &mut io::stdout())
}
