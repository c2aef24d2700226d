//! Programs of the system that a stack needs: found, or installed where that may be done.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// A program and what packages call it.
struct Needed {
    program: &'static str,
    /// With these it ends without a fault where all that is needed of it is there.
    arguments: &'static [&'static str],
    apt: &'static str,
    brew: &'static str,
}

const NEEDED: [Needed; 5] = [
    Needed { program: "redis-server", arguments: &["--version"], apt: "redis-server", brew: "redis" },
    // These are for the scripts in `infra/redis/`.
    Needed { program: "redis-cli", arguments: &["--version"], apt: "redis-tools", brew: "redis" },
    Needed { program: "timeout", arguments: &["--version"], apt: "coreutils", brew: "coreutils" },
    Needed { program: "curl", arguments: &["--version"], apt: "curl", brew: "curl" },
    Needed { program: "nginx", arguments: &["-v"], apt: "nginx-light", brew: "nginx" },
];

/// What the tests need beyond that: the page runs in a real browser, which a script drives.
const NEEDED_BY_TESTS: &[Needed] = &[
    Needed { program: "node", arguments: &["--version"], apt: "nodejs", brew: "node" },
    Needed { program: "npm", arguments: &["--version"], apt: "npm", brew: "node" },
    // Fonts of Japanese and Chinese: without one, pictures of the page are full of boxes.
    #[cfg(target_os = "linux")]
    Needed {
        program: "fc-list",
        arguments: &["--quiet", ":lang=ja"],
        apt: "fontconfig fonts-noto-cjk",
        brew: "",
    },
    // It reads the units of `infra/systemd`, where there is a systemd.
    #[cfg(target_os = "linux")]
    Needed { program: "systemd-analyze", arguments: &["--version"], apt: "systemd", brew: "" },
];

/// What steps clocks: a command that nobody calls, and with it the library.
#[cfg(target_os = "linux")]
const CLOCKS: Needed =
    Needed { program: "faketime", arguments: &["--version"], apt: "faketime", brew: "libfaketime" };

/// Python's environments, which Debian keeps in a package of their own: without it pip is missing in them.
const PYTHON: Needed = Needed {
    program: "python3",
    arguments: &["-cimport ensurepip, venv"],
    apt: "python3-venv",
    brew: "python",
};

/// The browser of those who have none of [`BROWSERS`].
const BROWSER: Needed =
    Needed { program: "chromium", arguments: &["--version"], apt: "chromium", brew: "chromium" };

/// What browsers of this family are called, or where macOS keeps one.
const BROWSERS: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Scripts begin with `#!lua` flags, which the server knows from this version on.
const REDIS_MAJOR_MIN: u32 = 7;

/// Installs what is missing, or says which command would.
pub(crate) fn ensure() -> Result<()> {
    ensure_each(&NEEDED)?;
    let version = output("redis-server", "--version");
    match redis_major(&version) {
        Some(major) if major >= REDIS_MAJOR_MIN => Ok(()),
        _ => bail!("redis-server must be version {REDIS_MAJOR_MIN} or later, and says: {}", version.trim()),
    }
}

/// The same for what the tests need beyond that.
pub(crate) fn ensure_for_tests() -> Result<()> {
    ensure_each(NEEDED_BY_TESTS)?;
    if browser().is_none() {
        install(&[&BROWSER])?;
    }
    ensure()
}

/// The same for programs that come as packages of Python.
pub(crate) fn ensure_python() -> Result<()> {
    ensure_each(&[PYTHON])
}

/// The same for what steps clocks.
#[cfg(target_os = "linux")]
pub(crate) fn ensure_clocks() -> Result<()> {
    ensure_each(&[CLOCKS])
}

/// Elsewhere clocks are read in other ways than the library knows.
#[cfg(not(target_os = "linux"))]
pub(crate) fn ensure_clocks() -> Result<()> {
    bail!("clocks can be stepped on Linux only")
}

/// Where the browser is in which the tests open the page.
#[must_use]
pub fn browser() -> Option<PathBuf> {
    let name = BROWSERS.iter().find(|name| runs(name, &["--version"]))?;
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", name]).output().ok()?;
    Some(PathBuf::from(String::from_utf8(found.stdout).ok()?.trim()))
}

fn ensure_each(needed: &[Needed]) -> Result<()> {
    let is_missing = |needed: &&Needed| !runs(needed.program, needed.arguments);
    let missing: Vec<_> = needed.iter().filter(is_missing).collect();
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

fn install(missing: &[&Needed]) -> Result<()> {
    let names = |of: fn(&Needed) -> &'static str| {
        missing.iter().map(|needed| of(needed)).collect::<Vec<_>>().join(" ")
    };
    let is_root = rustix::process::geteuid().is_root();
    let command = if runs("apt-get", &["--version"]) {
        let sudo = if is_root { "" } else { "sudo " };
        // Debian would start a service of its own beside the stack; `RUNLEVEL` keeps it from that.
        format!(
            "{sudo}apt-get update && {sudo}env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
             apt-get install --yes --no-install-recommends {}",
            names(|needed| needed.apt)
        )
    } else if runs("brew", &["--version"]) {
        format!("brew install {}", names(|needed| needed.brew))
    } else {
        bail!("{} must be installed, by whatever installs programs here", names(|needed| needed.program));
    };
    eprint_step(&format!("installing {}: {command}", names(|needed| needed.program)));
    let is_done = Command::new("sh").args(["-c", &command]).status().is_ok_and(|status| status.success());
    if !is_done || missing.iter().any(|needed| !runs(needed.program, needed.arguments)) {
        bail!("{} could not be installed; this would do it:\n  {command}", names(|needed| needed.program));
    }
    Ok(())
}

#[allow(clippy::print_stderr)]
fn eprint_step(text: &str) {
    eprintln!("{text}");
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn output(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn redis_major(version: &str) -> Option<u32> {
    version.split_whitespace().find_map(|word| word.strip_prefix("v=")?.split('.').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_redis_is_read() {
        assert_eq!(
            redis_major("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64"),
            Some(7)
        );
        assert_eq!(redis_major(""), None);
    }
}
