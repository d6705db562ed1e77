// rustc: E0271

use build::*;
use ironweave::prelude::*;

include!("support/build.rs");

#[ironweave::model]
pub mod other {
    use ironweave::prelude::*;

    #[entity]
    pub struct Thing {}
}

fn fire(store: &mut Store<other::Model>, want: Want) {
    store.step(WantCanceled { want });
}

fn main() {}
