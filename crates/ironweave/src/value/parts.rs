//! The parts of a sequence, tuple, map or struct that is being written, with the path to where one cannot be.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::calls::Call;
use super::fault::WriteError;
use super::write::ValueWriter;
use crate::base::cbor::TEXT;

const BREAK: u8 = 0xff;

/// The parts of a sequence, tuple, map or struct.
pub(super) struct Parts<'a, 'w> {
    writer: &'a mut ValueWriter<'w>,
    /// Whether its length was not known, so that its end is marked.
    marked: bool,
    /// Whether it comes part by part, out of a collection that is not known.
    pub(super) in_unknown_order: bool,
    written: usize,
}

impl<'a, 'w> Parts<'a, 'w> {
    pub(super) fn new(writer: &'a mut ValueWriter<'w>, marked: bool) -> Self {
        Self {
            writer,
            marked,
            in_unknown_order: false,
            written: 0,
        }
    }

    /// What a `Serialize` gives part by part.
    pub(super) fn one_by_one(writer: &'a mut ValueWriter<'w>, len: Option<usize>) -> Self {
        // That of JSON objects keeps an order.
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
        if self.marked {
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
