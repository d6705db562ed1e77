use files::*;

#[ironweave::model]
pub mod files {
    use ironweave::prelude::*;

    #[entity]
    pub struct Folder {
        #[edge(acyclic)]
        pub parent: Option<Folder>,
        #[inverse(Folder::parent)]
        #[edge(on_delete = cascade)]
        pub children: Many<Folder>,
    }

    #[event]
    #[create(folder: Folder)]
    #[link(folder.parent += parent)]
    pub struct Made {
        pub parent: Option<Folder>,
    }

    #[event]
    #[relink(folder.parent += into)]
    pub struct Moved {
        pub folder: Folder,
        pub into: Folder,
    }

    #[event]
    #[delete(folder)]
    pub struct Removed {
        pub folder: Folder,
    }
}

fn main() {
    let mut store = ironweave::Store::<files::Model>::memory();
    let root = store.step(Made { parent: None }).created.folder;
    let leaf = store.step(Made { parent: Some(root) }).created.folder;
    assert!(
        store
            .try_step(Moved {
                folder: root,
                into: leaf
            })
            .is_err()
    );
    store.step(Removed { folder: root });
    assert!(!leaf.alive(&store));
}
