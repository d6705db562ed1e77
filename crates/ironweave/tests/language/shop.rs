//! A model that uses each construct of the language: orders of customers, with lines and tags.

pub use model::*;

use ironweave::prelude::*;
use model::state::*;

#[ironweave::model]
pub mod model {
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
        pub followed_by: Many<Order>,
        #[edge(data = String)]
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
        #[to(Packed)]
        Wanted,
        #[terminal]
        Packed { by: String },
    }

    #[entity]
    pub struct Tag {
        #[key]
        pub word: String,
        #[inverse(Order::tags)]
        pub orders: Many<Order>,
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
    #[create(line: Line { sku })]
    #[link(order.lines += line { data = amount })]
    pub struct LineAdded {
        pub order: Key<Order>,
        pub sku: String,
        pub amount: u32,
    }

    #[event]
    #[set(line.order.lines[line] = amount)]
    pub struct AmountChanged {
        pub line: Line<Wanted>,
        pub amount: u32,
    }

    #[event]
    #[moves(line: Wanted -> Packed { by = line.sku })]
    pub struct Packing {
        pub line: Line,
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
    #[relink(order.tags += tags { data })]
    pub struct Tagged {
        pub order: Order,
        pub tags: Vec<Ensure<Tag>>,
        pub data: String,
    }

    #[event]
    #[delete(order)]
    pub struct OrderDropped {
        pub order: Order,
    }

    #[event]
    #[delete(customer)]
    pub struct CustomerDropped {
        pub customer: Key<Customer>,
    }

    #[event]
    #[delete(customer)]
    #[delete(customer.orders)]
    pub struct CustomerDroppedWithAll {
        pub customer: Key<Customer>,
    }

    #[event]
    #[delete(tags)]
    pub struct TagsDropped {
        pub tags: Vec<Tag>,
    }

    #[event]
    #[moves(each orders: Open -> Canceled)]
    #[delete(dropped)]
    pub struct Cleared {
        pub orders: Vec<Order>,
        pub dropped: Option<Order>,
    }

    #[event]
    #[set(customer.city = city)]
    #[set(customer.credit = credit)]
    pub struct Moved {
        pub customer: Ensure<Customer>,
        pub city: Option<String>,
        pub credit: i64,
    }

    #[event]
    #[set(a.note = b.note)]
    #[set(b.note = a.note)]
    pub struct NotesSwapped {
        pub a: Customer,
        pub b: Customer,
    }

    #[event]
    #[may(create Line, delete Line, ensure Customer, set Order.lines, set Order.Paid.by, set Customer.note, link Order.tags)]
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
}

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let order = bound.order;
        match self.what.as_str() {
            "create" => {
                let line = tx.create(NewLine {
                    sku: "made".into(),
                    order,
                    order_data: 9,
                })?;
                assert!(line.is::<Wanted>(tx));
                assert_eq!(order.lines_data(tx, &line), Some(9));
            }
            "delete" => {
                for line in order.lines(tx) {
                    line.delete(tx)?;
                }
            }
            "ensure" => {
                let customer = tx.ensure::<Customer>("ada")?;
                customer.set_note(tx, "seen")?;
            }
            "double" => {
                for line in order.lines(tx) {
                    let amount = order.lines_data(tx, &line).expect("the link exists");
                    order.set_lines_data(tx, &line, 2 * amount)?;
                }
            }
            "payer" => {
                let paid = order.in_state::<Paid>(tx).expect("paid");
                paid.set_by(tx, "handler")?;
            }
            "tag" => {
                let tag = tx.find::<Tag>("red").expect("there");
                order.link_tags(tx, &tag, "by hand".to_owned())?;
            }
            other => return Err(Reject::new(format!("what is {other}?"))),
        }
        Ok(())
    }
}

pub fn store() -> Store<Model> {
    Store::paranoid()
}

pub fn order(store: &mut Store<Model>, customer: &str, number: u64) -> Order {
    let event = Ordered {
        customer: customer.into(),
        year: 2026,
        number,
    };
    store.step(event).created.order
}

pub fn line(store: &mut Store<Model>, number: u64, sku: &str, amount: u32) -> Line {
    let event = LineAdded {
        order: Key::new((2026, number)),
        sku: sku.into(),
        amount,
    };
    store.step(event).created.line
}
