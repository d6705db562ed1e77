//! Takes samples, computes medians and prints tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use serde::Serialize;

/// What sizes count unless a row says otherwise.
pub const ENTITIES: &str = "entities";

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference
fn is_entities(sizes: &&str) -> bool {
    *sizes == ENTITIES
}

/// The figure of one contender at one size.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The name of the benchmark.
    pub bench: &'static str,
    /// The name of the contender.
    pub contender: &'static str,
    /// The size, in entities unless `sizes` says otherwise.
    pub entities: usize,
    /// What the size counts.
    #[serde(skip_serializing_if = "is_entities")]
    pub sizes: &'static str,
    /// The median of the samples.
    pub ns_per_op: f64,
    /// The median in another unit, where nanoseconds do not suit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The name of that unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// The 99.9th percentile of single operations, in nanoseconds, where the slowest ones matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p999: Option<f64>,
    /// The slowest operation, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The least of the samples.
    #[serde(skip)]
    pub least: f64,
    /// The greatest of the samples.
    #[serde(skip)]
    pub greatest: f64,
}

impl Row {
    /// Says what the size counts.
    pub fn of(self, sizes: &'static str) -> Self {
        Self { sizes, ..self }
    }

    /// Adds the figure in a unit of so many nanoseconds.
    pub fn in_unit(self, unit: &'static str, nanoseconds: f64) -> Self {
        Self {
            value: Some(self.ns_per_op / nanoseconds),
            unit: Some(unit),
            ..self
        }
    }

    /// Adds the figure as operations in a second.
    pub fn per_second(self) -> Self {
        Self {
            value: Some(1e9 / self.ns_per_op),
            unit: Some("a second"),
            ..self
        }
    }

    /// The figure as bytes for one item, instead of a time.
    pub fn in_bytes(self) -> Self {
        Self {
            value: Some(self.ns_per_op),
            unit: Some("bytes"),
            ns_per_op: f64::NAN,
            ..self
        }
    }
}

impl Row {
    /// A figure that was counted in instructions.
    pub fn counted(
        bench: &'static str,
        contender: &'static str,
        entities: usize,
        count: f64,
    ) -> Self {
        Self {
            bench,
            contender,
            entities,
            sizes: ENTITIES,
            ns_per_op: 0.0,
            value: Some(count),
            unit: Some("instructions"),
            p999: None,
            max: None,
            least: count,
            greatest: count,
        }
    }
}

impl Row {
    /// Whether the figure is a number of instructions.
    pub fn is_counted(&self) -> bool {
        self.unit == Some("instructions")
    }

    /// The figure by which rows are compared: the time of an operation, or bytes, or instructions. Less is better.
    pub fn figure(&self) -> f64 {
        match self.unit {
            Some("instructions" | "bytes") => self.value.unwrap_or(f64::NAN),
            _ => self.ns_per_op,
        }
    }
}

/// The contenders that others are compared with.
const REFERENCES: [&str; 6] = [
    "flat",
    "fxhash",
    "fxhash_logged",
    "store",
    "alone",
    "ironweave",
];

/// A row as it is written to a file, with its ratios to other contenders of the same benchmark at the same size.
#[derive(Serialize)]
struct Figure<'r> {
    #[serde(flatten)]
    row: &'r Row,
    ratios: BTreeMap<&'static str, f64>,
}

/// All rows as JSON.
pub fn json(rows: &[Row]) -> serde_json::Result<String> {
    let figure = |row| Figure {
        row,
        ratios: ratios(row, rows),
    };
    serde_json::to_string_pretty(&rows.iter().map(figure).collect::<Vec<_>>())
}

fn ratios(row: &Row, rows: &[Row]) -> BTreeMap<&'static str, f64> {
    let is_beside = |other: &&Row| {
        (other.bench, other.entities) == (row.bench, row.entities)
            && other.is_counted() == row.is_counted()
            && other.contender != row.contender
            && REFERENCES.contains(&other.contender)
    };
    let ratio = |other: &Row| (other.contender, row.figure() / other.figure());
    rows.iter().filter(is_beside).map(ratio).collect()
}

/// Runs `work`, which does so many operations; returns the nanoseconds for one of them.
pub fn sample(operations: usize, work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_nanos() as f64 / operations as f64
}

/// The median, least and greatest of a contender's samples.
pub fn row(
    bench: &'static str,
    contender: &'static str,
    entities: usize,
    mut samples: Vec<f64>,
) -> Row {
    samples.sort_by(f64::total_cmp);
    let (least, greatest) = (samples[0], samples[samples.len() - 1]);
    Row {
        bench,
        contender,
        entities,
        sizes: ENTITIES,
        ns_per_op: samples[samples.len() / 2],
        value: None,
        unit: None,
        p999: None,
        max: None,
        least,
        greatest,
    }
}

/// The table that is printed, with ratios to `flat`.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<16}{:>10}{:>10}{:>20}{:>10}\n",
        "contender", "entities", "ns/op", "least - greatest", "of flat"
    );
    for row in rows {
        let flat = rows
            .iter()
            .find(|r| r.contender == "flat" && r.entities == row.entities);
        let ratio = flat.map_or_else(String::new, |flat| {
            format!("{:.2}", row.ns_per_op / flat.ns_per_op)
        });
        let spread = format!("{:.0} - {:.0}", row.least, row.greatest);
        let _ = writeln!(
            text,
            "{:<16}{:>10}{:>10.0}{:>20}{:>10}",
            row.contender, row.entities, row.ns_per_op, spread, ratio
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_each_row_with_its_ratios() {
        let rows = [
            row("step_logged", "flat", 10, vec![100.0]),
            row("step_logged", "ironweave", 10, vec![250.0]),
            row("step_logged", "ironweave", 20, vec![300.0]),
            Row::counted("step_logged", "flat", 10, 1_000.0),
            Row::counted("step_logged", "ironweave", 10, 500.0),
        ];
        let text = json(&rows).expect("JSON");
        let read: Vec<serde_json::Value> = serde_json::from_str(&text).expect("a list");
        assert_eq!(read[1]["ns_per_op"], 250.0);
        let ratios: Vec<_> = read.iter().map(|row| row["ratios"].to_string()).collect();
        let expected = [
            r#"{"ironweave":0.4}"#,
            r#"{"flat":2.5}"#,
            "{}",
            r#"{"ironweave":2.0}"#,
            r#"{"flat":0.5}"#,
        ];
        assert_eq!(ratios, expected);
    }
}
