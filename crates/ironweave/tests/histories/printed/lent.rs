/// A history of 6 events, of which 1 is rejected.
pub fn history() {
    use crate::library::library::{state::*, *};
    use ironweave::prelude::*;

    let clock = ironweave::ManualClock::starting_at(Timestamp::from_micros(0));
    let mut store = Store::<Model>::options().clock(clock).memory();
    store.try_step(Returned { book: Key::new(5u64) }).expect_err("it is rejected");
    let book = store.step(Bought { isbn: 5, tags: vec![], shelf: "a".into() }).created.book;
    let book_2 = store.step(Bought { isbn: 7, tags: vec![], shelf: "a".into() }).created.book;
    let book_3 = store.step(Bought { isbn: 8, tags: vec![], shelf: "b".into() }).created.book;
    store.step(Borrowed { books: vec![book_3.in_state::<Here>(&store).expect("Here")] });
    store.step(Borrowed { books: vec![book.in_state::<Here>(&store).expect("Here"), book_2.in_state::<Here>(&store).expect("Here")] });
    assert!(store.count::<Book, Lent>() < 3, "three are lent");
}
