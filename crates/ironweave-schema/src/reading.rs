//! How values of one type are read as values of another one.

use crate::{Encoding, Schema};

/// What becomes of stored values when their type changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// They are encoded as before.
    AsStored,
    /// They can be read, and are encoded differently from then on.
    Converted,
    /// Only the values themselves can show whether they can be read, because the schema does not know the type.
    Tried,
    /// They cannot be read.
    Impossible,
}

/// A type as written, and its encoding if that is known.
pub(crate) type Typed<'s> = (&'s str, Option<&'s Encoding>);

impl Reading {
    /// Returns how values of a type of an earlier schema are read as those of a type of a later one.
    pub(crate) fn of(
        (before, was): (&Schema, Typed<'_>),
        (after, now): (&Schema, Typed<'_>),
    ) -> Self {
        let encoding =
            |(ty, encoding): Typed<'_>| encoding.cloned().or_else(|| Encoding::of_type(ty));
        let (Some(was), Some(now)) = (encoding(was), encoding(now)) else {
            return Self::Tried;
        };
        if was.has_serde() || now.has_serde() {
            return Self::Tried;
        }
        if was.entity().is_some() || now.entity().is_some() {
            // An entity may have another index in each schema, so the rendered encodings are compared.
            return match was.render(before) == now.render(after) {
                true => Self::AsStored,
                false => Self::Impossible,
            };
        }
        if now.reads(&was) {
            return Self::AsStored;
        }
        match now.reads(&was.with_wide_floats()) {
            true => Self::Converted,
            false => Self::Impossible,
        }
    }
}

impl Encoding {
    /// Returns whether a part of the encoding is the serde form of a type that the schema does not know.
    fn has_serde(&self) -> bool {
        match self {
            Self::Serde => true,
            Self::Option(of) | Self::List(of) => of.has_serde(),
            _ => false,
        }
    }

    /// Returns the encoding with `f64` in place of `f32`.
    fn with_wide_floats(&self) -> Self {
        match self {
            Self::F32 => Self::F64,
            Self::Option(of) => Self::Option(Box::new(of.with_wide_floats())),
            Self::List(of) => Self::List(Box::new(of.with_wide_floats())),
            other => other.clone(),
        }
    }
}
