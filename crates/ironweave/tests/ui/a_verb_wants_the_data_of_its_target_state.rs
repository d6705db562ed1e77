// rustc: E0061

use build::{state::*, *};
use ironweave::prelude::*;

include!("support/build.rs");

fn fail(partition: Partition<Building>, tx: &mut Tx<'_, JobFailed>) {
    let _ = partition.to_failed(tx);
}

fn main() {}
