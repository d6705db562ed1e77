// The model of most examples in the guide.

#[rustfmt::skip]
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
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Ready, cancel -> Canceled)]
        Open,
        #[to(Sent, cancel -> Canceled)]
        Ready,
        #[to(Sent)]
        Sent { at: Timestamp, by: String },
        #[terminal]
        Canceled,
    }

    #[entity]
    pub struct Line {
        pub sku: String,
        #[inverse(Order::lines)]
        #[edge(on_delete = unlink)]
        pub order: Order,
        #[inverse(Parcel::lines)]
        #[edge(on_delete = unlink)]
        pub parcel: Option<Parcel>,
    }
    #[states(Line)]
    pub enum LineState {
        #[initial]
        #[to(Packed, Canceled)]
        Wanted,
        #[to(Canceled)]
        Packed,
        #[terminal]
        Canceled,
    }

    #[entity]
    pub struct Parcel {
        #[edge(max = 20)]
        pub lines: Many<Line>,
    }

    #[event]
    #[create(order: Order { year, number })]
    #[link(order.customer += customer)]
    pub struct Ordered { pub customer: Ensure<Customer>, pub year: u32, pub number: u64 }

    #[event]
    #[when(all order in Open | Ready)]
    #[create(line: Line { sku } in Wanted)]
    #[link(order.lines += line { data = amount })]
    pub struct LineAdded { pub order: Key<Order>, pub sku: String, pub amount: u32 }

    #[event]
    #[set(line.order.lines[line] = amount)]
    pub struct AmountChanged { pub line: Line<Wanted>, pub amount: u32 }

    #[event]
    #[set(customer.city = city)]
    pub struct CustomerMoved { pub customer: Ensure<Customer>, pub city: Option<String> }

    #[event]
    #[choose(line: order.lines in Wanted by sku)]
    #[moves(line: Wanted -> Packed)]
    pub struct NextPacked { pub order: Order }

    #[event]
    #[create(parcel: Parcel)]
    #[relink(parcel.lines += lines)]
    #[moves(each lines: Wanted -> Packed)]
    pub struct Packing { pub lines: Vec<Line> }

    #[event]
    #[moves(order: Ready -> Sent { at = meta.time, by })]
    pub struct OrderSent { pub order: Order<Ready>, pub by: String }

    #[event]
    #[moves(order: Sent -> Sent { at = meta.time, by = order.by })]
    pub struct OrderSentAgain { pub order: Order<Sent> }

    #[event]
    #[set(order.Sent.by = by)]
    pub struct CarrierCorrected { pub order: Order, pub by: String }

    #[event]
    #[moves(order: Open | Ready -> Canceled)]
    #[moves(those order.lines: Wanted | Packed -> Canceled)]
    pub struct OrderCanceled { pub order: Order }

    #[event]
    #[guard(super::one_customer)]
    #[guard(super::is_no_guest)]
    #[link(order.follows += earlier)]
    pub struct Followed { pub order: Order, pub earlier: Vec<Order> }

    #[event]
    #[unlink(order.follows -= order.follows)]
    pub struct NothingFollowed { pub order: Order }

    #[event]
    #[delete(order)]
    pub struct OrderDropped { pub order: Order }

    #[event]
    #[may(set Order.lines, create Line, link Order.lines)]
    pub struct Doubled { pub order: Order<Open>, pub gift: Option<String> }

    #[immediate]
    #[when(any order.lines in Packed)]
    #[when(none order.lines in Wanted)]
    #[moves(order: Open -> Ready)]
    pub struct AllPacked { pub order: Order }

    #[invariant(Order, via = [lines], super::what_is_sent_is_packed)]
    pub struct SentIsPacked;
}

use ironweave::prelude::*;
#[allow(unused_imports)]
use shop::{state::*, *};

fn one_customer(event: &Followed, db: &impl Db) -> Result<(), Reject> {
    let customer = event.order.customer(db);
    if event.earlier.iter().all(|order| order.customer(db) == customer) {
        Ok(())
    } else {
        Err(Reject::new("the orders are not all of one customer"))
    }
}

fn is_no_guest(_: &Followed, db: &Guarded<'_, Followed>) -> Result<(), Reject> {
    let order = db.named().order;
    match db.meta().actor() {
        Some("guest") => Err(Reject::new(format!("a guest may not change {order}"))),
        _ => Ok(()),
    }
}

fn what_is_sent_is_packed(order: Order, db: &impl Db) -> Result<(), Reject> {
    if order.is::<Sent>(db) && order.lines_in::<Wanted>(db) > 0 {
        return Err(Reject::new("a line is not packed"));
    }
    Ok(())
}

impl Apply for Doubled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let order = bound.order.any();
        for line in order.lines(tx) {
            let amount = order.lines_data(tx, &line).expect("it is linked");
            order.set_lines_data(tx, &line, 2 * amount)?;
        }
        if let Some(sku) = &self.gift {
            tx.create(NewLine { sku: sku.clone(), order, order_data: 1 })?;
        }
        Ok(())
    }
}
