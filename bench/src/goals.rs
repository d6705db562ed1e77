//! `--goals`: the goals for ironweave, which are ratios or figures, beside the figures of this run.

use std::fmt::Write as _;

use crate::harness::Row;

/// What is compared with what.
enum Of {
    /// The median of ironweave with that of another contender of the same row.
    Other(&'static str),
    /// A contender other than the one named `ironweave`, with another one.
    Pair(&'static str, &'static str),
    /// The 99.9th percentile and the slowest operation of a contender, with those of another.
    Slowest(&'static str, &'static str),
    /// The median of ironweave with the least of several other contenders.
    Best(&'static [&'static str]),
    /// The median of a contender with that of ironweave at another size.
    Size(&'static str, usize),
    /// The median of ironweave, in nanoseconds.
    Time,
    /// The median of another contender, in nanoseconds.
    Figure(&'static str),
    /// The instructions of ironweave.
    Count,
    /// The bytes of a contender for one item.
    Bytes(&'static str),
}

/// The upper limit of a ratio or of a figure.
struct Goal {
    bench: &'static str,
    entities: usize,
    of: Of,
    at_most: f64,
}

const fn goal(bench: &'static str, entities: usize, of: Of, at_most: f64) -> Goal {
    Goal {
        bench,
        entities,
        of,
        at_most,
    }
}

/// The entities of the largest model that `compile` measures.
const MODEL: usize = 50;
const K10: usize = 10_000;
const K200: usize = 200_000;
const M1: usize = 1_000_000;
const M10: usize = 10_000_000;

const GOALS: [Goal; 72] = [
    goal("step_graph", K10, Of::Other("flat"), 1.4),
    goal("step_graph", K10, Of::Other("fxhash"), 0.5),
    goal("step_graph", M1, Of::Other("flat"), 1.15),
    goal("step_recorded", K10, Of::Other("flat"), 1.5),
    goal("step_recorded", M1, Of::Other("flat"), 1.2),
    goal("step_logged", K10, Of::Other("fxhash_logged"), 1.0),
    goal("step_logged", M1, Of::Other("fxhash_logged"), 1.0),
    goal("step_logged", K10, Of::Count, 970.0),
    goal("what_if_1", K10, Of::Other("flat"), 1.5),
    goal("what_if_1", M1, Of::Other("flat"), 1.2),
    goal(
        "relink_fanin_10000",
        100_000,
        Of::Pair("ironweave_graph", "flat"),
        1.5,
    ),
    goal("find", K10, Of::Other("fxhash"), 1.5),
    goal("snapshot_read", K10, Of::Other("store"), 1.6),
    goal("snapshot_read", M1, Of::Other("store"), 1.6),
    // Not slower than a read of the store was when the goals were set.
    goal("snapshot_read", K10, Of::Count, 290.0),
    goal("snapshot_walk", K10, Of::Other("store"), 1.6),
    goal("snapshot_walk", M1, Of::Other("store"), 1.6),
    goal("snapshot", K10, Of::Time, 3_000.0),
    goal("snapshot", M1, Of::Time, 6_000.0),
    goal("as_of_near", K10, Of::Other("imbl"), 2.0),
    goal("as_of_near", M1, Of::Other("imbl"), 2.0),
    goal("writer_read", K10, Of::Other("ironweave_alone"), 1.15),
    goal("writer_read", M1, Of::Other("ironweave_alone"), 1.15),
    goal(
        "writer_idle_reader",
        K200,
        Of::Slowest("idle", "alone"),
        2.0,
    ),
    goal(
        "writer_idle_reader",
        K200,
        Of::Slowest("dropped", "alone"),
        2.0,
    ),
    goal(
        "log_append",
        1,
        Of::Best(&["raw", "raw_preallocated"]),
        1.15,
    ),
    goal("log_append", 1, Of::Other("sqlite"), 1.0),
    goal("log_append", 1, Of::Other("redb"), 1.0),
    goal("log_append", 1, Of::Other("fjall"), 1.0),
    goal("log_append", 64, Of::Size("ironweave", 1), 1.0 / 30.0),
    goal("log_append", 64, Of::Size("ironweave_async", 1), 1.0 / 30.0),
    goal("log_append", 64, Of::Other("sqlite"), 1.0),
    goal("log_append", 64, Of::Other("redb"), 1.0),
    goal("log_append", 64, Of::Other("fjall"), 1.0),
    goal("log_append", 64, Of::Pair("ironweave_async", "sqlite"), 1.0),
    goal("log_append", 64, Of::Pair("ironweave_async", "redb"), 1.0),
    goal("log_append", 64, Of::Pair("ironweave_async", "fjall"), 1.0),
    // Four million facts a second.
    goal("log_open", M1, Of::Figure("open"), 250e6),
    goal("log_open", M10, Of::Figure("open"), 2_500e6),
    // It has 1.1 million entities.
    goal("log_open", M10, Of::Figure("checkpoint"), 500e6),
    goal("log_open", M1, Of::Pair("first_as_of", "open"), 1.0),
    goal("log_open", M10, Of::Pair("first_as_of", "open"), 1.0),
    goal("log_open", M1, Of::Pair("first_history", "open"), 1.0),
    goal("log_open", M10, Of::Pair("first_history", "open"), 1.0),
    goal("log_history", 1_000, Of::Other("sqlite"), 1.0),
    goal(
        "log_history",
        1_000,
        Of::Pair("ironweave_again", "sqlite_again"),
        1.0,
    ),
    // Not slower than before the arcs of events were compiled.
    goal("compile/check", MODEL, Of::Other("bare"), 0.56),
    goal("batch_256_os", 256, Of::Pair("together", "alone"), 0.4),
    goal(
        "batch_256_always",
        256,
        Of::Pair("together", "alone"),
        0.025,
    ),
    goal(
        "tickets_256",
        256,
        Of::Pair("4 waiters", "64 callers"),
        0.25,
    ),
    goal("nets_philosophers", 12, Of::Other("by_hand"), 1.0 / 1.2),
    goal("nets_philosophers", 15, Of::Other("by_hand"), 1.0 / 1.2),
    goal("nets_referendum", 15, Of::Other("by_hand"), 1.0 / 1.2),
    goal("nets_kanban", 5, Of::Other("by_hand"), 1.0 / 1.2),
    goal(
        "nets_philosophers",
        12,
        Of::Pair("ironweave_2", "by_hand_2"),
        1.0 / 1.2,
    ),
    goal(
        "nets_philosophers",
        15,
        Of::Pair("ironweave_2", "by_hand_2"),
        1.0 / 1.2,
    ),
    goal(
        "nets_referendum",
        15,
        Of::Pair("ironweave_2", "by_hand_2"),
        1.0 / 1.2,
    ),
    goal(
        "nets_kanban",
        5,
        Of::Pair("ironweave_2", "by_hand_2"),
        1.0 / 1.2,
    ),
    goal("nets_philosophers", 12, Of::Other("stateright"), 0.1),
    goal("nets_philosophers", 15, Of::Other("stateright"), 0.1),
    goal("nets_referendum", 15, Of::Other("stateright"), 0.1),
    goal("nets_kanban", 5, Of::Other("stateright"), 0.1),
    goal(
        "nets_philosophers",
        15,
        Of::Pair("ironweave_2", "stateright_2"),
        0.1,
    ),
    goal(
        "nets_referendum",
        15,
        Of::Pair("ironweave_2", "stateright_2"),
        0.1,
    ),
    // All 14,348,907 markings in 3 s, and 14,348,908 in 2 s.
    goal("nets_philosophers", 15, Of::Figure("ironweave_2"), 209.0),
    goal("nets_referendum", 15, Of::Figure("ironweave_2"), 139.0),
    goal("nets_philosophers/bytes", 15, Of::Bytes("ironweave"), 24.0),
    goal(
        "nets_philosophers/bytes",
        15,
        Of::Bytes("ironweave_2"),
        24.0,
    ),
    goal("nets_referendum/bytes", 15, Of::Bytes("ironweave_2"), 24.0),
    goal("nets_kanban/bytes", 5, Of::Bytes("ironweave_2"), 24.0),
    goal("checker", 2, Of::Other("stateright"), 1.0),
    goal("checker", 3, Of::Other("stateright"), 1.0),
];

impl Goal {
    /// Returns what was compared, and the figures of this run. Empty if the rows were not measured.
    fn measured(&self, rows: &[Row]) -> (String, Vec<f64>) {
        let is_counted = matches!(self.of, Of::Count);
        let find = |contender: &str| {
            rows.iter().find(|row| {
                row.bench == self.bench
                    && row.contender == contender
                    && row.entities == self.entities
                    && row.is_counted() == is_counted
            })
        };
        let figure = |contender: &str| find(contender).map(Row::figure);
        let ratio = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a / b);
        match self.of {
            Of::Other(of) => (
                format!("of {of}"),
                ratio(figure("ironweave"), figure(of)).into_iter().collect(),
            ),
            Of::Pair(one, of) => (
                format!("{one} of {of}"),
                ratio(figure(one), figure(of)).into_iter().collect(),
            ),
            Of::Slowest(one, of) => {
                let (a, b) = (find(one), find(of));
                let p999 = ratio(a.and_then(|a| a.p999), b.and_then(|b| b.p999));
                let max = ratio(a.and_then(|a| a.max), b.and_then(|b| b.max));
                let what = format!("{one} of {of}, p99.9 and max");
                (what, p999.into_iter().chain(max).collect())
            }
            Of::Best(others) => {
                let others = others.iter().filter_map(|other| figure(other));
                let best = others.min_by(f64::total_cmp);
                let measured = ratio(figure("ironweave"), best);
                (
                    "of the best of raw files".to_owned(),
                    measured.into_iter().collect(),
                )
            }
            Of::Size(one, size) => {
                let mut rows = rows.iter();
                let other = rows.find(|row| {
                    (row.bench, row.contender, row.entities) == (self.bench, "ironweave", size)
                });
                let measured = ratio(figure(one), other.map(Row::figure));
                let what = format!("{one} of ironweave at {size}");
                (what, measured.into_iter().collect())
            }
            Of::Figure(one) => (format!("{one}, ns"), figure(one).into_iter().collect()),
            Of::Time => ("ns".to_owned(), figure("ironweave").into_iter().collect()),
            Of::Bytes(one) => (format!("{one}, bytes"), figure(one).into_iter().collect()),
            Of::Count => (
                "instructions".to_owned(),
                figure("ironweave").into_iter().collect(),
            ),
        }
    }
}

/// Returns the table that is printed: each goal whose rows were measured.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<24}{:>10}  {:<46}{:>10}{:>18}\n",
        "goal", "entities", "", "at most", "measured"
    );
    for goal in &GOALS {
        let (what, figures) = goal.measured(rows);
        if figures.is_empty() {
            continue;
        }
        let digits = if goal.at_most < 100.0 { 3 } else { 0 };
        let at_most = (goal.at_most * 1_000.0).round() / 1_000.0;
        let told: Vec<String> = figures.iter().map(|f| format!("{f:.digits$}")).collect();
        let is_met = figures.iter().all(|figure| *figure <= goal.at_most);
        let _ = writeln!(
            text,
            "{:<24}{:>10}  {what:<46}{:>10}{:>18}  {}",
            goal.bench,
            goal.entities,
            at_most,
            told.join(" "),
            if is_met { "met" } else { "missed" }
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::row;

    #[test]
    fn a_goal_compares_rows_of_its_size() {
        let rows = [
            row("step_logged", "fxhash_logged", K10, vec![200.0]),
            row("step_logged", "ironweave", K10, vec![150.0]),
            row("step_logged", "ironweave", M1, vec![900.0]),
            Row::counted("step_logged", "ironweave", K10, 2_000.0),
            Row {
                p999: Some(30.0),
                max: Some(100.0),
                ..row("writer_idle_reader", "alone", K200, vec![10.0])
            },
            Row {
                p999: Some(33.0),
                max: Some(900.0),
                ..row("writer_idle_reader", "idle", K200, vec![10.0])
            },
        ];
        let table = table(&rows);
        let lines: Vec<Vec<&str>> = (table.lines().skip(1))
            .map(|line| line.split_whitespace().rev().take(2).collect())
            .collect();
        let expected = [["met", "0.750"], ["missed", "2000"], ["missed", "9.000"]];
        assert_eq!(lines, expected, "{table}");
    }
}
