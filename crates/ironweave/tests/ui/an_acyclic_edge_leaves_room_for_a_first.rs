// says: each `Folder` needs another in `parent`, and `acyclic` forbids cycles, so no first `Folder` could be created: write `pub parent: Option<Folder>`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Folder {
        #[edge(acyclic)]
        pub parent: Folder,
        #[inverse(Folder::parent)]
        pub children: Many<Folder>,
    }
}

fn main() {}
