//! The same seed gives the same results, with any number of threads, and replications are independent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ironweave::simulate::{Delay, Report, Simulation};

use crate::floor::floor::{self, *};
use crate::floor::parts;

fn simulation() -> Simulation<floor::Model> {
    let exponential = |n| Delay::exponential(Duration::from_secs(n));
    Simulation::new()
        .start(parts(4))
        .without::<Made>()
        .delay::<Cut>(exponential(3))
        .delay::<Bent>(exponential(2))
        .delay::<Joined>(exponential(1))
        .delay::<Returned>(Duration::ZERO)
        .until_time(Duration::from_secs(30))
        .replications(40)
}

fn joined(report: &Report) -> &[f64] {
    report.event("Joined").unwrap().values()
}

#[test]
fn with_any_number_of_threads() {
    let reports =
        [1, 2, 3, 100].map(|threads| simulation().threads(threads).seed(9).run().unwrap());
    let first = joined(&reports[0]);
    assert!(reports.iter().all(|report| joined(report) == first));
    assert!(first[0] < first[39]);
    let other = simulation().seed(10).run().unwrap();
    assert_ne!(joined(&other), first);
}

#[test]
fn each_has_random_numbers_of_its_own() {
    // The first replications are the same, however many follow.
    let few = simulation().replications(5).run().unwrap();
    let many = simulation().replications(40).run().unwrap();
    let mut left = joined(&many).to_vec();
    for value in joined(&few) {
        let at = left.iter().position(|other| other == value);
        left.remove(at.unwrap());
    }
}

#[test]
fn few_give_an_interval_by_students_distribution() {
    let report = simulation().replications(5).run().unwrap();
    let estimate = report.event("Joined").unwrap();
    let mean = estimate.values().iter().sum::<f64>() / 5.0;
    let squares = estimate.values().iter().map(|value| (value - mean).powi(2));
    // The quantile 0.975 with four degrees of freedom.
    let half = 2.776_445 * (squares.sum::<f64>() / 4.0 / 5.0).sqrt();
    let (low, high) = estimate.confidence_interval().unwrap();
    assert!(half > 0.0 && (low - (mean - half)).abs() < 1e-9, "{report}");
    assert!((high - (mean + half)).abs() < 1e-9, "{report}");
}

#[test]
fn progress_is_reported() {
    let calls = Arc::new(AtomicUsize::new(0));
    let events = Arc::new(AtomicU64::new(0));
    let (seen, last) = (Arc::clone(&calls), Arc::clone(&events));
    let report = simulation()
        .progress(Duration::ZERO, move |progress| {
            seen.fetch_add(1, Ordering::SeqCst);
            last.fetch_max(progress.events, Ordering::SeqCst);
            assert!(
                progress.done <= progress.of && progress.to_string().contains("of 40 replications")
            );
        })
        .run()
        .unwrap();
    assert!(calls.load(Ordering::SeqCst) > 1);
    assert_eq!(events.load(Ordering::SeqCst), report.fired());
}
