// rustc: E0599

use build::{state::*, *};
use ironweave::prelude::*;

include!("support/build.rs");

fn again(failed: JobRun<Failed>, tx: &mut Tx<'_, JobFailed>) {
    let _ = failed.fail(tx, 1);
}

fn main() {}
