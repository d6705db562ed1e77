//! The [`Encoding`] of a Rust type. It is derived from the `TypeId`, so it does not depend on aliases or paths.

use std::any::TypeId;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::time::Timestamp;
use crate::schema::Encoding;
use crate::value::is_plain;

/// Returns the encoding of a type. A known type may be nested in at most two layers of `Option` and `Vec`. The encoding of
/// any other type is [`Encoding::Serde`].
#[must_use]
pub(crate) fn encoding(ty: TypeId) -> Encoding {
    let option = |of: Encoding| Encoding::Option(Box::new(of));
    let list = |of: Encoding| Encoding::List(Box::new(of));
    macro_rules! known {
        ($($of:ty => $encoding:ident),* $(,)?) => {$(
            if ty == TypeId::of::<$of>() {
                return Encoding::$encoding;
            }
            if ty == TypeId::of::<Option<$of>>() {
                return option(Encoding::$encoding);
            }
            if ty == TypeId::of::<Vec<$of>>() {
                return list(Encoding::$encoding);
            }
            if ty == TypeId::of::<Option<Vec<$of>>>() {
                return option(list(Encoding::$encoding));
            }
            if ty == TypeId::of::<Vec<Option<$of>>>() {
                return list(option(Encoding::$encoding));
            }
            if ty == TypeId::of::<Vec<Vec<$of>>>() {
                return list(list(Encoding::$encoding));
            }
        )*};
    }
    known! {
        () => Unit,
        bool => Bool,
        u8 => U8,
        u16 => U16,
        u32 => U32,
        u64 => U64,
        usize => U64,
        u128 => U128,
        i8 => I8,
        i16 => I16,
        i32 => I32,
        i64 => I64,
        isize => I64,
        i128 => I128,
        f32 => F32,
        f64 => F64,
        char => Char,
        String => Text,
        Box<str> => Text,
        PathBuf => Text,
        Timestamp => Timestamp,
        Duration => Duration,
    }
    Encoding::Serde
}

/// Whether two values of a type are equal if and only if their encodings are. That is not known of a type of the program. Paths of
/// files are compared by their components, and `0.0` equals `-0.0`.
pub(crate) fn is_equal_as_stored<T: 'static>() -> bool {
    fn is_exact(encoding: &Encoding) -> bool {
        match encoding {
            Encoding::Option(of) | Encoding::List(of) => is_exact(of),
            Encoding::Serde | Encoding::Text | Encoding::F32 | Encoding::F64 => false,
            _ => true,
        }
    }
    let texts = [
        TypeId::of::<String>(),
        TypeId::of::<Box<str>>(),
        TypeId::of::<Option<String>>(),
        TypeId::of::<Option<Box<str>>>(),
    ];
    let ty = TypeId::of::<T>();
    is_plain::<T>() || texts.contains(&ty) || is_exact(&encoding(ty))
}
