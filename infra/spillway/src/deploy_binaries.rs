//! The functions that `sam build` has built: whether Amazon Linux 2023 can run them, and how large they are.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::deploy_tools::Tools;
use crate::layout::{AWS_FUNCTION, FUNCTIONS, checkout};
use crate::process::succeed;

/// The C library of Amazon Linux 2023. A binary that asks for more does not start there.
const GLIBC_OF_AL2023: (u32, u32) = (2, 34);

/// Lambda takes 50 MB; far less is wanted, because a new environment loads it first.
const ZIPPED_BYTES_MAX: usize = 12_000_000;

/// Checks every function; gives a line for each.
pub(crate) fn check_binaries(tools: &Tools) -> Result<String> {
    let mut lines = Vec::new();
    for function in FUNCTIONS.into_iter().chain([AWS_FUNCTION]) {
        let binary = checkout().join("target/lambda").join(function).join("bootstrap");
        let symbols = succeed(tools.command("objdump").arg("--dynamic-syms").arg(&binary))?;
        let glibc = newest_glibc(&symbols).with_context(|| format!("{function} asks for no glibc"))?;
        ensure!(glibc <= GLIBC_OF_AL2023, "{function} asks for glibc {}.{}", glibc.0, glibc.1);
        let zipped = zipped_bytes(&binary)?;
        ensure!(zipped <= ZIPPED_BYTES_MAX, "{function} has {zipped} bytes zipped");
        let size = std::fs::metadata(&binary)?.len();
        lines.push(format!(
            "{function:<8} {size:>10} bytes, {zipped:>9} zipped, glibc {}.{} of {}.{}",
            glibc.0, glibc.1, GLIBC_OF_AL2023.0, GLIBC_OF_AL2023.1
        ));
    }
    Ok(lines.join("\n"))
}

/// The newest `GLIBC_2.x` that a table of symbols names.
fn newest_glibc(symbols: &str) -> Option<(u32, u32)> {
    let versions = symbols.split("GLIBC_").skip(1).filter_map(|rest| {
        let version = rest.split(|digit: char| !digit.is_ascii_digit() && digit != '.').next()?;
        let mut parts = version.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    });
    versions.max()
}

/// Its size as a function's archive would have it, which compresses likewise.
pub fn zipped_bytes(binary: &Path) -> Result<usize> {
    let gzip =
        Command::new("gzip").args(["-9", "--stdout"]).arg(binary).output().context("gzip is needed")?;
    ensure!(gzip.status.success(), "gzip cannot read {}", binary.display());
    Ok(gzip.stdout.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_the_largest_number_and_not_the_last_text() {
        let table = "0 DF *UND* 0 (GLIBC_2.9) a\n0 DF *UND* 0 (GLIBC_2.34) b\n0 DF *UND* 0 (GLIBC_2.2.5) c\n";
        assert_eq!(newest_glibc(table), Some((2, 34)));
        assert_eq!(newest_glibc("0 DF *UND* 0 (GCC_3.0) x"), None);
    }
}
