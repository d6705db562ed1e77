//! `cargo xtask api`: the public items of the crates that are published, one a line, in `docs/api.txt`.
//!
//! The list is made from the sources with syn, so that stable Rust is enough. A change of the public API is a change of
//! that file, which a review shows; the tests here fail where the file is not current. `--against` compares the list with
//! an older one by the rules of semantic versioning.
//!
//! The list has what is written or derived. It does not have what the compiler implements by itself (`Send`, `Sync`), which
//! tests of the crates assert, and it shows the names of types as the source writes them.

mod compare;
mod expand;
mod render;
mod resolve;
mod source;
mod surface;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::crates;
use crate::tools::root;
use surface::Surface;

/// Where the list is, from the root of the repository.
const FILE: &str = "docs/api.txt";

/// What to do with the list.
#[derive(clap::Args)]
pub struct Api {
    /// Compare with an older list instead of writing: a file, or a revision of git whose `docs/api.txt` is meant
    #[arg(long, value_name = "FILE|REV")]
    against: Option<String>,
}

/// A crate's name, its version and what it promises.
type Listed = BTreeMap<String, (String, Surface)>;

/// Lists all crates that are published.
fn list() -> Result<Listed> {
    let crates = crates::published()?;
    let names: Vec<String> = crates.iter().map(|c| c.name.clone()).collect();
    let mut listed = Listed::new();
    for krate in &crates {
        let source = source::Source::read(&krate.name, &krate.root)
            .with_context(|| format!("cannot list `{}`", krate.name))?;
        let surface = if krate.is_macro {
            attributes(&source)
        } else {
            surface::list(&source, &names)
        };
        listed.insert(krate.name.clone(), (krate.version.clone(), surface));
    }
    Ok(listed)
}

/// The macros that a crate of macros gives.
fn attributes(source: &source::Source) -> Surface {
    let mut surface = Surface::default();
    for item in &source.modules[0].items {
        let syn::Item::Fn(function) = &item.item else {
            continue;
        };
        for (attribute, kind) in [
            ("proc_macro_attribute", "attribute"),
            ("proc_macro", "macro"),
        ] {
            if source::has_attribute(&function.attrs, attribute) {
                let line = format!("{}::{}  {kind} {}", source.name, item.name, item.name);
                surface.lines.insert(line);
            }
        }
        let derives = function.attrs.iter();
        for derive in derives.filter(|attr| attr.path().is_ident("proc_macro_derive")) {
            if let Ok(list) = derive.meta.require_list() {
                let line = format!("{}  derive {}", source.name, list.tokens);
                surface.lines.insert(line);
            }
        }
    }
    surface
}

fn text(listed: &Listed) -> String {
    let lines = |(name, (version, surface)): (&String, &(String, Surface))| {
        (name.clone(), (version.clone(), surface.lines.clone()))
    };
    surface::text(&listed.iter().map(lines).collect())
}

/// Writes the list, or compares it with another.
pub fn run(api: &Api) -> Result<()> {
    let current = text(&list()?);
    let Some(against) = &api.against else {
        let file = root().join(FILE);
        fs::write(&file, &current).with_context(|| format!("cannot write {}", file.display()))?;
        println!("{FILE}: {} lines", current.lines().count());
        return Ok(());
    };
    let changes = compare::compare(&older(against)?, &current)?;
    print!("{}", changes.report());
    if !changes.refused.is_empty() {
        bail!("{}", changes.refused.join("\n"));
    }
    Ok(())
}

/// The list in a file, or in a revision of git.
fn older(named: &str) -> Result<String> {
    let path: PathBuf = Path::new(named).to_owned();
    if path.is_file() {
        return fs::read_to_string(&path).with_context(|| format!("cannot read {named}"));
    }
    let output = Command::new("git")
        .arg("show")
        .arg(format!("{named}:{FILE}"))
        .current_dir(root())
        .output()
        .context("cannot start git")?;
    if !output.status.success() {
        bail!(
            "`{named}` is neither a file nor a revision with {FILE}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}
