//! Which crates of the workspace are published, where their sources are, and whether they are ready for it.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::tools::{cargo, run};

/// A crate that is published.
#[derive(Debug)]
pub struct Crate {
    /// The name that cargo knows it by.
    pub package: String,
    /// Its name, as code writes it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The file of its root.
    pub root: PathBuf,
    /// Whether it has macros for other crates, and nothing else.
    pub is_macro: bool,
}

/// The libraries of the workspace that may be published, by name.
pub fn published() -> Result<Vec<Crate>> {
    let mut crates = Vec::new();
    for package in metadata()? {
        // `publish = false` is an empty list of registries here.
        let is_kept_back = package["publish"].as_array().is_some_and(Vec::is_empty);
        let targets = package["targets"].as_array().into_iter().flatten();
        for target in targets.filter(|_| !is_kept_back) {
            let is_kind = |wanted: &str| {
                let kinds = target["kind"].as_array();
                kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == wanted))
            };
            if !is_kind("lib") && !is_kind("proc-macro") {
                continue;
            }
            crates.push(Crate {
                package: text(&package["name"])?,
                name: text(&target["name"])?.replace('-', "_"),
                version: text(&package["version"])?,
                root: text(&target["src_path"])?.into(),
                is_macro: is_kind("proc-macro"),
            });
        }
    }
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(crates)
}

/// What cargo says of each package of the workspace.
fn metadata() -> Result<Vec<Value>> {
    let mut command = cargo(&[
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ]);
    let output = command.output().context("cannot start cargo")?;
    ensure!(
        output.status.success(),
        "`cargo metadata` failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().cloned();
    packages.context("`cargo metadata` gave no packages")
}

fn text(value: &Value) -> Result<String> {
    let text = value.as_str().context("`cargo metadata` gave no text")?;
    Ok(text.to_owned())
}

/// Packages all of them as they would be published, and builds what is in the packages. They need not be on a registry
/// for it, nor does this need the network.
pub fn package() -> Result<()> {
    let crates = published()?;
    forget_unpacked(&crates)?;
    // Cargo would not build a package of a registry again whose version is the same.
    let target = tempfile::tempdir().context("cannot create a directory for packages")?;
    let mut command = cargo(&["package", "--offline", "--allow-dirty", "--quiet"]);
    command.arg("--target-dir").arg(target.path());
    for krate in &crates {
        command.args(["--package", &krate.package]);
    }
    run(&mut command)
}

/// Removes the sources that earlier runs have unpacked. Cargo keeps them in its home by the version of a package, and would build
/// a package against the old sources of another one whose version is the same.
fn forget_unpacked(crates: &[Crate]) -> Result<()> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let Some(Ok(registries)) = home.map(|home| fs::read_dir(home.join("registry/src"))) else {
        return Ok(());
    };
    for registry in registries {
        let registry = registry?;
        // The name of a registry in a directory begins with a hyphen, since it has no host.
        if !registry.file_name().as_encoded_bytes().starts_with(b"-") {
            continue;
        }
        for krate in crates {
            let unpacked = format!("{}-{}", krate.package, krate.version);
            let unpacked = registry.path().join(unpacked);
            if unpacked.exists() {
                fs::remove_dir_all(&unpacked)
                    .with_context(|| format!("cannot remove {}", unpacked.display()))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{metadata, published};

    #[test]
    fn what_is_published_says_what_a_registry_shows() {
        let crates = published().expect("cargo knows the workspace");
        let names: Vec<_> = crates.iter().map(|c| c.package.as_str()).collect();
        assert!(names.contains(&"ironweave"), "{names:?}");
        for own in ["databuild", "ironweave-bench", "xtask"] {
            assert!(!names.contains(&own), "`{own}` is not for others");
        }
        let packages = metadata().expect("cargo knows the workspace");
        for package in packages
            .iter()
            .filter(|p| names.iter().any(|n| p["name"] == *n))
        {
            let name = &package["name"];
            for text in [
                "description",
                "license",
                "repository",
                "readme",
                "rust_version",
            ] {
                assert!(package[text].is_string(), "{name} has no {text}");
            }
            for list in ["keywords", "categories"] {
                let length = package[list].as_array().map_or(0, Vec::len);
                // A registry takes five at most.
                assert!((1..=5).contains(&length), "{name} has {length} {list}");
            }
            let docs = &package["metadata"]["docs"]["rs"];
            assert_eq!(docs["all-features"], true, "docs.rs shows all of {name}");
        }
    }
}
