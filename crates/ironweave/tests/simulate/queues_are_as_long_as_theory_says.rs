//! The queue M/M/1 and its measures, which are known exactly.

use std::time::Duration;

use ironweave::prelude::*;
use ironweave::simulate::{Delay, Estimate, Simulation, now};

use crate::bank::bank::{self, state::*, *};

fn has(estimate: &Estimate, expected: f64) -> bool {
    let interval = estimate.confidence_interval();
    interval
        .is_some_and(|(low, high)| low < expected && expected < high && high - low < 0.3 * expected)
}

#[test]
fn with_one_clerk() {
    // Half of the time, the clerk is busy.
    let (between, service) = (Duration::from_secs(2), Duration::from_secs(1));
    let report = Simulation::<bank::Model>::new()
        .start(|store| {
            store.step(Hired {});
        })
        .without::<Hired>()
        .delay::<Arrived>(Delay::exponential(between))
        .delay::<Started>(Duration::ZERO)
        .bindings::<Started>(|store| {
            // The one that has waited longest.
            let customers = store.place::<Customer, Waiting>();
            let customer =
                customers.min_by_key(|customer| (customer.arrived(store), customer.id()));
            let clerk = store.place::<Clerk, Idle>().next();
            let started = customer
                .zip(clerk)
                .map(|(customer, clerk)| Started { customer, clerk });
            started.into_iter().collect()
        })
        .delay::<Finished>(Delay::exponential(service))
        .monitor("in the bank", |db| db.count::<Customer, Any>() as f64)
        .monitor("in the queue", |db| db.count::<Customer, Waiting>() as f64)
        .monitor("busy", |db| db.count::<Clerk, Busy>() as f64)
        .observe::<Started>("waited", |event, db| {
            let arrived = event.customer.any().arrived(db);
            Some(now(db).duration_since(arrived).as_secs_f64())
        })
        .warm_up(Duration::from_secs(100))
        .until_time(Duration::from_secs(1600))
        .replications(20)
        .seed(7)
        .run()
        .unwrap();
    // Kleinrock, Queueing Systems, 1975, volume 1, chapter 3.
    let load: f64 = 0.5;
    let mean = |name| report.monitor(name).unwrap().mean();
    assert!(has(mean("in the bank"), load / (1.0 - load)), "{report}");
    assert!(
        has(mean("in the queue"), load * load / (1.0 - load)),
        "{report}"
    );
    assert!(has(mean("busy"), load), "{report}");
    assert!(has(mean("waited"), load / (1.0 - load)), "{report}");
    assert!(has(report.event("Arrived").unwrap(), 750.0), "{report}");
    let busy = report.monitor("busy").unwrap();
    assert_eq!((busy.min(), busy.max()), (0.0, 1.0));
    assert_eq!(report.out_of_time(), 20);
    let text = report.to_string();
    assert!(
        text.contains("in the queue") && text.contains("95 % confidence"),
        "{text}"
    );
}
