use ironweave::prelude::*;
use lang::{state::*, *};

#[ironweave::model]
pub mod lang {
    use ironweave::prelude::*;

    #[entity]
    pub struct Item {
        pub r#type: String,
        pub r#use: Many<Item>,
        #[inverse(Item::r#use)]
        pub r#in: Many<Item>,
    }
    #[states(Item)]
    pub enum ItemState {
        #[initial]
        #[to(r#move -> Done)]
        Open,
        #[terminal]
        Done { r#where: String },
    }

    #[event]
    #[create(r#fn: Item { r#type })]
    #[link(r#fn.r#use += r#mod)]
    pub struct Declared {
        pub r#type: String,
        pub r#mod: Option<Item>,
    }

    #[event]
    #[may(Item: Open -> Done, set Item.r#type, unlink Item.r#use)]
    pub struct Removed {
        pub r#mod: Item<Open>,
    }
}

impl Apply for Removed {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let item = bound.r#mod;
        item.set_type(tx, "gone")?;
        for user in item.r#in(tx) {
            user.unlink_use(tx, &item)?;
        }
        item.r#move(tx, "nowhere")?;
        Ok(())
    }
}

fn main() {
    let mut store = Store::<lang::Model>::memory();
    let first = store
        .step(Declared {
            r#type: "fn".to_owned(),
            r#mod: None,
        })
        .created
        .r#fn;
    let event = Declared {
        r#type: "mod".to_owned(),
        r#mod: Some(first),
    };
    let second = store.step(event).created.r#fn;
    let open = first.in_state::<Open>(&store).expect("just declared");
    store.step(Removed { r#mod: open });
    let done = first.in_state::<Done>(&store).expect("removed");
    assert_eq!(
        (first.r#type(&store), done.r#where(&store)),
        ("gone", "nowhere")
    );
    assert_eq!(second.use_count(&store), 0);
    let gone = Item::TYPE.eq("gone") & Item::<Done>::WHERE.ne("here") & Item::USE.is_empty();
    assert_eq!(gone.first(&store), Some(first));
}
