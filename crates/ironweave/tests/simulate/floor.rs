//! Parts on a floor, which are worked on alone and in pairs. Events compete for them.

#[ironweave::model]
pub mod floor {
    use ironweave::prelude::*;

    #[entity]
    pub struct Part {}
    #[states(Part)]
    pub enum PartState {
        #[initial]
        #[to(B)]
        A,
        #[to(C, A)]
        B,
        #[to(D)]
        C,
        #[to(A)]
        D,
    }

    #[event]
    #[create(part: Part)]
    pub struct Made {}

    #[event]
    #[moves(part: A -> B)]
    pub struct Cut {
        pub part: Part<A>,
    }

    #[event]
    #[moves(part: B -> C)]
    pub struct Bent {
        pub part: Part<B>,
    }

    #[event]
    #[moves(left: B -> A)]
    #[moves(right: C -> D)]
    pub struct Joined {
        pub left: Part<B>,
        pub right: Part<C>,
    }

    #[event]
    #[moves(part: D -> A)]
    pub struct Returned {
        pub part: Part<D>,
    }
}

/// A store on which parts are made.
pub fn parts(count: usize) -> impl Fn(&mut ironweave::Store<floor::Model>) + Send + Sync {
    move |store| {
        (0..count).for_each(|_| {
            store.step(floor::Made {});
        });
    }
}
