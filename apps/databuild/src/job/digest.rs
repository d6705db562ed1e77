//! The digests of the sources of partitions of the demo, which are compared with those at the time when they were built.
//!
//! | partition | digest of |
//! |---|---|
//! | `manifest` | the path of the workspace, its lock file, the manifests of its members and path dependencies |
//! | of a path package | its files, and the values that its manifest inherits from its workspace |
//! | of a registry or git package | name, version, and checksum or commit |

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};
use xxhash_rust::xxh3::Xxh3;

use super::packages::{Manifest, Package};
use super::sources;

/// The job: prints the digests of partitions. For a partition that would not be built any more, it prints nothing.
pub fn run(partitions: &[String]) -> Result<()> {
    let workspace = super::var("DATABUILD_WORKSPACE")?;
    let recorded = Manifest::load(&super::data_dir()?)
        .ok()
        .filter(|m| m.is_current(&workspace));
    // The current packages: if a manifest has changed, the recorded list may be outdated.
    let mut resolved = None;
    let mut known = HashMap::new();
    for partition in partitions {
        let digest = if partition == "manifest" {
            recorded.as_ref().map(|m| m.digest.clone())
        } else {
            let manifest = match (&recorded, &mut resolved) {
                (Some(manifest), _) => manifest,
                (None, Some(manifest)) => &*manifest,
                (None, empty) => empty.insert(Manifest::resolve(&workspace)?),
            };
            let key = sources::key_of(partition);
            if !known.contains_key(key) {
                let package = manifest.packages.iter().find(|p| p.key == key);
                known.insert(key, package.map(of_package).transpose()?);
            }
            known.get(key).cloned().flatten()
        };
        if let Some(digest) = digest {
            super::report_parts(&[("partition", partition), ("digest", &digest)])?;
        }
    }
    Ok(())
}

/// The digest of the sources of a package.
pub fn of_package(package: &Package) -> Result<String> {
    let Package {
        name,
        version,
        source,
        dir,
        content,
        ..
    } = package;
    if let Some(content) = content {
        return Ok(format!("{} {name} {version} {content}", source.as_str()));
    }
    let mut hash = Xxh3::new();
    for file in sources::files(dir)? {
        let inner = file.strip_prefix(dir).unwrap_or(&file);
        add_file(&mut hash, inner.as_os_str().as_encoded_bytes(), &file);
    }
    hash.update(inherited(dir)?.as_bytes());
    Ok(finish(&hash))
}

/// The table `workspace.package` of a package's workspace, if the manifest inherits from it.
fn inherited(dir: &Path) -> Result<String> {
    let read = |dir: &Path| -> Result<Option<toml::Table>> {
        let path = dir.join("Cargo.toml");
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                Ok(Some(toml::from_str(&text).with_context(|| {
                    format!("cannot read {}", path.display())
                })?))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
        }
    };
    let own = read(dir)?.unwrap_or_default();
    let inherits = |value: &toml::Value| value.get("workspace").is_some();
    let package = own.get("package").and_then(toml::Value::as_table);
    if !package.is_some_and(|p| p.values().any(inherits)) {
        return Ok(String::new());
    }
    for dir in dir.ancestors() {
        if let Some(workspace) = read(dir)?.as_ref().and_then(|m| m.get("workspace")) {
            return Ok(workspace
                .get("package")
                .map(ToString::to_string)
                .unwrap_or_default());
        }
    }
    Ok(String::new())
}

/// Adds a file under a name, without reading all of it into memory. All files that cannot be read have the same
/// digest.
pub fn add_file(hash: &mut Xxh3, name: &[u8], file: &Path) {
    hash.update(&(name.len() as u64).to_le_bytes());
    hash.update(name);
    let read = |hash: &mut Xxh3| -> std::io::Result<()> {
        let mut file = std::fs::File::open(file)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(std::io::ErrorKind::InvalidInput.into());
        }
        hash.update(&meta.len().to_le_bytes());
        std::io::copy(&mut file, hash).map(drop)
    };
    if read(hash).is_err() {
        hash.update(&u64::MAX.to_le_bytes());
    }
}

/// The digest as text.
pub fn finish(hash: &Xxh3) -> String {
    format!("xxh3 {:032x}", hash.digest128())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::packages::Source;

    fn package(dir: &Path, content: Option<&str>) -> Package {
        Package {
            key: "a-1.0.0".into(),
            name: "a".into(),
            version: "1.0.0".into(),
            source: if content.is_some() {
                Source::Registry
            } else {
                Source::Path
            },
            dir: dir.to_owned(),
            content: content.map(str::to_owned),
        }
    }

    #[test]
    fn of_a_path_package_it_is_its_files() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a");
        let write = |file: &str, text: &str| {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "Cargo.toml",
            "[workspace]\nmembers = ['a']\n[workspace.package]\nlicense = 'MIT'\n",
        );
        write(
            "a/Cargo.toml",
            "[package]\nname = 'a'\nlicense.workspace = true\n",
        );
        write("a/src/lib.rs", "fn f() {}");
        let mut last = of_package(&package(&dir, None)).unwrap();
        let mut changed = || {
            let now = of_package(&package(&dir, None)).unwrap();
            std::mem::replace(&mut last, now.clone()) != now
        };
        assert!(!changed());
        write("a/target/x", "x");
        write("a/.git/x", "x");
        write(
            "Cargo.toml",
            "[workspace]\nmembers = ['a', 'b']\n[workspace.package]\nlicense = 'MIT'\n",
        );
        assert!(!changed());
        write("a/src/lib.rs", "fn g() {}");
        assert!(changed());
        write("a/LICENSE", "x");
        assert!(changed());
        write(
            "Cargo.toml",
            "[workspace]\nmembers = ['a']\n[workspace.package]\nlicense = 'ISC'\n",
        );
        assert!(changed());
        write("a/Cargo.toml", "[package]\nname = 'a'\n");
        assert!(changed());
        write(
            "Cargo.toml",
            "[workspace]\nmembers = ['a']\n[workspace.package]\nlicense = '0BSD'\n",
        );
        assert!(!changed());
    }

    #[test]
    fn of_another_package_it_is_its_name_version_and_checksum() {
        let nowhere = Path::new("/nonexistent");
        assert_eq!(
            of_package(&package(nowhere, Some("abc"))).unwrap(),
            "registry a 1.0.0 abc"
        );
    }
}
