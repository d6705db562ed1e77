//! `ironweave sql`: a query on tables of the entities and links.

use std::process::ExitCode;

use ironweave::Store;
use ironweave::dynamic::Dynamic;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value};

use crate::cli::Show;
use crate::failure::{Failure, Result};
use crate::graph::Moment;
use crate::interrupt;
use crate::output::{Output, Role};
use crate::source;
use crate::values::printable;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    moment: Moment,
    /// The query, in the SQL of SQLite; the tables are those of `project_into_sqlite`: one for each entity type and edge
    #[arg(value_name = "QUERY")]
    query: String,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let directory = tempfile::tempdir().map_err(Failure::problem)?;
    interrupt::removes(directory.path().to_owned());
    let file = directory.path().join("store.sqlite");
    let source = &args.moment.source;
    let mut store = source::store(source)?;
    if args.moment.as_of.is_some() {
        // The tables follow a log, so that the past needs a log that ends there.
        let seq = args.moment.open()?.seq();
        let then = directory.path().join("store");
        source::log(source)?.restore(&then, seq, |_, _| {})?;
        store = Store::<Dynamic>::open_read_only(then)?;
    }
    let mut tables = store.project_into_sqlite(&file).map_err(Failure::problem)?;
    tables.catch_up().map_err(Failure::problem)?;
    drop(tables);
    let client = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(Failure::problem)?;
    let found = query(show, &client, &args.query)?;
    Ok(ExitCode::from(u8::from(!found)))
}

/// Prints the rows of a query, and returns whether there were any.
fn query(show: &Show, client: &Connection, sql: &str) -> Result<bool> {
    let wrong = |e: rusqlite::Error| Failure::Usage(format!("the query failed: {e}"));
    let mut statement = client.prepare(sql).map_err(wrong)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).map_err(wrong)?;
    let mut out = Output::paged(show);
    let mut table: Vec<Vec<String>> = vec![names.clone()];
    let mut found = false;
    while let Some(row) = rows.next().map_err(wrong)? {
        found = true;
        let values = (0..names.len()).map(|i| row.get_ref(i));
        let values: Vec<ValueRef<'_>> = values.collect::<Result<_, _>>().map_err(wrong)?;
        if out.is_json() {
            let object = names.iter().cloned().zip(values.into_iter().map(json));
            out.object(&object.collect::<Map<String, Value>>())?;
        } else {
            table.push(values.into_iter().map(text).collect());
        }
    }
    if !out.is_json() {
        write(&mut out, &table)?;
    }
    out.finish()?;
    Ok(found)
}

fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => bytes.to_vec().into(),
    }
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(text) => printable(&String::from_utf8_lossy(text)),
        ValueRef::Null => String::new(),
        other => json(other).to_string(),
    }
}

/// Writes rows in columns, below their names.
fn write(out: &mut Output, table: &[Vec<String>]) -> Result {
    let width = |column: usize| {
        let cells = table.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.first().map_or(0, Vec::len)).map(width).collect();
    for (i, row) in table.iter().enumerate() {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        let line = cells.join("  ");
        match i {
            0 => out.line(out.paint(Role::Title, line.trim_end()).to_string())?,
            _ => out.line(line.trim_end())?,
        }
    }
    Ok(())
}
