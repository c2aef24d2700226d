//! Where the parts of a stack lie: what is in the checkout, what was built, and what it writes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The functions that run here, each a binary of its own.
pub(crate) const FUNCTIONS: [&str; 8] =
    ["session", "page", "queue", "reserve", "confirm", "admin", "sweep", "monitor"];

/// The function that runs on AWS only: nobody but AWS Secrets Manager calls it.
pub(crate) const AWS_FUNCTION: &str = "rotate";

/// The name under which the sentinels know the master; `infra/redis/start` says the same.
pub(crate) const MASTER_NAME: &str = "spillway";

/// Root of the checkout that this program was built from.
#[must_use]
pub(crate) fn checkout() -> PathBuf {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    root.canonicalize().unwrap_or_else(|_| root.to_owned())
}

/// The data folder of the stack that `up` starts.
#[must_use]
pub(crate) fn default_data() -> PathBuf {
    checkout().join("target/spillway")
}

/// Where the functions were built: beside this program, or one folder above for a test or an example.
pub(crate) fn binaries() -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program lies")?;
    let folder = program.parent().context("this program lies in no folder")?;
    let is_below = folder.file_name().is_some_and(|name| name == "deps" || name == "examples");
    Ok(if is_below { folder.parent().unwrap_or(folder) } else { folder }.to_owned())
}

/// The text of a file under `infra/`.
pub(crate) fn template(name: &str) -> Result<String> {
    let path = checkout().join("infra").join(name);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file that only this user may read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let cannot = || format!("cannot write {}", path.display());
    // Written whole and then renamed: who reads it never sees half of it.
    let unfinished = path.with_extension("unfinished");
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished).with_context(cannot)?;
    file.write_all(text.as_bytes()).with_context(cannot)?;
    std::fs::rename(&unfinished, path).with_context(cannot)
}

/// Makes a folder with everything above it.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("cannot make the folder {}", path.display()))
}
