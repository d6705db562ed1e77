//! A small lexer for Rust, which distinguishes code from comments, and words from the content of literals.
//!
//! A lexer, unlike a parser, accepts every edition, macros, and files that do not compile, and
//! needs no update when the language changes.

/// The number of lines of each kind in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Lines {
    /// Lines with code, including those with a trailing comment, and all lines in a string literal.
    pub code: u64,
    /// Lines with only a comment, including documentation.
    pub comments: u64,
    /// Lines with only white space, also inside comments.
    pub blank: u64,
}

/// A token of a text; comments and white space are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// An identifier or keyword; a raw identifier with its `r#`.
    Word(&'a str),
    /// A string, character or number.
    Literal,
    /// A lifetime or label.
    Lifetime,
    /// Any other character.
    Punct(char),
}

/// Lexes a text, passes its tokens to `on_token`, and counts its lines.
pub fn lex<'a>(text: &'a str, on_token: impl FnMut(Token<'a>)) -> Lines {
    let mut lexer = Lexer {
        text,
        at: 0,
        lines: Lines::default(),
        code: false,
        comment: false,
        on_token,
    };
    lexer.run();
    lexer.lines
}

struct Lexer<'a, F> {
    text: &'a str,
    at: usize,
    lines: Lines,
    /// Whether the current line has code so far.
    code: bool,
    comment: bool,
    on_token: F,
}

fn is_word_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

impl<'a, F: FnMut(Token<'a>)> Lexer<'a, F> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn token(&mut self, token: Token<'a>) {
        self.code = true;
        (self.on_token)(token);
    }

    fn end_line(&mut self) {
        let kind = match (self.code, self.comment) {
            (true, _) => &mut self.lines.code,
            (false, true) => &mut self.lines.comments,
            (false, false) => &mut self.lines.blank,
        };
        *kind += 1;
        (self.code, self.comment) = (false, false);
    }

    fn run(&mut self) {
        self.text = self.text.strip_prefix('\u{feff}').unwrap_or(self.text);
        if self.text.starts_with("#!") && !self.text[2..].trim_start().starts_with('[') {
            self.line_comment(); // `#!/usr/bin/env ..`
        }
        while let Some(c) = self.rest().chars().next() {
            let rest = self.rest();
            if c == '\n' {
                self.at += 1;
                self.end_line();
            } else if c.is_whitespace() {
                self.at += c.len_utf8();
            } else if rest.starts_with("//") {
                self.line_comment();
            } else if rest.starts_with("/*") {
                self.block_comment();
            } else if c == '"' {
                self.string();
            } else if c == '\'' {
                self.quote();
            } else if is_word_start(c) {
                self.word();
            } else if c.is_ascii_digit() {
                self.at += rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                self.token(Token::Literal);
            } else {
                self.at += c.len_utf8();
                self.token(Token::Punct(c));
            }
        }
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.end_line();
        }
    }

    fn line_comment(&mut self) {
        self.comment = true;
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    /// Block comments nest.
    fn block_comment(&mut self) {
        let mut depth = 0;
        while let Some(c) = self.rest().chars().next() {
            if self.rest().starts_with("/*") {
                depth += 1;
                self.comment = true;
                self.at += 2;
            } else if self.rest().starts_with("*/") {
                depth -= 1;
                self.comment = true;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += c.len_utf8();
                if c == '\n' {
                    self.end_line();
                } else if !c.is_whitespace() {
                    self.comment = true;
                }
            }
        }
    }

    /// A string with escapes, from its opening quote.
    fn string(&mut self) {
        self.token(Token::Literal);
        self.at += 1;
        while let Some(c) = self.rest().chars().next() {
            self.at += c.len_utf8();
            match c {
                '"' => return,
                '\\' => {
                    // Skip the escaped character, except a newline, so that its line is counted.
                    if let Some(next) = self.rest().chars().next().filter(|c| *c != '\n') {
                        self.at += next.len_utf8();
                    }
                }
                '\n' => self.line_in_literal(),
                _ => {}
            }
        }
    }

    /// A raw string, from its first `#` or quote.
    fn raw_string(&mut self, hashes: usize) {
        self.token(Token::Literal);
        let end = format!("\"{}", "#".repeat(hashes));
        self.at += hashes + 1;
        let body = self.rest();
        let len = body.find(&end).unwrap_or(body.len());
        for _ in body[..len].matches('\n') {
            self.line_in_literal();
        }
        self.at = (self.at + len + end.len()).min(self.text.len());
    }

    /// Every line of a literal counts as code.
    fn line_in_literal(&mut self) {
        self.code = true;
        self.end_line();
        self.code = true;
    }

    /// A lifetime or a character.
    fn quote(&mut self) {
        let mut chars = self.rest().char_indices().skip(1);
        let (first, second) = (chars.next(), chars.next());
        match (first, second) {
            (Some((_, '\\')), _) => {
                // The escaped character may itself be a quote.
                let body = &self.rest()[2..];
                let skip = body.chars().next().map_or(0, char::len_utf8);
                self.at += 2
                    + skip
                    + body[skip..]
                        .find(['\'', '\n'])
                        .map_or(body.len() - skip, |n| n + 1);
                self.token(Token::Literal);
            }
            (Some((_, c)), Some((at, '\''))) if c != '\'' => {
                self.at += at + 1;
                self.token(Token::Literal);
            }
            (Some((_, c)), _) if is_word_start(c) => {
                let body = &self.rest()[1..];
                self.at += 1 + body.find(|c| !is_word(c)).unwrap_or(body.len());
                self.token(Token::Lifetime);
            }
            _ => {
                self.at += 1;
                self.token(Token::Punct('\''));
            }
        }
    }

    /// A word, or the prefix of a literal.
    fn word(&mut self) {
        let rest = self.rest();
        let len = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(len);
        let hashes = after.len() - after.trim_start_matches('#').len();
        let raw = matches!(word, "r" | "br" | "cr") && after[hashes..].starts_with('"');
        if raw {
            self.at += len;
            self.raw_string(hashes);
        } else if matches!(word, "b" | "c") && after.starts_with('"') {
            self.at += len;
            self.string();
        } else if word == "b" && after.starts_with('\'') {
            self.at += len;
            self.quote();
        } else if word == "r" && hashes == 1 && after[1..].starts_with(is_word_start) {
            let name = &after[1..];
            let end = len + 1 + name.find(|c| !is_word(c)).unwrap_or(name.len());
            self.at += end;
            self.token(Token::Word(&rest[..end]));
        } else {
            self.at += len;
            self.token(Token::Word(word));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let mut words = Vec::new();
        lex(text, |t| {
            if let Token::Word(w) = t {
                words.push(w);
            }
        });
        words
    }

    #[test]
    fn lines_of_each_kind() {
        for (text, expect) in [
            ("", (0, 0, 0)),
            ("\n", (0, 0, 1)),
            ("x", (1, 0, 0)),
            ("x\n", (1, 0, 0)),
            ("// c\nx // c\n\n/// d\n", (1, 2, 1)),
            ("/* a\n\n b */ x\n/* c */\n", (1, 2, 1)),
            ("/* a /* b */\n c */\n", (0, 2, 0)),
            ("let s = \"a\n\n// b\";\n", (3, 0, 0)),
            ("let s = \"a \\\n b\";\n", (2, 0, 0)),
            ("let s = r#\"a\n\"\n\"#; // c\n", (3, 0, 0)),
            ("#!/bin/x it's\nfn f() {}\n", (1, 1, 0)),
            ("#![allow(x)]\n", (1, 0, 0)),
            ("\r\nx\r\n", (1, 0, 1)),
            ("let c = '\"'; // it\nlet d = '\\''; // c\n", (2, 0, 0)),
            ("/* open", (0, 1, 0)),
            ("\"open\n", (1, 0, 0)),
        ] {
            let lines = lex(text, |_| {});
            assert_eq!((lines.code, lines.comments, lines.blank), expect, "{text}");
            let all = lines.code + lines.comments + lines.blank;
            assert_eq!(all, text.lines().count() as u64, "{text}");
        }
    }

    #[test]
    fn words_in_literals_and_comments_are_not_words() {
        for (text, expect) in [
            ("a \"b\" c", vec!["a", "c"]),
            ("a b\"b\" br##\"x \"# y\"## c\"z\" d", vec!["a", "d"]),
            ("'a' b 'c: 'static", vec!["b"]),
            ("b'x' b'\\'' c", vec!["c"]),
            ("'\\u{1F600}' d '\\\\' e", vec!["d", "e"]),
            ("r#unsafe r#\"q\"# r", vec!["r#unsafe", "r"]),
            ("0xffu8 1.0e10 x", vec!["x"]),
            ("größe /* a */ b // c", vec!["größe", "b"]),
            ("impl<'a> F<'a, 'b> for G {}", vec!["impl", "F", "for", "G"]),
            ("'ß' x", vec!["x"]),
        ] {
            assert_eq!(words(text), expect, "{text}");
        }
    }
}
