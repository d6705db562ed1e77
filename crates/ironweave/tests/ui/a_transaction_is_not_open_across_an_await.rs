// says: future cannot be sent between threads safely

use build::*;
use ironweave::prelude::*;

include!("support/build.rs");

/// As the function of an executor that may continue a task on another thread.
fn spawn(_: impl Future<Output = ()> + Send) {}

async fn other_work() {}

fn start(mut store: Store<build::Model>) {
    spawn(async move {
        let transaction = store.begin();
        other_work().await;
        drop(transaction.commit());
    });
}

fn main() {}
