// rustc: E0382

use build::{state::*, *};
use ironweave::prelude::*;

include!("support/build.rs");

fn fail(partition: Partition<Building>, tx: &mut Tx<'_, JobFailed>) -> Result<(), Reject> {
    partition.to_failed(tx, "once")?;
    partition.to_failed(tx, "twice")?;
    Ok(())
}

fn main() {}
