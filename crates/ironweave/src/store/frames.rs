//! The log in words: for people, and for programs that print it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::base::error::ReadError;
use crate::base::id::Id;
use crate::base::meta::Meta;
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::log::{FrameKind, Frames};
use crate::schema::{BindBy, EntityIx, NameDef};
use crate::step::event::FieldReader;
use crate::step::model::Model;
use crate::store::view::LogView;
use crate::store::{SharedStore, Store, bad_frame, frame};
use crate::value::item::display;
use crate::value::{DecodeError, decode};

/// One transaction of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameView {
    /// Its number.
    pub seq: Seq,
    /// When it was.
    pub time: Timestamp,
    /// What else it said of itself.
    pub meta: Meta,
    /// What fired, in order.
    pub firings: Vec<FiringView>,
}

/// One firing of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiringView {
    /// The event.
    pub event: String,
    /// Whether it fired by itself.
    pub immediate: bool,
    /// Its fields with their values, in words.
    pub fields: Vec<(String, String)>,
    /// Its facts, in words.
    pub facts: Vec<String>,
}

impl std::fmt::Display for FiringView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.event)?;
        let fields: Vec<String> = self
            .fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        if !fields.is_empty() {
            write!(f, " {{ {} }}", fields.join(", "))?;
        }
        write!(f, " => {}", self.facts.join("; "))
    }
}

/// The transactions of a log, one after the other, read from where they lie.
pub struct FrameViews<'s, M: Model> {
    view: LogView<'s>,
    frames: Frames<'s>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> fmt::Debug for FrameViews<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("FrameViews");
        shown.field("model", &M::NAME).finish_non_exhaustive()
    }
}

impl<M: Model> Store<M> {
    /// The transactions of the log from a sequence on, in words; from 0 all.
    ///
    /// # Errors
    /// Where the log cannot be read; `is_ahead` from further on than the next frame, `is_before_beginning` from before the
    /// snapshot that the store began at.
    pub fn frames(&self, from: Seq) -> Result<FrameViews<'_, M>, ReadError> {
        FrameViews::new(self.view()?, from)
    }
}

impl<M: Model> SharedStore<M> {
    /// As [`Store::frames`], without blocking writers.
    ///
    /// # Errors
    /// As [`Store::frames`] and [`SharedStore::read`].
    pub fn frames(&self, from: Seq) -> Result<FrameViews<'static, M>, ReadError> {
        FrameViews::new(self.view()?, from)
    }
}

impl<'s, M: Model> FrameViews<'s, M> {
    fn new(view: LogView<'s>, from: Seq) -> Result<Self, ReadError> {
        view.admit_start(from)?;
        Ok(Self {
            frames: view.frames(from)?,
            view,
            model: PhantomData,
        })
    }

    fn read(&self, seq: Seq, payload: &[u8]) -> Result<FrameView, DecodeError> {
        let tags =
            (self.view.epochs.at(seq)).ok_or_else(|| DecodeError::new("no schema precedes it"))?;
        let decoded = frame::decode(payload, &Arc::clone(tags))?;
        let layout = &self.view.plan.layout;
        let mut firings = Vec::new();
        for firing in &decoded.firings {
            let def = &layout.schema[firing.event];
            let handle = |entity: EntityIx, bytes: &[u8]| -> Option<String> {
                let id = Id::from_bits(decode(bytes).ok()?)?;
                Some(format!(
                    "{}/{id}",
                    layout.entities[usize::from(entity)].name
                ))
            };
            let mut fields = Vec::new();
            if def.immediate {
                let name = &def.names[0];
                let text = handle(name.entity, &firing.binding)
                    .unwrap_or_else(|| display(&firing.binding));
                fields.push((name.name.clone(), text));
            } else {
                let reader = FieldReader::new(&firing.binding, &firing.fields)?;
                for (ix, field) in def.fields.iter().enumerate() {
                    let Some(bytes) = reader.raw(ix) else {
                        continue;
                    };
                    let by_handle = |n: &&NameDef| {
                        n.name == field.name && matches!(n.by, BindBy::Handle | BindBy::Token(_))
                    };
                    let entity = def.names.iter().find(by_handle).map(|n| n.entity);
                    fields.push((field.name.clone(), field_text(entity, bytes, &handle)));
                }
            }
            firings.push(FiringView {
                event: def.name.clone(),
                immediate: def.immediate,
                fields,
                facts: (decoded.facts.list[firing.facts.clone()].iter())
                    .map(|fact| decoded.facts.render(*fact, layout))
                    .collect(),
            });
        }
        Ok(FrameView {
            seq,
            time: decoded.time,
            meta: decoded.meta,
            firings,
        })
    }
}

/// A field in words: handles by name, whatever else in the diagnostic notation of CBOR.
fn field_text(
    entity: Option<EntityIx>,
    bytes: &[u8],
    handle: &dyn Fn(EntityIx, &[u8]) -> Option<String>,
) -> String {
    let Some(entity) = entity else {
        return display(bytes);
    };
    if let Some(text) = handle(entity, bytes) {
        return text;
    }
    match decode::<Vec<u64>>(bytes) {
        Ok(ids) => {
            let texts: Option<Vec<String>> = ids
                .iter()
                .map(|bits| {
                    let mut bytes = Vec::new();
                    crate::value::encode(bits, &mut bytes).ok()?;
                    handle(entity, &bytes)
                })
                .collect();
            texts.map_or_else(|| display(bytes), |texts| format!("[{}]", texts.join(", ")))
        }
        Err(_) => display(bytes),
    }
}

impl<M: Model> Iterator for FrameViews<'_, M> {
    type Item = Result<FrameView, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let frame = match self.frames.next()? {
                Ok(frame) => frame,
                Err(e) => return Some(Err(e)),
            };
            if frame.header.kind == FrameKind::Transaction {
                let seq = frame.header.seq;
                let view = self.read(seq, &frame.payload);
                return Some(view.map_err(|e| self.view.place(bad_frame(seq, e))));
            }
        }
    }
}
