//! `cargo spillway up`: the whole system with a demo sale, or some of its parts, until it is told to stop.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};

use crate::cargo_lambda;
use crate::demo::{DEMO_SALE, open_demo_sale};
use crate::functions::build_functions;
use crate::layout::{checkout, default_data, make_folder, write_private};
use crate::parts::{PartName, Parts};
use crate::programs;
use crate::progress::say;
use crate::running::{Running, RunningArguments, Supervised, up_json};
use crate::stack::Stack;
use crate::stack_options::StackOptions;
use crate::supervisor::require_door_free;
use crate::watch::{self, watch_arguments};

/// How often `up.json` is compared with what runs.
const NOTE_PAUSE: Duration = Duration::from_millis(500);
const DETACH_TIMEOUT: Duration = Duration::from_secs(90);

const GATEWAY_PORT: u16 = 8_080;

/// Start the system with a demo sale.
#[derive(Debug, Clone, clap::Args)]
pub struct UpArguments {
    /// Start these parts only; `redis,ledger` is what `cargo lambda watch` needs.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART,…")]
    only: Vec<PartName>,
    /// Port of the gateway, 8080 unless given; where none is started, of what answers in its place. That of
    /// `cargo lambda watch` is 9000 unless given.
    #[arg(long)]
    port: Option<u16>,
    /// Serve HTTPS, with a certificate made here.
    #[arg(long)]
    tls: bool,
    /// Return when the system is ready, and leave it running.
    #[arg(long)]
    detach: bool,
    /// Forget all data of an earlier run first.
    #[arg(long)]
    fresh: bool,
    /// Address that the sentinels post their warnings to as JSON.
    #[arg(long, value_name = "URL", env = "NOTIFY_WEBHOOK_URL", hide_env_values = true)]
    notify: Option<String>,
}

impl UpArguments {
    /// Runs the command.
    pub async fn run(self) -> Result<()> {
        let parts = Parts::named(&self.only)?;
        ensure!(parts.have_gateway() || !self.tls, "--tls is the gateway's, which --only leaves out");
        if let Some(running) = Supervised::find() {
            bail!(
                "it runs already for {} (process {}); stop it with `cargo spillway down`",
                running.url,
                running.supervisor_pid
            );
        }
        let port = self.port.unwrap_or(if parts == Parts::Stores { watch::PORT } else { GATEWAY_PORT });
        require_door_free(parts, port).context("choose another one with --port")?;
        programs::ensure()?;
        // Looked up before the build, which may put a new program in its place.
        let program = std::env::current_exe().context("cannot tell where this program lies")?;
        say("building the functions (the first time takes some minutes)");
        build_functions()?;
        let data = default_data();
        if self.fresh && data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
        }
        make_folder(&data)?;
        if self.detach { self.detach(data, program).await } else { self.stay(data, parts, port).await }
    }

    async fn stay(self, data: PathBuf, parts: Parts, port: u16) -> Result<()> {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let up_json = up_json();
        let _ = std::fs::remove_file(&up_json);
        let options = StackOptions {
            parts,
            port: Some(port),
            is_tls: self.tls,
            notify_url: self.notify,
            ..StackOptions::all_in(data)
        };
        let stack = tokio::task::spawn_blocking(|| Stack::start(options, Box::new(say))).await??;
        let mut noted = stack.running()?;
        if parts.have_gateway() {
            open_demo_sale(&noted).await?;
        }
        write_private(&up_json, &serde_json::to_string_pretty(&noted)?)?;
        summarise(&noted)?;
        loop {
            tokio::select! {
                () = tokio::time::sleep(NOTE_PAUSE) => {}
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            }
            let running = stack.running()?;
            if running != noted {
                write_private(&up_json, &serde_json::to_string_pretty(&running)?)?;
                noted = running;
            }
        }
        say("stopping");
        tokio::task::spawn_blocking(|| drop(stack)).await?;
        let _ = std::fs::remove_file(&up_json);
        Ok(())
    }

    /// Starts the same command in the background and waits until it is ready.
    async fn detach(self, data: PathBuf, program: PathBuf) -> Result<()> {
        let log = data.join("up.log");
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(program);
        command.arg("up").args(self.tls.then_some("--tls"));
        for name in self.only.iter().filter_map(ValueEnum::to_possible_value) {
            command.args(["--only", name.get_name()]);
        }
        if let Some(port) = self.port {
            command.args(["--port", &port.to_string()]);
        }
        // Not as an argument: everybody can list those.
        command.envs(self.notify.map(|url| ("NOTIFY_WEBHOOK_URL", url)));
        let errors = output.try_clone()?;
        let mut child = command
            .current_dir(checkout())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()?;
        let give_up = tokio::time::Instant::now() + DETACH_TIMEOUT;
        loop {
            if Supervised::find().is_some_and(|running| running.supervisor_pid == child.id()) {
                return summarise(&RunningArguments { up_json: None }.find()?);
            }
            if let Some(status) = child.try_wait()? {
                bail!("it did not start ({status}):\n{}", std::fs::read_to_string(&log)?.trim());
            }
            if tokio::time::Instant::now() > give_up {
                bail!("it is not ready after {} s; {} tells why", DETACH_TIMEOUT.as_secs(), log.display());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn summarise(running: &Running) -> Result<()> {
    let url = &running.url;
    match running.parts {
        Parts::All => say(&format!(
            "\nSpillway runs at {url}\n\n  the demo sale  {url}/sales/{DEMO_SALE}, which opens half a minute after it was created"
        )),
        Parts::AllButGateway => say(&format!("\nSpillway runs for a gateway at {url}\n")),
        Parts::Stores => say(&format!("\nRedis and the ledger run for functions at {url}\n")),
    }
    let parts = |parts: &[crate::running::Part]| {
        parts.iter().map(|part| format!("{} {}", part.name, part.address)).collect::<Vec<_>>().join("   ")
    };
    say(&format!("  data nodes     {}", parts(&running.redis)));
    say(&format!("  sentinels      {}", running.sentinels.join("   ")));
    if running.parts.have_functions() {
        say(&format!("  functions      {}", parts(&running.functions)));
    }
    say(&format!("  ledger         {} (emulator, table {})", running.dynamodb_url, running.ledger_table));
    if let Some(ca) = &running.ca {
        say(&format!("  trust          {} (certificate authority of this address)", ca.display()));
    }
    say("  logs           target/spillway/logs, one file per part\n");
    if running.parts == Parts::Stores {
        say(&format!("  functions      cargo {}", watch_arguments(running)?.join(" ")));
        say(&format!("                 (from pip install cargo-lambda=={})", cargo_lambda::VERSION));
    }
    if running.parts.have_gateway() {
        say("  a crowd        cargo spillway rush");
    } else {
        say(&format!(
            "  then a sale    cargo spillway sale create infra/demo.toml, at {url}/sales/{DEMO_SALE}"
        ));
    }
    say("  figures        cargo spillway sale report demo");
    say("  stop           cargo spillway down, or Ctrl-C where it runs in a terminal");
    Ok(())
}
