//! The function binaries: built, and started with their settings.

use std::ffi::OsStr;
use std::io::{IsTerminal, stderr};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use edge::SETTINGS;

use crate::clocks::Clocks;
use crate::kept::{any_free_port, local};
use crate::layout::{binaries, checkout};
use crate::process::{Process, Program, WhenOrphaned, await_start};
use crate::running::{FUNCTION, OPERATOR, Running};

/// What systemd tells a process of its own accord.
const OF_SYSTEMD: [&str; 2] = ["NOTIFY_SOCKET", "WATCHDOG_USEC"];

/// Builds every binary, on a terminal with cargo's own progress. The whole workspace, because each selection of
/// packages would be compiled with features of its own.
pub fn build_functions() -> Result<()> {
    let mut cargo = cargo();
    cargo.args(["build", "--release", "--workspace", "--bins"]);
    if !stderr().is_terminal() {
        cargo.arg("--quiet");
    }
    let status = cargo.status().context("cannot run cargo; install Rust with rustup")?;
    ensure!(status.success(), "the functions do not build; what cargo says above tells why");
    Ok(())
}

/// Cargo in this checkout, as if it were called from a terminal.
#[must_use]
pub fn cargo() -> Command {
    in_checkout("cargo")
}

/// A program that is or calls cargo. What `cargo run` tells this program about its package would have build
/// scripts run again, and most of the dependencies compiled with each command.
pub(crate) fn in_checkout(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(checkout()).env_remove("CARGO_MANIFEST_DIR");
    for part in ["NAME", "VERSION_MAJOR", "VERSION_MINOR", "VERSION_PATCH", "VERSION_PRE"] {
        command.env_remove(format!("CARGO_PKG_{part}"));
    }
    command
}

/// The front door of a function.
#[derive(Debug, Clone)]
pub(crate) enum Door<'a> {
    /// Plain HTTP on this address.
    Http(SocketAddr),
    /// The Lambda runtime interface at this `host:port`.
    Lambda(&'a str),
}

/// A function of this system behind this door; `more` settings go before those of the system.
pub(crate) fn function(
    running: &Running,
    name: &str,
    door: &Door<'_>,
    more: &[(String, String)],
) -> Result<Program> {
    let path = binaries()?.join(name);
    if !path.exists() {
        bail!("{} is not built; run `cargo build --release --workspace --bins`", path.display());
    }
    let mut environment = settings(running, name);
    for (name, value) in more {
        let is_known = name.starts_with("AWS_")
            || OF_SYSTEMD.contains(&name.as_str())
            || SETTINGS.iter().any(|setting| setting.name == name);
        ensure!(is_known, "no function reads a setting {name}");
        environment.push((name.clone(), value.clone()));
    }
    environment.extend(door.settings(name).into_iter().map(|(name, value)| (name.to_owned(), value)));
    Ok(Program {
        path,
        arguments: vec![],
        environment,
        log: running.logs.join(format!("{name}.log")),
        when_orphaned: WhenOrphaned::Kill,
    })
}

impl Door<'_> {
    fn settings(&self, name: &str) -> Vec<(&'static str, String)> {
        match self {
            Self::Http(address) => vec![("LISTEN", address.to_string())],
            Self::Lambda(runtime) => vec![
                ("AWS_LAMBDA_RUNTIME_API", (*runtime).to_owned()),
                ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
                ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ],
        }
    }
}

/// The settings of this system's functions, as the text of [`Running::functions_env`]. It is one for all
/// of them, so it names a Redis user who may do what any of them does: on this machine that is the operator.
/// What each function's own user may not do, the tests find out.
pub(crate) fn environment_file(running: &Running) -> String {
    let lines = settings(running, OPERATOR).into_iter().map(|(name, value)| format!("{name}=\"{value}\""));
    lines.collect::<Vec<_>>().join("\n")
}

/// What a function of this system is told that is this user at the data nodes. One that does not use Redis
/// has no user there, and no password.
fn settings(running: &Running, user: &str) -> Vec<(String, String)> {
    let mut settings = vec![
        ("PUBLIC_URL", running.url.clone()),
        ("REDIS_SENTINELS", running.sentinels.join(",")),
        ("REDIS_MASTER_NAME", running.master_name.clone()),
        ("ID_SECRET", running.id_secret.clone()),
        ("SHOPPER_SECRET", running.shopper_secret.clone()),
        ("SIGNING_KEYS", running.signing_keys.clone()),
        ("ACCESS_TOKEN_KEYS", running.access_token_keys.clone()),
        ("ADMIN_TOKEN", running.admin_token.clone()),
        ("LEDGER_TABLE", running.ledger_table.clone()),
        ("AWS_ENDPOINT_URL_DYNAMODB", running.dynamodb_url.clone()),
        ("AWS_REGION", "local".to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    if let (Ok(password), Ok(at_sentinels)) =
        (running.redis_password(user), running.sentinel_password(FUNCTION))
    {
        settings.extend([
            ("REDIS_USERNAME", user.to_owned()),
            ("REDIS_PASSWORD", password.to_owned()),
            ("SENTINEL_USERNAME", FUNCTION.to_owned()),
            ("SENTINEL_PASSWORD", at_sentinels.to_owned()),
        ]);
    }
    settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// One more process of a function, beside those of the system; dropping it ends it.
#[derive(Debug)]
pub struct ExtraFunction {
    /// Where it listens; nowhere, where it runs under a Lambda runtime.
    pub origin: String,
    process: Process,
}

impl ExtraFunction {
    /// Starts it with further settings on a free port and returns when it listens.
    pub fn start(running: &Running, name: &str, more: &[(String, String)]) -> Result<Self> {
        Self::start_at(running, name, local(any_free_port()?), more)
    }

    /// The same at this address.
    pub fn start_at(
        running: &Running,
        name: &str,
        address: SocketAddr,
        more: &[(String, String)],
    ) -> Result<Self> {
        Self::listen(running, name, address, more, Vec::new())
    }

    /// Starts it on a free port, by the clock of this name, and returns when it listens.
    pub fn start_by_clock(running: &Running, name: &str, clocks: &Clocks, clock: &str) -> Result<Self> {
        Self::listen(running, name, local(any_free_port()?), &[], clocks.environment(clock))
    }

    fn listen(
        running: &Running,
        name: &str,
        address: SocketAddr,
        more: &[(String, String)],
        clock: Vec<(String, String)>,
    ) -> Result<Self> {
        let mut program = function(running, name, &Door::Http(address), more)?;
        program.environment.extend(clock);
        program.log = running.logs.join(format!("{name}-{}.log", address.port()));
        let mut process = program.start()?;
        await_start(vec![(name.to_owned(), &mut process)], || TcpStream::connect(address).is_ok())?;
        Ok(Self { origin: format!("http://{address}"), process })
    }

    /// Starts it with further settings under the Lambda runtime interface at this `host:port`.
    pub fn start_under_lambda(
        running: &Running,
        name: &str,
        runtime: &str,
        more: &[(String, String)],
    ) -> Result<Self> {
        let mut program = function(running, name, &Door::Lambda(runtime), more)?;
        program.log = running.logs.join(format!("{name}-lambda.log"));
        Ok(Self { origin: String::new(), process: program.start()? })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}
