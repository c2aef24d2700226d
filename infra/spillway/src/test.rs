//! `cargo spillway test`: installs what the tests need, builds the functions, runs every test.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::cargo_lambda::cargo_lambda;
use crate::functions::{build_functions, cargo};
use crate::programs;
use crate::progress::say;

/// Run all tests.
#[derive(Debug, Clone, clap::Args)]
pub struct TestArguments {
    /// The slow and the long ones too.
    #[arg(long)]
    all: bool,
    /// Only tests whose name contains this.
    filter: Option<String>,
}

/// What the closing lines of all test binaries add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
    binaries: u64,
}

impl Totals {
    /// Adds `test result: ok. 12 passed; 0 failed; 1 ignored; …`; other lines say nothing.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        let count = |of: &str| {
            let part = counts.split(['.', ';']).find_map(|part| part.trim().strip_suffix(of));
            part.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        self.passed += count("passed");
        self.failed += count("failed");
        self.ignored += count("ignored");
        self.binaries += 1;
    }
}

impl TestArguments {
    /// Runs the command; its last line counts every test.
    pub fn run(self) -> Result<()> {
        programs::ensure()?;
        cargo_lambda()?;
        say("building the functions and the tests (the first time takes some minutes)");
        build_functions()?;
        let began = Instant::now();
        let mut cargo = cargo();
        cargo.args(["test", "--release", "--workspace", "--no-fail-fast", "--"]);
        cargo.args(self.filter).args(self.all.then_some("--include-ignored"));
        let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
        let mut totals = Totals::default();
        for line in BufReader::new(child.stdout.take().context("cargo has no output")?).lines() {
            let line = line?;
            totals.add(&line);
            say(&line);
        }
        let is_good = child.wait()?.success() && totals.failed == 0;
        let Totals { passed, failed, ignored, binaries } = totals;
        let result = if is_good { "ok" } else { "FAILED" };
        let seconds = began.elapsed().as_secs();
        say(&format!(
            "test result: {result}. {passed} passed; {failed} failed; {ignored} left for --all; \
             {binaries} test binaries in {seconds} s"
        ));
        ensure!(is_good, "the tests did not pass");
        ensure!(passed > 0, "no test ran: none has this in its name");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_are_added_up() {
        let mut totals = Totals::default();
        totals.add("running 3 tests");
        totals.add(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.3s",
        );
        totals.add("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(totals, Totals { passed: 15, failed: 2, ignored: 1, binaries: 2 });
    }
}
