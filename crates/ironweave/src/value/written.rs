//! Values that a model writes as Rust expressions: literals in arcs and defaults. A schema has them as written.

use std::time::Duration;

use serde::Serialize;

use crate::base::cbor::{ARRAY, NULL, head};
use crate::base::time::Timestamp;
use crate::schema::Encoding;
use crate::value::encode;

/// Returns the value with an encoding that an expression is, in CBOR. `None` for an expression that only a compiler can evaluate, such as
/// a constant of the program, and for a value of a type that the program defines.
///
/// These are literals, `None`, `Some(..)`, `default` and `Default::default()`, empty texts and lists, and the constructors of times and
/// durations with a number.
pub(crate) fn written(text: &str, encoding: &Encoding) -> Option<Vec<u8>> {
    let text = text.trim();
    if let ("None", Encoding::Serde) = (text, encoding) {
        // An `Option` of a type of the program.
        return Some(vec![NULL]);
    }
    if let Encoding::Option(of) = encoding {
        return match text {
            "None" | "Option::None" | "default" | "Default::default()" => Some(vec![NULL]),
            _ => written(argument(text, "Some").unwrap_or(text), of),
        };
    }
    let is_default = matches!(text, "default" | "Default::default()");
    match encoding {
        Encoding::Text => {
            let is_empty = is_default || matches!(text, "String::new()" | "String::default()");
            let text = if is_empty {
                String::new()
            } else {
                quoted_text(text)?
            };
            bytes(&text)
        }
        Encoding::Bool => match text {
            "true" => bytes(&true),
            "false" => bytes(&false),
            _ if is_default => bytes(&false),
            _ => None,
        },
        Encoding::Char => match text.strip_prefix('\'')?.strip_suffix('\'')? {
            "\\'" => bytes(&'\''),
            inner => {
                let inner = unescaped(inner)?;
                let mut chars = inner.chars();
                let only = chars.next()?;
                chars.next().is_none().then(|| bytes(&only))?
            }
        },
        Encoding::List(_) => {
            let is_empty = is_default || matches!(text, "Vec::new()" | "vec![]" | "Vec::default()");
            is_empty.then(|| {
                let mut bytes = Vec::new();
                head(&mut bytes, ARRAY, 0);
                bytes
            })
        }
        Encoding::Timestamp => time(text, is_default),
        Encoding::Duration => duration(text, is_default),
        Encoding::F32 => bytes(&float(text, is_default, "f32")?.parse::<f32>().ok()?),
        Encoding::F64 => bytes(&float(text, is_default, "f64")?.parse::<f64>().ok()?),
        _ => integer(text, encoding, is_default),
    }
}

fn bytes<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes).ok()?;
    Some(bytes)
}

/// Returns the argument of a call of a function with this name.
fn argument<'t>(text: &'t str, function: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(function)?.trim_start();
    Some(rest.strip_prefix('(')?.strip_suffix(')')?.trim())
}

fn time(text: &str, is_default: bool) -> Option<Vec<u8>> {
    let micros = |text| signed(text, "i64")?.try_into().ok();
    let time = if is_default {
        Timestamp::default()
    } else if let Some(of) = argument(text, "Timestamp::from_micros") {
        Timestamp::from_micros(micros(of)?)
    } else {
        // The constructors panic if it does not fit.
        let (of, factor) = match argument(text, "Timestamp::from_secs") {
            Some(of) => (of, 1_000_000),
            None => (argument(text, "Timestamp::from_millis")?, 1_000),
        };
        let micros: i64 = micros(of)?;
        Timestamp::from_micros(micros.checked_mul(factor)?)
    };
    bytes(&time)
}

fn duration(text: &str, is_default: bool) -> Option<Vec<u8>> {
    let of = |function: &str| -> Option<u64> {
        let argument = argument(text, &format!("Duration::from_{function}"))?;
        signed(argument, "u64")?.try_into().ok()
    };
    let duration = if is_default || text == "Duration::ZERO" {
        Duration::ZERO
    } else if text == "Duration::MAX" {
        Duration::MAX
    } else if let Some(nanos) = of("nanos") {
        Duration::from_nanos(nanos)
    } else if let Some(secs) = of("secs") {
        Duration::from_secs(secs)
    } else if let Some(millis) = of("millis") {
        Duration::from_millis(millis)
    } else {
        Duration::from_micros(of("micros")?)
    };
    bytes(&duration)
}

/// Returns the digits of a float without its suffix.
fn float(text: &str, is_default: bool, suffix: &str) -> Option<String> {
    if is_default {
        return Some("0".to_owned());
    }
    let digits = text.strip_suffix(suffix).unwrap_or(text);
    let is_digit = |c: char| c.is_ascii_digit() || "-._eE+".contains(c);
    let is_number = digits
        .trim_start_matches('-')
        .starts_with(|c: char| c.is_ascii_digit());
    (is_number && digits.chars().all(is_digit)).then(|| digits.replace('_', ""))
}

fn integer(text: &str, encoding: &Encoding, is_default: bool) -> Option<Vec<u8>> {
    macro_rules! integers {
        ($($of:ident: $ty:ident),*) => {
            match encoding {
                $(Encoding::$of if is_default => bytes(&<$ty>::default()),
                Encoding::$of => bytes(&<$ty>::try_from(signed(text, stringify!($ty))?).ok()?),)*
                Encoding::U128 if is_default => bytes(&0u128),
                Encoding::U128 => bytes(&unsigned(text, "u128")?),
                _ => None,
            }
        };
    }
    integers!(U8: u8, U16: u16, U32: u32, U64: u64, I8: i8, I16: i16, I32: i32, I64: i64, I128: i128)
}

/// Returns an integer literal of at most 127 bits, with the suffix of its type or without one.
fn signed(text: &str, suffix: &str) -> Option<i128> {
    match text.strip_prefix('-') {
        // The least integer has no positive counterpart.
        Some(digits) => match unsigned(digits.trim_start(), suffix)? {
            n if n == 1 << 127 => Some(i128::MIN),
            n => Some(-i128::try_from(n).ok()?),
        },
        None => unsigned(text, suffix)?.try_into().ok(),
    }
}

fn unsigned(text: &str, suffix: &str) -> Option<u128> {
    let digits = match suffix {
        // Values of these types may be written as ones of the size of a pointer.
        "u64" => text.strip_suffix("usize"),
        "i64" => text.strip_suffix("isize"),
        _ => None,
    };
    let digits = digits.or_else(|| text.strip_suffix(suffix)).unwrap_or(text);
    let (digits, radix) = match digits.get(..2) {
        Some("0x") => (&digits[2..], 16),
        Some("0o") => (&digits[2..], 8),
        Some("0b") => (&digits[2..], 2),
        _ => (digits, 10),
    };
    // `from_str_radix` would take a sign.
    let is_number = digits.starts_with(|c: char| c.is_ascii_alphanumeric());
    is_number.then(|| u128::from_str_radix(&digits.replace('_', ""), radix).ok())?
}

/// Returns the text of a literal, perhaps with a conversion to `String`.
fn quoted_text(text: &str) -> Option<String> {
    let conversions = [".to_string()", ".to_owned()", ".into()"];
    let bare = conversions.iter().find_map(|call| text.strip_suffix(call));
    let bare = bare
        .or_else(|| argument(text, "String::from"))
        .unwrap_or(text)
        .trim();
    if let Some(raw) = bare.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let end = format!("\"{}", "#".repeat(hashes));
        let inner = raw[hashes..].strip_prefix('"')?.strip_suffix(&*end)?;
        return (!inner.contains(&*end)).then(|| inner.to_owned());
    }
    let inner = bare.strip_prefix('"')?.strip_suffix('"')?;
    unescaped(inner)
}

/// Returns a text without its escapes, or `None` if it has others than the usual ones, or ends before its end.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '"' => return None,
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                c @ ('\\' | '"' | '\'') => c,
                'x' => {
                    let digits: String = chars.by_ref().take(2).collect();
                    char::from(u8::from_str_radix(&digits, 16).ok().filter(u8::is_ascii)?)
                }
                'u' => {
                    let digits: String = chars.by_ref().take_while(|c| *c != '}').collect();
                    let digits = digits.strip_prefix('{')?.replace('_', "");
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is<T: Serialize>(text: &str, encoding: &Encoding, value: &T) {
        assert_eq!(written(text, encoding), bytes(value), "{text}");
    }

    #[test]
    fn expressions_have_the_values_that_the_compiler_gives_them() {
        use Encoding::{Bool, Char, F32, F64, I8, I64, I128, Text, U8, U16, U64, U128};
        is("200", &U8, &200u8);
        is("1_000u16", &U16, &1000u16);
        is("0xff", &U8, &255u8);
        is("0b1010_0001", &U8, &0xa1u8);
        is("7usize", &U64, &7u64);
        is("-128", &I8, &-128i8);
        is("-9223372036854775808", &I64, &i64::MIN);
        is(
            "-170141183460469231731687303715884105728",
            &I128,
            &i128::MIN,
        );
        is("340282366920938463463374607431768211455", &U128, &u128::MAX);
        is("default", &U8, &0u8);
        is("true", &Bool, &true);
        is("default", &Bool, &false);
        is("'x'", &Char, &'x');
        is("'\\''", &Char, &'\'');
        is("'\\u{e9}'", &Char, &'é');
        is("0.5", &F64, &0.5);
        is("-1.5e3f32", &F32, &-1500f32);
        is(r#""a b""#, &Text, &"a b");
        is(r#""a\"\n\\\u{e9}\x41""#, &Text, &"a\"\n\\é\u{41}");
        is(r##"r#"a"b"#"##, &Text, &"a\"b");
        is(r#""x".to_owned()"#, &Text, &"x");
        is(r#"String::from("x")"#, &Text, &"x");
        is("String::new()", &Text, &"");
        let option = |of: Encoding| Encoding::Option(Box::new(of));
        is("None", &option(Text), &None::<String>);
        is("None", &option(Encoding::Serde), &None::<String>);
        is("None", &Encoding::Serde, &None::<String>);
        is(r#"Some("x")"#, &option(Text), &Some("x"));
        is("Some(-3)", &option(I8), &Some(-3i8));
        is("3", &option(I8), &Some(3i8));
        is("default", &option(I8), &None::<i8>);
        is(
            "vec![]",
            &Encoding::List(Box::new(Encoding::Serde)),
            &[0u8; 0],
        );
        is(
            "Timestamp::from_secs(60)",
            &Encoding::Timestamp,
            &Timestamp::from_secs(60),
        );
        is(
            "Timestamp::from_micros(-1)",
            &Encoding::Timestamp,
            &Timestamp::from_micros(-1),
        );
        is(
            "Duration::from_millis(1_500)",
            &Encoding::Duration,
            &Duration::from_millis(1500),
        );
        is("Duration::ZERO", &Encoding::Duration, &Duration::ZERO);
        is("Duration::MAX", &Encoding::Duration, &Duration::MAX);
        is(
            "Duration::from_nanos(7)",
            &Encoding::Duration,
            &Duration::from_nanos(7),
        );
    }

    #[test]
    fn other_expressions_have_no_value() {
        for (text, encoding) in [
            ("256", Encoding::U8),
            ("-1", Encoding::U8),
            ("+1", Encoding::U8),
            ("- -1", Encoding::I8),
            ("5u16", Encoding::U8),
            ("MAX", Encoding::U8),
            ("", Encoding::U8),
            ("0x", Encoding::U8),
            ("é", Encoding::U8),
            ("1 + 2", Encoding::U8),
            ("true && false", Encoding::Bool),
            ("''", Encoding::Char),
            ("'ab'", Encoding::Char),
            ("NAN", Encoding::F64),
            ("nan", Encoding::F64),
            ("inf", Encoding::F64),
            ("NAME", Encoding::Text),
            ("\"a\" + \"b\"", Encoding::Text),
            ("\"a", Encoding::Text),
            ("\"", Encoding::Text),
            ("r\"", Encoding::Text),
            ("r", Encoding::Text),
            ("\"\\q\"", Encoding::Text),
            ("\"\\u{110000}\"", Encoding::Text),
            ("Colour::Red", Encoding::Serde),
            ("default", Encoding::Serde),
            (
                "Timestamp::from_secs(9223372036854775807)",
                Encoding::Timestamp,
            ),
            ("Timestamp::now()", Encoding::Timestamp),
            ("Duration::from_secs(-1)", Encoding::Duration),
            ("vec![1]", Encoding::List(Box::new(Encoding::U8))),
            ("5", Encoding::Id(crate::schema::EntityIx::new(0))),
        ] {
            assert_eq!(written(text, &encoding), None, "{text}");
        }
    }
}
