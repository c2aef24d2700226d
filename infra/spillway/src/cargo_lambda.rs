//! `cargo lambda`, which emulates the Lambda runtime: found, or installed into `target/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::layout::checkout;
use crate::progress::say;

/// The version that the tests are made with. What its router takes, and how it ends, was different before.
pub(crate) const VERSION: &str = "1.9.2";

/// The program, installed where it is missing. It is called as cargo calls it: `cargo-lambda lambda watch …`.
pub(crate) fn cargo_lambda() -> Result<PathBuf> {
    let found = PathBuf::from("cargo-lambda");
    if is_ours(&found) {
        return Ok(found);
    }
    let folder = checkout().join(format!("target/cargo-lambda-{VERSION}"));
    let installed = folder.join("bin/cargo-lambda");
    if !is_ours(&installed) {
        install(&folder)?;
        ensure!(is_ours(&installed), "{} does not run", installed.display());
    }
    Ok(installed)
}

fn is_ours(program: &Path) -> bool {
    let output = Command::new(program).args(["lambda", "--version"]).stdin(Stdio::null()).output();
    output.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).split_whitespace().nth(1) == Some(VERSION)
    })
}

/// Its package also wants a C compiler of 470 MB, which only `cargo lambda build` needs.
fn install(folder: &Path) -> Result<()> {
    let (folder, pip) = (folder.display(), folder.join("bin/pip").display().to_string());
    let command =
        format!("python3 -m venv '{folder}' && '{pip}' install --quiet --no-deps cargo-lambda=={VERSION}");
    say(&format!("installing cargo-lambda: {command}"));
    let status = Command::new("sh").args(["-c", &command]).status();
    let is_done = status.is_ok_and(|status| status.success());
    ensure!(
        is_done,
        "cargo-lambda could not be installed, which takes python3 with pip and venv \
         (apt-get install python3-venv); this would do it:\n  {command}"
    );
    Ok(())
}
