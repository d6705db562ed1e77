//! Binding by encoded fields, for an event that only a schema describes.

use std::sync::Arc;

use minicbor::Decoder;

use super::Binder;
use crate::base::cbor::NULL;
use crate::base::error::{Chain, Reject, StepError};
use crate::base::id::Id;
use crate::graph::any::either;
use crate::graph::key::{self, parts};
use crate::schema::{BindBy, Cardinality, ColumnIx, EntityIx, NameDef};
use crate::value::item::{array, display, raw_item};
use crate::value::{DecodeError, decode};

/// Returns the default of a column in CBOR.
pub(in crate::step) type DefaultOf<'d> = &'d dyn Fn(ColumnIx) -> Result<Vec<u8>, Reject>;

impl Binder<'_> {
    /// Binds a name by the encoding of its field.
    ///
    /// # Errors
    /// As [`Binder::one`] and [`Binder::many`].
    pub(in crate::step) fn encoded(
        &mut self,
        name: &NameDef,
        bytes: &[u8],
        default: DefaultOf<'_>,
    ) -> Result<(), Reject> {
        match name.count {
            Cardinality::One => {
                let id = self.encoded_one(name, bytes, default)?;
                self.bindings.push_one(id);
            }
            Cardinality::Option => {
                let id = match bytes {
                    [NULL] => None,
                    _ => Some(self.encoded_one(name, bytes, default)?),
                };
                self.bindings.push_many(id.into_iter());
            }
            Cardinality::Many => {
                let start = self.bindings.all().len();
                for item in items(bytes).map_err(unreadable)? {
                    let id = self.encoded_one(name, item, default)?;
                    self.bindings.push_member(id);
                }
                self.end_set(start)?;
            }
        }
        Ok(())
    }

    fn encoded_one(
        &mut self,
        name: &NameDef,
        bytes: &[u8],
        default: DefaultOf<'_>,
    ) -> Result<Id, Reject> {
        let claimed = match name.by {
            BindBy::Token(state) => Some(state),
            BindBy::Key | BindBy::Ensure => {
                return self.encoded_key(name, bytes, default);
            }
            BindBy::Handle | BindBy::Created | BindBy::Chosen => None,
        };
        let bits = decode(bytes).map_err(unreadable)?;
        let id = Id::from_bits(bits).ok_or_else(|| unreadable("it is no id"))?;
        self.handle(name.entity, id, claimed)
    }

    fn encoded_key(
        &mut self,
        name: &NameDef,
        bytes: &[u8],
        default: DefaultOf<'_>,
    ) -> Result<Id, Reject> {
        let entity = name.entity;
        let layout = Arc::clone(self.graph.as_ref().layout());
        let key = &layout.entities[usize::from(entity)].key;
        let values = match key.len() {
            1 => vec![bytes],
            _ => parts(bytes),
        };
        let found = either!(self.graph.as_ref(), graph => graph.with_key(entity, &values));
        match found {
            Some(id) => Ok(id),
            None if name.by == BindBy::Ensure => self.ensure(entity, key, &values, default),
            None => Err(StepError::UnknownKey {
                event: Arc::clone(&self.event.name),
                entity: Arc::clone(&layout.entities[usize::from(entity)].name),
                key: match key.len() {
                    1 => display(bytes),
                    _ => key::text(values.into_iter()),
                },
                chain: Chain::default(),
            }
            .into()),
        }
    }

    /// Creates an entity in its initial state.
    fn ensure(
        &mut self,
        entity: EntityIx,
        key: &[ColumnIx],
        values: &[&[u8]],
        default: DefaultOf<'_>,
    ) -> Result<Id, Reject> {
        let layout = Arc::clone(self.graph.as_ref().layout());
        let initial = layout.schema[entity].initial;
        let slot = self.graph.create(self.journal, entity, initial)?;
        for (column, value) in key.iter().zip(values) {
            self.graph.set_encoded(self.journal, *column, slot, value)?;
        }
        for column in &layout.entities[usize::from(entity)].defaults {
            let value = default(*column)?;
            self.graph
                .set_encoded(self.journal, *column, slot, &value)?;
        }
        Ok(self.graph.as_ref().id(entity, slot))
    }
}

fn items(bytes: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let mut d = Decoder::new(bytes);
    let n = array(&mut d)?;
    (0..n).map(|_| raw_item(&mut d)).collect()
}

/// The error for a field that is not encoded as its name requires, as in a log that another program has written.
fn unreadable(e: impl std::fmt::Display) -> Reject {
    Reject::new(format!("a field cannot be read: {e}"))
}
