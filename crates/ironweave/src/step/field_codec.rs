//! The fields of an event as bytes: how a log and a decoded transaction have them.

use minicbor::Decoder;
use minicbor::data::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::cbor::{ARRAY, MAP, NULL, UINT, head};
use crate::base::id::Id;
use crate::step::bind::Ref;
use crate::step::event::DynEvent;
use crate::step::fields::Missing;
use crate::value::fixed::word_of;
use crate::value::item::{self, raw_item};
use crate::value::{DecodeError, EncodeError, Equal, decode, encode_faithful};

/// The length of a word of a binding.
pub(crate) const WORD_BYTES: usize = 8;

/// How the binding of an event is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BindingForm {
    /// As in a frame of the log: a word for each field, in order. A value that needs more than a word follows the word of
    /// its length. If the event chose entities, the number of those of each name and their ids follow.
    #[default]
    Words,
    /// As in a decoded transaction: a CBOR map of the fields by index. If the event chose entities, an array of those of each
    /// name follows.
    Items,
}

/// Encodes the fields of an event, in order.
pub struct FieldWriter<'b> {
    bytes: &'b mut Vec<u8>,
    form: BindingForm,
    pub(crate) failed: Option<(u16, EncodeError)>,
    /// How the values of a field are compared with what is read back of them.
    pub(crate) equal: fn(u16) -> Option<Equal>,
}

impl<'b> FieldWriter<'b> {
    /// Begins the binding of an event with so many fields, behind `bytes`.
    #[inline(always)]
    pub(crate) fn new(bytes: &'b mut Vec<u8>, form: BindingForm, fields: usize) -> Self {
        if form == BindingForm::Items {
            head(bytes, MAP, fields as u64);
        }
        Self {
            bytes,
            form,
            failed: None,
            equal: |_| None,
        }
    }

    /// Writes one field.
    #[inline(always)]
    pub fn field<T: Serialize + DeserializeOwned + 'static>(&mut self, index: u16, value: &T) {
        if self.form == BindingForm::Words
            && let Some(word) = word_of(value)
        {
            self.word(word);
            return;
        }
        self.value(index, value);
    }

    /// Writes a field in CBOR.
    #[inline(never)]
    fn value<T: Serialize + DeserializeOwned + 'static>(&mut self, index: u16, value: &T) {
        let equal = self.equal;
        self.item(index, |bytes| {
            encode_faithful(value, bytes, || equal(index))
        });
    }

    /// Writes a field that names an entity.
    #[inline(always)]
    pub fn one(&mut self, index: u16, named: &impl Ref) {
        match named.handle() {
            Some(id) if self.form == BindingForm::Words => self.word(id.to_bits()),
            _ => self.one_item(index, named),
        }
    }

    #[inline(never)]
    fn one_item(&mut self, index: u16, named: &impl Ref) {
        self.item(index, |bytes| write_named(bytes, named));
    }

    /// Writes a field that may name an entity.
    pub fn option(&mut self, index: u16, named: Option<&impl Ref>) {
        self.item(index, |bytes| match named {
            Some(named) => write_named(bytes, named),
            None => {
                bytes.push(NULL);
                Ok(())
            }
        });
    }

    /// Writes a field that names several entities.
    pub fn many(&mut self, index: u16, named: &[impl Ref]) {
        self.item(index, |bytes| {
            head(bytes, ARRAY, named.len() as u64);
            named.iter().try_for_each(|named| write_named(bytes, named))
        });
    }

    /// Writes a field that is encoded.
    pub(crate) fn encoded(&mut self, index: u16, bytes: &[u8]) {
        self.item(index, |out| {
            out.extend_from_slice(bytes);
            Ok(())
        });
    }

    #[inline(always)]
    fn word(&mut self, word: u64) {
        self.bytes.extend_from_slice(&word.to_le_bytes());
    }

    /// Writes a field of any length.
    fn item(&mut self, index: u16, write: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>) {
        match self.form {
            BindingForm::Items => head(self.bytes, UINT, index.into()),
            // The length.
            BindingForm::Words => self.word(0),
        }
        let start = self.bytes.len();
        if let Err(e) = write(self.bytes) {
            self.failed.get_or_insert((index, e));
        }
        if self.form == BindingForm::Items {
            return;
        }
        let len = self.bytes.len() - start;
        if let Some(word) = self.bytes[..start].last_chunk_mut() {
            *word = (len as u64).to_le_bytes();
        }
        self.bytes
            .resize(start + len.next_multiple_of(WORD_BYTES), 0);
    }
}

/// Encodes the fields of an event as a decoded transaction has them. The error is of the first field that cannot be written.
pub(crate) fn encode_items(
    event: &dyn DynEvent,
    fields: usize,
) -> Result<Vec<u8>, (u16, EncodeError)> {
    let mut bytes = Vec::new();
    let mut writer = FieldWriter::new(&mut bytes, BindingForm::Items, fields);
    event.encode(&mut writer);
    match writer.failed {
        Some(failed) => Err(failed),
        None => Ok(bytes),
    }
}

/// Appends the id of a handle, as serde does, or the key.
fn write_named(bytes: &mut Vec<u8>, named: &impl Ref) -> Result<(), EncodeError> {
    match named.handle() {
        Some(id) => {
            head(bytes, UINT, id.to_bits());
            Ok(())
        }
        None => named.encode_key(bytes),
    }
}

/// Appends the binding of an immediate event, which is the entity that it fired on.
pub(crate) fn write_immediate(bytes: &mut Vec<u8>, form: BindingForm, on: Id) {
    match form {
        BindingForm::Words => bytes.extend_from_slice(&on.to_bits().to_le_bytes()),
        BindingForm::Items => head(bytes, UINT, on.to_bits()),
    }
}

/// Appends the entities of each name that an event chose to its binding.
pub(crate) fn write_chosen<'i>(
    bytes: &mut Vec<u8>,
    form: BindingForm,
    names: impl ExactSizeIterator<Item = &'i [Id]>,
) {
    if form == BindingForm::Items {
        head(bytes, ARRAY, names.len() as u64);
    }
    for ids in names {
        match form {
            BindingForm::Items => head(bytes, ARRAY, ids.len() as u64),
            BindingForm::Words => bytes.extend_from_slice(&(ids.len() as u64).to_le_bytes()),
        }
        for id in ids {
            match form {
                BindingForm::Items => head(bytes, UINT, id.to_bits()),
                BindingForm::Words => bytes.extend_from_slice(&id.to_bits().to_le_bytes()),
            }
        }
    }
}

/// Reads the entities of each name that an event chose from behind its fields in a decoded transaction. A name that the log
/// does not have has none.
pub(crate) fn read_chosen(binding: &[u8]) -> Result<Vec<Option<Vec<Id>>>, DecodeError> {
    let mut d = Decoder::new(binding);
    raw_item(&mut d)?;
    if d.position() == binding.len() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for _ in 0..item::array(&mut d)? {
        if d.datatype()? == Type::Null {
            d.null()?;
            names.push(None);
            continue;
        }
        let mut ids = Vec::new();
        for _ in 0..item::array(&mut d)? {
            let id = Id::from_bits(d.u64()?);
            ids.push(id.ok_or_else(|| DecodeError::new("no id"))?);
        }
        names.push(Some(ids));
    }
    Ok(names)
}

/// In place of the index of a field that the event of the program does not have.
pub(crate) const NO_FIELD: u16 = u16::MAX;

/// The encoded fields of an event of a log.
pub struct FieldReader<'b> {
    fields: Vec<Option<&'b [u8]>>,
}

impl<'b> FieldReader<'b> {
    /// Splits an encoded map of fields. `tags` has the field of this program for each tag of the log.
    pub(crate) fn new(bytes: &'b [u8], tags: &[u16]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        let n = item::map(&mut d)?;
        // This program may have more fields than the log.
        let known = tags.iter().filter(|ix| **ix != NO_FIELD);
        let len = known.map(|ix| usize::from(*ix) + 1).max();
        let mut fields = vec![None; len.unwrap_or(0)];
        for _ in 0..n {
            let tag = d.u16()?;
            let value = raw_item(&mut d)?;
            if let Some(field) = tags
                .get(usize::from(tag))
                .and_then(|ix| fields.get_mut(usize::from(*ix)))
            {
                *field = Some(value);
            }
        }
        Ok(Self { fields })
    }

    /// Reads one field. A field that the log does not have, because it was added to the event later, has its default or is `None`.
    ///
    /// # Errors
    /// If it is of another type, or missing and neither optional nor with a default.
    pub fn field<T: DeserializeOwned + 'static>(
        &self,
        index: u16,
        missing: Missing,
    ) -> Result<T, DecodeError> {
        if let Some(bytes) = self.raw(usize::from(index)) {
            return decode(bytes);
        }
        match missing(index).and_then(|value| value.downcast().ok()) {
            Some(default) => Ok(*default),
            None => decode(&[NULL])
                .map_err(|_| DecodeError::new(format_args!("field {index} is missing"))),
        }
    }

    pub(crate) fn raw(&self, index: usize) -> Option<&'b [u8]> {
        self.fields.get(index).copied().flatten()
    }
}
