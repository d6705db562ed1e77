//! Any log and any graph without the types of its model: [`Dynamic`] is a model that is read from the log, and
//! [`GraphView`], which [`Db::by_name`](crate::Db::by_name) returns, reads a graph by the names in its schema.

pub use crate::db::named::{EntityType, EntityView, GraphView, LinkView, ValueView};
pub use crate::step::dynamic::{Dynamic, NoEvent};
