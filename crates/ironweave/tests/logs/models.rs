//! The models of the committed logs, for `examples/write_logs.rs`, which writes the logs, and `tests/logs/main.rs`, which
//! opens them. Nothing here may change in shape (fields, states, edges, events): the logs would be refused.
#![allow(dead_code, missing_docs)]

use std::collections::BTreeMap;

use ironweave::prelude::*;
use serde::{Deserialize, Serialize};

/// A value of a type that the program brings along.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Label {
    pub text: String,
    pub pair: (i8, u16),
    pub kind: Kind,
    pub marks: BTreeMap<String, Vec<u32>>,
    pub weight: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    #[default]
    Plain,
    Numbered(u64),
    Ranged {
        from: i32,
        to: i32,
    },
}

/// Each construct of the language.
#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Customer {
        #[key]
        pub name: String,
        #[index]
        pub city: Option<String>,
        #[index(ordered)]
        #[default]
        pub credit: i64,
        #[default("new")]
        pub note: String,
        #[default]
        pub label: super::Label,
        pub seen_by: Option<String>,
        #[inverse(Order::customer)]
        pub orders: Many<Order>,
    }

    #[entity]
    pub struct Order {
        #[key]
        pub year: u32,
        #[key]
        pub number: u64,
        pub customer: Customer,
        #[edge(data = u32, counted, on_delete = cascade)]
        pub lines: Many<Line>,
        #[edge(acyclic)]
        pub follows: Many<Order>,
        #[inverse(Order::follows)]
        #[edge(on_delete = unlink)]
        pub followed_by: Many<Order>,
        #[edge(data = String, max = 3)]
        pub tags: Many<Tag>,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Paid, Canceled)]
        Open,
        #[to(Paid)]
        Paid {
            at: Timestamp,
            by: String,
            beats: u32,
        },
        #[terminal]
        Canceled,
        #[terminal]
        #[allow(unreached)]
        Archived,
    }

    #[entity]
    pub struct Line {
        pub sku: String,
        #[inverse(Order::lines)]
        #[edge(on_delete = unlink)]
        pub order: Order,
    }
    #[states(Line)]
    pub enum LineState {
        #[initial]
        #[to(pack -> Packed)]
        Wanted,
        #[terminal]
        Packed { by: String },
    }

    #[entity]
    pub struct Tag {
        #[key]
        pub word: String,
        #[inverse(Order::tags)]
        #[edge(on_delete = unlink)]
        pub orders: Many<Order>,
        pub badge: Option<Badge>,
    }

    #[entity]
    pub struct Badge {
        pub serial: u64,
        #[inverse(Tag::badge)]
        #[edge(on_delete = restrict)]
        pub tag: Option<Tag>,
        #[inverse(Badge::beside)]
        pub near: Many<Badge>,
        #[edge(on_delete = unlink)]
        pub beside: Many<Badge>,
    }

    #[event]
    #[create(order: Order { year, number })]
    #[link(order.customer += customer)]
    pub struct Ordered {
        pub customer: Ensure<Customer>,
        pub year: u32,
        pub number: u64,
    }

    #[event]
    #[when(all order in Open)]
    #[guard(super::few_lines)]
    #[create(line: Line { sku })]
    #[link(order.lines += line { data = amount })]
    pub struct LineAdded {
        pub order: Key<Order>,
        pub sku: String,
        pub amount: u32,
    }

    #[event]
    #[create(line: Line { sku } in Packed { by = "stock" })]
    #[link(order.lines += line { data = 1 })]
    pub struct PackedLineAdded {
        pub order: Key<Order>,
        pub sku: String,
    }

    #[event]
    #[set(line.order.lines[line] = amount)]
    pub struct AmountChanged {
        pub line: Line<Wanted>,
        pub amount: u32,
    }

    #[event]
    #[moves(each lines: Wanted -> Packed { by = who })]
    pub struct Packing {
        pub lines: Vec<Line>,
        pub who: String,
    }

    #[event]
    #[moves(order: Open -> Paid { at = meta.time, by, beats = 0 })]
    pub struct Payment {
        pub order: Order,
        pub by: String,
    }

    #[event]
    #[moves(order: Paid -> Paid { at = meta.time, by = order.by, beats })]
    pub struct Heartbeat {
        pub order: Order<Paid>,
        pub beats: u32,
    }

    #[event]
    #[set(order.Paid.by = by)]
    pub struct PayerCorrected {
        pub order: Order,
        pub by: String,
    }

    #[event]
    #[link(order.follows += follows)]
    pub struct Followed {
        pub order: Order,
        pub follows: Vec<Order>,
    }

    #[event]
    #[unlink(order.follows -= order.follows)]
    pub struct Unfollowed {
        pub order: Order,
    }

    #[event]
    #[relink(order.tags += tags { data })]
    pub struct Tagged {
        pub order: Order,
        pub tags: Vec<Ensure<Tag>>,
        pub data: String,
    }

    #[event]
    #[create(badge: Badge { serial })]
    #[relink(tag.badge += badge)]
    #[link(badge.beside += beside)]
    pub struct Badged {
        pub tag: Key<Tag>,
        pub serial: u64,
        pub beside: Option<Badge>,
    }

    #[event]
    #[delete(order)]
    pub struct OrderDropped {
        pub order: Order,
    }

    #[event]
    #[delete(tags)]
    pub struct TagsDropped {
        pub tags: Vec<Tag>,
    }

    #[event]
    #[moves(those orders: Open -> Canceled)]
    pub struct Cleared {
        pub orders: Vec<Order>,
    }

    #[event]
    #[set(customer.city = city)]
    #[set(customer.credit = credit)]
    #[set(customer.seen_by = meta.actor)]
    pub struct Moved {
        pub customer: Ensure<Customer>,
        pub city: Option<String>,
        pub credit: i64,
    }

    #[event]
    #[set(customer.label = label)]
    pub struct Labeled {
        pub customer: Key<Customer>,
        pub label: super::Label,
    }

    /// Values of many types: they are in the log, and in no entity.
    #[event]
    pub struct Noted {
        pub truth: bool,
        pub small: i8,
        pub least: i64,
        pub greatest: u64,
        pub single: f32,
        pub double: f64,
        pub letter: char,
        pub text: String,
        pub bytes: Vec<u8>,
        pub pairs: Vec<(u8, Option<String>)>,
        pub map: std::collections::BTreeMap<i32, bool>,
        pub at: Timestamp,
        pub span: std::time::Duration,
        pub kinds: [super::Kind; 3],
    }

    #[event]
    #[may(create Line, delete Line, ensure Customer, set Order.lines, set Order.Paid.by, set Customer.note)]
    #[may(link Order.tags, unlink Order.tags, relink Order.tags, Line: Wanted -> Packed)]
    pub struct Handled {
        pub order: Order,
        pub what: String,
    }

    #[immediate]
    #[when(none order.lines in Wanted)]
    #[when(any order.lines in Packed)]
    #[moves(order: Open -> Paid { at = meta.time, by = "packed", beats = 7 })]
    pub struct AllPacked {
        pub order: Order,
    }

    #[invariant(Order, via = [lines], super::a_canceled_order_has_no_packed_line)]
    pub struct NothingPackedForNobody;
}

pub fn few_lines(event: &shop::LineAdded, db: &impl Db) -> Result<(), Reject> {
    match db.find::<shop::Order>(event.order.key()) {
        Some(order) if order.lines_count(db) > 8 => Err(Reject::new("an order has nine lines")),
        _ => Ok(()),
    }
}

pub fn a_canceled_order_has_no_packed_line(order: shop::Order, db: &impl Db) -> Result<(), Reject> {
    let canceled = order.is::<shop::state::Canceled>(db);
    if canceled && order.lines_in::<shop::state::Packed>(db) > 0 {
        return Err(Reject::new("a line is packed"));
    }
    Ok(())
}

impl Apply for shop::Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        use shop::state::{Paid, Wanted};
        let order = bound.order;
        match self.what.as_str() {
            "create" => {
                tx.create(shop::NewLine {
                    sku: "made".into(),
                    order,
                    order_data: 9,
                })?;
            }
            "delete" => {
                for line in order.lines(tx) {
                    line.delete(tx)?;
                }
            }
            "ensure" => {
                let customer = tx.ensure::<shop::Customer>("ensured")?;
                customer.set_note(tx, "seen")?;
            }
            "double" => {
                for line in order.lines(tx) {
                    let amount = order.lines_data(tx, &line).unwrap_or_default();
                    order.set_lines_data(tx, &line, 2 * amount)?;
                }
            }
            "pack" => {
                for line in order.lines(tx) {
                    if let Some(wanted) = line.in_state::<Wanted>(tx) {
                        wanted.pack(tx, "handler")?;
                    }
                }
            }
            "payer" => {
                if let Some(paid) = order.in_state::<Paid>(tx) {
                    paid.set_by(tx, "handler")?;
                }
            }
            "tags" => {
                for tag in order.tags(tx) {
                    order.unlink_tags(tx, &tag)?;
                }
                if let Some(tag) = tx.find::<shop::Tag>("red") {
                    order.link_tags(tx, &tag, "by hand".to_owned())?;
                }
                if let Some(tag) = tx.find::<shop::Tag>("big") {
                    order.relink_tags(tx, &tag, "by hand too".to_owned())?;
                }
            }
            other => return Err(Reject::new(format!("what is {other}?"))),
        }
        Ok(())
    }
}

/// A bank, and the same one after its rules have changed.
pub mod first {
    #[ironweave::model]
    pub mod bank {
        use ironweave::prelude::*;

        #[entity]
        pub struct Account {
            #[key]
            pub name: String,
            #[default]
            pub balance: i64,
        }
        #[states(Account)]
        pub enum AccountState {
            #[initial]
            #[to(Closed)]
            Open,
            #[terminal]
            #[allow(unreached)]
            Frozen,
            #[terminal]
            Closed,
        }

        #[event]
        #[set(account.balance = balance)]
        pub struct Counted {
            pub account: Ensure<Account>,
            pub balance: i64,
        }

        #[event]
        #[moves(account: Open -> Closed)]
        pub struct Ended {
            pub account: Account,
        }
    }
}

pub mod second {
    /// Accounts can be frozen, and what ends is frozen first; a guard; another order of declaration.
    #[ironweave::model]
    pub mod bank {
        use ironweave::prelude::*;

        #[event]
        #[moves(account: Open -> Frozen)]
        pub struct Ended {
            pub account: Account,
        }

        #[event]
        #[guard(super::not_negative)]
        #[when(all account in Open | Frozen)]
        #[set(account.balance = balance)]
        pub struct Counted {
            pub account: Ensure<Account>,
            pub balance: i64,
        }

        #[entity]
        pub struct Account {
            #[default]
            pub balance: i64,
            #[key]
            pub name: String,
        }
        #[states(Account)]
        pub enum AccountState {
            #[terminal]
            #[allow(unreached)]
            Closed,
            #[initial]
            #[to(Frozen)]
            Open,
            #[to(Closed)]
            Frozen,
        }
    }

    pub fn not_negative(
        event: &bank::Counted,
        _: &impl ironweave::prelude::Db,
    ) -> Result<(), ironweave::prelude::Reject> {
        if event.balance < 0 {
            return Err(ironweave::prelude::Reject::new("nobody may owe"));
        }
        Ok(())
    }
}
