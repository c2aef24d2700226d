//! The function binaries: built, and started with their settings.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use edge::SETTINGS;

use crate::ask::is_ready;
use crate::kept::{any_free_port, local};
use crate::layout::{binaries, checkout};
use crate::process::{Process, Program, await_start};
use crate::running::Running;

/// Builds every binary, with cargo's own progress. The whole workspace, because each selection of
/// packages would be compiled with features of its own.
pub fn build_functions() -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--quiet", "--workspace", "--bins"]).current_dir(checkout());
    let status = cargo.status().context("cannot run cargo; install Rust with rustup")?;
    ensure!(status.success(), "the functions do not build; what cargo says above tells why");
    Ok(())
}

/// A function of this system, listening on an address; `more` settings go before those of the system.
pub(crate) fn function(
    running: &Running,
    name: &str,
    address: SocketAddr,
    more: &[(String, String)],
) -> Result<Program> {
    let path = binaries()?.join(name);
    if !path.exists() {
        bail!("{} is not built; run `cargo build --release --workspace --bins`", path.display());
    }
    let mut environment = settings(running);
    for (name, value) in more {
        let is_known = name.starts_with("AWS_") || SETTINGS.iter().any(|setting| setting.name == name);
        ensure!(is_known, "no function reads a setting {name}");
        environment.push((name.clone(), value.clone()));
    }
    environment.push(("LISTEN".to_owned(), address.to_string()));
    Ok(Program { path, arguments: vec![], environment, log: running.logs.join(format!("{name}.log")) })
}

/// What every function of this system is told.
fn settings(running: &Running) -> Vec<(String, String)> {
    let settings = [
        ("PUBLIC_URL", running.url.clone()),
        ("REDIS_SENTINELS", running.sentinels.join(",")),
        ("REDIS_MASTER_NAME", running.master_name.clone()),
        ("ID_SECRET", running.id_secret.clone()),
        ("SHOPPER_SECRET", running.shopper_secret.clone()),
        ("SIGNING_KEYS", running.signing_keys.clone()),
        ("ADMIN_TOKEN", running.admin_token.clone()),
        ("LEDGER_TABLE", running.ledger_table.clone()),
        ("AWS_ENDPOINT_URL_DYNAMODB", running.dynamodb_url.clone()),
        ("AWS_REGION", "local".to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    settings.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// One more process of a function, beside those of the system; dropping it ends it.
#[derive(Debug)]
pub struct ExtraFunction {
    /// Where it listens.
    pub address: SocketAddr,
    process: Process,
}

impl ExtraFunction {
    /// Starts it with further settings and returns when it is ready.
    pub fn start(running: &Running, name: &str, more: &[(String, String)]) -> Result<Self> {
        let address = local(any_free_port()?);
        let mut program = function(running, name, address, more)?;
        program.log = running.logs.join(format!("{name}-{}.log", address.port()));
        let mut process = program.start()?;
        await_start(vec![(name.to_owned(), &mut process)], || is_ready(address))?;
        Ok(Self { address, process })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}
