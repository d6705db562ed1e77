//! The pictures in the documentation of a model: lifecycles, and the diagram of the edges.
//!
//! Generated code has a description of each picture, a string, as the argument of `draw!` in an attribute that is removed unless documentation
//! is built. So other builds do not draw. The drawer places the boxes in layers by itself, since a layout crate would be a dependency of
//! every model. `ironweave schema draw` draws larger and better pictures.

mod layout;
mod order;
mod svg;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

/// A picture: boxes, and arrows between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// What it shows, for readers who do not see it.
    pub title: String,
    pub boxes: Vec<Box>,
    pub arrows: Vec<Arrow>,
}

/// A box with its lines of text. The first is its name, unless it is the start of a lifecycle, which has none.
#[derive(Clone, Debug, PartialEq)]
pub struct Box {
    pub kind: Kind,
    pub lines: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Start,
    Plain,
    Terminal,
}

/// An arrow, by the positions of its boxes.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrow {
    pub from: usize,
    pub to: usize,
    pub line: Line,
    pub label: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Line {
    /// Events do it.
    Solid,
    /// Handlers may do it.
    Dashed,
    /// No event does it.
    Dotted,
}

impl Picture {
    /// Writes the description: a line for the title, then one for each box and each arrow, with tabs between their parts.
    pub fn describe(&self) -> String {
        let mut out = self.title.clone();
        for Box { kind, lines } in &self.boxes {
            let kind = match kind {
                Kind::Start => "start",
                Kind::Plain => "box",
                Kind::Terminal => "terminal",
            };
            let _ = write!(out, "\n{kind}");
            lines.iter().for_each(|line| out.extend(["\t", line]));
        }
        for arrow in &self.arrows {
            let line = match arrow.line {
                Line::Solid => "solid",
                Line::Dashed => "dashed",
                Line::Dotted => "dotted",
            };
            let _ = write!(out, "\n{line}\t{}\t{}", arrow.from, arrow.to);
            arrow.label.iter().for_each(|line| out.extend(["\t", line]));
        }
        out
    }

    /// Reads a description, and skips lines that describe neither a box nor an arrow.
    pub fn read(text: &str) -> Self {
        let mut lines = text.split('\n');
        let mut picture = Self {
            title: lines.next().unwrap_or_default().to_owned(),
            ..Self::default()
        };
        for line in lines {
            let mut parts = line.split('\t');
            let kind = parts.next().unwrap_or_default();
            let mut rest = || parts.by_ref().map(str::to_owned).collect::<Vec<String>>();
            let boxes = [
                ("start", Kind::Start),
                ("box", Kind::Plain),
                ("terminal", Kind::Terminal),
            ];
            let lines = [
                ("solid", Line::Solid),
                ("dashed", Line::Dashed),
                ("dotted", Line::Dotted),
            ];
            if let Some((_, kind)) = boxes.iter().find(|(name, _)| *name == kind) {
                let lines = rest();
                picture.boxes.push(Box { kind: *kind, lines });
            } else if let Some((_, line)) = lines.iter().find(|(name, _)| *name == kind) {
                let mut end = || parts.next().and_then(|n| n.parse::<usize>().ok());
                let (Some(from), Some(to)) = (end(), end()) else {
                    continue;
                };
                if from.max(to) < picture.boxes.len() {
                    picture.arrows.push(Arrow {
                        from,
                        to,
                        line: *line,
                        label: parts.map(str::to_owned).collect(),
                    });
                }
            }
        }
        picture
    }

    /// Draws it as an element of a page of the documentation.
    pub fn draw(&self) -> String {
        svg::write(self, &layout::place(self))
    }
}

/// Draws the description in a string literal, and returns the picture as a string literal. Other tokens are a compile error.
pub fn draw(tokens: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    match syn::parse2::<syn::LitStr>(tokens) {
        Ok(text) => {
            let drawn = Picture::read(&text.value()).draw();
            quote::quote!(#drawn)
        }
        Err(e) => e.to_compile_error(),
    }
}
