//! `bytes_entity`, `bytes_edge`: memory beyond the data itself (an entity's field of 8 bytes; the two ends of a link of 4
//! bytes each). It is the resident memory of a process that does nothing else.
//!
//! This program starts itself once for each figure. There are no rows where the system does not report resident memory;
//! Linux does.

use std::any::Any;
use std::process::Command;

use ironweave::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, BTreeSet};

use crate::harness::{Row, row};
use crate::rows::Scratch;
use crate::{Measured, Options};

/// Entities with a number.
#[ironweave::model]
mod dots {
    use ironweave::prelude::*;

    #[entity]
    pub struct Dot {
        pub value: u64,
    }
    #[states(Dot)]
    pub enum DotState {
        #[initial]
        #[terminal]
        There,
    }

    #[event]
    #[create(dot: Dot { value })]
    pub struct Drawn {
        pub value: u64,
    }
}

/// Entities with a number and links: each is linked with ten others.
#[ironweave::model]
mod lines {
    use ironweave::prelude::*;

    #[entity]
    pub struct Dot {
        pub value: u64,
        pub hung: Many<Dot>,
        #[inverse(Dot::hung)]
        pub on: Option<Dot>,
    }
    #[states(Dot)]
    pub enum DotState {
        #[initial]
        #[terminal]
        There,
    }

    #[event]
    #[create(dot: Dot { value })]
    pub struct Drawn {
        pub value: u64,
    }

    #[event]
    #[link(dot.hung += other)]
    pub struct Hung {
        pub dot: Dot,
        pub other: Dot,
    }
}

/// The names of the contenders.
const CONTENDERS: &[&str] = &[
    "flat",
    "fxhash",
    "btree",
    #[cfg(feature = "peers")]
    "bevy",
    #[cfg(feature = "peers")]
    "sqlite",
    "ironweave",
];

/// The links: ten for each entity.
fn pairs(count: usize) -> impl Iterator<Item = (u32, u32)> {
    (1..count as u32).map(|other| ((other - 1) / 10, other))
}

/// Creates so many entities of a contender, with a link for each but one.
fn made(contender: &str, count: usize, linked: bool) -> Option<Box<dyn Any>> {
    let values = (0..count as u32).map(|i| (i, u64::from(i)));
    let ends = if linked { count } else { 0 };
    Some(match contender {
        "flat" => {
            let value: Vec<u64> = values.map(|(_, value)| value).collect();
            let state = vec![0u64; count.div_ceil(64)];
            let (mut on, mut position) = (vec![0u32; ends], vec![0u32; ends]);
            let mut hung: Vec<Vec<u32>> = vec![Vec::new(); ends];
            for (dot, other) in pairs(ends) {
                on[other as usize] = dot;
                position[other as usize] = hung[dot as usize].len() as u32;
                hung[dot as usize].push(other);
            }
            Box::new((value, state, on, position, hung))
        }
        "fxhash" => {
            if !linked {
                let rows: FxHashMap<u32, (u64, u8)> = values.map(|(i, v)| (i, (v, 0))).collect();
                let there: FxHashSet<u32> = (0..count as u32).collect();
                return Some(Box::new((rows, there)));
            }
            let mut rows: FxHashMap<u32, (u64, u8, u32)> =
                values.map(|(i, v)| (i, (v, 0, 0))).collect();
            let there: FxHashSet<u32> = (0..count as u32).collect();
            let mut hung: FxHashMap<u32, FxHashSet<u32>> = FxHashMap::default();
            for (dot, other) in pairs(ends) {
                rows.get_mut(&other).expect("made").2 = dot;
                hung.entry(dot).or_default().insert(other);
            }
            Box::new((rows, there, hung))
        }
        "btree" => {
            if !linked {
                let rows: BTreeMap<u32, (u64, u8)> = values.map(|(i, v)| (i, (v, 0))).collect();
                let there: BTreeSet<u32> = (0..count as u32).collect();
                return Some(Box::new((rows, there)));
            }
            let mut rows: BTreeMap<u32, (u64, u8, u32)> =
                values.map(|(i, v)| (i, (v, 0, 0))).collect();
            let there: BTreeSet<u32> = (0..count as u32).collect();
            let mut hung: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
            for (dot, other) in pairs(ends) {
                rows.get_mut(&other).expect("made").2 = dot;
                hung.entry(dot).or_default().insert(other);
            }
            Box::new((rows, there, hung))
        }
        #[cfg(feature = "peers")]
        "bevy" => peers::bevy(count, ends),
        #[cfg(feature = "peers")]
        "sqlite" => peers::sqlite(count, ends),
        _ => return None,
    })
}

#[cfg(feature = "peers")]
mod peers {
    use std::any::Any;

    use bevy_ecs::entity::EntityHashSet;
    use bevy_ecs::prelude::*;

    #[derive(Component)]
    #[expect(dead_code, reason = "it takes up room")]
    struct Value(u64);

    #[derive(Component)]
    #[relationship(relationship_target = Hung)]
    struct On(Entity);

    #[derive(Component)]
    #[relationship_target(relationship = On)]
    struct Hung(EntityHashSet);

    pub fn bevy(count: usize, ends: usize) -> Box<dyn Any> {
        let mut world = World::new();
        let dots: Vec<Entity> = (0..count as u64)
            .map(|v| world.spawn(Value(v)).id())
            .collect();
        for (dot, other) in super::pairs(ends) {
            let on = On(dots[dot as usize]);
            world.entity_mut(dots[other as usize]).insert(on);
        }
        Box::new(world)
    }

    pub fn sqlite(count: usize, ends: usize) -> Box<dyn Any> {
        let mut db = rusqlite::Connection::open_in_memory().expect("memory");
        let schema = "CREATE TABLE dot (id INTEGER PRIMARY KEY, value INTEGER NOT NULL, state INTEGER NOT NULL,
                      hung_on INTEGER) STRICT";
        db.execute_batch(schema).expect("a table");
        let t = db.transaction().expect("the only one");
        {
            let mut dot = t
                .prepare("INSERT INTO dot VALUES (?1, ?1, 0, ?2)")
                .expect("SQL");
            for i in 0..count {
                let on = (i > 0 && ends > 0).then(|| (i - 1) / 10);
                dot.execute(rusqlite::params![i as i64, on.map(|on| on as i64)])
                    .expect("a row");
            }
        }
        t.commit().expect("rows");
        if ends > 0 {
            db.execute_batch("CREATE INDEX dot_hung_on ON dot (hung_on)")
                .expect("an index");
        }
        Box::new(db)
    }
}

/// Creates the entities of ironweave: the store is opened from a log, so that no log is in memory.
fn ours(count: usize, linked: bool) -> Result<(u64, Box<dyn Any>), Box<dyn std::error::Error>> {
    let dir = Scratch::new("bytes")?;
    // Another process writes the log, so that writing leaves nothing in the memory of this one.
    let wrote = itself()?
        .args(["--write-dots", &count.to_string()])
        .args(["--linked", if linked { "1" } else { "0" }])
        .arg("--dir")
        .arg(&dir.0)
        .status()?;
    if !wrote.success() {
        return Err("cannot write the log to be opened".into());
    }
    let before = resident().unwrap_or(0);
    let store: Box<dyn Any> = if linked {
        Box::new(Store::<lines::Model>::open_read_only(&dir.0)?)
    } else {
        Box::new(Store::<dots::Model>::open_read_only(&dir.0)?)
    };
    Ok((resident().unwrap_or(0).saturating_sub(before), store))
}

/// Writes the log that `ours` opens.
pub fn write(count: usize, linked: bool, dir: &std::path::Path) -> Result<(), OpenError> {
    let step = |e: StepError| -> ! { unreachable!("it is not rejected: {e}") };
    let numbers: Vec<u64> = (0..count as u64).collect();
    if !linked {
        let options = Store::<dots::Model>::options().durability(Durability::Os);
        let mut store = options.open(dir)?;
        for values in numbers.chunks(100) {
            let mut t = store.begin();
            for value in values {
                t.apply(dots::Drawn { value: *value })
                    .unwrap_or_else(|e| step(e));
            }
            t.commit().unwrap_or_else(|e| step(e));
        }
        return Ok(());
    }
    let options = Store::<lines::Model>::options().durability(Durability::Os);
    let mut store = options.open(dir)?;
    let mut dots = Vec::new();
    for values in numbers.chunks(100) {
        let mut t = store.begin();
        for value in values {
            let drawn = t.apply(lines::Drawn { value: *value });
            dots.push(drawn.unwrap_or_else(|e| step(e)).created.dot);
        }
        t.commit().unwrap_or_else(|e| step(e));
    }
    for pairs in pairs(count).collect::<Vec<_>>().chunks(100) {
        let mut t = store.begin();
        for (dot, other) in pairs {
            let (dot, other) = (dots[*dot as usize], dots[*other as usize]);
            t.apply(lines::Hung { dot, other })
                .unwrap_or_else(|e| step(e));
        }
        t.commit().unwrap_or_else(|e| step(e));
    }
    Ok(())
}

fn itself() -> std::io::Result<Command> {
    Ok(Command::new(std::env::current_exe()?))
}

/// The resident memory of this process, in bytes.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

/// The bytes that a contender takes, which the process that this program starts prints.
pub fn child(
    contender: &str,
    count: usize,
    linked: bool,
) -> Result<u64, Box<dyn std::error::Error>> {
    if contender == "ironweave" {
        let (bytes, store) = ours(count, linked)?;
        drop(store);
        return Ok(bytes);
    }
    let before = resident().unwrap_or(0);
    let made = made(contender, count, linked).ok_or("there is no such contender")?;
    let bytes = resident().unwrap_or(0).saturating_sub(before);
    drop(made);
    Ok(bytes)
}

fn bytes(contender: &str, count: usize, linked: bool) -> Result<f64, Box<dyn std::error::Error>> {
    let output = itself()?
        .args(["--bytes-of", contender, "--entities", &count.to_string()])
        .args(["--linked", if linked { "1" } else { "0" }])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Bytes of an entity without its field.
pub fn entity(options: &Options) -> Measured {
    measure(options, "bytes_entity", |contender, n| {
        Ok(bytes(contender, n, false)? / n as f64 - 8.0)
    })
}

/// Bytes of a link without its two ends.
pub fn edge(options: &Options) -> Measured {
    measure(options, "bytes_edge", |contender, n| {
        let links = bytes(contender, n, true)? - bytes(contender, n, false)?;
        Ok(links / n as f64 - 8.0)
    })
}

fn measure(
    options: &Options,
    bench: &'static str,
    bytes: impl Fn(&str, usize) -> Result<f64, Box<dyn std::error::Error>>,
) -> Measured {
    let mut rows = Vec::new();
    if resident().is_none() {
        return Ok(rows);
    }
    for &entities in &options.entities {
        for contender in CONTENDERS {
            let samples: Result<Vec<f64>, _> = (0..options.samples)
                .map(|_| bytes(contender, entities))
                .collect();
            rows.push(row(bench, contender, entities, samples?).in_bytes());
        }
    }
    Ok(rows)
}

/// The table that is printed, in bytes.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<14}{:>10}{:>10}\n", "contender", "entities", "bytes");
    for row in rows {
        let bytes = row.value.unwrap_or_default();
        text += &format!("{:<14}{:>10}{bytes:>10.1}\n", row.contender, row.entities);
    }
    text
}
