//! `cargo lambda`, which emulates the Lambda runtime: found, or installed into `target/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::layout::checkout;
use crate::progress::say;
use crate::python::make_environment;

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
    say(&format!("installing cargo-lambda {VERSION} into {}", folder.display()));
    let package = format!("cargo-lambda=={VERSION}");
    make_environment(folder, &["--no-deps".as_ref(), package.as_ref()])
}
