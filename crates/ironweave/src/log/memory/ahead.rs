//! The memory of the next chunk, prepared while the current one is filled.
//!
//! The first write to a page of new memory makes the operating system find and clear that page, which can take longer than the
//! append of all frames that fit in it. A thread therefore allocates the next chunk and writes to each of its pages. The thread
//! ends when it has done so. Nothing depends on it: if it is late, or cannot be started, the log allocates the chunk itself.

use std::fmt;
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::thread;

/// The size of the smallest pages of common processors.
const PAGE_BYTES: usize = 4096;
/// The stack of the thread, which calls nothing.
const STACK_BYTES: usize = 64 << 10;

/// The memory of the next chunk.
#[derive(Clone, Default)]
pub(super) struct Ahead(Arc<Mutex<Option<Vec<u8>>>>);

impl fmt::Debug for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ahead").finish_non_exhaustive()
    }
}

impl Ahead {
    /// Lets a thread prepare memory for `bytes` bytes, unless some is there that was not taken.
    #[cold]
    pub(super) fn prepare(&self, bytes: usize) {
        if (self.0.try_lock()).is_ok_and(|ready| ready.is_some()) {
            return;
        }
        let ready = Arc::clone(&self.0);
        let work = move || {
            let memory = touched(bytes);
            if let Ok(mut ready) = ready.lock() {
                *ready = Some(memory);
            }
        };
        let thread = thread::Builder::new()
            .name("ironweave-memory-log".into())
            .stack_size(STACK_BYTES);
        // Without the thread, `take` returns `None`.
        drop(thread.spawn(work));
    }

    /// Returns the prepared memory if it is ready. It has zeros and ones. Never blocks, so that a fork of the process, which does not have the thread,
    /// does not wait for it.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        self.0.try_lock().ok()?.take()
    }
}

/// Returns a vector of `bytes` bytes, each page of which was written to.
fn touched(bytes: usize) -> Vec<u8> {
    let mut memory = vec![0; bytes];
    for byte in memory.iter_mut().step_by(PAGE_BYTES) {
        // A zero would not need to be written.
        *byte = 1;
    }
    black_box(memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepared_memory_is_taken_once() {
        let ahead = Ahead::default();
        assert!(ahead.take().is_none(), "nothing was prepared");
        ahead.prepare(10_000);
        let memory = loop {
            if let Some(memory) = ahead.take() {
                break memory;
            }
            thread::yield_now();
        };
        assert_eq!(memory.len(), 10_000);
        assert!(ahead.take().is_none());
    }
}
