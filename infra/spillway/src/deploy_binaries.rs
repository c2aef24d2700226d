//! The functions that `sam build` has built: whether Amazon Linux 2023 can run them, what they were built with, and
//! how large they are.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::deploy_tools::Tools;
use crate::layout::{AWS_FUNCTION, FUNCTIONS, checkout};
use crate::process::succeed;

/// The C library of Amazon Linux 2023. A binary that asks for more does not start there.
const GLIBC_OF_AL2023: (u32, u32) = (2, 34);

/// `e_machine` of a binary.
const ELF_X86_64: [u8; 2] = [62, 0];
const ELF_AARCH64: [u8; 2] = [183, 0];

/// Lambda takes 50 MB; far less is wanted, because a new environment loads it first.
const ZIPPED_BYTES_MAX: usize = 12_000_000;

/// Checks every function; gives a line for each.
pub(crate) fn check_binaries(tools: &Tools) -> Result<String> {
    let mut lines = Vec::new();
    for function in FUNCTIONS.into_iter().chain([AWS_FUNCTION]) {
        let binary = checkout().join("target/lambda").join(function).join("bootstrap");
        check_content(function, &std::fs::read(&binary)?)?;
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

/// Whether it is of the machine that `samconfig.toml` names, and has that file in it: else a changed parameter would
/// be no new version of the function.
fn check_content(function: &str, binary: &[u8]) -> Result<()> {
    let told = std::fs::read_to_string(checkout().join("samconfig.toml"))?;
    let config: toml::Table = told.parse().context("samconfig.toml is no TOML")?;
    let global = config.get("default").and_then(|of| of.get("global")?.get("parameters"));
    let parameters = global.and_then(|global| global.get("parameter_overrides")?.as_array());
    let is_arm = parameters.is_some_and(|all| all.contains(&"Architecture=arm64".into()));
    let machine = if is_arm { ELF_AARCH64 } else { ELF_X86_64 };
    ensure!(binary.get(18..20) == Some(&machine[..]), "{function} is not of the machine in samconfig.toml");
    let is_part = binary.windows(told.len()).any(|part| part == told.as_bytes());
    ensure!(is_part, "{function} was built with another samconfig.toml, or with none");
    Ok(())
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
