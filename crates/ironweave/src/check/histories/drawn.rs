//! Values of fields that a strategy of the user draws, without their type.

use std::fmt;
use std::sync::Arc;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Reason, TestRunner};
use serde::Serialize;

use crate::value::encode;

/// A strategy for the values of a field.
pub(super) trait DrawValues {
    fn draw(&self, runner: &mut TestRunner) -> Result<Box<dyn DrawnValue>, Reason>;
}

/// A value that was drawn, and that can be simplified.
pub(super) trait DrawnValue {
    /// The value in CBOR.
    fn encoded(&self) -> Result<Vec<u8>, String>;
    /// As that of a [`ValueTree`].
    fn simplify(&mut self) -> bool;
    /// As that of a [`ValueTree`].
    fn complicate(&mut self) -> bool;
}

impl<S: Strategy<Value: Serialize> + 'static> DrawValues for S {
    fn draw(&self, runner: &mut TestRunner) -> Result<Box<dyn DrawnValue>, Reason> {
        Ok(Box::new(self.new_tree(runner)?))
    }
}

impl<T: ValueTree<Value: Serialize>> DrawnValue for T {
    fn encoded(&self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        encode(&self.current(), &mut bytes).map_err(|e| e.to_string())?;
        Ok(bytes)
    }

    fn simplify(&mut self) -> bool {
        ValueTree::simplify(self)
    }

    fn complicate(&mut self) -> bool {
        ValueTree::complicate(self)
    }
}

/// A field whose values a strategy draws.
#[derive(Clone)]
pub(super) struct DrawnField {
    pub event: &'static str,
    pub field: String,
    pub strategy: Arc<dyn DrawValues>,
    /// How many values of fields were given with it. Those that were given later count.
    pub since: usize,
}

impl fmt::Debug for DrawnField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.event, self.field)
    }
}
