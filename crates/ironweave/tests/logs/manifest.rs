//! What is known of the logs of changed models and of [`retained`](crate::retained) logs: a line of `manifest.txt` for each, and
//! the text beside it with its graphs by name.
#![allow(dead_code)]

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use ironweave::Model;
use ironweave::dynamic::{Dynamic, GraphView};
use ironweave::prelude::*;
use ironweave::raw_log::RawLog;

use crate::changes::{self, Change, Visitor};
use crate::models::first::bank;
use crate::{describe, retained};

type Text = Result<String, Box<dyn Error>>;

/// The names of all of these logs.
pub fn names() -> Vec<&'static str> {
    struct Names(Vec<&'static str>);
    impl Visitor for Names {
        fn visit<C: Change>(&mut self) {
            self.0.push(C::NAME);
        }
    }
    let mut names = Names(Vec::new());
    changes::visit_all(&mut names);
    names.0.into_iter().chain(retained::NAMES).collect()
}

/// The line of a log in the manifest.
pub fn line(name: &str, dir: &Path) -> Text {
    struct Find<'a>(&'a str, &'a Path, Option<Text>);
    impl Visitor for Find<'_> {
        fn visit<C: Change>(&mut self) {
            if C::NAME == self.0 {
                self.2 = Some(line_of::<C::After>(self.0, self.1));
            }
        }
    }
    let mut find = Find(name, dir, None);
    changes::visit_all(&mut find);
    let bank = || line_of::<bank::Model>(name, dir);
    find.2.unwrap_or_else(bank)
}

fn line_of<M: Model>(name: &str, dir: &Path) -> Text {
    let store = Store::<M>::open_read_only(dir)?;
    let mut line = format!("{name}: fingerprint {:032x}", store.fingerprint());
    let log = RawLog::open(dir)?;
    let (first, last) = (log.first(), log.last().ok_or("it has no frames")?);
    write!(line, ", frames {first} to {last}, schemas")?;
    let schemas = log.schemas()?;
    for (seq, _) in &schemas {
        write!(line, " {seq}")?;
    }
    let position = store.position().ok_or("it has no frames")?;
    let timeline = if position.timeline() == 0 {
        "first"
    } else {
        "another"
    };
    let verified = store.verify_all()?;
    let agreed = verified.agreed;
    write!(line, ", {timeline} timeline, fired again: {agreed}")?;
    for event in &verified.not_fired {
        write!(line, ", not `{}`: {}", event.event, event.transactions)?;
    }
    Ok(line)
}

/// What a log says without its model: its graphs at the end of each epoch, by the names of then, and its frames.
pub fn text(dir: &Path) -> Text {
    let store = Store::<Dynamic>::open_read_only(dir)?;
    let log = RawLog::open(dir)?;
    let mut text = String::new();
    for (begin, _) in log
        .schemas()?
        .iter()
        .filter(|(begin, _)| *begin > log.first())
    {
        let last = begin.get() - 1;
        writeln!(text, "as of {last}, the end of an epoch")?;
        graph(store.as_of(last)?.by_name(), &mut text)?;
    }
    writeln!(text, "at the end")?;
    graph(store.by_name(), &mut text)?;
    describe::frames_from(&store, log.first(), &mut text)?;
    Ok(text)
}

/// All entities, with their values and links.
pub fn graph(graph: GraphView<'_>, text: &mut String) -> Result<(), Box<dyn Error>> {
    for ty in graph.entity_types() {
        for entity in ty.entities() {
            write!(text, "    {entity} {} {}", entity.handle(), entity.state())?;
            for (name, value) in entity.fields().chain(entity.data()) {
                write!(text, " {name} {value}")?;
            }
            for edge in ty.edges() {
                for link in entity.links(edge)? {
                    write!(text, " {edge} {}", link.entity())?;
                    if let Some(data) = link.data() {
                        write!(text, " with {data}")?;
                    }
                }
            }
            writeln!(text)?;
        }
    }
    Ok(())
}
