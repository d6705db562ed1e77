//! Which crates of the workspace are published, where their sources are, and whether they are ready for it.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::tools::{cargo, root, run};

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

/// Packages all of them as they would be published, and checks that what is in the packages compiles. They need not be on a
/// registry for it, nor does this need the network.
///
/// `cargo package` would build each package itself, in a directory where all dependencies are built once more. Here, the packages
/// are members of a workspace beside the target directory, with the profile and the versions of this one, so that cargo finds the
/// dependencies that `clippy` has checked.
pub fn package() -> Result<()> {
    let crates = published()?;
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let dir = target.join("packages");
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    let unpacked = dir.join("unpacked");
    fs::create_dir_all(&unpacked)
        .with_context(|| format!("cannot create {}", unpacked.display()))?;
    let mut command = cargo(&[
        "package",
        "--offline",
        "--allow-dirty",
        "--quiet",
        "--no-verify",
    ]);
    command.arg("--target-dir").arg(&dir);
    for krate in &crates {
        command.args(["--package", &krate.package]);
    }
    run(&mut command)?;

    let mut patches = String::new();
    for krate in &crates {
        let name = format!("{}-{}", krate.package, krate.version);
        let mut command = Command::new("tar");
        // The files are of now: those in a package have one time forever, by which cargo would take them as unchanged.
        command.args(["-x", "-z", "-m", "-f"]);
        command.arg(dir.join(format!("package/{name}.crate")));
        command.arg("-C").arg(&unpacked);
        run(&mut command)?;
        patches += &format!("{} = {{ path = \"{name}\" }}\n", krate.package);
    }
    let own = fs::read_to_string(root().join("Cargo.toml"))?;
    let profile = own.find("[profile.dev]").map_or("", |at| &own[at..]);
    let manifest = unpacked.join("Cargo.toml");
    let text = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [\"*\"]\n\n[patch.crates-io]\n{patches}\n{profile}"
    );
    fs::write(&manifest, text).with_context(|| format!("cannot write {}", manifest.display()))?;
    fs::copy(root().join("Cargo.lock"), unpacked.join("Cargo.lock"))?;
    // One after the other: together, each would be compiled with the features that any of them needs.
    for krate in &crates {
        let mut command = cargo(&["check", "--offline", "--quiet", "--package", &krate.package]);
        command.arg("--manifest-path").arg(&manifest);
        command.arg("--target-dir").arg(&target);
        run(&mut command)?;
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
