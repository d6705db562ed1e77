//! Server-sent events: the log has grown. The id of an event is the last frame, from which a client that reconnects continues.

use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use ironweave::Seq;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{App, Failure};
use crate::problem::Problem;
use crate::source::Source;

/// The number of streams at the same time.
const STREAMS_MAX: usize = 256;
/// The shortest time between two events.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long the thread waits for a frame before it looks whether it is still needed.
const PATIENCE: Duration = Duration::from_millis(500);

/// The last frame of the log, or why it cannot be read.
type Head = Result<Option<Seq>, Problem>;

/// Follows the log on a thread of its own, which ends when the explorer is dropped.
pub(crate) struct Follower {
    head: watch::Receiver<Head>,
    permits: Arc<Semaphore>,
}

impl Follower {
    pub(super) fn start(source: &Arc<dyn Source>) -> Self {
        let (sender, head) = watch::channel(Ok(source.last()));
        let source = Arc::downgrade(source);
        thread::spawn(move || follow(&source, &sender));
        Self {
            head,
            permits: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }
}

fn follow(source: &Weak<dyn Source>, sender: &watch::Sender<Head>) {
    while !sender.is_closed() {
        let known = sender.borrow().clone().unwrap_or_default();
        let Some(source) = source.upgrade() else {
            return;
        };
        let head = source.wait(known, PATIENCE);
        drop(source);
        sender.send_if_modified(|last| {
            let is_new = *last != head;
            *last = head;
            is_new
        });
        thread::sleep(INTERVAL);
    }
}

/// What one stream has told its client.
struct Told {
    head: watch::Receiver<Head>,
    last: Option<u64>,
    _permit: OwnedSemaphorePermit,
}

pub(super) async fn stream(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let last = match headers.get("last-event-id").map(|id| id.to_str()) {
        None => None,
        Some(Ok("")) => None,
        Some(id) => match id.ok().and_then(|id| id.parse::<u64>().ok()) {
            Some(seq) => Some(seq),
            None => {
                let message = "the header Last-Event-ID is not a sequence number";
                return Err(Problem::invalid(message).into());
            }
        },
    };
    let Ok(permit) = Arc::clone(&app.follower.permits).try_acquire_owned() else {
        return Err(Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{STREAMS_MAX} streams are open, which is the most; close one"),
        ));
    };
    let mut head = app.follower.head.clone();
    // A client that reconnects gets at once what it has missed.
    head.mark_changed();
    let told = Told {
        head,
        last,
        _permit: permit,
    };
    let events = stream::unfold(told, |mut told| async {
        loop {
            // The follower ends with the explorer.
            told.head.changed().await.ok()?;
            let head = told.head.borrow_and_update().clone();
            let event = match head {
                Err(problem) => Event::default()
                    .event("problem")
                    .data(json!({ "error": problem.message() }).to_string()),
                Ok(None) => continue,
                Ok(Some(seq)) if told.last == Some(seq.get()) => continue,
                Ok(Some(seq)) => {
                    let first = told.last.filter(|last| *last < seq.get());
                    told.last = Some(seq.get());
                    let grown = json!({ "first": first.map(|last| last + 1), "last": seq });
                    Event::default()
                        .id(seq.to_string())
                        .event("grown")
                        .data(grown.to_string())
                }
            };
            return Some((Ok(event), told));
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
