mod inner {
    /// Seen in `inner` and no further.
    #[ironweave::model]
    pub(super) mod secret {
        use ironweave::prelude::*;

        #[entity]
        pub struct Note {
            pub(crate) text: String,
        }

        #[event]
        #[create(note: Note { text })]
        pub struct Taken {
            pub text: String,
        }
    }

    pub fn length() -> usize {
        let mut store = ironweave::Store::<secret::Model>::memory();
        let note = store
            .step(secret::Taken {
                text: "four".to_owned(),
            })
            .created
            .note;
        note.text(&store).len()
    }

    pub mod deeper {
        #[ironweave::model]
        mod nested {
            use ironweave::prelude::*;

            #[entity]
            pub struct Note {}

            #[event]
            #[create(note: Note)]
            pub struct Taken {}
        }

        pub fn alive() -> bool {
            let mut store = ironweave::Store::<nested::Model>::memory();
            let note = store.step(nested::Taken).created.note;
            note.alive(&store)
        }
    }
}

fn main() {
    assert_eq!(inner::length(), 4);
    assert!(inner::deeper::alive());
}
