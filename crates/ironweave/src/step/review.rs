//! The schema of a model under review: [`assert_compatible!`](crate::assert_compatible) compares it with a file in the repository.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use crate::schema::{Compatibility, Difference, Schema, Verdict};
use crate::step::model::Model;

/// The variable that lets the assertion write the file.
const BLESS: &str = "IRONWEAVE_BLESS";
/// Its value for changes that each log permits.
const FREE: &str = "1";
/// Its value for all other changes.
const MIGRATED: &str = "migrated";

/// What the environment asks for.
struct Asked {
    /// The value of [`BLESS`].
    bless: Option<String>,
    /// Whether the test runs in continuous integration.
    is_ci: bool,
}

impl Asked {
    fn of_environment() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            bless: set(BLESS).filter(|value| value != "0"),
            is_ci: set("CI").is_some_and(|value| value != "false" && value != "0"),
        }
    }
}

/// Compares the schema of a model with a file of a package, whose directory and name are given.
///
/// # Panics
/// If they differ; see [`assert_compatible!`](crate::assert_compatible).
#[track_caller]
pub fn assert_compatible<M: Model>((dir, package): (&str, &str), file: &str) {
    let mut binding = M::binding();
    binding.add_encodings();
    let path = Path::new(dir).join(file);
    if let Err(why) = review(
        &binding.schema,
        (&path, file),
        package,
        &Asked::of_environment(),
    ) {
        panic!("{why}");
    }
}

/// Returns why the file is not that of the schema, and was not written.
fn review(
    now: &Schema,
    (path, file): (&Path, &str),
    package: &str,
    asked: &Asked,
) -> Result<(), String> {
    let command = |value: &str| format!("`{BLESS}={value} cargo test -p {package}`");
    let text = match fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(format!("`{}` cannot be read: {e}", path.display())),
    };
    let changes = match &text {
        None => None,
        Some(text) => {
            let was = Schema::from_json(text);
            let was = was.map_err(|e| {
                format!(
                    "`{file}` is not a schema: {e}; restore it from version control, or delete it"
                )
            })?;
            Some(was.compatibility(now))
        }
    };
    let (is_free, why) = match &changes {
        Some(changes) if changes.is_same() => return Ok(()),
        Some(changes) => (changes.is_free(), describe(changes, file)),
        None => (true, format!("`{file}` does not exist.")),
    };
    let needed = if is_free { FREE } else { MIGRATED };
    match &asked.bless {
        None => Err(format!("{why}\nTo write `{file}`, run {}", command(needed))),
        Some(_) if asked.is_ci => Err(format!(
            "{why}\n`{file}` is not written in continuous integration (`CI` is set). To write it, run {} elsewhere, and commit it",
            command(needed)
        )),
        Some(value) if is_free || value == MIGRATED => write(path, &now.to_json_lines())
            .map_err(|e| format!("`{}` cannot be written: {e}", path.display())),
        Some(_) => Err(format!(
            "{why}\n`{file}` was not written, because some of the changes need data or a migration. To write it, run {}",
            command(needed)
        )),
    }
}

/// A title, and the changes that are listed under it.
type Kind = (&'static str, fn(&Difference) -> bool);

/// Lists the changes by what they need.
fn describe(changes: &Compatibility, file: &str) -> String {
    let mut text = String::new();
    let kinds: [Kind; 3] = [
        (
            "These changes are not taken: a store that was written with the committed schema does not open without what is named here.",
            |d| matches!(d.verdict, Verdict::Refused { .. }),
        ),
        (
            "These changes depend on the data: a store opens only if it is as named here, or with a migration.",
            |d| matches!(d.verdict, Verdict::Data { .. }),
        ),
        ("These changes are taken for each store:", |d| {
            d.verdict == Verdict::Free
        }),
    ];
    let _ = write!(text, "The schema of the model is not that in `{file}`.");
    for (title, is_of_kind) in kinds {
        let mut found = (changes.differences.iter())
            .filter(|d| is_of_kind(d))
            .peekable();
        if found.peek().is_some() {
            let _ = write!(text, "\n{title}");
        }
        for difference in found {
            let _ = write!(text, "\n- {difference}");
        }
    }
    text
}

/// Replaces a file at once, so that no reader finds half of it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The error of writing is reported, not that of this.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ColumnDef, EntityDef};

    const NOT_ASKED: Asked = Asked {
        bless: None,
        is_ci: false,
    };

    fn asked(value: &str) -> Asked {
        Asked {
            bless: Some(value.to_owned()),
            is_ci: false,
        }
    }

    /// An entity type with columns of these types.
    fn schema(types: &[&str]) -> Schema {
        let column = |(i, ty): (usize, &&str)| ColumnDef {
            name: format!("c{i}"),
            ty: (*ty).to_owned(),
            ..ColumnDef::default()
        };
        Schema {
            name: "clinic".to_owned(),
            entities: vec![EntityDef {
                name: "Bed".to_owned(),
                ..EntityDef::default()
            }],
            columns: types.iter().enumerate().map(column).collect(),
            ..Schema::default()
        }
    }

    #[test]
    fn a_schema_is_compared_with_its_file_and_written_on_request() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("schema.json");
        let review =
            |now: &Schema, asked: &Asked| review(now, (&path, "schema.json"), "ward", asked);
        let was = schema(&["u8"]);
        let missing = review(&was, &NOT_ASKED).expect_err("no file");
        assert_eq!(
            missing,
            "`schema.json` does not exist.\nTo write `schema.json`, run `IRONWEAVE_BLESS=1 cargo test -p ward`"
        );
        review(&was, &asked("1")).expect("it is written");
        review(&was, &NOT_ASKED).expect("it is the same");
        let text = fs::read_to_string(&path).expect("the file");
        assert_eq!(Schema::from_json(&text), Ok(was.clone()));
        assert!(text.lines().count() > 6, "{text}");

        let more = schema(&["u8", "Option<u8>"]);
        let free = review(&more, &NOT_ASKED).expect_err("another schema");
        assert_eq!(
            free,
            "The schema of the model is not that in `schema.json`.\n\
             These changes are taken for each store:\n\
             - entity `Bed` now has field `c1: Option<u8>`\n\
             To write `schema.json`, run `IRONWEAVE_BLESS=1 cargo test -p ward`"
        );
        assert_eq!(fs::read_to_string(&path).expect("the file"), text);
        review(&more, &asked("1")).expect("it is written");
        review(&more, &NOT_ASKED).expect("it is the same");
        assert_eq!(fs::read_dir(dir.path()).expect("files").count(), 1);
    }

    #[test]
    fn a_schema_that_needs_a_migration_is_written_only_if_that_is_said() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("schema.json");
        let review =
            |now: &Schema, asked: &Asked| review(now, (&path, "schema.json"), "ward", asked);
        review(&schema(&["u8"]), &asked("1")).expect("it is written");
        let text = fs::read_to_string(&path).expect("the file");
        let now = schema(&["String", "u8", "Option<u8>"]);
        let why = review(&now, &NOT_ASKED).expect_err("another schema");
        assert_eq!(
            why,
            "The schema of the model is not that in `schema.json`.\n\
             These changes depend on the data: a store opens only if it is as named here, or with a migration.\n\
             - the type of field `Bed.c0` was `u8` and is now `String`: this is taken if no entity has a value in it; `u8` cannot be \
             read as `String`: keep the type, or write a migration\n\
             - entity `Bed` now needs `c1: u8`: this is taken if no `Bed` exists; give `#[default(..)]` or a migration\n\
             These changes are taken for each store:\n\
             - entity `Bed` now has field `c2: Option<u8>`\n\
             To write `schema.json`, run `IRONWEAVE_BLESS=migrated cargo test -p ward`"
        );
        let refused = review(&now, &asked("1")).expect_err("it needs a migration");
        assert!(
            refused.contains("was not written, because some"),
            "{refused}"
        );
        assert_eq!(fs::read_to_string(&path).expect("the file"), text);
        review(&now, &asked("migrated")).expect("it is written");
        review(&now, &NOT_ASKED).expect("it is the same");
    }

    #[test]
    fn nothing_is_written_in_continuous_integration_and_over_what_is_no_schema() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("schema.json");
        let in_ci = Asked {
            bless: Some("migrated".to_owned()),
            is_ci: true,
        };
        let file = (&*path, "schema.json");
        let why = review(&schema(&[]), file, "ward", &in_ci).expect_err("not in CI");
        assert!(
            why.contains("is not written in continuous integration"),
            "{why}"
        );
        assert!(!path.exists());
        fs::write(&path, "<<<<<<< HEAD").expect("a file");
        let why = review(&schema(&[]), file, "ward", &asked("1")).expect_err("no schema");
        assert!(why.starts_with("`schema.json` is not a schema: "), "{why}");
        assert_eq!(fs::read_to_string(&path).expect("the file"), "<<<<<<< HEAD");
    }
}
