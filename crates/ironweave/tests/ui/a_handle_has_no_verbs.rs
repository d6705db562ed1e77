// rustc: E0599

use build::*;
use ironweave::prelude::*;

include!("support/build.rs");

fn again(run: JobRun, tx: &mut Tx<'_, JobFailed>) {
    let _ = run.fail(tx, 1);
}

fn main() {}
