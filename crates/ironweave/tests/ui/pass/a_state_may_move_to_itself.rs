use ironweave::prelude::*;
use node::{state::*, *};

#[ironweave::model]
pub mod node {
    use ironweave::prelude::*;

    #[entity]
    pub struct Node {}
    #[states(Node)]
    pub enum NodeState {
        #[initial]
        #[to(Up)]
        Down,
        #[to(beat -> Up, Down)]
        Up { beats: u32 },
    }

    #[event]
    #[create(node: Node in Up { beats = 0 })]
    pub struct Joined {}

    #[event]
    #[moves(node: Up -> Up { beats })]
    pub struct Beat {
        pub node: Node<Up>,
        pub beats: u32,
    }
}

fn main() {
    let mut store = Store::<node::Model>::memory();
    let node: Node<Up> = store.step(Joined).bound.node;
    let node: Node<Up> = store.step(Beat { node, beats: 1 }).bound.node;
    assert_eq!(node.beats(&store), 1);
}
