//! A migration that is larger than a frame may be: the group has several frames of facts.

use ironweave::Options;
use ironweave::prelude::*;

use super::computed_field::{migrate, v1, v2};
use super::{Change, Done, fire};

pub struct ManyFrames;

impl Change for ManyFrames {
    const NAME: &'static str = "many_frames";
    type Before = v1::Model;
    type After = v2::Model;

    fn before(store: &mut Store<v1::Model>) -> Done {
        for n in 1..=30 {
            let label = format!("bike {n}");
            let (price, paid) = (100 * n, 10 * n);
            fire(store, n.into(), v1::Bought { label, price, paid })?;
        }
        Ok(())
    }

    fn options() -> Options<v2::Model> {
        Store::options().migrate(migrate).transaction_bytes_max(300)
    }

    fn after(store: &mut Store<v2::Model>) -> Done {
        let (bike, rest) = ("bike 30".into(), 0);
        fire(store, 60, v2::Paid { bike, rest })
    }

    fn assert_read(store: &Store<v2::Model>) {
        let rests = v2::Bike::by_rest_range(store, ..).map(|bike| bike.rest(store));
        let expected = (0..30).map(|n| 90 * n);
        assert_eq!(rests.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}
