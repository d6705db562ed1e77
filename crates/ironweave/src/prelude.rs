//! The items that most models and programs use: `use ironweave::prelude::*;`.

pub use crate::{
    Any, AnyEvent as _, Apply, Bound, Db, Durability, Ensure, Entity, Event, Filter, Guarded,
    Handle as _, Id, Key, Keyed, LoggedEvent, Meta, Model as _, OpenError, ReadError, Receipt,
    Reject, SharedStore, Snapshot, StateOf, StepError, StorageError, Store, Timestamp, Transaction,
    Tx, UpcastError,
};
