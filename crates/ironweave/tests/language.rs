//! What the language can say beyond the README's model: one test for each construct.
#![allow(missing_docs)]

use ironweave::prelude::*;
use shop::state::*;
use shop::*;

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
                    let amount = order.lines_data(tx, &line).expect("linked");
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

fn store() -> Store<shop::Model> {
    Store::paranoid()
}

fn order(store: &mut Store<shop::Model>, customer: &str, number: u64) -> Order {
    let event = Ordered {
        customer: customer.into(),
        year: 2026,
        number,
    };
    store.step(event).created.order
}

fn line(store: &mut Store<shop::Model>, number: u64, sku: &str, amount: u32) -> Line {
    let event = LineAdded {
        order: Key::new((2026, number)),
        sku: sku.into(),
        amount,
    };
    store.step(event).created.line
}

/// Sound, and the same when fired again.
fn sound(store: &Store<shop::Model>) {
    assert_eq!(store.check(), Vec::<String>::new());
    store.verify().expect("the same facts again");
}

#[test]
fn an_entity_without_states_exists() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    let ada = order.customer(&store);
    assert!(ada.is::<Exists>(&store));
    assert_eq!(store.count::<Customer, Exists>(), 1);
    sound(&store);
}

#[test]
fn a_key_of_several_fields_is_unique_as_a_whole() {
    let mut store = store();
    let first = order(&mut store, "ada", 1);
    let second = order(&mut store, "ada", 2);
    assert_eq!(store.find::<Order>(&(2026, 1)), Some(first));
    assert_eq!(store.find::<Order>(&(2026, 2)), Some(second));
    assert_eq!(store.find::<Order>(&(2025, 2)), None);
    let again = Ordered {
        customer: "bob".into(),
        year: 2026,
        number: 2,
    };
    let refused = store.try_step(again).err().expect("the key is taken");
    assert_eq!(
        refused.to_string(),
        "Ordered: Order 2026, 2 exists already; choose another key"
    );
    assert_eq!(store.find::<Customer>("bob"), None);
    store.step(OrderDropped { order: second });
    assert_eq!(store.find::<Order>(&(2026, 2)), None);
    let third = order(&mut store, "ada", 2);
    assert_eq!(store.find::<Order>(&(2026, 2)), Some(third));
    sound(&store);
}

#[test]
fn fields_that_are_optional_or_defaulted_need_not_be_given() {
    let mut store = store();
    let ada = order(&mut store, "ada", 1).customer(&store);
    assert_eq!(ada.city(&store), &None);
    assert_eq!(ada.credit(&store), 0);
    assert_eq!(ada.note(&store), "new");
    sound(&store);
}

#[test]
fn an_index_finds_by_equal_values_and_an_ordered_one_by_ranges() {
    let mut store = store();
    let mut moved = |name: &str, city: Option<&str>, credit| {
        let event = Moved {
            customer: name.into(),
            city: city.map(str::to_owned),
            credit,
        };
        store.step(event).bound.customer
    };
    let ada = moved("ada", Some("London"), 5);
    let bob = moved("bob", Some("Paris"), -3);
    let eve = moved("eve", Some("London"), 5);
    let max = moved("max", None, 9);
    let by = |db: &Store<shop::Model>, city: Option<&str>| -> Vec<Customer> {
        Customer::by_city(db, &city.map(str::to_owned)).collect()
    };
    assert_eq!(by(&store, Some("London")), [ada, eve]);
    assert_eq!(by(&store, Some("Rome")), []);
    assert_eq!(by(&store, None), [max]);
    let range = |db: &Store<shop::Model>, range: std::ops::RangeInclusive<i64>| {
        Customer::by_credit_range(db, range).collect::<Vec<_>>()
    };
    assert_eq!(range(&store, -5..=5), [bob, ada, eve]);
    assert_eq!(range(&store, 6..=9), [max]);
    #[allow(clippy::reversed_empty_ranges)]
    let nothing = range(&store, 9..=6);
    assert_eq!(nothing, []);
    assert_eq!(
        Customer::by_credit(&store, &5).collect::<Vec<_>>(),
        [ada, eve]
    );
    assert_eq!(Customer::by_credit_range(&store, ..).count(), 4);
    // Undone, the indexes are what they were.
    let asked = store.what_if(|t| {
        t.apply(Moved {
            customer: "ada".into(),
            city: None,
            credit: 6,
        })?;
        Ok((
            Customer::by_city(t, &None).count(),
            Customer::by_credit_range(t, 6..).next(),
        ))
    });
    assert_eq!(asked.expect("it can"), (2, Some(ada)));
    assert_eq!(by(&store, None), [max]);
    assert_eq!(range(&store, 5..=5), [ada, eve]);
    sound(&store);
}

#[test]
fn links_have_data_at_both_ends() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    let screw = line(&mut store, 1, "screw", 10);
    let nail = line(&mut store, 1, "nail", 3);
    assert_eq!(order.lines_data(&store, &screw), Some(10));
    assert_eq!(nail.order_data(&store), Some(3));
    let token = screw.in_state::<Wanted>(&store).expect("just added");
    store.step(AmountChanged {
        line: token,
        amount: 12,
    });
    assert_eq!(screw.order_data(&store), Some(12));
    assert_eq!(nail.order_data(&store), Some(3));
    store.step(Handled {
        order,
        what: "double".into(),
    });
    assert_eq!(screw.order_data(&store), Some(24));
    assert_eq!(nail.order_data(&store), Some(6));
    sound(&store);
}

#[test]
fn links_between_many_and_many_keep_their_data_apart() {
    let mut store = store();
    let (a, b) = (order(&mut store, "ada", 1), order(&mut store, "ada", 2));
    let tagged = |order, tags: &[&str], data: &str| Tagged {
        order,
        tags: tags.iter().map(|t| Ensure::from(*t)).collect(),
        data: data.into(),
    };
    store.step(tagged(a, &["red", "big"], "x"));
    store.step(tagged(b, &["red"], "y"));
    let red = store.find::<Tag>("red").expect("made");
    let big = store.find::<Tag>("big").expect("made");
    assert_eq!(a.tags_data(&store, &red), Some("x"));
    assert_eq!(red.orders_data(&store, &b), Some("y"));
    assert_eq!(b.tags_data(&store, &big), None);
    // `relink` of a link that is there gives it other data.
    store.step(tagged(a, &["red"], "z"));
    assert_eq!(a.tags_data(&store, &red), Some("z"));
    let before = store.fingerprint();
    let gone = store.what_if(|t| {
        t.apply(OrderDropped { order: a })?;
        t.apply(tagged(b, &["big"], "w"))?;
        Ok(big.orders_data(t, &b).map(str::to_owned))
    });
    assert_eq!(gone.expect("it can").as_deref(), Some("w"));
    assert_eq!(a.tags_data(&store, &big), Some("x"));
    assert_eq!(store.fingerprint(), before);
    let order = order(&mut store, "ada", 3);
    store.step(Handled {
        order,
        what: "tag".into(),
    });
    sound(&store);
}

#[test]
fn a_counted_end_tells_how_many_are_in_a_place() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    let screw = line(&mut store, 1, "screw", 10);
    line(&mut store, 1, "nail", 3);
    store.step(Packing { line: screw });
    assert_eq!(order.lines_in::<Wanted>(&store), 1);
    assert_eq!(order.lines_in::<Packed>(&store), 1);
    assert_eq!(order.lines_in::<(Wanted, Packed)>(&store), 2);
    sound(&store);
}

#[test]
fn values_come_from_fields_of_bound_entities_as_they_were() {
    let mut store = store();
    let screw = {
        order(&mut store, "ada", 1);
        line(&mut store, 1, "screw", 1)
    };
    line(&mut store, 1, "nail", 1);
    let packed = store.step(Packing { line: screw }).bound.line;
    assert_eq!(packed.by(&store), "screw");
    let (a, b) = (
        order(&mut store, "bob", 2).customer(&store),
        order(&mut store, "eve", 3).customer(&store),
    );
    let order = order(&mut store, "bob", 4);
    store.step(Handled {
        order,
        what: "ensure".into(),
    });
    let ada = store.find::<Customer>("ada").expect("ensured");
    assert_eq!(ada.note(&store), "seen");
    store.step(NotesSwapped { a: ada, b });
    assert_eq!((ada.note(&store), b.note(&store)), ("new", "seen"));
    assert_eq!(a.note(&store), "new");
    sound(&store);
}

#[test]
fn a_move_from_a_state_to_itself_gives_new_data() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    let event = Payment {
        order,
        by: "card".into(),
    };
    let paid = store.step(event).bound.order;
    let paid = store
        .step(Heartbeat {
            order: paid,
            beats: 5,
        })
        .bound
        .order;
    assert_eq!((paid.by(&store), paid.beats(&store)), ("card", 5));
    sound(&store);
}

#[test]
fn data_of_a_state_is_set_only_in_that_state() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    let corrected = || PayerCorrected {
        order,
        by: "cash".into(),
    };
    let refused = store.try_step(corrected()).err().expect("it is open");
    assert_eq!(
        refused.to_string(),
        "PayerCorrected: Order 2026, 1 is Open, not Paid"
    );
    let event = Payment {
        order,
        by: "card".into(),
    };
    let paid = store.step(event).bound.order;
    store.step(corrected());
    assert_eq!(paid.by(&store), "cash");
    store.step(Handled {
        order,
        what: "payer".into(),
    });
    assert_eq!(paid.by(&store), "handler");
    sound(&store);
}

#[test]
fn an_acyclic_edge_never_leads_back() {
    let mut store = store();
    let [a, b, c] = [1, 2, 3].map(|n| order(&mut store, "ada", n));
    let follow = |order, follows: &[Order]| Followed {
        order,
        follows: follows.to_vec(),
    };
    store.step(follow(b, &[a]));
    store.step(follow(c, &[b, a]));
    let refused = store.try_step(follow(a, &[c])).err().expect("a circle");
    assert_eq!(
        refused.to_string(),
        "Followed: Order.follows is acyclic, and its links would form a cycle: Order 2026, 3 -> Order 2026, 1 -> \
         Order 2026, 3"
    );
    assert!(matches!(
        store.try_step(follow(a, &[a])),
        Err(StepError::Cycle { .. })
    ));
    assert_eq!(a.follows_count(&store), 0);
    sound(&store);
}

#[test]
fn deleting_follows_the_policies_of_the_ends() {
    let mut store = store();
    let (first, second) = (order(&mut store, "ada", 1), order(&mut store, "ada", 2));
    let screw = line(&mut store, 1, "screw", 1);
    let nail = line(&mut store, 2, "nail", 1);
    // Restricted: the inverse end of `customer` holds orders.
    let refused = store.try_step(CustomerDropped {
        customer: "ada".into(),
    });
    assert_eq!(
        refused.err().expect("it has orders").to_string(),
        "CustomerDropped: Customer \"ada\" cannot be deleted: at Customer.orders it is linked with Order 2026, 1, \
         and the `on_delete` of Customer.orders is `restrict`; unlink it first"
    );
    // Cascade: its lines go with it; the link to its customer is just gone.
    store.step(OrderDropped { order: first });
    assert!(!first.alive(&store) && !screw.alive(&store) && nail.alive(&store));
    assert_eq!(store.count::<Line, Wanted>(), 1);
    let ada = second.customer(&store);
    assert_eq!(ada.orders(&store).collect::<Vec<_>>(), [second]);
    // What stands in the way may go in the same event.
    store.step(CustomerDroppedWithAll {
        customer: "ada".into(),
    });
    assert!(!ada.alive(&store) && !second.alive(&store) && !nail.alive(&store));
    assert_eq!(store.count::<Order, Any>(), 0);
    sound(&store);
}

#[test]
fn a_slot_is_used_again_with_the_next_generation() {
    let mut store = store();
    let first = order(&mut store, "ada", 1);
    store.step(OrderDropped { order: first });
    let refused = store.try_step(OrderDropped { order: first }).err();
    assert_eq!(
        refused.expect("it is gone").to_string(),
        "OrderDropped: Order/0.1 does not exist; it was deleted, or its handle is of another store"
    );
    let asked = store.what_if(|t| {
        let event = Ordered {
            customer: "ada".into(),
            year: 1,
            number: 1,
        };
        Ok(t.apply(event)?.created.order)
    });
    let second = order(&mut store, "ada", 2);
    assert_eq!(asked.expect("it can"), second);
    assert_eq!(second.to_string(), "Order/0.2");
    assert!(!first.alive(&store) && first != second);
    sound(&store);
}

#[test]
fn a_deleted_entity_comes_back_whole_when_it_is_undone() {
    let mut store = store();
    let first = order(&mut store, "ada", 1);
    let (screw, nail) = (
        line(&mut store, 1, "screw", 4),
        line(&mut store, 1, "nail", 5),
    );
    let (print, lines): (u128, Vec<Line>) = (store.fingerprint(), first.lines(&store).collect());
    let mut t = store.begin();
    t.apply(OrderDropped { order: first }).expect("it can");
    let event = Ordered {
        customer: "bob".into(),
        year: 2026,
        number: 1,
    };
    t.apply(event).expect("the key is free again");
    drop(t);
    assert_eq!(store.fingerprint(), print);
    assert_eq!(first.lines(&store).collect::<Vec<_>>(), lines);
    assert_eq!(screw.order_data(&store), Some(4));
    assert_eq!(nail.sku(&store), "nail");
    assert_eq!(store.find::<Order>(&(2026, 1)), Some(first));
    sound(&store);
}

#[test]
fn a_move_and_a_delete_of_one_entity_reject() {
    let mut store = store();
    let (a, b) = (order(&mut store, "ada", 1), order(&mut store, "ada", 2));
    let cleared = |dropped| Cleared {
        orders: vec![a],
        dropped,
    };
    assert!(matches!(
        store.try_step(cleared(Some(a))),
        Err(StepError::TwoArcs { .. })
    ));
    store.step(cleared(Some(b)));
    assert!(a.is::<Canceled>(&store) && !b.alive(&store));
    sound(&store);
}

#[test]
fn a_handler_creates_and_deletes_what_its_event_may() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    line(&mut store, 1, "nail", 3);
    let handled = |what: &str| Handled {
        order,
        what: what.into(),
    };
    store.step(handled("create"));
    assert_eq!(order.lines_count(&store), 2);
    store.step(handled("delete"));
    assert_eq!(order.lines_count(&store), 0);
    assert_eq!(store.count::<Line, Any>(), 0);
    sound(&store);
}

#[test]
fn an_end_that_must_hold_one_cannot_be_left_empty_by_a_delete() {
    let mut store = store();
    let tag = {
        let order = order(&mut store, "ada", 1);
        let event = Tagged {
            order,
            tags: vec!["red".into()],
            data: String::new(),
        };
        store.step(event).bound.tags[0].any()
    };
    let refused = store.try_step(TagsDropped { tags: vec![tag] });
    assert!(matches!(refused, Err(StepError::Restricted { .. })));
    sound(&store);
}

#[test]
fn an_immediate_event_writes_literals() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    let screw = line(&mut store, 1, "screw", 10);
    store.step(Packing { line: screw });
    let paid = order.in_state::<Paid>(&store).expect("all is packed");
    assert_eq!((paid.by(&store), paid.beats(&store)), ("packed", 7));
    sound(&store);
}

#[test]
fn filters_join_places_and_edges() {
    let mut store = store();
    let [a, b, c] = [1, 2, 3].map(|n| order(&mut store, "ada", n));
    line(&mut store, 1, "screw", 1);
    let nail = line(&mut store, 2, "nail", 1);
    line(&mut store, 2, "bolt", 1);
    store.step(Packing { line: nail });
    let event = Payment {
        order: c,
        by: "card".into(),
    };
    store.step(event);
    let select = |filter: Filter<Order>| store.select(filter).collect::<Vec<_>>();
    let packed = || Order::with_lines(Line::in_place::<Packed>());
    let wanted = || Order::with_lines(Line::in_place::<Wanted>());
    let open = Order::in_place::<Open>;
    assert_eq!(select(packed()), [b]);
    assert_eq!(select(wanted()), [a, b]);
    assert_eq!(select(wanted() & !packed()), [a]);
    assert_eq!(select(open() & packed()), [b]);
    assert_eq!(select(!open() | packed()), [b, c]);
    assert_eq!(select(!(open() | packed())), [c]);
    let with_open = Customer::with_orders(open());
    assert_eq!(store.select(with_open).count(), 1);
    let of_packed = Line::with_order(packed()) & Line::in_place::<Wanted>();
    assert_eq!(store.select(of_packed).count(), 1);
}

#[test]
fn any_is_the_place_of_all_and_a_state_prints_its_name() {
    let mut store = store();
    let [a, b] = [1, 2].map(|n| order(&mut store, "ada", n));
    let by = "card".into();
    store.step(Payment { order: b, by });
    assert_eq!(store.place::<Order, Any>().collect::<Vec<_>>(), [a, b]);
    let unpaid = Order::in_place::<Any>() & !Order::in_place::<Paid>();
    assert_eq!(store.select(unpaid).collect::<Vec<_>>(), [a]);
    assert_eq!(format!("{:>5}", b.state(&store)), " Paid");
}

#[test]
fn events_come_as_json() {
    let mut store = store();
    let json = r#"{"Ordered": {"customer": "ada", "year": 2026, "number": 1}}"#;
    let event: shop::AnyEvent = serde_json::from_str(json).expect("an event");
    let receipt = store.try_step_any(&event).expect("it can");
    assert_eq!(receipt.names[1].0.as_ref(), "order");
    assert_eq!(receipt.names[1].1[0].to_string(), "Order/0.1");
    let json = r#"{"Moved":{"customer":"ada","credit":3}}"#;
    let event: shop::AnyEvent = serde_json::from_str(json).expect("the city may be left out");
    store.try_step_any(&event).expect("it can");
    let order = store.find::<Order>(&(2026, 1)).expect("ordered");
    let json = serde_json::to_string(&shop::AnyEvent::from(OrderDropped { order }));
    assert_eq!(
        json.expect("it can be written"),
        r#"{"OrderDropped":{"order":"Order/0.1"}}"#
    );
    let wrong = |json: &str| {
        let event: Result<shop::AnyEvent, _> = serde_json::from_str(json);
        event.expect_err("no event").to_string()
    };
    assert!(wrong(r#"{"Orderd": {}}"#).contains("unknown variant `Orderd`, expected one of"));
    assert!(wrong(r#"{"OrderDropped": {}}"#).contains("missing field `order`"));
    assert!(wrong(r#"{"OrderDropped": {"ordr": 1}}"#).contains("unknown field `ordr`"));
    assert!(wrong(r#"{"OrderDropped": {"order": "Line/0.1"}}"#).contains("`Line/0.1` is no Order"));
    sound(&store);
}

#[test]
fn all_of_it_comes_back_from_the_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Store::<shop::Model>::open(dir.path()).expect("opened");
    let first = order(&mut store, "ada", 1);
    line(&mut store, 1, "screw", 4);
    store.step(Tagged {
        order: first,
        tags: vec!["red".into(), "big".into()],
        data: "x".into(),
    });
    store.step(OrderDropped { order: first });
    let second = order(&mut store, "bob", 1);
    let screw = line(&mut store, 1, "screw", 7);
    let print = store.fingerprint();
    drop(store);
    let mut store = Store::<shop::Model>::open(dir.path()).expect("opened again");
    assert_eq!(store.fingerprint(), print);
    assert_eq!(second.lines_data(&store, &screw), Some(7));
    assert_eq!(store.find::<Order>(&(2026, 1)), Some(second));
    // The next id too.
    store.step(OrderDropped { order: second });
    assert_eq!(order(&mut store, "eve", 5).to_string(), "Order/0.3");
    sound(&store);
}

#[ironweave::model]
pub mod follow {
    use ironweave::prelude::*;

    #[entity]
    pub struct Case {
        pub notes: Many<Note>,
    }
    #[states(Case)]
    pub enum CaseState {
        #[initial]
        #[to(Noted)]
        Open,
        #[to(Closed)]
        Noted,
        #[terminal]
        Closed,
    }

    #[entity]
    pub struct Note {
        #[inverse(Case::notes)]
        pub case: Case,
    }
    #[states(Note)]
    pub enum NoteState {
        #[to(Filed)]
        Held,
        #[terminal]
        Filed,
        #[initial]
        #[to(Held)]
        Fresh,
    }

    #[event]
    #[create(case: Case)]
    pub struct Opened {}

    /// `Fresh` is the third state, as `Closed` is: it says nothing of the case.
    #[immediate]
    #[create(note: Note)]
    #[link(case.notes += note)]
    #[moves(case: Open -> Noted)]
    #[moves(note: Fresh -> Held)]
    pub struct NoteTaken {
        pub case: Case,
    }

    #[immediate]
    #[moves(those case: Noted -> Closed)]
    #[moves(each case.notes: Held -> Filed)]
    pub struct NotesFiled {
        pub case: Case,
    }
}

#[test]
fn what_an_immediate_event_creates_and_moves_is_no_condition_of_it() {
    use follow::state::{Closed, Filed};
    let mut store = Store::<follow::Model>::paranoid();
    let case = store.step(follow::Opened {}).created.case;
    assert!(case.is::<Closed>(&store));
    assert_eq!(store.count::<follow::Note, Filed>(), 1);
    assert_eq!(store.check(), Vec::<String>::new());
}

#[test]
fn an_immediate_event_that_moves_those_is_enabled_where_it_moves_its_own() {
    // Else it would go on firing on what is closed, and be refused as a loop.
    let mut store = Store::<follow::Model>::paranoid();
    for _ in 0..3 {
        store.step(follow::Opened {});
    }
    assert_eq!(store.count::<follow::Case, follow::state::Closed>(), 3);
    store.verify().expect("the same facts again");
}
