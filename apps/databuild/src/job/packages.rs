//! The packages that a workspace depends on, as cargo resolves them, and the manifest that lists them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The content of the partition `manifest`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The digest of its sources; see [`inputs_digest`].
    pub digest: String,
    /// The directory of the workspace.
    pub workspace: PathBuf,
    /// The `Cargo.toml` of each package that is not from a registry or repository.
    pub manifests: Vec<PathBuf>,
    /// The packages, in order of their keys.
    pub packages: Vec<Package>,
}

/// A package that another one depends on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Package {
    /// `serde-1.0.228`; with a suffix if two packages would have the same key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its source.
    pub source: Source,
    /// Its directory on disk.
    pub dir: PathBuf,
    /// The checksum or commit that identifies its content. Path packages have none.
    pub content: Option<String>,
}

/// The source of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A directory of the user.
    Path,
    /// crates.io or another registry.
    Registry,
    /// A git repository.
    Git,
}

impl Source {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Registry => "registry",
            Self::Git => "git",
        }
    }
}

// The parts of the output of `cargo metadata` that are used.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetaPackage>,
    resolve: Resolve,
}
#[derive(Deserialize)]
struct MetaPackage {
    id: String,
    name: String,
    version: String,
    source: Option<String>,
    manifest_path: PathBuf,
}
#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}
#[derive(Deserialize)]
struct Node {
    deps: Vec<Dep>,
}
#[derive(Deserialize)]
struct Dep {
    pkg: String,
}

// The parts of Cargo.lock that are used, for the checksums.
#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<LockPackage>,
}
#[derive(Deserialize)]
struct LockPackage {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

impl Manifest {
    /// The file within the partition.
    pub const FILE: &str = "manifest.json";

    /// Reads the live manifest.
    pub fn load(data: &Path) -> Result<Self> {
        let path = data.join("manifest").join(Self::FILE);
        let text = super::read_data(&path)?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} was not written by the job `manifest`", path.display()))
    }

    /// Resolves a workspace with cargo, whose messages go to stderr.
    pub fn resolve(workspace: &Path) -> Result<Self> {
        let host = host()?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(&cargo)
            .args([
                "metadata",
                "--format-version",
                "1",
                "--locked",
                "--filter-platform",
                &host,
            ])
            .current_dir(workspace) // where cargo looks for its configuration
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot start {}", Path::new(&cargo).display()))?;
        if !output.status.success() {
            bail!(
                "cargo cannot resolve the workspace {} (see its message above): correct that and run databuild again \
                 (`cargo update --workspace` updates an outdated lock file)",
                workspace.display()
            );
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout)
            .context("cannot parse the output of `cargo metadata`")?;
        let lock_path = workspace.join("Cargo.lock");
        let lock: Lock = toml::from_str(&super::read_data(&lock_path)?)
            .with_context(|| format!("cannot read {}", lock_path.display()))?;
        Self::from_cargo(workspace, metadata, lock)
    }

    fn from_cargo(workspace: &Path, metadata: Metadata, lock: Lock) -> Result<Self> {
        let manifests: Vec<PathBuf> = {
            let own = metadata
                .packages
                .iter()
                .filter(|p| p.source.is_none())
                .map(|p| p.manifest_path.clone());
            let all: std::collections::BTreeSet<_> =
                own.chain([workspace.join("Cargo.toml")]).collect();
            all.into_iter().collect()
        };
        let digest = inputs_digest(workspace, &manifests);
        let checksums: HashMap<_, _> = lock
            .package
            .iter()
            .map(|p| {
                (
                    (p.name.as_str(), p.version.as_str(), p.source.as_deref()),
                    p.checksum.as_deref(),
                )
            })
            .collect();
        let targets: HashSet<&str> = metadata
            .resolve
            .nodes
            .iter()
            .flat_map(|n| &n.deps)
            .map(|d| d.pkg.as_str())
            .collect();
        let mut by_key: BTreeMap<String, Vec<(&MetaPackage, Package)>> = BTreeMap::new();
        for package in metadata
            .packages
            .iter()
            .filter(|p| targets.contains(p.id.as_str()))
        {
            let MetaPackage {
                name,
                version,
                source,
                manifest_path,
                ..
            } = package;
            let (source, content) = match source.as_deref() {
                None => (Source::Path, None),
                Some(s) if s.starts_with("git+") => (Source::Git, Some(s.to_owned())),
                Some(s) => {
                    let checksum = checksums
                        .get(&(name.as_str(), version.as_str(), Some(s)))
                        .copied()
                        .flatten();
                    (
                        Source::Registry,
                        Some(checksum.unwrap_or("without checksum").to_owned()),
                    )
                }
            };
            let dir = manifest_path.parent().unwrap_or(workspace).to_owned();
            let key = format!("{name}-{version}");
            let (name, version) = (name.clone(), version.clone());
            by_key.entry(key.clone()).or_default().push((
                package,
                Package {
                    key,
                    name,
                    version,
                    source,
                    dir,
                    content,
                },
            ));
        }
        let mut packages = Vec::new();
        for (_, mut same) in by_key {
            if same.len() > 1 {
                for (meta, package) in &mut same {
                    // Path packages are distinguished by their path relative to the workspace, so that
                    // their keys do not depend on the location of the workspace.
                    let origin = meta
                        .source
                        .clone()
                        .unwrap_or_else(|| relative(workspace, &package.dir));
                    package.key =
                        format!("{}~{:08x}", package.key, xxh3_64(origin.as_bytes()) >> 32);
                }
            }
            packages.extend(same.into_iter().map(|(_, package)| package));
        }
        packages.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Self {
            digest,
            workspace: workspace.to_owned(),
            manifests,
            packages,
        })
    }

    /// Returns whether the manifest is current, judged by the files that cargo would read.
    pub fn is_current(&self, workspace: &Path) -> bool {
        self.workspace == workspace && self.digest == inputs_digest(workspace, &self.manifests)
    }

    /// Removes and returns the package with this key.
    pub fn take(&mut self, key: &str) -> Result<Package> {
        match self.packages.iter().position(|p| p.key == key) {
            Some(i) => Ok(self.packages.swap_remove(i)),
            None => bail!("the manifest has no package {key}"),
        }
    }
}

/// The digest of everything that determines the dependencies of a workspace: its path, its lock file, the manifests.
pub fn inputs_digest(workspace: &Path, manifests: &[PathBuf]) -> String {
    let mut hash = Xxh3::new();
    let lock = workspace.join("Cargo.lock");
    hash.update(workspace.as_os_str().as_encoded_bytes());
    for file in std::iter::once(&lock).chain(manifests) {
        super::digest::add_file(&mut hash, file.as_os_str().as_encoded_bytes(), file);
    }
    super::digest::finish(&hash)
}

/// The path from `from` to `to`, as text.
fn relative(from: &Path, to: &Path) -> String {
    let common = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(common).map(|_| "..".to_owned());
    let down = to
        .components()
        .skip(common)
        .map(|c| c.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// The default target platform of rustc.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let name = Path::new(&rustc).display();
    let output = Command::new(&rustc)
        .arg("-vV")
        .output()
        .with_context(|| format!("cannot start {name}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|l| l.strip_prefix("host: "));
    host.map(str::to_owned)
        .with_context(|| format!("`{name} -vV` does not print the host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(packages: &[(&str, &str, Option<&str>, &str)], deps: &[&str]) -> Manifest {
        let packages = packages
            .iter()
            .map(|(name, version, source, dir)| MetaPackage {
                id: format!("{dir}#{name}"),
                name: (*name).to_owned(),
                version: (*version).to_owned(),
                source: source.map(str::to_owned),
                manifest_path: Path::new(dir).join("Cargo.toml"),
            })
            .collect();
        let deps = deps
            .iter()
            .map(|d| Dep {
                pkg: (*d).to_owned(),
            })
            .collect();
        let lock =
            "[[package]]\nname = 'r'\nversion = '1.0.0'\nsource = 'registry+x'\nchecksum = 'abc'\n";
        Manifest::from_cargo(
            Path::new("/w"),
            Metadata {
                packages,
                resolve: Resolve {
                    nodes: vec![Node { deps }],
                },
            },
            toml::from_str(lock).unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn packages_are_the_targets_of_dependencies() {
        let manifest = resolved(
            &[
                ("root", "0.1.0", None, "/w"),
                ("r", "1.0.0", Some("registry+x"), "/c/r"),
                ("g", "2.0.0", Some("git+https://x#1"), "/c/g"),
                ("lib", "0.1.0", None, "/w/lib"),
            ],
            &["/c/r#r", "/w/lib#lib", "/c/g#g", "/c/r#r"],
        );
        let rows: Vec<_> = manifest
            .packages
            .iter()
            .map(|p| (p.key.as_str(), p.source, p.content.as_deref()))
            .collect();
        assert_eq!(
            rows,
            [
                ("g-2.0.0", Source::Git, Some("git+https://x#1")),
                ("lib-0.1.0", Source::Path, None),
                ("r-1.0.0", Source::Registry, Some("abc")),
            ]
        );
        assert_eq!(
            manifest.manifests,
            [Path::new("/w/Cargo.toml"), Path::new("/w/lib/Cargo.toml")]
        );
    }

    #[test]
    fn two_packages_of_one_name_and_version_have_two_keys() {
        let manifest = resolved(
            &[
                ("a", "1.0.0", Some("registry+x"), "/c/a"),
                ("a", "1.0.0", None, "/v/a"),
                ("a", "1.1.0", None, "/v/b"),
            ],
            &["/c/a#a", "/v/a#a", "/v/b#a"],
        );
        let keys: Vec<_> = manifest.packages.iter().map(|p| p.key.as_str()).collect();
        assert_eq!(keys.len(), 3);
        assert!(
            keys[..2].iter().all(|k| k.starts_with("a-1.0.0~")),
            "{keys:?}"
        );
        assert_eq!(keys[2], "a-1.1.0");
        assert_ne!(keys[0], keys[1]);
        assert_eq!(relative(Path::new("/w/x"), Path::new("/w/y/z")), "../y/z");
    }
}
