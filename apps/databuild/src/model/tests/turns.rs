//! Which of the wanted partitions are built first.

use super::super::build::*;
use super::world::World;
use crate::queue::{Turns, order};
use crate::rules::name;
use ironweave::prelude::*;

fn ordered(world: &World) -> Vec<&str> {
    let order = order(&world.store, &mut Turns::default(), |_| true);
    (order.iter().map(|of| name(of.partition, &world.store))).collect()
}

fn want(world: &mut World, names: &[&str], priority: i32) -> Want {
    let event = WantCreated {
        partitions: names.iter().map(|n| Ensure::from(*n)).collect(),
        source: String::new(),
        comment: String::new(),
        priority,
        deadline: None,
        sla: None,
    };
    world.store.step(event).created.want
}

#[test]
fn wants_of_the_same_priority_take_turns() {
    let mut world = World::new();
    let names: Vec<String> = (0..10_000).map(|i| format!("large/{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    want(&mut world, &names, 0);
    want(&mut world, &["b", "c"], 0);
    want(&mut world, &["large/0", "d"], 0);
    // What several want counts for the oldest.
    let expected = ["large/0", "b", "d", "large/1", "c", "large/2", "large/3"];
    let order = ordered(&world);
    assert_eq!((&order[..7], order.len()), (&expected[..], 10_003));
    want(&mut world, &["urgent", "large/9999"], 3);
    want(&mut world, &["later"], -1);
    let order = ordered(&world);
    assert_eq!(order[..3], ["large/9999", "urgent", "large/0"]);
    assert_eq!(order.last(), Some(&"later"));
}

#[test]
fn turns_go_on_when_they_are_ordered_again() {
    let mut world = World::new();
    want(&mut world, &["a1", "a2", "a3", "a4"], 0);
    want(&mut world, &["b1", "b2"], 0);
    let mut turns = Turns::default();
    let mut started = Vec::new();
    for n in 0..7 {
        if n == 3 {
            want(&mut world, &["c1"], 0);
        }
        let first = order(&world.store, &mut turns, |_| true)[0];
        turns.start(first);
        let first = name(first.partition, &world.store).to_owned();
        world.build(&first, &[]);
        started.push(first);
    }
    assert_eq!(started, ["a1", "b1", "a2", "b2", "c1", "a3", "a4"]);
}

#[test]
fn what_is_needed_for_others_has_their_priority_also_if_it_is_raised_later() {
    let mut world = World::new();
    want(&mut world, &["report"], 1);
    want(&mut world, &["a", "b"], 1);
    world.miss("report", &["day"], &[]);
    world.miss("day", &["hour", "a"], &[]);
    // `a` and `hour` are needed for the first want, which is older.
    assert_eq!(ordered(&world), ["a", "b", "hour"]);
    let raised = want(&mut world, &["day"], 5);
    assert_eq!(ordered(&world), ["a", "hour", "b"]);
    world.cancel(raised);
    assert_eq!(ordered(&world), ["a", "b", "hour"]);
}

#[test]
fn what_no_served_want_needs_is_left_out() {
    let mut world = World::new();
    let of_others = want(&mut world, &["top", "x"], 9);
    want(&mut world, &["y"], 0);
    world.miss("top", &["leaf"], &[]);
    let served = |world: &World| -> Vec<Partition> {
        let served = order(&world.store, &mut Turns::default(), |want| {
            want != of_others
        });
        served.iter().map(|of| of.partition).collect()
    };
    assert_eq!(served(&world), [world.partition("y")]);
    want(&mut world, &["leaf"], 0);
    assert_eq!(served(&world), world.all(&["y", "leaf"]));
}

#[test]
fn a_chain_of_any_depth_has_an_order() {
    let mut world = World::new();
    want(&mut world, &["p0"], 2);
    for i in 0..2_000 {
        world.miss(&format!("p{i}"), &[&format!("p{}", i + 1)], &[]);
    }
    want(&mut world, &["q"], 1);
    assert_eq!(ordered(&world), ["p2000", "q"]);
}
