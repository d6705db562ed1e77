//! Lists the packages that the workspace depends on, from which all other partitions are discovered.

use anyhow::{Context, Result, bail};

use super::packages::Manifest;

/// The job: `manifest`. Writes `manifest.json`, and for each package a file `dirs/KEY` with one line, its
/// directory, for jobs in languages without JSON.
pub fn run() -> Result<()> {
    let manifest = Manifest::resolve(&super::var("DATABUILD_WORKSPACE")?)?;
    super::report_line("digest", &manifest.digest)?;
    super::write_json(Manifest::FILE, &manifest)?;
    let dirs = super::var("DATABUILD_OUT")?.join("dirs");
    std::fs::create_dir_all(&dirs)
        .with_context(|| format!("cannot create the directory {}", dirs.display()))?;
    for package in &manifest.packages {
        let Some(dir) = package.dir.to_str().filter(|d| !d.contains('\n')) else {
            bail!(
                "the path of the directory of {} is not UTF-8 text on one line: {:?}",
                package.key,
                package.dir
            );
        };
        super::write_out(
            &format!("dirs/{}", package.key),
            format!("{dir}\n").as_bytes(),
        )?;
    }
    Ok(())
}
