//! Environments of Python, for programs that come as its packages.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process::succeed;
use crate::programs;

/// Makes an environment in this folder anew, with what pip is told to install.
pub(crate) fn make_environment(folder: &Path, what: &[&OsStr]) -> Result<()> {
    programs::ensure_python()?;
    let _ = std::fs::remove_dir_all(folder);
    succeed(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(what);
    succeed(&mut pip).map(drop)
}
