//! A state is split in two, by the data of the entities in it.

use ironweave::dynamic::GraphView;
use ironweave::prelude::*;
use ironweave::{Migration, MigrationError, Options};

use super::{Change, Done, fire};

#[ironweave::model]
pub mod v1 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bike {
        #[key]
        pub label: String,
    }
    #[states(Bike)]
    pub enum BikeState {
        #[initial]
        #[to(Broken)]
        Ready,
        #[to(Ready)]
        Broken { what: String },
    }

    #[event]
    #[create(bike: Bike { label })]
    pub struct Bought {
        pub label: String,
    }

    #[event]
    #[moves(bike: Ready -> Broken { what })]
    pub struct Crashed {
        pub bike: Key<Bike>,
        pub what: String,
    }
}

#[ironweave::model]
pub mod v2 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bike {
        #[key]
        pub label: String,
    }
    #[states(Bike)]
    pub enum BikeState {
        #[initial]
        #[to(Repair)]
        Ready,
        #[to(Ready, Scrapped)]
        Repair { what: String },
        #[terminal]
        Scrapped,
    }

    #[event]
    #[create(bike: Bike { label })]
    pub struct Bought {
        pub label: String,
    }

    #[event]
    #[moves(bike: Ready -> Repair { what })]
    pub struct Crashed {
        pub bike: Key<Bike>,
        pub what: String,
    }

    #[event]
    #[moves(bike: Repair -> Ready)]
    pub struct Repaired {
        pub bike: Key<Bike>,
    }

    #[event]
    #[moves(bike: Repair -> Scrapped)]
    pub struct Retired {
        pub bike: Key<Bike>,
    }
}

fn migrate(old: GraphView<'_>, new: &mut Migration<'_, v2::Model>) -> Result<(), MigrationError> {
    for bike in old.entity_type("Bike")?.entities_in("Broken")? {
        let what: String = bike.get("what")?;
        if what == "frame" {
            new.move_to(bike, "Scrapped", &[])?;
        } else {
            new.move_to(bike, "Repair", &[("what", &what)])?;
        }
    }
    Ok(())
}

pub struct SplitState;

impl Change for SplitState {
    const NAME: &'static str = "split_state";
    type Before = v1::Model;
    type After = v2::Model;

    fn before(store: &mut Store<v1::Model>) -> Done {
        use v1::*;
        for (second, label) in (1..).zip(["A1", "A2", "A3"]) {
            let label = label.into();
            fire(store, second, Bought { label })?;
        }
        for (second, bike, what) in [(4, "A1", "chain"), (5, "A2", "frame")] {
            let (bike, what) = (bike.into(), what.into());
            fire(store, second, Crashed { bike, what })?;
        }
        Ok(())
    }

    fn options() -> Options<v2::Model> {
        Store::options().migrate(migrate)
    }

    fn after(store: &mut Store<v2::Model>) -> Done {
        use v2::*;
        fire(store, 60, Repaired { bike: "A1".into() })?;
        let (bike, what) = ("A3".into(), "brake".into());
        fire(store, 61, Crashed { bike, what })
    }

    fn assert_read(store: &Store<v2::Model>) {
        use v2::*;
        let states = store.place::<Bike, Any>().map(|bike| bike.state(store));
        let states: Vec<String> = states.map(|state| state.to_string()).collect();
        assert_eq!(states, ["Ready", "Scrapped", "Repair"]);
        let in_repair = store.place::<Bike, state::Repair>().next();
        assert_eq!(in_repair.expect("a bike").what(store), "brake");
    }
}
