//! Counts the uses of `unsafe` in a package: in all its Rust files, including macros and code for other platforms.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::lexer::{Token, lex};
use super::sources;

/// The number of uses of `unsafe` by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsafe {
    /// `unsafe { .. }`
    pub blocks: u64,
    /// `unsafe fn`, declared or defined; not the types of function pointers.
    pub fns: u64,
    /// `unsafe impl`
    pub impls: u64,
    /// `unsafe trait`
    pub traits: u64,
    /// `unsafe extern { .. }`
    pub externs: u64,
    /// `#[unsafe(no_mangle)]`
    pub attributes: u64,
}

impl Unsafe {
    /// Adds the counts of another.
    pub fn add(&mut self, other: &Self) {
        self.blocks += other.blocks;
        self.fns += other.fns;
        self.impls += other.impls;
        self.traits += other.traits;
        self.externs += other.externs;
        self.attributes += other.attributes;
    }

    /// The sum of all kinds.
    pub fn total(&self) -> u64 {
        self.blocks + self.fns + self.impls + self.traits + self.externs + self.attributes
    }
}

/// The preceding tokens, as far as they matter.
#[derive(Clone, Copy)]
enum Seen {
    Other,
    /// `#`, `#!`, `#[` or `#![`
    Attribute,
    Unsafe {
        in_attribute: bool,
    },
    /// `unsafe extern "C"`
    Extern,
    /// `unsafe fn`
    Fn,
}

/// Counts the uses in one text.
pub fn count(text: &str) -> Unsafe {
    let mut counts = Unsafe::default();
    let mut seen = Seen::Other;
    lex(text, |token| {
        seen = match (seen, token) {
            (_, Token::Word("unsafe")) => Seen::Unsafe {
                in_attribute: matches!(seen, Seen::Attribute),
            },
            (_, Token::Punct('#')) | (Seen::Attribute, Token::Punct('!' | '[')) => Seen::Attribute,
            (Seen::Unsafe { in_attribute: true }, Token::Punct('(')) => {
                counts.attributes += 1;
                Seen::Other
            }
            (Seen::Unsafe { .. }, Token::Punct('{')) => {
                counts.blocks += 1;
                Seen::Other
            }
            (Seen::Unsafe { .. }, Token::Word("impl")) => {
                counts.impls += 1;
                Seen::Other
            }
            (Seen::Unsafe { .. }, Token::Word("trait" | "auto")) => {
                counts.traits += 1;
                Seen::Other
            }
            (Seen::Unsafe { .. }, Token::Word("extern")) | (Seen::Extern, Token::Literal) => {
                Seen::Extern
            }
            (Seen::Extern, Token::Punct('{')) => {
                counts.externs += 1;
                Seen::Other
            }
            (Seen::Unsafe { .. } | Seen::Extern, Token::Word("fn")) => Seen::Fn,
            // `unsafe fn(` is a type; `$name` is a name in a macro.
            (Seen::Fn, Token::Word(_) | Token::Punct('$')) => {
                counts.fns += 1;
                Seen::Other
            }
            _ => Seen::Other,
        };
    });
    counts
}

/// The job: `unsafe/NAME-VERSION`.
pub fn run(partition: &str) -> Result<()> {
    let Some(package) = sources::package_of(partition)? else {
        return Ok(());
    };
    let mut counts = Unsafe::default();
    for file in sources::rust_files(&package.dir)? {
        counts.add(&count(&sources::read_text(&file)?));
    }
    super::write_json("unsafe.json", &counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_use_is_counted_once() {
        let none = Unsafe::default();
        for (text, expect) in [
            ("", none),
            ("// unsafe {\n\"unsafe {\"", none),
            ("unsafe { f() }", Unsafe { blocks: 1, ..none }),
            (
                "pub const unsafe fn f() { unsafe { g() } }",
                Unsafe {
                    blocks: 1,
                    fns: 1,
                    ..none
                },
            ),
            ("unsafe extern \"C\" fn f();", Unsafe { fns: 1, ..none }),
            ("unsafe extern fn f();", Unsafe { fns: 1, ..none }),
            (
                "type F = unsafe extern \"C\" fn(u8); type G = unsafe fn();",
                none,
            ),
            (
                "unsafe impl<T> Send for X<T> {}",
                Unsafe { impls: 1, ..none },
            ),
            (
                "unsafe trait T {} unsafe auto trait U {}",
                Unsafe { traits: 2, ..none },
            ),
            (
                "unsafe extern \"C\" { fn f(); }",
                Unsafe { externs: 1, ..none },
            ),
            (
                "#[unsafe(no_mangle)] fn f() {} #![unsafe(x)]",
                Unsafe {
                    attributes: 2,
                    ..none
                },
            ),
            ("#![forbid(unsafe_code)]", none),
            ("let r#unsafe = 1;", none),
            (
                "macro_rules! m { ($n:ident) => { unsafe fn $n() {} } }",
                Unsafe { fns: 1, ..none },
            ),
        ] {
            assert_eq!(count(text), expect, "{text}");
        }
    }
}
