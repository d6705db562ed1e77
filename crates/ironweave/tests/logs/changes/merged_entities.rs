//! Entities that are the same one are merged: one of them gets the links of the others, which are deleted.

use ironweave::dynamic::GraphView;
use ironweave::prelude::*;
use ironweave::{Migration, MigrationError, Options};

use super::{Change, Done, fire};

#[ironweave::model]
pub mod v1 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Member {
        #[key]
        pub email: String,
        pub bikes: Many<Bike>,
    }

    #[entity]
    pub struct Bike {
        #[key]
        pub label: String,
        #[inverse(Member::bikes)]
        pub owner: Option<Member>,
    }

    #[event]
    #[link(owner.bikes += bike)]
    pub struct Bought {
        pub owner: Ensure<Member>,
        pub bike: Ensure<Bike>,
    }
}

/// Members have a number from now on, so that the shape is another one.
#[ironweave::model]
pub mod v2 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Member {
        #[key]
        pub email: String,
        #[default]
        pub number: u32,
        pub bikes: Many<Bike>,
    }

    #[entity]
    pub struct Bike {
        #[key]
        pub label: String,
        #[inverse(Member::bikes)]
        pub owner: Option<Member>,
    }

    #[event]
    #[link(owner.bikes += bike)]
    pub struct Bought {
        pub owner: Ensure<Member>,
        pub bike: Ensure<Bike>,
    }

    #[event]
    #[relink(owner.bikes += bike)]
    pub struct Sold {
        pub owner: Ensure<Member>,
        pub bike: Key<Bike>,
    }
}

fn migrate(_: GraphView<'_>, new: &mut Migration<'_, v2::Model>) -> Result<(), MigrationError> {
    use v2::*;
    for (number, member) in (1u32..).zip(new.place::<Member, Any>()) {
        let email = member.email(new).to_lowercase();
        match new.find::<Member>(&email) {
            Some(kept) if kept != member => {
                for bike in member.bikes(new) {
                    new.relink(kept, "bikes", bike)?;
                }
                new.delete(member)?;
            }
            _ => {
                new.set(member, "email", email)?;
                new.set(member, "number", number)?;
            }
        }
    }
    Ok(())
}

pub struct MergedEntities;

impl Change for MergedEntities {
    const NAME: &'static str = "merged_entities";
    type Before = v1::Model;
    type After = v2::Model;

    fn before(store: &mut Store<v1::Model>) -> Done {
        let bought = [
            ("ada@club.org", "A1"),
            ("Bob@club.org", "B1"),
            ("Ada@club.org", "A2"),
            ("ADA@club.org", "A3"),
        ];
        for (second, (owner, bike)) in (1..).zip(bought) {
            let (owner, bike) = (owner.into(), bike.into());
            fire(store, second, v1::Bought { owner, bike })?;
        }
        Ok(())
    }

    fn options() -> Options<v2::Model> {
        Store::options().migrate(migrate)
    }

    fn after(store: &mut Store<v2::Model>) -> Done {
        use v2::*;
        let (owner, bike) = ("eve@club.org".into(), "A2".into());
        fire(store, 60, Sold { owner, bike })
    }

    fn assert_read(store: &Store<v2::Model>) {
        use v2::*;
        let all = store.place::<Member, Any>().map(|member| {
            let bikes = member.bikes(store).map(|bike| bike.label(store).to_owned());
            let bikes: Vec<String> = bikes.collect();
            let (email, number) = (member.email(store), member.number(store));
            format!("{email} {number} {bikes:?}")
        });
        let mut all: Vec<String> = all.collect();
        all.sort();
        let expected = [
            r#"ada@club.org 1 ["A1", "A3"]"#,
            r#"bob@club.org 2 ["B1"]"#,
            r#"eve@club.org 0 ["A2"]"#,
        ];
        assert_eq!(all, expected);
    }
}
