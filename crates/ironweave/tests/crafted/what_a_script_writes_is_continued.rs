//! A log that `tools/write_log.py` writes, from `docs/log-format.md` alone, is opened, verified and continued.

use std::time::Duration;

use ironweave::prelude::*;
use serde::{Deserialize, Serialize};

use crate::harness::assert_sound;
use crate::scratch_dir;
use crate::scripts_of_the_page_agree::{agrees, script};

/// A value of a type of the program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Binding {
    Glued,
    Stitched { leaves: u128, threads: (i8, u16) },
}

#[ironweave::model]
pub mod library {
    use ironweave::prelude::*;

    #[entity]
    pub struct Reader {
        #[key]
        pub name: String,
        #[default]
        pub fines: i64,
        #[inverse(Book::lent_to)]
        pub books: Many<Book>,
    }
    #[states(Reader)]
    pub enum ReaderState {
        #[initial]
        #[to(Idle)]
        Active,
        #[to(Active)]
        Idle,
    }

    #[entity]
    pub struct Book {
        #[key]
        pub isbn: u64,
        #[key]
        pub copy: u8,
        pub title: String,
        pub weight: f32,
        pub binding: super::Binding,
        #[edge(data = std::time::Duration)]
        pub lent_to: Option<Reader>,
    }
    #[states(Book)]
    pub enum BookState {
        #[initial]
        #[to(Lent)]
        Here,
        #[to(Here)]
        Lent { at: Timestamp, by: Option<char> },
    }

    #[event]
    #[create(book: Book { isbn, copy, title, weight, binding })]
    pub struct Bought {
        pub isbn: u64,
        pub copy: u8,
        pub title: String,
        pub weight: f32,
        pub binding: super::Binding,
    }

    #[event]
    #[link(book.lent_to += reader { data = term })]
    #[moves(book: Here -> Lent { at = meta.time, by })]
    pub struct Borrowed {
        pub book: Book,
        pub reader: Ensure<Reader>,
        pub term: std::time::Duration,
        pub by: Option<char>,
    }

    #[event]
    #[unlink(book.lent_to -= reader)]
    #[moves(book: Lent -> Here)]
    pub struct Returned {
        pub book: Book<Lent>,
        pub reader: Key<Reader>,
    }

    #[event]
    #[delete(book)]
    pub struct Sold {
        pub book: Key<Book>,
    }

    #[immediate]
    #[when(none reader.books in Lent)]
    #[moves(reader: Active -> Idle)]
    pub struct WentIdle {
        pub reader: Reader,
    }
}

#[test]
fn a_log_that_a_script_writes_is_opened_verified_and_continued() {
    use library::*;
    let Some(mut command) = script("write_log.py") else {
        return;
    };
    let scratch = scratch_dir();
    let dir = scratch.path().join("log");
    let output = command.arg(&dir).output().expect("the script runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");

    let mut store = Store::<Model>::options()
        .paranoid()
        .open_strict(&dir)
        .expect("the log opens");
    // The schema is that of this program, so no frame was added.
    assert_eq!(store.seq().map(|seq| seq.get()), Some(7));
    assert_eq!(assert_sound(&store), 7);
    assert!(
        said.trim_end()
            .ends_with(&format!("{:032x}", store.fingerprint()))
    );

    let book = store.find::<Book>(&(1, 255)).expect("the last one");
    assert_eq!(book.to_string(), "Book/1.2");
    let zero = store
        .find::<Book>(&(9_780_000_000, 0))
        .expect("the first one");
    assert_eq!(zero.weight(&store), 0.1);
    assert_eq!(zero.title(&store), "Volume 0 – “ü”");
    let ann = store.find::<Reader>("ann").expect("the reader");
    assert!(ann.is::<state::Idle>(&store));
    let history = store.history(ann).expect("the log has it");
    assert_eq!(history.len(), 7, "{history:?}");
    let then = store.as_of(4).expect("the log has it");
    let lent = then.find::<Book>(&(9_780_000_001, 1)).expect("it was lent");
    let stitched = Binding::Stitched {
        leaves: 1 << 70,
        threads: (-25, 300),
    };
    assert_eq!(lent.binding(&then), &stitched);

    // The idempotency key is known, and the first receipt is returned.
    let term = Duration::new(30 * 86_400, 5);
    let borrowed = |book, by| Borrowed {
        book,
        reader: "ann".into(),
        term,
        by,
    };
    let key = Meta::new().with_idempotency_key("request-1");
    let again = store.try_step_with(key, borrowed(lent, Some('ß')));
    assert_eq!(again.expect("the first receipt").seq, 4);

    store.step(borrowed(zero, None));
    let fingerprint = store.fingerprint();
    drop(store);
    let store = Store::<Model>::open(&dir).expect("the log opens");
    assert_eq!(store.fingerprint(), fingerprint);
    assert_eq!(assert_sound(&store), 8);
    drop(store);
    assert!(agrees::<Model>(&dir) > 30);
}
