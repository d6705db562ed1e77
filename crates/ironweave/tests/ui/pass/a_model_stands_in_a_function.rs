fn count() -> usize {
    #[ironweave::model]
    mod local {
        use ironweave::prelude::*;

        #[entity]
        pub struct Note {
            #[index]
            pub page: u32,
        }

        #[event]
        #[create(note: Note { page = 3 })]
        pub struct Taken {}
    }

    let mut store = ironweave::Store::<local::Model>::memory();
    store.step(local::Taken);
    local::Note::by_page(&store, &3).count()
}

fn main() {
    assert_eq!(count(), 1);
}
