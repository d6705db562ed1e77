//! Events choose the entities that a naive chooser chooses, which looks at all entities each time. Immediate events fire exactly
//! as in a naive loop, which tries all of them on all entities after each event.

use std::cmp::Reverse;

use ironweave::prelude::*;

use crate::harness::assert_sound;
use crate::harness::random::Random;
use market::*;

#[ironweave::model]
pub mod market {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bid {
        #[index]
        pub symbol: u64,
        #[index(ordered)]
        pub price: u64,
    }
    #[states(Bid)]
    pub enum BidState {
        #[initial]
        #[to(Bought)]
        Bidding,
        #[to(Bidding)]
        Bought,
    }

    #[entity]
    pub struct Ask {
        #[index]
        pub symbol: u64,
        #[index(ordered)]
        pub price: u64,
        pub size: u64,
    }
    #[states(Ask)]
    pub enum AskState {
        #[initial]
        #[to(Parked, Sold)]
        Offered,
        #[to(Offered, Sold, Parked)]
        Parked,
        #[to(Offered)]
        Sold,
    }

    #[entity]
    pub struct Desk {
        pub capacity: u64,
        pub jobs: Many<Job>,
    }
    #[states(Desk)]
    pub enum DeskState {
        #[initial]
        #[to(Busy)]
        Idle,
        #[to(Idle)]
        Busy,
    }

    #[entity]
    pub struct Job {
        pub size: u64,
        #[inverse(Desk::jobs)]
        #[edge(on_delete = unlink)]
        pub desk: Option<Desk>,
    }
    #[states(Job)]
    pub enum JobState {
        #[initial]
        #[to(Running)]
        Waiting,
        #[to(Done)]
        Running,
        #[to(Waiting)]
        Done,
    }

    #[entity]
    pub struct Room {
        pub floor: u64,
        pub tools: Many<Tool>,
    }
    #[states(Room)]
    pub enum RoomState {
        #[initial]
        #[to(Used)]
        Free,
        #[to(Free)]
        Used,
    }

    #[entity]
    pub struct Tool {
        pub weight: u64,
        #[inverse(Room::tools)]
        #[edge(on_delete = unlink)]
        pub room: Option<Room>,
    }
    #[states(Tool)]
    pub enum ToolState {
        #[initial]
        #[to(Worn)]
        Ready,
        #[to(Ready)]
        Worn,
    }

    #[immediate(by = bid.price desc)]
    #[choose(ask: Ask in Offered | Parked where symbol == bid.symbol, price <= bid.price by price)]
    #[moves(bid: Bidding -> Bought)]
    #[moves(ask: Offered | Parked -> Sold)]
    pub struct Traded {
        pub bid: Bid,
    }
    #[immediate]
    #[choose(job: desk.jobs in Waiting where size <= desk.capacity by size desc)]
    #[moves(desk: Idle -> Busy)]
    #[moves(job: Waiting -> Running)]
    pub struct Started {
        pub desk: Desk,
    }
    /// The first room decides, even if it has no tool.
    #[immediate]
    #[choose(room: Room in Free where floor >= job.size by floor)]
    #[choose(tool: room.tools in Ready by weight)]
    #[moves(job: Running -> Done)]
    #[moves(room: Free -> Used)]
    #[moves(tool: Ready -> Worn)]
    pub struct Equipped {
        pub job: Job,
    }

    #[event]
    #[create(bid: Bid { symbol, price })]
    pub struct BidPlaced {
        pub symbol: u64,
        pub price: u64,
    }
    #[event]
    #[create(ask: Ask { symbol, price, size })]
    pub struct AskPlaced {
        pub symbol: u64,
        pub price: u64,
        pub size: u64,
    }
    #[event]
    #[create(desk: Desk { capacity = size })]
    #[create(job: Job { size })]
    #[create(room: Room { floor = size })]
    #[create(tool: Tool { weight = size })]
    pub struct OfficeGrown {
        pub size: u64,
    }
    #[event]
    #[set(bid.price = price)]
    pub struct BidPriced {
        pub bid: Bid,
        pub price: u64,
    }
    #[event]
    #[set(ask.price = price)]
    #[set(ask.symbol = symbol)]
    pub struct AskPriced {
        pub ask: Ask,
        pub price: u64,
        pub symbol: u64,
    }
    #[event]
    #[set(desk.capacity = size)]
    pub struct DeskResized {
        pub desk: Desk,
        pub size: u64,
    }
    #[event]
    #[set(job.size = size)]
    pub struct JobResized {
        pub job: Job,
        pub size: u64,
    }
    #[event]
    #[set(room.floor = size)]
    pub struct RoomMoved {
        pub room: Room,
        pub size: u64,
    }
    #[event]
    #[relink(job.desk += desk)]
    pub struct JobGiven {
        pub job: Job,
        pub desk: Desk,
    }
    #[event]
    #[relink(tool.room += room)]
    pub struct ToolPut {
        pub tool: Tool,
        pub room: Room,
    }
    #[event]
    #[moves(desk: Busy -> Idle)]
    pub struct DeskFreed {
        pub desk: Desk,
    }
    #[event]
    #[moves(job: Done -> Waiting)]
    pub struct JobRepeated {
        pub job: Job,
    }
    #[event]
    #[moves(room: Used -> Free)]
    pub struct RoomFreed {
        pub room: Room,
    }
    #[event]
    #[moves(room: Free -> Used)]
    pub struct RoomUsed {
        pub room: Room,
    }
    #[event]
    #[moves(tool: Worn -> Ready)]
    pub struct ToolMended {
        pub tool: Tool,
    }
    #[event]
    #[delete(ask)]
    pub struct AskDropped {
        pub ask: Ask,
    }
    #[event]
    #[unlink(room.tools -= room.tools)]
    #[delete(room)]
    pub struct RoomClosed {
        pub room: Room,
    }

    #[event]
    #[choose(asks: n of Ask in Offered | Parked where price >= least by price desc)]
    #[moves(each asks: Offered | Parked -> Parked)]
    pub struct TopParked {
        pub n: u64,
        pub least: u64,
    }
    #[event]
    #[choose(ask: Ask in Offered where price < most, size != 3)]
    #[moves(ask: Offered -> Parked)]
    pub struct OneParked {
        pub most: u64,
    }
    #[event]
    #[choose(asks: up to 2 of Ask in Sold where symbol == symbol by size)]
    #[moves(each asks: Sold -> Offered)]
    pub struct Reoffered {
        pub symbol: u64,
    }
    #[event]
    #[choose(job: Job in Waiting | Running by size desc)]
    pub struct LargestFound {}
}

/// What the naive chooser knows of an entity: its state, two values, and what it is linked with.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    state: &'static str,
    value: u64,
    symbol: u64,
    size: u64,
    of: Option<usize>,
}

fn row(state: &'static str, value: u64) -> Option<Row> {
    Some(Row {
        state,
        value,
        symbol: 0,
        size: 0,
        of: None,
    })
}

type Rows = Vec<Option<Row>>;

/// The entities by type and slot.
#[derive(Clone, Default)]
struct Naive {
    bids: Rows,
    asks: Rows,
    desks: Rows,
    jobs: Rows,
    rooms: Rows,
    tools: Rows,
}

/// The slots that fit, in the order of a key and then of slots.
fn sorted<K: Ord>(rows: &Rows, fits: impl Fn(&Row) -> bool, key: impl Fn(&Row) -> K) -> Vec<usize> {
    let mut all: Vec<(K, usize)> = (rows.iter().enumerate())
        .filter_map(|(slot, row)| Some((slot, row.as_ref()?)))
        .filter(|(_, row)| fits(row))
        .map(|(slot, row)| (key(row), slot))
        .collect();
    all.sort();
    all.into_iter().map(|(_, slot)| slot).collect()
}

fn at(rows: &mut Rows, slot: usize) -> &mut Row {
    rows[slot].as_mut().expect("it exists")
}

impl Naive {
    /// Fires one immediate event, if one is enabled.
    fn fire_one(&mut self) -> bool {
        for bid in sorted(&self.bids, |b| b.state == "Bidding", |b| Reverse(b.value)) {
            let of = at(&mut self.bids, bid).clone();
            let fits = |a: &Row| a.state != "Sold" && a.symbol == of.symbol && a.value <= of.value;
            if let [ask, ..] = *sorted(&self.asks, fits, |a| a.value) {
                at(&mut self.bids, bid).state = "Bought";
                at(&mut self.asks, ask).state = "Sold";
                return true;
            }
        }
        for desk in sorted(&self.desks, |d| d.state == "Idle", |_| ()) {
            let capacity = at(&mut self.desks, desk).value;
            let fits = |j: &Row| j.state == "Waiting" && j.of == Some(desk) && j.value <= capacity;
            if let [job, ..] = *sorted(&self.jobs, fits, |j| Reverse(j.value)) {
                at(&mut self.desks, desk).state = "Busy";
                at(&mut self.jobs, job).state = "Running";
                return true;
            }
        }
        for job in sorted(&self.jobs, |j| j.state == "Running", |_| ()) {
            let size = at(&mut self.jobs, job).value;
            let fits = |r: &Row| r.state == "Free" && r.value >= size;
            let [room, ..] = *sorted(&self.rooms, fits, |r| r.value) else {
                continue;
            };
            let fits = |t: &Row| t.state == "Ready" && t.of == Some(room);
            if let [tool, ..] = *sorted(&self.tools, fits, |t| t.value) {
                at(&mut self.jobs, job).state = "Done";
                at(&mut self.rooms, room).state = "Used";
                at(&mut self.tools, tool).state = "Worn";
                return true;
            }
        }
        false
    }

    fn settle(&mut self) -> usize {
        let mut fired = 0;
        while self.fire_one() {
            fired += 1;
        }
        fired
    }
}

fn put(rows: &mut Rows, slot: u32, row: Option<Row>) {
    let slot = slot as usize;
    rows.resize(rows.len().max(slot + 1), None);
    rows[slot] = row;
}

/// A random entity in one of some states.
fn any<T: Entity<Model = Model> + Copy>(all: &[T], random: &mut Random) -> Option<T> {
    (!all.is_empty()).then(|| all[random.below(all.len())])
}

macro_rules! all {
    ($store:expr, $entity:ty) => {
        $store.place::<$entity, Any>().collect::<Vec<$entity>>()
    };
}

/// Fires a random event on both; `false` if there is no entity for it.
fn fire(store: &mut Store<Model>, naive: &mut Naive, random: &mut Random) -> Option<()> {
    let (small, symbol) = (random.below(9) as u64, random.below(3) as u64);
    let slot = |id: ironweave::Id| id.slot() as usize;
    match random.below(19) {
        0 | 1 => {
            let (price, symbol) = (small, symbol);
            let bid = store.step(BidPlaced { symbol, price }).created.bid;
            put(&mut naive.bids, bid.id().slot(), row("Bidding", price));
            at(&mut naive.bids, slot(bid.id())).symbol = symbol;
        }
        2 | 3 => {
            let size = random.below(5) as u64;
            let placed = AskPlaced {
                symbol,
                price: small,
                size,
            };
            let ask = store.step(placed).created.ask;
            put(&mut naive.asks, ask.id().slot(), row("Offered", small));
            let ask = at(&mut naive.asks, slot(ask.id()));
            (ask.symbol, ask.size) = (symbol, size);
        }
        4 => {
            let created = store.step(OfficeGrown { size: small }).created;
            put(
                &mut naive.desks,
                created.desk.id().slot(),
                row("Idle", small),
            );
            put(
                &mut naive.jobs,
                created.job.id().slot(),
                row("Waiting", small),
            );
            put(
                &mut naive.rooms,
                created.room.id().slot(),
                row("Free", small),
            );
            put(
                &mut naive.tools,
                created.tool.id().slot(),
                row("Ready", small),
            );
        }
        5 => {
            let bid = any(&all!(store, Bid), random)?;
            store.step(BidPriced { bid, price: small });
            at(&mut naive.bids, slot(bid.id())).value = small;
        }
        6 => {
            let ask = any(&all!(store, Ask), random)?;
            let price = small;
            store.step(AskPriced { ask, price, symbol });
            let ask = at(&mut naive.asks, slot(ask.id()));
            (ask.value, ask.symbol) = (price, symbol);
        }
        7 => {
            let desk = any(&all!(store, Desk), random)?;
            store.step(DeskResized { desk, size: small });
            at(&mut naive.desks, slot(desk.id())).value = small;
        }
        8 => {
            let job = any(&all!(store, Job), random)?;
            store.step(JobResized { job, size: small });
            at(&mut naive.jobs, slot(job.id())).value = small;
        }
        9 => {
            let room = any(&all!(store, Room), random)?;
            store.step(RoomMoved { room, size: small });
            at(&mut naive.rooms, slot(room.id())).value = small;
        }
        10 => {
            let (job, desk) = (
                any(&all!(store, Job), random)?,
                any(&all!(store, Desk), random)?,
            );
            store.step(JobGiven { job, desk });
            at(&mut naive.jobs, slot(job.id())).of = Some(slot(desk.id()));
        }
        11 => {
            let (tool, room) = (
                any(&all!(store, Tool), random)?,
                any(&all!(store, Room), random)?,
            );
            store.step(ToolPut { tool, room });
            at(&mut naive.tools, slot(tool.id())).of = Some(slot(room.id()));
        }
        12 => {
            let (desk, job) = (
                any(&all!(store, Desk), random)?,
                any(&all!(store, Job), random)?,
            );
            if store.try_step(DeskFreed { desk }).is_ok() {
                at(&mut naive.desks, slot(desk.id())).state = "Idle";
                naive.settle();
            }
            if store.try_step(JobRepeated { job }).is_ok() {
                at(&mut naive.jobs, slot(job.id())).state = "Waiting";
            }
        }
        13 => {
            let (room, tool) = (
                any(&all!(store, Room), random)?,
                any(&all!(store, Tool), random)?,
            );
            if store.try_step(ToolMended { tool }).is_ok() {
                at(&mut naive.tools, slot(tool.id())).state = "Ready";
                naive.settle();
            }
            if store.try_step(RoomFreed { room }).is_ok() {
                at(&mut naive.rooms, slot(room.id())).state = "Free";
            } else if store.try_step(RoomUsed { room }).is_ok() {
                at(&mut naive.rooms, slot(room.id())).state = "Used";
            }
        }
        14 => {
            let ask = any(&all!(store, Ask), random)?;
            store.step(AskDropped { ask });
            naive.asks[slot(ask.id())] = None;
        }
        15 => {
            let room = any(&all!(store, Room), random)?;
            store.step(RoomClosed { room });
            naive.rooms[slot(room.id())] = None;
            let of = Some(slot(room.id()));
            let tools = naive.tools.iter_mut().flatten();
            tools
                .filter(|tool| tool.of == of)
                .for_each(|tool| tool.of = None);
        }
        16 => {
            let n = random.below(4);
            let fits = |a: &Row| a.state != "Sold" && a.value >= small;
            let expected = sorted(&naive.asks, fits, |a| Reverse(a.value));
            let event = TopParked {
                n: n as u64,
                least: small,
            };
            match store.try_step(event) {
                Ok(receipt) => {
                    let asks = receipt.bound.asks.iter();
                    let chosen: Vec<usize> = asks.map(|ask| slot(ask.id())).collect();
                    assert_eq!(chosen, expected[..n]);
                    chosen
                        .into_iter()
                        .for_each(|ask| at(&mut naive.asks, ask).state = "Parked");
                }
                Err(StepError::NothingToChoose { found, wanted, .. }) => {
                    assert_eq!((found, wanted), (expected.len(), n));
                    assert!(found < wanted);
                }
                Err(e) => panic!("{e}"),
            }
        }
        17 => {
            let fits = |a: &Row| a.state == "Offered" && a.value < small && a.size != 3;
            let expected = sorted(&naive.asks, fits, |_| ());
            let chosen = store.try_step(OneParked { most: small });
            let chosen = chosen.ok().map(|receipt| slot(receipt.bound.ask.id()));
            assert_eq!(chosen, expected.first().copied());
            chosen
                .into_iter()
                .for_each(|ask| at(&mut naive.asks, ask).state = "Parked");
            let expected = sorted(&naive.jobs, |j| j.state != "Done", |j| Reverse(j.value));
            let found = store.try_step(LargestFound {});
            let found = found.ok().map(|receipt| slot(receipt.bound.job.id()));
            assert_eq!(found, expected.first().copied());
        }
        _ => {
            let fits = |a: &Row| a.state == "Sold" && a.symbol == symbol;
            let expected = sorted(&naive.asks, fits, |a| a.size);
            let asks = store.step(Reoffered { symbol }).bound.asks;
            let chosen: Vec<usize> = asks.iter().map(|ask| slot(ask.id())).collect();
            assert_eq!(chosen, expected[..expected.len().min(2)]);
            chosen
                .into_iter()
                .for_each(|ask| at(&mut naive.asks, ask).state = "Offered");
        }
    }
    Some(())
}

/// The name of a state, and the value and the symbol of an entity.
macro_rules! assert_rows {
    ($store:ident, $naive:ident, $($rows:ident: $entity:ty;)*) => {$(
        for handle in all!($store, $entity) {
            let expected = at(&mut $naive.$rows, handle.id().slot() as usize).state;
            let state = format!("{:?}", handle.state(&$store));
            assert_eq!(state.split('(').next(), Some(expected), "{handle:?}");
        }
        let expected = $naive.$rows.iter().flatten().count();
        assert_eq!($store.count::<$entity, Any>(), expected);
    )*};
}

#[test]
fn events_choose_as_a_naive_chooser_does() {
    let mut fired = 0;
    for seed in 0..24 {
        let mut random = Random(seed);
        let mut store = Store::<Model>::memory();
        if seed % 4 == 0 {
            store = Store::<Model>::options().paranoid().memory();
        }
        let mut naive = Naive::default();
        for _ in 0..220 {
            if random.chance(10) {
                // Nothing of what is tried and undone is seen later.
                let before = store.fingerprint();
                let (price, symbol) = (random.below(9) as u64, random.below(3) as u64);
                let tried = store.what_if(|t| {
                    t.apply(AskPlaced {
                        symbol,
                        price,
                        size: 1,
                    })?;
                    t.apply(OfficeGrown { size: price }).map(|_| ())
                });
                tried.expect("it fires");
                assert_eq!(store.fingerprint(), before);
            }
            if fire(&mut store, &mut naive, &mut random).is_some() {
                fired += naive.settle();
            }
            assert_rows! {
                store, naive,
                bids: Bid; asks: Ask; desks: Desk; jobs: Job; rooms: Room; tools: Tool;
            }
        }
        assert_sound(&store);
    }
    assert!(fired > 500, "only {fired} immediate events fired");
}
