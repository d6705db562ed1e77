use build::{may, state::*, *};
use ironweave::prelude::*;

#[ironweave::model]
pub mod build {
    use ironweave::prelude::*;

    #[entity]
    pub struct Partition {
        #[key]
        pub name: String,
        #[default]
        pub attempts: u32,
    }
    #[states(Partition)]
    pub enum PartitionState {
        #[initial]
        #[to(Failed)]
        Building,
        #[terminal]
        Failed { reason: String },
    }

    #[event]
    pub struct Wanted {
        pub partition: Ensure<Partition>,
    }

    #[event]
    #[may(Partition: Building -> Failed, set Partition.attempts)]
    pub struct RunFailed {
        pub partition: Key<Partition>,
    }

    #[event]
    #[may(Partition: Building -> Failed, set Partition.attempts, delete Partition)]
    pub struct DiskFailed {}
}

/// What both events do.
fn give_up<E>(partition: Partition, tx: &mut Tx<'_, E>, why: &str) -> Result<(), Reject>
where
    E: may::PartitionBuildingToFailed + may::SetPartitionAttempts,
{
    let attempts = partition.attempts(tx);
    partition.set_attempts(tx, attempts + 1)?;
    if let PartitionState::Building(building) = partition.state(tx) {
        let failed: Partition<Failed> = building.to_failed(tx, why)?;
        assert_eq!(failed.reason(tx), why);
    }
    Ok(())
}

impl Apply for RunFailed {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        give_up(bound.partition, tx, "run")
    }
}

impl Apply for DiskFailed {
    fn apply(&self, _: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let all: Vec<Partition<Building>> = tx.place::<Partition, Building>().collect();
        all.iter().try_for_each(|p| give_up(p.any(), tx, "disk"))
    }
}

fn main() {
    let mut store = Store::<build::Model>::memory();
    for name in ["a", "b"] {
        store.step(Wanted {
            partition: name.into(),
        });
    }
    store.step(RunFailed {
        partition: "a".into(),
    });
    store.step(DiskFailed);
    let reason = |name: &str| {
        let partition = store
            .find::<Partition>(name)
            .and_then(|p| p.in_state::<Failed>(&store));
        partition.expect("it failed").reason(&store).to_owned()
    };
    assert_eq!(
        (reason("a"), reason("b")),
        ("run".to_owned(), "disk".to_owned())
    );
}
