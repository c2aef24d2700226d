//! `cargo spillway keys …`: signing keys of functions on hosts of one's own.

use std::io::{IsTerminal, Read};

use anyhow::{Context, Result, anyhow, ensure};
use clap::{Args, Subcommand};
use edge::SigningKeys;
use jiff::Timestamp;

use crate::access_token_key::new_access_token_key;
use crate::output::write_line;

/// A ring has eight keys at most.
const SETTING_BYTES_MAX: u64 = 16 * 1024;

/// What to do with signing keys.
#[derive(Debug, Args)]
pub struct KeysArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read a ring of signing keys from standard input, and print the ring that follows it; a first one where the input
    /// is empty. At the earliest three days after the last time.
    Rotate,
    /// Print a new key for `ACCESS_TOKEN_KEYS`, which signs the tokens of the door of the AWS Virtual Waiting Room.
    AccessToken,
}

impl KeysArguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        match self.action {
            Action::Rotate => rotate(),
            Action::AccessToken => write_line(new_access_token_key()?),
        }
    }
}

#[allow(clippy::print_stderr)]
fn rotate() -> Result<()> {
    let mut input = std::io::stdin().lock();
    if input.is_terminal() {
        eprintln!("the present ring of signing keys, then Ctrl-D; nothing for a first one:");
    }
    let mut text = String::new();
    input.by_ref().take(SETTING_BYTES_MAX + 1).read_to_string(&mut text).context("cannot read the input")?;
    ensure!(u64::try_from(text.len())? <= SETTING_BYTES_MAX, "that is too long for SIGNING_KEYS");
    let now = Timestamp::now();
    let keys = match text.trim() {
        "" => SigningKeys::first(now)?,
        text => {
            let keys: SigningKeys = text.parse().map_err(|fault| anyhow!("SIGNING_KEYS {fault}"))?;
            keys.rotated(now)?
        }
    };
    write_line(keys.to_setting())
}
