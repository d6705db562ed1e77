//! A checkpoint has the lists of the ends that held lists when it was written. A model whose edge holds more replays the log, and
//! then writes checkpoints of its own.

use ironweave::prelude::*;

use crate::harness::temp_dir;

#[ironweave::model]
mod one {
    use ironweave::prelude::*;

    #[entity]
    pub struct Owner {
        #[key]
        pub name: String,
        #[inverse(Pet::owner)]
        pub pet: Option<Pet>,
    }

    #[entity]
    pub struct Pet {
        #[key]
        pub name: String,
        pub owner: Option<Owner>,
    }

    #[event]
    #[link(pet.owner += owner)]
    pub struct Adopted {
        pub pet: Ensure<Pet>,
        pub owner: Ensure<Owner>,
    }
}

/// An owner may have several pets.
#[ironweave::model]
mod many {
    use ironweave::prelude::*;

    #[entity]
    pub struct Owner {
        #[key]
        pub name: String,
        #[renamed(from = "pet")]
        #[inverse(Pet::owner)]
        pub pets: Many<Pet>,
    }

    #[entity]
    pub struct Pet {
        #[key]
        pub name: String,
        pub owner: Option<Owner>,
    }

    #[event]
    #[link(pet.owner += owner)]
    pub struct Adopted {
        pub pet: Ensure<Pet>,
        pub owner: Ensure<Owner>,
    }
}

#[test]
fn a_checkpoint_from_before_an_edge_held_more_is_ignored() {
    let dir = temp_dir();
    let mut store = Store::<one::Model>::open(dir.path()).expect("the store opens");
    // The lists of the two ends differ.
    for (pet, owner) in [("rex", "ann"), ("tom", "bob"), ("kim", "eve")] {
        store.step(one::Adopted {
            pet: Ensure::new(pet.to_owned()),
            owner: Ensure::new(owner.to_owned()),
        });
    }
    store.checkpoint().expect("it can be written");
    let print = store.fingerprint();
    drop(store);

    // With the same model it is used.
    let store = Store::<one::Model>::open_read_only(dir.path()).expect("the store opens");
    assert!(store.opened_from().checkpoint().is_some());
    drop(store);

    let mut store = Store::<many::Model>::open(dir.path()).expect("the edge is looser");
    let opened = store.opened_from();
    assert_eq!(opened.checkpoint(), None, "{opened}");
    let ignored = opened.ignored();
    assert!(
        ignored.len() == 1 && ignored[0].reason().contains("another cardinality"),
        "{opened}"
    );
    assert_eq!((store.fingerprint(), store.check()), (print, vec![]));
    store.step(many::Adopted {
        pet: Ensure::new("max".to_owned()),
        owner: Ensure::new("ann".to_owned()),
    });
    store.checkpoint().expect("it can be written");
    let print = store.fingerprint();
    drop(store);

    let store = Store::<many::Model>::open_read_only(dir.path()).expect("the store opens");
    assert!(store.opened_from().checkpoint().is_some());
    assert_eq!((store.fingerprint(), store.check()), (print, vec![]));
    let ann = store.find::<many::Owner>("ann").expect("she exists");
    assert_eq!(ann.pets(&store).count(), 2);
}
