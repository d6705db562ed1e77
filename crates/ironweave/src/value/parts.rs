//! The parts of a sequence, tuple, map or struct that is being written, with the path to where one cannot be.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::calls::Call;
use super::fault::WriteError;
use super::write::Writer;
use crate::cbor::TEXT;

const BREAK: u8 = 0xff;

/// The parts of a sequence, tuple, map or struct.
pub(super) struct Parts<'a, 'w> {
    writer: &'a mut Writer<'w>,
    /// Whether its length was not known, so that its end is marked.
    marked: bool,
    /// Whether it is a map that came entry by entry, without a length.
    pub(super) is_unknown_map: bool,
    written: usize,
}

impl<'a, 'w> Parts<'a, 'w> {
    pub(super) fn new(writer: &'a mut Writer<'w>, marked: bool) -> Self {
        Self {
            writer,
            marked,
            is_unknown_map: false,
            written: 0,
        }
    }

    #[inline]
    pub(super) fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        let at = self.written;
        self.written += 1;
        value
            .serialize(&mut *self.writer)
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
        value
            .serialize(&mut *self.writer)
            .map_err(|e| e.within(format_args!(".{name}")))
    }

    #[inline]
    fn close(self) -> Result<(), WriteError> {
        let writer = self.writer;
        writer.calls.take(Call::End, &[], &[])?;
        if self.marked {
            writer.byte(BREAK);
        }
        writer.has_unknown_map |= self.is_unknown_map && self.written > 1;
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
