//! Partitions by name and time, for a page that draws them as a grid: a column is a time in a name, and a row is the rest of the name.
//!
//! | in a name | unit |
//! |---|---|
//! | `2026-01-15T08`, `2026-01-15-08` | hour |
//! | `2026-01-15` | day |
//! | `2026-W03` | week |
//! | `2026-01` | month |
//! | `2026` | year |
//!
//! A time stands between characters that are neither letters nor digits. If the names are selected by a pattern with fields, a column is
//! the value of one of the fields, as in `daily/{colour}/{day}`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ironweave::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::build::PartitionRef;
use crate::pattern::Pattern;

/// The number of rows of a section at most.
const ROWS_MAX: usize = 300;
/// The number of cells of a section at most, if each row has all columns.
const CELLS_MAX: usize = 20_000;
/// The number of names without a time that are listed.
const REST_MAX: usize = 500;

/// What a column represents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "GridUnit")]
pub enum Unit {
    /// An hour of a day.
    Hour,
    /// A day.
    Day,
    /// A week of a year, as in ISO 8601.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
    /// The value of a field of a pattern.
    Field,
}

/// Partitions by name and time.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Grid {
    /// One section for each unit that occurs.
    pub sections: Vec<Section>,
    /// The first partitions whose names have no time.
    pub rest: Vec<Cell>,
    /// The number of these.
    pub rest_count: usize,
    /// The number of all partitions that were selected.
    pub count: usize,
}

/// The partitions whose columns represent the same unit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "GridSection")]
pub struct Section {
    /// The unit.
    pub unit: Unit,
    /// The last columns, sorted.
    pub columns: Vec<String>,
    /// The number of columns without a limit.
    pub columns_count: usize,
    /// The first rows, sorted by name.
    pub rows: Vec<Row>,
    /// The number of rows without a limit.
    pub rows_count: usize,
}

/// The partitions whose names differ in the column alone.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "GridRow")]
pub struct Row {
    /// Their name with `*` in place of the column.
    pub pattern: String,
    /// Those that there are in the columns of the section, in the order of these.
    pub cells: Vec<Cell>,
}

/// A partition.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Cell {
    /// The index of its column; none without a time.
    pub column: Option<usize>,
    /// Its name.
    pub name: String,
    /// The state of its current instance.
    pub state: Option<String>,
    /// The id of the run that builds it or built it last.
    pub run: Option<String>,
}

/// Which partitions are shown, and how.
#[derive(Debug, Default)]
pub struct Selection {
    /// Those whose names match.
    pub pattern: Option<Pattern>,
    /// The field that is the column; the last one of the pattern without it.
    pub column: Option<String>,
    /// The last column that is shown.
    pub until: Option<String>,
    /// The number of columns of a section at most.
    pub columns_max: usize,
}

/// The references of a section, by row and column.
type Found = BTreeMap<String, BTreeMap<String, PartitionRef>>;

impl Grid {
    /// Reads a grid. O(known partitions * length of their names).
    pub fn of(selection: &Selection, db: &impl Db) -> Self {
        let mut found: BTreeMap<Unit, Found> = BTreeMap::new();
        let (mut rest, mut rest_count, mut count) = (Vec::new(), 0, 0);
        for reference in db.place::<PartitionRef, Any>() {
            let name = reference.name(db);
            let Some(column) = selection.column_of(name) else {
                continue;
            };
            count += 1;
            if let Some((unit, range)) = column {
                let row = format!("{}*{}", &name[..range.start], &name[range.end..]);
                let row = found.entry(unit).or_default().entry(row).or_default();
                row.insert(name[range].to_owned(), reference);
            } else {
                rest_count += 1;
                if rest.len() < REST_MAX {
                    rest.push(cell(reference, None, db));
                }
            }
        }
        let sections = found.into_iter();
        Self {
            sections: sections
                .map(|(unit, found)| section(unit, &found, selection, db))
                .collect(),
            rest,
            rest_count,
            count,
        }
    }
}

impl Selection {
    /// Where the column of a name is, or that it has none. `None` for a name that is not selected.
    #[allow(clippy::option_option)] // as documented
    fn column_of(&self, name: &str) -> Option<Option<(Unit, Range<usize>)>> {
        let Some(pattern) = &self.pattern else {
            return Some(time_in(name));
        };
        let fields = pattern.captures(name)?;
        let field = match &self.column {
            Some(column) => fields.iter().find(|(field, _)| field == column),
            None => fields.last(),
        };
        Some(match field {
            Some((_, value)) => {
                // A field is a part of the name.
                let start = value.as_ptr() as usize - name.as_ptr() as usize;
                Some((Unit::Field, start..start + value.len()))
            }
            None => time_in(name),
        })
    }
}

fn section(unit: Unit, found: &Found, selection: &Selection, db: &impl Db) -> Section {
    let columns: BTreeSet<&String> = found.values().flat_map(BTreeMap::keys).collect();
    let columns_count = columns.len();
    let mut columns: Vec<String> = (columns.into_iter())
        .filter(|column| {
            selection
                .until
                .as_ref()
                .is_none_or(|until| *column <= until)
        })
        .cloned()
        .collect();
    columns.drain(..columns.len().saturating_sub(selection.columns_max));
    let rows_max = ROWS_MAX.min(CELLS_MAX / columns.len().max(1));
    let rows = found.iter().take(rows_max).map(|(pattern, row)| Row {
        pattern: pattern.clone(),
        cells: (columns.iter().zip(0..))
            .filter_map(|(column, index)| Some(cell(*row.get(column)?, Some(index), db)))
            .collect(),
    });
    Section {
        unit,
        rows: rows.collect(),
        columns,
        columns_count,
        rows_count: found.len(),
    }
}

fn cell(reference: PartitionRef, column: Option<usize>, db: &impl Db) -> Cell {
    let current = reference.current(db);
    Cell {
        column,
        name: reference.name(db).to_owned(),
        state: current.map(|partition| partition.state(db).to_string()),
        run: (current.and_then(|partition| partition.built_by(db))).map(|run| run.id().to_string()),
    }
}

/// The last time in a name. Of several that begin at the same character, the longest one is meant.
fn time_in(name: &str) -> Option<(Unit, Range<usize>)> {
    // `9` represents a digit.
    const SHAPES: [(&str, Unit); 6] = [
        ("9999-99-99T99", Unit::Hour),
        ("9999-99-99-99", Unit::Hour),
        ("9999-99-99", Unit::Day),
        ("9999-W99", Unit::Week),
        ("9999-99", Unit::Month),
        ("9999", Unit::Year),
    ];
    let bytes = name.as_bytes();
    let is_apart = |at: usize| bytes.get(at).is_none_or(|b| !b.is_ascii_alphanumeric());
    // `-2026` after a digit is a part of something else.
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let is_part = |at: usize| at >= 2 && bytes.get(at - 1) == Some(&b'-') && is_digit(at - 2);
    let begins = |at: usize| at == 0 || is_apart(at - 1) && !is_part(at);
    // So is `2026-01` before a digit that follows a `-`.
    let ends = |at: usize| is_apart(at) && !(bytes.get(at) == Some(&b'-') && is_digit(at + 1));
    let has = |at: usize, shape: &str| {
        let text = bytes.get(at..at + shape.len());
        let is_of = |(byte, shape): (&u8, u8)| match shape {
            b'9' => byte.is_ascii_digit(),
            other => *byte == other,
        };
        text.is_some_and(|text| text.iter().zip(shape.bytes()).all(is_of)) && ends(at + shape.len())
    };
    (0..name.len())
        .rev()
        .filter(|at| begins(*at))
        .find_map(|at| {
            let (shape, unit) = SHAPES.iter().find(|(shape, _)| has(at, shape))?;
            Some((*unit, at..at + shape.len()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::build::{Model, WantCreated};

    #[test]
    fn times_in_names() {
        for (name, expected) in [
            ("votes/2026-01-20", Some((Unit::Day, "2026-01-20"))),
            ("2026-01-20/votes", Some((Unit::Day, "2026-01-20"))),
            ("hourly/2026-01-20T08", Some((Unit::Hour, "2026-01-20T08"))),
            (
                "hourly/2026-01-20-08.csv",
                Some((Unit::Hour, "2026-01-20-08")),
            ),
            ("weekly/2026-W03", Some((Unit::Week, "2026-W03"))),
            ("monthly/2026-01/red", Some((Unit::Month, "2026-01"))),
            ("yearly/2026", Some((Unit::Year, "2026"))),
            ("2025/2026-02", Some((Unit::Month, "2026-02"))),
            ("v_2026-01-20_x", Some((Unit::Day, "2026-01-20"))),
            ("votes-2026-01-20", Some((Unit::Day, "2026-01-20"))),
            ("1-2026-01-20", None),
            ("x2026-01-20", None),
            ("sloc/serde-1.0.228", None),
            ("20260120", None),
            ("2026-01-201", None),
            ("report", None),
            ("", None),
        ] {
            let found = time_in(name).map(|(unit, range)| (unit, &name[range]));
            assert_eq!(found, expected, "{name}");
        }
    }

    fn store(names: &[&str]) -> Store<Model> {
        let mut store = Store::memory();
        store.step(WantCreated {
            partitions: names.iter().map(|n| Ensure::from(*n)).collect(),
            source: String::new(),
            comment: String::new(),
            priority: 0,
            deadline: None,
            sla: None,
        });
        store
    }

    fn drawn(grid: &Grid) -> Vec<String> {
        let cell = |cell: &Cell| format!("{}={}", cell.column.unwrap_or_default(), cell.name);
        let row = |row: &Row| {
            let cells: Vec<String> = row.cells.iter().map(cell).collect();
            format!("{}: {}", row.pattern, cells.join(" "))
        };
        let rows = grid.sections.iter().flat_map(|section| &section.rows);
        rows.map(row).collect()
    }

    #[test]
    fn rows_are_names_without_their_times() {
        let store = store(&[
            "d/red/2026-01-02",
            "d/red/2026-01-01",
            "d/blue/2026-01-02",
            "m/2026-01",
            "report",
        ]);
        let mut selection = Selection {
            columns_max: 10,
            ..Selection::default()
        };
        let grid = Grid::of(&selection, &store);
        assert_eq!(
            drawn(&grid),
            [
                "d/blue/*: 1=d/blue/2026-01-02",
                "d/red/*: 0=d/red/2026-01-01 1=d/red/2026-01-02",
                "m/*: 0=m/2026-01"
            ]
        );
        assert_eq!((grid.count, grid.rest_count), (5, 1));
        assert_eq!(grid.rest[0].name, "report");
        assert_eq!(grid.rest[0].state.as_deref(), Some("Missing"));
        // The last column only.
        selection.columns_max = 1;
        let grid = Grid::of(&selection, &store);
        assert_eq!(drawn(&grid)[1], "d/red/*: 0=d/red/2026-01-02");
        assert_eq!(grid.sections[0].columns_count, 2);
        selection.until = Some("2026-01-01".to_owned());
        assert_eq!(drawn(&Grid::of(&selection, &store))[0], "d/blue/*: ");
        // By a field.
        let pattern = Pattern::parse("d/{colour}/{day}").unwrap();
        let mut selection = Selection {
            pattern: Some(pattern),
            column: Some("colour".to_owned()),
            columns_max: 10,
            ..Selection::default()
        };
        let grid = Grid::of(&selection, &store);
        assert_eq!(grid.sections[0].columns, ["blue", "red"]);
        assert_eq!(
            drawn(&grid)[1],
            "d/*/2026-01-02: 0=d/blue/2026-01-02 1=d/red/2026-01-02"
        );
        assert_eq!(grid.count, 3);
        selection.column = None;
        assert_eq!(
            Grid::of(&selection, &store).sections[0].columns,
            ["2026-01-01", "2026-01-02"]
        );
    }
}
