//! A new field is computed from others, and one of these is removed.

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
        pub price: u32,
        pub paid: u32,
    }

    #[event]
    #[create(bike: Bike { label, price, paid })]
    pub struct Bought {
        pub label: String,
        pub price: u32,
        pub paid: u32,
    }
}

#[ironweave::model]
pub mod v2 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bike {
        #[key]
        pub label: String,
        pub price: u32,
        #[index(ordered)]
        pub rest: i64,
    }

    #[event]
    #[create(bike: Bike { label, price, rest })]
    pub struct Bought {
        pub label: String,
        pub price: u32,
        #[default]
        pub rest: i64,
    }

    #[event]
    #[set(bike.rest = rest)]
    pub struct Paid {
        pub bike: Key<Bike>,
        pub rest: i64,
    }
}

pub fn migrate(
    old: GraphView<'_>,
    new: &mut Migration<'_, v2::Model>,
) -> Result<(), MigrationError> {
    for bike in old.entity_type("Bike")?.entities() {
        let (price, paid): (u32, u32) = (bike.get("price")?, bike.get("paid")?);
        new.set(bike, "rest", i64::from(price) - i64::from(paid))?;
    }
    Ok(())
}

pub struct ComputedField;

impl Change for ComputedField {
    const NAME: &'static str = "computed_field";
    type Before = v1::Model;
    type After = v2::Model;

    fn before(store: &mut Store<v1::Model>) -> Done {
        let bought = [("A1", 900, 300), ("A2", 500, 700), ("A3", 700, 0)];
        for (second, (label, price, paid)) in (1..).zip(bought) {
            let label = label.into();
            fire(store, second, v1::Bought { label, price, paid })?;
        }
        Ok(())
    }

    fn options() -> Options<v2::Model> {
        Store::options().migrate(migrate)
    }

    fn after(store: &mut Store<v2::Model>) -> Done {
        let (bike, rest) = ("A1".into(), 100);
        fire(store, 60, v2::Paid { bike, rest })
    }

    fn assert_read(store: &Store<v2::Model>) {
        let rests = v2::Bike::by_rest_range(store, ..).map(|bike| bike.rest(store));
        assert_eq!(rests.collect::<Vec<_>>(), [-200, 100, 700]);
    }
}
