//! Another field is the key, with values that the migration gives.

use ironweave::dynamic::GraphView;
use ironweave::prelude::*;
use ironweave::{Migration, MigrationError, Options};

use super::{Change, Done, fire};

#[ironweave::model]
pub mod v1 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Team {
        #[key]
        pub name: String,
        #[default]
        pub wins: u8,
    }

    #[event]
    #[create(team: Team { name })]
    pub struct Founded {
        pub name: String,
    }

    #[event]
    #[set(team.wins = wins)]
    pub struct Played {
        pub team: Key<Team>,
        pub wins: u8,
    }
}

#[ironweave::model]
pub mod v2 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Team {
        #[key]
        pub code: u32,
        pub name: String,
        #[default]
        pub wins: u8,
    }

    /// The former event has another name in the log, since its key of a team is another one.
    #[event]
    #[create(team: Team { code, name })]
    pub struct Registered {
        pub code: u32,
        pub name: String,
    }

    #[event]
    #[set(team.wins = wins)]
    pub struct Won {
        pub team: Key<Team>,
        pub wins: u8,
    }
}

fn migrate(_: GraphView<'_>, new: &mut Migration<'_, v2::Model>) -> Result<(), MigrationError> {
    for (code, team) in (101u32..).zip(new.place::<v2::Team, Any>()) {
        new.set(team, "code", code)?;
    }
    Ok(())
}

pub struct OtherKey;

impl Change for OtherKey {
    const NAME: &'static str = "other_key";
    type Before = v1::Model;
    type After = v2::Model;

    fn before(store: &mut Store<v1::Model>) -> Done {
        use v1::*;
        for (second, name) in (1..).zip(["road", "track"]) {
            let name = name.into();
            fire(store, second, Founded { name })?;
        }
        let (team, wins) = ("track".into(), 3);
        fire(store, 3, Played { team, wins })
    }

    fn options() -> Options<v2::Model> {
        Store::options().migrate(migrate)
    }

    fn after(store: &mut Store<v2::Model>) -> Done {
        use v2::*;
        // Names may be equal from now on.
        let (code, name) = (200, "road".into());
        fire(store, 60, Registered { code, name })?;
        let team = Key::new(101u32);
        fire(store, 61, Won { team, wins: 1 })
    }

    fn assert_read(store: &Store<v2::Model>) {
        let team = |code: u32| {
            let team = store.find::<v2::Team>(&code).expect("the team");
            (team.name(store).to_owned(), team.wins(store))
        };
        assert_eq!(team(101), ("road".to_owned(), 1));
        assert_eq!(team(102), ("track".to_owned(), 3));
        assert_eq!(team(200), ("road".to_owned(), 0));
    }
}
