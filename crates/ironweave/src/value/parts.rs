//! The serializer of the parts of a sequence, tuple, map or struct. It adds each part to the path of an error inside it.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::calls::Call;
use super::fault::WriteError;
use super::write::ValueWriter;
use crate::base::cbor::{BREAK, TEXT};

/// Serializes the parts of a sequence, tuple, map or struct.
pub(super) struct Parts<'a, 'w> {
    writer: &'a mut ValueWriter<'w>,
    /// Whether the head has no length, so that a break must end it.
    is_indefinite: bool,
    /// Whether the parts may come from a collection whose iteration order is random.
    pub(super) in_unknown_order: bool,
    written: usize,
}

impl<'a, 'w> Parts<'a, 'w> {
    pub(super) fn new(writer: &'a mut ValueWriter<'w>, is_indefinite: bool) -> Self {
        Self {
            writer,
            is_indefinite,
            in_unknown_order: false,
            written: 0,
        }
    }

    /// Returns the serializer for a `Serialize` that passes its parts one by one and not as an iterator, so that the type of
    /// the collection is unknown.
    pub(super) fn one_by_one(writer: &'a mut ValueWriter<'w>, len: Option<usize>) -> Self {
        // JSON objects have a fixed order.
        let in_unknown_order = !writer.ty.starts_with("serde_json::");
        Self {
            in_unknown_order,
            ..Self::new(writer, len.is_none())
        }
    }

    #[inline]
    pub(super) fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        let at = self.written;
        self.written += 1;
        self.writer
            .write(value)
            .map_err(|e| e.within(format_args!("[{at}]")))
    }

    #[inline]
    fn named<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), WriteError> {
        (self.writer.calls).take(Call::Field, &[], &[name.as_bytes()])?;
        self.writer.text(name.as_bytes(), TEXT);
        self.writer
            .write(value)
            .map_err(|e| e.within(format_args!(".{name}")))
    }

    #[inline]
    fn close(self) -> Result<(), WriteError> {
        let writer = self.writer;
        writer.calls.take(Call::End, &[], &[])?;
        if self.is_indefinite {
            writer.byte(BREAK);
        }
        writer.has_unknown_order |= self.in_unknown_order && self.written > 1;
        writer.depth = writer.depth.saturating_sub(1);
        Ok(())
    }
}

macro_rules! listed {
    ($($name:ident::$part:ident),*) => {
        $(impl $name for Parts<'_, '_> {
            type Ok = ();
            type Error = WriteError;

            fn $part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
                self.item(value)
            }

            fn end(self) -> Result<(), WriteError> {
                self.close()
            }
        })*
    };
}

listed!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! fields {
    ($($name:ident),*) => {
        $(impl $name for Parts<'_, '_> {
            type Ok = ();
            type Error = WriteError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), WriteError> {
                self.named(name, value)
            }

            fn end(self) -> Result<(), WriteError> {
                self.close()
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Parts<'_, '_> {
    type Ok = ();
    type Error = WriteError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), WriteError> {
        key.serialize(&mut *self.writer)
            .map_err(WriteError::within_key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        self.item(value)
    }

    fn end(self) -> Result<(), WriteError> {
        self.close()
    }
}
