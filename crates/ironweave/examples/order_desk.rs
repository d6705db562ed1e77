//! An order desk: lines are reserved from stock, shipped as stock becomes available, and canceled before they
//! are shipped. Run it with `cargo run --example order_desk`.
//!
//! The state of an order follows from its lines. Only the event that calculates has a handler.
#![allow(missing_docs)]

use std::{error::Error, io};

use desk::{state::*, *};
use ironweave::prelude::*;

#[rustfmt::skip] // one line for a small event: the model reads like a table
#[ironweave::model]
pub mod desk {
    use ironweave::prelude::*;

    #[entity]
    pub struct Customer {
        #[key]
        pub name: String,
        #[inverse(Order::customer)]
        pub orders: Many<Order>,
    }
    #[entity]
    pub struct Product {
        #[key]
        pub sku: String,
        #[default]
        pub in_stock: u32,                              // on the shelf, reserved or not
        #[inverse(Line::product)]
        pub lines: Many<Line>,
    }
    #[entity]
    pub struct Order {
        #[key]
        pub number: u64,
        pub customer: Customer,
        #[edge(counted)]                                // `lines_in::<Shipped>(db)` is O(1)
        pub lines: Many<Line>,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial] #[to(PartlyDelivered, Delivered, Canceled)] Open,
        #[to(Delivered)] PartlyDelivered,
        #[terminal] Delivered, #[terminal] Canceled,
    }
    #[entity]
    pub struct Line {
        pub quantity: u32,
        #[inverse(Order::lines)]
        pub order: Order,
        pub product: Product,
        #[inverse(Shipment::lines)]
        pub shipment: Option<Shipment>,
    }
    #[states(Line)]
    pub enum LineState {
        #[initial] #[to(Reserved, Canceled)] Waiting,
        #[to(Shipped, Canceled)] Reserved, #[terminal] Shipped, #[terminal] Canceled,
    }
    #[entity]
    pub struct Shipment {
        #[edge(min = 1)]
        pub lines: Many<Line>,
    }

    #[event]
    #[create(order: Order { number })]
    #[link(order.customer += customer)]
    pub struct OrderPlaced { pub number: u64, pub customer: Ensure<Customer> }

    #[event]
    #[when(all order in Open)]
    #[create(line: Line { quantity })]
    #[link(line.order += order)]
    #[link(line.product += product)]
    pub struct LineAdded { pub order: Key<Order>, pub product: Ensure<Product>, pub quantity: u32 }

    #[event]
    #[set(product.in_stock = in_stock)]
    pub struct StockCounted { pub product: Ensure<Product>, pub in_stock: u32 }

    #[event]                                            // `NeverOversold` rejects it if stock is insufficient
    #[moves(line: Waiting -> Reserved)]
    pub struct LineReserved { pub line: Line<Waiting> }

    #[event]
    #[create(shipment: Shipment)]
    #[link(shipment.lines += lines)]
    #[moves(each lines: Reserved -> Shipped)]
    #[may(set Product.in_stock)]                        // what each line takes from its product: a handler
    pub struct LinesShipped { pub lines: Vec<Line<Reserved>> }

    #[event]                                            // shipped lines are not changed
    #[moves(those order.lines: Waiting | Reserved -> Canceled)]
    pub struct RestCanceled { pub order: Key<Order> }

    #[immediate]
    #[when(any order.lines in Shipped)]
    #[when(none order.lines in Waiting | Reserved)]
    #[moves(order: Open | PartlyDelivered -> Delivered)]
    pub struct OrderDelivered { pub order: Order }

    #[immediate]
    #[when(any order.lines in Shipped)]
    #[when(any order.lines in Waiting | Reserved)]
    #[moves(order: Open -> PartlyDelivered)]
    pub struct OrderPartlyDelivered { pub order: Order }

    #[immediate]
    #[when(any order.lines in Canceled)]                // `none` alone would hold for an order without lines
    #[when(none order.lines in Waiting | Reserved | Shipped)]
    #[moves(order: Open -> Canceled)]
    pub struct OrderCanceled { pub order: Order }

    #[invariant(Product, via = [lines], super::no_more_is_reserved_than_there_is)]
    pub struct NeverOversold;
}

fn no_more_is_reserved_than_there_is(product: Product, db: &impl Db) -> Result<(), Reject> {
    let reserved = product.lines(db).filter(|line| line.is::<Reserved>(db));
    let reserved: u32 = reserved.map(|line| line.quantity(db)).sum();
    let in_stock = product.in_stock(db);
    if reserved > in_stock {
        return Err(Reject::new(format!(
            "{reserved} reserved, {in_stock} in stock"
        )));
    }
    Ok(())
}

impl Apply for LinesShipped {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        for line in bound.lines {
            let product = line.product(tx);
            product.set_in_stock(tx, product.in_stock(tx) - line.quantity(tx))?;
        }
        Ok(())
    }
}

/// Reserves lines as far as there is stock, and ships them order by order.
fn work(store: &mut Store<desk::Model>, out: &mut dyn io::Write) -> Result<(), Box<dyn Error>> {
    for line in store.place::<Line, Waiting>().collect::<Vec<_>>() {
        if let Err(refused) = store.try_step(LineReserved { line }) {
            writeln!(out, "  {refused}")?;
        }
    }
    let ready = Order::LINES.any(Line::in_place::<Reserved>());
    for order in store.select(ready).collect::<Vec<_>>() {
        let lines = order.lines(store).filter_map(|line| line.in_state(store));
        let lines = lines.collect();
        store.try_step(LinesShipped { lines })?;
    }
    for order in store.place::<Order, Any>() {
        let (number, customer) = (order.number(store), order.customer(store).name(store));
        let (shipped, all) = (order.lines_in::<Shipped>(store), order.lines_count(store));
        let state = order.state(store);
        writeln!(out, "  {number} {customer}: {state}, {shipped} of {all}")?;
    }
    Ok(())
}

pub fn run(out: &mut dyn io::Write) -> Result<(), Box<dyn Error>> {
    let mut store = Store::<desk::Model>::memory();
    for (sku, in_stock) in [("bolt", 100), ("nut", 20)] {
        store.try_step(StockCounted {
            product: sku.into(),
            in_stock,
        })?;
    }
    let ada = (1, "ada", vec![("bolt", 40), ("nut", 15)]);
    let bob = (2, "bob", vec![("bolt", 30), ("nut", 15)]);
    for (number, customer, lines) in [ada, bob, (3, "eve", vec![("nut", 5)])] {
        let mut t = store.begin(); // one transaction for an order and its lines
        t.apply(OrderPlaced {
            number,
            customer: customer.into(),
        })?;
        for (sku, quantity) in lines {
            t.apply(LineAdded {
                order: number.into(),
                product: sku.into(),
                quantity,
            })?;
        }
        t.commit()?;
    }
    store.try_step(RestCanceled { order: 3.into() })?;
    writeln!(out, "eve cancels; the others get what is in stock")?;
    work(&mut store, out)?;
    writeln!(out, "bob cancels the rest of his order")?;
    store.try_step(RestCanceled { order: 2.into() })?;
    work(&mut store, out)?;
    Ok(())
}

#[allow(dead_code)] // the test that compares the output has its own `main`
fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}
