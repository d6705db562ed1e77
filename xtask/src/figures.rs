//! The tables in `docs/performance.md` that the benchmarks fill.
//!
//! A table stands between `<!-- bench:NAME -->` and `<!-- /bench -->`, where NAME is a row of the benchmarks. It is made from the
//! figures that the benchmarks write as JSON, but for `instructions`, which is the content of `bench/instructions.txt`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::tools::root;

/// The page, from the root of the repository.
const PAGE: &str = "docs/performance.md";
/// The counts of instructions, from the root of the repository.
const COUNTS: &str = "bench/instructions.txt";

const BEGIN: &str = "<!-- bench:";
const END: &str = "<!-- /bench -->";

/// A figure as the benchmarks write it.
struct Figure {
    bench: String,
    contender: String,
    entities: u64,
    /// What the size counts.
    sizes: String,
    /// The figure, and its unit.
    value: f64,
    unit: String,
}

/// Fills the table of the counts.
pub fn write_counts() -> Result<()> {
    let filled = fill(&read(PAGE)?, &[], &read(COUNTS)?)?;
    fs::write(root().join(PAGE), filled).with_context(|| format!("cannot write {PAGE}"))
}

/// Fills the tables of the rows that a file of figures has, and that of the counts.
pub fn write(figures: &Path) -> Result<()> {
    let json = fs::read_to_string(figures)
        .with_context(|| format!("cannot read {}", figures.display()))?;
    let figures = parse(&json)?;
    let page = read(PAGE)?;
    let filled = fill(&page, &figures, &read(COUNTS)?)?;
    fs::write(root().join(PAGE), filled).with_context(|| format!("cannot write {PAGE}"))?;
    let tables: BTreeSet<_> = names(&page)?.into_iter().collect();
    for bench in figures.iter().map(|f| &f.bench).collect::<BTreeSet<_>>() {
        let outcome = if tables.contains(bench.as_str()) {
            "written"
        } else {
            "has no table"
        };
        println!("{PAGE}: {bench}: {outcome}");
    }
    Ok(())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("cannot read {path}"))
}

fn parse(json: &str) -> Result<Vec<Figure>> {
    let rows: Vec<Value> = serde_json::from_str(json).context("the figures are not a JSON list")?;
    let figure = |row: &Value| {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        let value = row["value"].as_f64().or_else(|| row["ns_per_op"].as_f64());
        Some(Figure {
            bench: text("bench")?,
            contender: text("contender")?,
            entities: row["entities"].as_u64()?,
            sizes: text("sizes").unwrap_or_else(|| "entities".to_owned()),
            value: value?,
            unit: text("unit").unwrap_or_else(|| "ns".to_owned()),
        })
    };
    rows.iter()
        .map(|row| figure(row).with_context(|| format!("not a figure: {row}")))
        .collect()
}

/// The names of the tables on a page, in order.
fn names(page: &str) -> Result<Vec<&str>> {
    let mut names = Vec::new();
    let mut is_open = false;
    for line in page.lines() {
        if let Some(name) = line.strip_prefix(BEGIN) {
            let name = name
                .strip_suffix(" -->")
                .with_context(|| format!("`{line}` has no end"))?;
            ensure!(!is_open, "the table before `{name}` has no `{END}`");
            is_open = true;
            names.push(name);
        } else if line == END {
            ensure!(is_open, "`{END}` without a beginning");
            is_open = false;
        }
    }
    ensure!(!is_open, "the last table has no `{END}`");
    Ok(names)
}

/// A page with the tables for which there are figures.
fn fill(page: &str, figures: &[Figure], counts: &str) -> Result<String> {
    names(page)?;
    let mut filled = String::new();
    let mut skipping = false;
    for line in page.lines() {
        if line == END {
            skipping = false;
        }
        if !skipping {
            filled.push_str(line);
            filled.push('\n');
        }
        let Some(name) = line
            .strip_prefix(BEGIN)
            .and_then(|l| l.strip_suffix(" -->"))
        else {
            continue;
        };
        let table = if name == "instructions" {
            Some(format!("```text\n{}\n```\n", counts.trim_end()))
        } else {
            table(
                &figures
                    .iter()
                    .filter(|f| f.bench == name)
                    .collect::<Vec<_>>(),
            )
        };
        if let Some(table) = table {
            filled.push_str(&table);
            skipping = true;
        }
    }
    Ok(filled)
}

/// Figures as a table: a line for each contender, a column for each size, and ratios to `flat`, or where that was not measured, to
/// `ironweave`, or to `open`.
fn table(figures: &[&Figure]) -> Option<String> {
    let unit = &figures.first()?.unit;
    let sizes: BTreeSet<u64> = figures.iter().map(|f| f.entities).collect();
    let mut contenders: Vec<&str> = Vec::new();
    for figure in figures {
        if !contenders.contains(&figure.contender.as_str()) {
            contenders.push(&figure.contender);
        }
    }
    let reference = ["flat", "ironweave", "open"]
        .into_iter()
        .find(|name| contenders.contains(name));
    let sizes_of = &figures.first()?.sizes;
    let find = |contender: &str, size: u64| {
        let mut found = figures
            .iter()
            .filter(|f| f.contender == contender && f.entities == size);
        found.next().map(|f| f.value)
    };
    let ratio = reference.map_or_else(String::new, |name| format!(", and ratio to {name}"));
    let mut text = format!("| {unit}{ratio}, at {sizes_of} |");
    for size in &sizes {
        let _ = write!(text, " {} |", grouped(*size));
    }
    let _ = write!(text, "\n|---|{}\n", "---:|".repeat(sizes.len()));
    // Small figures have two digits behind the point.
    let is_fine = figures.iter().any(|f| f.value < 10.0);
    for contender in contenders {
        let _ = write!(text, "| `{contender}` |");
        for size in &sizes {
            let cell = find(contender, *size).map_or_else(String::new, |value| {
                let of = reference.and_then(|reference| find(reference, *size));
                let ratio = of.map_or_else(String::new, |of| format!("({:.2}) ", value / of));
                format!(" {} {ratio}", figure(value, is_fine))
            });
            let _ = write!(text, "{cell}|");
        }
        text.push('\n');
    }
    Some(text)
}

fn figure(value: f64, is_fine: bool) -> String {
    if is_fine && value < 1_000.0 {
        return format!("{value:.2}");
    }
    grouped(value.round() as u64)
}

/// A number with commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_is_of_a_row_that_the_benchmarks_have() {
        let source = read("bench/src/benches.rs").expect("the source of the benchmarks");
        let page = read(PAGE).expect("the page");
        let names = names(&page).expect("the tables are closed");
        assert!(names.contains(&"step_graph"));
        for name in names {
            let is_row = source.contains(&format!("        name: \"{name}\",\n"));
            assert!(
                is_row,
                "{PAGE}: `cargo xtask bench --list` has no row `{name}`"
            );
        }
    }

    #[test]
    fn the_counts_on_the_page_are_those_of_the_last_run() {
        let page = read(PAGE).expect("the page");
        let counts = read(COUNTS).expect("the counts");
        let filled = fill(&page, &[], &counts).expect("the tables are closed");
        assert!(
            filled == page,
            "{COUNTS} has changed: run `cargo xtask bench --write-counts`"
        );
    }

    #[test]
    fn tables_are_filled_and_what_stands_around_them_stays() {
        let json = r#"[
            {"bench": "find", "contender": "flat", "entities": 1000, "ns_per_op": 20.0},
            {"bench": "find", "contender": "ironweave", "entities": 1000, "ns_per_op": 30.4},
            {"bench": "find", "contender": "ironweave", "entities": 1000000, "ns_per_op": 1234.0},
            {"bench": "replay", "contender": "ironweave", "entities": 10, "ns_per_op": 10.0, "value": 5e6, "unit": "a second"}
        ]"#;
        let page = "one\n<!-- bench:find -->\nold\n<!-- /bench -->\ntwo\n<!-- bench:reject -->\nkept\n<!-- /bench -->\n\
                    <!-- bench:replay -->\n<!-- /bench -->\n<!-- bench:instructions -->\n<!-- /bench -->\n";
        let figures = parse(json).expect("figures");
        let filled = fill(page, &figures, "counts\n").expect("a page");
        let expected = "\
one
<!-- bench:find -->
| ns, and ratio to flat, at entities | 1,000 | 1,000,000 |
|---|---:|---:|
| `flat` | 20 (1.00) ||
| `ironweave` | 30 (1.52) | 1,234 |
<!-- /bench -->
two
<!-- bench:reject -->
kept
<!-- /bench -->
<!-- bench:replay -->
| a second, and ratio to ironweave, at entities | 10 |
|---|---:|
| `ironweave` | 5,000,000 (1.00) |
<!-- /bench -->
<!-- bench:instructions -->
```text
counts
```
<!-- /bench -->
";
        assert_eq!(filled, expected);
        let again = fill(&filled, &figures, "counts\n").expect("a page");
        assert_eq!(again, filled, "filled once more, it stays the same");
    }

    #[test]
    fn a_table_says_what_its_sizes_count_and_small_figures_have_digits_behind_the_point() {
        let json = r#"[
            {"bench": "log_open", "contender": "open", "entities": 1000, "sizes": "facts", "ns_per_op": 0.0, "value": 0.25, "unit": "ms"},
            {"bench": "log_open", "contender": "checkpoint", "entities": 1000, "sizes": "facts", "ns_per_op": 0.0, "value": 0.1, "unit": "ms"},
            {"bench": "log_fsync", "contender": "ext4", "entities": 4096, "sizes": "bytes", "ns_per_op": 0.0, "value": 71.2, "unit": "µs"}
        ]"#;
        let figures = parse(json).expect("figures");
        let of = |bench: &str| {
            figures
                .iter()
                .filter(|f| f.bench == bench)
                .collect::<Vec<_>>()
        };
        let open = table(&of("log_open")).expect("a table");
        let expected = "\
| ms, and ratio to open, at facts | 1,000 |
|---|---:|
| `open` | 0.25 (1.00) |
| `checkpoint` | 0.10 (0.40) |
";
        assert_eq!(open, expected);
        let disk = table(&of("log_fsync")).expect("a table");
        assert_eq!(
            disk,
            "| µs, at bytes | 4,096 |\n|---|---:|\n| `ext4` | 71 |\n"
        );
    }

    #[test]
    fn a_table_without_an_end_is_an_error() {
        assert!(names("<!-- bench:find -->\n").is_err());
        assert!(names("<!-- /bench -->\n").is_err());
        assert!(names("<!-- bench:find -->\n<!-- bench:find -->\n<!-- /bench -->\n").is_err());
    }
}
