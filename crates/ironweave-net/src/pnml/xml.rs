//! XML as a stream of elements with the lines on which they begin.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{Limits, PnmlError};

/// The most attributes of an element. Finding duplicates among them takes quadratic time.
const ATTRIBUTES_MAX: usize = 100;

/// The start of an element.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// The name without its prefix.
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub line: u64,
}

impl Start {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        all.find(|(other, _)| other == name)
            .map(|(_, value)| &**value)
    }

    /// Returns an attribute that must be there.
    pub fn required(&self, name: &str) -> Result<&str, PnmlError> {
        self.attribute(name).ok_or_else(|| {
            let element = &self.name;
            PnmlError::at(
                self.line,
                format!("`<{element}>` has no attribute `{name}`"),
            )
        })
    }
}

/// An element with all that it contains.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub start: Start,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    pub fn name(&self) -> &str {
        &self.start.name
    }

    pub fn line(&self) -> u64 {
        self.start.line
    }

    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name() == name)
    }

    pub fn error(&self, message: impl Into<String>) -> PnmlError {
        PnmlError::at(self.line(), message)
    }
}

/// What follows in the stream.
pub(super) enum Token {
    Start(Start, bool),
    End,
    Text(String),
    Eof,
}

/// A reader that counts the lines and bytes that were consumed.
struct Counted<R> {
    inner: R,
    lines: Rc<Cell<u64>>,
    bytes: u64,
    bytes_max: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let n = from.len().min(to.len());
        to[..n].copy_from_slice(&from[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.bytes > self.bytes_max {
            let most = self.bytes_max;
            let what = format!("the file is larger than the limit of {most} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        if let Ok(bytes) = self.inner.fill_buf() {
            let newlines = bytes.iter().take(n).filter(|byte| **byte == b'\n');
            self.lines.set(self.lines.get() + newlines.count() as u64);
        }
        self.bytes += n as u64;
        self.inner.consume(n);
    }
}

pub(super) struct Xml<R: BufRead> {
    reader: Reader<Counted<R>>,
    lines: Rc<Cell<u64>>,
    buffer: Vec<u8>,
    depth: usize,
    depth_max: usize,
    /// How many elements were kept.
    kept: u64,
    kept_max: u64,
}

impl<R: BufRead> Xml<R> {
    pub fn new(inner: R, limits: &Limits) -> Self {
        let lines = Rc::new(Cell::new(1));
        let mut reader = Reader::from_reader(Counted {
            inner,
            lines: Rc::clone(&lines),
            bytes: 0,
            bytes_max: limits.bytes,
        });
        reader.config_mut().check_end_names = true;
        Self {
            reader,
            lines,
            buffer: Vec::new(),
            depth: 0,
            depth_max: limits.depth,
            kept: 0,
            kept_max: limits.unfolded_max(),
        }
    }

    /// Counts an element that is kept.
    fn keep(&mut self, line: u64) -> Result<(), PnmlError> {
        self.kept += 1;
        if self.kept > self.kept_max {
            let most = self.kept_max;
            let what = format!("the net has more elements than the limit of {most}");
            return Err(PnmlError::at(line, what));
        }
        Ok(())
    }

    pub fn line(&self) -> u64 {
        self.lines.get()
    }

    pub fn next(&mut self) -> Result<Token, PnmlError> {
        loop {
            self.buffer.clear();
            let line = self.lines.get();
            let event = self.reader.read_event_into(&mut self.buffer);
            let event = event.map_err(|e| PnmlError::at(self.lines.get(), not_xml(&e)))?;
            return Ok(match event {
                Event::Start(start) => {
                    self.depth += 1;
                    if self.depth > self.depth_max {
                        let most = self.depth_max;
                        let what = format!("elements nest deeper than the limit of {most}");
                        return Err(PnmlError::at(line, what));
                    }
                    Token::Start(read_start(&start, line)?, false)
                }
                Event::Empty(start) => Token::Start(read_start(&start, line)?, true),
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    Token::End
                }
                Event::Text(text) => Token::Text(text.into_inner().into_owned()),
                Event::CData(text) => Token::Text(text.into_inner().into_owned()),
                Event::GeneralRef(name) => {
                    let character = name.resolve_char_ref().ok().flatten();
                    let known = match &*name.into_inner() {
                        "amp" => Some('&'),
                        "lt" => Some('<'),
                        "gt" => Some('>'),
                        "quot" => Some('"'),
                        "apos" => Some('\''),
                        _ => None,
                    };
                    match character.or(known) {
                        Some(character) => Token::Text(character.to_string()),
                        None => {
                            let what = "a reference to an entity that is not defined";
                            return Err(PnmlError::at(line, what));
                        }
                    }
                }
                Event::Eof if self.depth > 0 => {
                    let what = "the file ends inside of an element";
                    return Err(PnmlError::at(line, what));
                }
                Event::Eof => Token::Eof,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => continue,
            });
        }
    }

    /// Reads the rest of an element. Drawing instructions and what tools have added are left out.
    pub fn element(&mut self, start: Start, is_empty: bool) -> Result<Element, PnmlError> {
        self.keep(start.line)?;
        let mut open = vec![Element {
            start,
            text: String::new(),
            children: Vec::new(),
        }];
        if is_empty {
            return Ok(open.remove(0));
        }
        loop {
            match self.next()? {
                Token::Start(start, is_empty) => {
                    if matches!(&*start.name, "graphics" | "toolspecific") {
                        self.skip(is_empty)?;
                        continue;
                    }
                    self.keep(start.line)?;
                    let element = Element {
                        start,
                        text: String::new(),
                        children: Vec::new(),
                    };
                    match is_empty {
                        true => {
                            if let Some(parent) = open.last_mut() {
                                parent.children.push(element);
                            }
                        }
                        false => open.push(element),
                    }
                }
                Token::End => {
                    let Some(mut done) = open.pop() else { continue };
                    let trimmed = done.text.trim().len();
                    if trimmed < done.text.len() {
                        done.text = done.text.trim().to_owned();
                    }
                    match open.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => return Ok(done),
                    }
                }
                Token::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text);
                    }
                }
                Token::Eof => {
                    let what = "the file ends inside of an element";
                    return Err(PnmlError::at(self.line(), what));
                }
            }
        }
    }

    /// Skips the rest of an element.
    pub fn skip(&mut self, is_empty: bool) -> Result<(), PnmlError> {
        let mut depth = usize::from(!is_empty);
        while depth > 0 {
            match self.next()? {
                Token::Start(_, false) => depth += 1,
                Token::End => depth -= 1,
                Token::Eof => {
                    let what = "the file ends inside of an element";
                    return Err(PnmlError::at(self.line(), what));
                }
                Token::Start(_, true) | Token::Text(_) => {}
            }
        }
        Ok(())
    }
}

fn not_xml(e: &quick_xml::Error) -> String {
    match e {
        quick_xml::Error::Io(e) => e.to_string(),
        e => format!("this is not well-formed XML: {e}"),
    }
}

fn read_start(start: &BytesStart<'_>, line: u64) -> Result<Start, PnmlError> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        if attributes.len() == ATTRIBUTES_MAX {
            let what = format!("an element has more attributes than the limit of {ATTRIBUTES_MAX}");
            return Err(PnmlError::at(line, what));
        }
        let read = attribute.map_err(|e| e.to_string()).and_then(|attribute| {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value = value.map_err(|e| e.to_string())?.into_owned();
            Ok((attribute.key.local_name().as_ref().to_owned(), value))
        });
        attributes
            .push(read.map_err(|e| PnmlError::at(line, format!("an attribute is invalid: {e}")))?);
    }
    Ok(Start {
        name: start.local_name().as_ref().to_owned(),
        attributes,
        line,
    })
}
