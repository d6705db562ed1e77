//! The committed logs by name, and their content as text: the graph, and what `describe.rs` writes.
#![allow(dead_code)]

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use ironweave::prelude::*;

use crate::describe::{frames, past};
use crate::models::{first, shop};

/// The logs of each format version.
pub const NAMES: [&str; 5] = ["constructs", "epochs", "segments", "killed", "torn"];

type Text = Result<String, Box<dyn Error>>;

/// What the log of that name in a directory says.
pub fn log(name: &str, dir: &Path, read_only: bool) -> Text {
    fn open<M: ironweave::Model>(
        dir: &Path,
        read_only: bool,
    ) -> Result<Store<M>, ironweave::OpenError> {
        if read_only {
            Store::open_read_only(dir)
        } else {
            Store::open(dir)
        }
    }
    if name == "constructs" {
        shop(&open(dir, read_only)?)
    } else {
        bank(&open(dir, read_only)?)
    }
}

pub fn shop(store: &Store<shop::Model>) -> Text {
    use shop::*;
    let mut text = String::new();
    shop_graph(store, &mut text)?;
    frames(store, &mut text)?;
    // As it was in the middle.
    writeln!(text, "as of 20")?;
    shop_graph(&store.as_of(20)?, &mut text)?;
    for order in store.place::<Order, Any>() {
        past(&order, &store.history(order.any())?, &mut text);
    }
    for name in ["ada", "bob", "eve", "ensured"] {
        for (who, facts) in store.history_of_key::<Customer>(name)? {
            past(&format!("{name}, {who}"), &facts, &mut text);
        }
    }
    for (who, facts) in store.history_of_key::<Order>(&(2026, 2))? {
        past(&format!("2026/2, {who}"), &facts, &mut text);
    }
    Ok(text)
}

fn shop_graph(db: &impl Db, text: &mut String) -> Result<(), Box<dyn Error>> {
    use shop::*;
    for c in db.place::<Customer, Any>() {
        let c = c.any();
        writeln!(
            text,
            "{c} {:?} city {:?} credit {} note {:?} label {:?} seen by {:?} orders {:?}",
            c.name(db),
            c.city(db),
            c.credit(db),
            c.note(db),
            c.label(db),
            c.seen_by(db),
            c.orders(db).collect::<Vec<_>>()
        )?;
    }
    for o in db.place::<Order, Any>() {
        let o = o.any();
        let state = match o.state(db) {
            OrderState::Open(_) => "open".to_owned(),
            OrderState::Paid(p) => {
                format!(
                    "paid at {} by {:?} beats {}",
                    p.at(db),
                    p.by(db),
                    p.beats(db)
                )
            }
            OrderState::Canceled(_) => "canceled".to_owned(),
            OrderState::Archived(_) => "archived".to_owned(),
        };
        writeln!(
            text,
            "{o} {}/{} {state} of {} follows {:?} followed by {:?}",
            o.year(db),
            o.number(db),
            o.customer(db),
            o.follows(db).collect::<Vec<_>>(),
            o.followed_by(db).collect::<Vec<_>>(),
        )?;
        for line in o.lines(db) {
            writeln!(text, "    line {line} {:?}", o.lines_data(db, &line))?;
        }
        for tag in o.tags(db) {
            writeln!(text, "    tag {tag} {:?}", o.tags_data(db, &tag))?;
        }
    }
    for l in db.place::<Line, Any>() {
        let l = l.any();
        let state = match l.state(db) {
            LineState::Wanted(_) => "wanted".to_owned(),
            LineState::Packed(p) => format!("packed by {:?}", p.by(db)),
        };
        writeln!(text, "{l} {:?} {state} of {}", l.sku(db), l.order(db))?;
    }
    for t in db.place::<Tag, Any>() {
        let t = t.any();
        let orders: Vec<_> = t.orders(db).collect();
        writeln!(
            text,
            "{t} {:?} orders {orders:?} badge {:?}",
            t.word(db),
            t.badge(db)
        )?;
    }
    for b in db.place::<Badge, Any>() {
        let b = b.any();
        writeln!(
            text,
            "{b} {} tag {:?} beside {:?} near {:?}",
            b.serial(db),
            b.tag(db),
            b.beside(db).collect::<Vec<_>>(),
            b.near(db).collect::<Vec<_>>(),
        )?;
    }
    Ok(())
}

pub fn bank(store: &Store<first::bank::Model>) -> Text {
    use first::bank::*;
    let mut text = String::new();
    for a in store.place::<Account, Any>() {
        let a = a.any();
        let state = match a.state(store) {
            AccountState::Open(_) => "open",
            AccountState::Frozen(_) => "frozen",
            AccountState::Closed(_) => "closed",
        };
        writeln!(text, "{a} {:?} {state} {}", a.name(store), a.balance(store))?;
    }
    frames(store, &mut text)?;
    for name in ["ada", "bob", "eve"] {
        for (who, facts) in store.history_of_key::<Account>(name)? {
            past(&format!("{name}, {who}"), &facts, &mut text);
        }
    }
    Ok(text)
}
