//! A process that this one starts, and ends with itself.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

const POLL: Duration = Duration::from_millis(20);
const START_TIMEOUT: Duration = Duration::from_secs(20);
const STOP_TIMEOUT: Duration = Duration::from_secs(12);
const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Lines of a failed program's output that are shown.
const SHOWN_MAX: usize = 60;

/// What to start, and where its output goes.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// The whole environment: nothing of this process's own is passed on.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) log: PathBuf,
    pub(crate) when_orphaned: WhenOrphaned,
}

/// How a process is ended whose supervisor has gone without ending it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WhenOrphaned {
    /// At once. A Redis that is still writing its first AOF would not obey anything less.
    Kill,
    /// By asking: it has processes of its own to end.
    Terminate,
}

/// A running process; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts it. Where the system can, the process is ended when the calling *thread* ends, so a
    /// supervisor that is killed leaves nothing behind.
    pub(crate) fn start(&self) -> Result<Process> {
        let log = append(&self.log)?;
        let errors = log.try_clone()?;
        let mut command = if has_setpriv() {
            let mut command = Command::new("setpriv");
            let signal = match self.when_orphaned {
                WhenOrphaned::Kill => "KILL",
                WhenOrphaned::Terminate => "TERM",
            };
            command.args(["--pdeathsig", signal, "--"]).arg(&self.path);
            command
        } else {
            Command::new(&self.path)
        };
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            // A Ctrl-C in the terminal is for the supervisor, which stops its parts in order.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        let child = command.spawn().with_context(|| format!("cannot start {}", self.path.display()))?;
        Ok(Process { child, log: self.log.clone() })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to end, and ends it when it has not after a while.
    fn stop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        signal(self.pid(), Signal::TERM);
        let give_up = Instant::now() + STOP_TIMEOUT;
        while self.ended().is_none() {
            if Instant::now() > give_up {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(POLL);
        }
    }

    /// The last lines that it wrote.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    /// Keeps the log from filling the disk: what is beyond the limit is moved aside, replacing what was
    /// moved before.
    pub(crate) fn bound_log(&self) {
        let is_long = std::fs::metadata(&self.log).is_ok_and(|meta| meta.len() > LOG_BYTES_MAX);
        if is_long && std::fs::copy(&self.log, self.log.with_extension("old.log")).is_ok() {
            let _ = OpenOptions::new().write(true).open(&self.log).and_then(|file| file.set_len(0));
        }
    }
}

/// Waits until something holds; fails at once when one of these processes has ended.
pub(crate) fn await_start(
    mut processes: Vec<(String, &mut Process)>,
    holds: impl Fn() -> bool,
) -> Result<()> {
    let give_up = Instant::now() + START_TIMEOUT;
    while !holds() {
        for (name, process) in &mut processes {
            if let Some(status) = process.ended() {
                bail!("{name} ended at its start ({status}):\n{}", process.last_words());
            }
        }
        if Instant::now() > give_up {
            let logs: Vec<_> =
                processes.iter().map(|(_, process)| process.log.display().to_string()).collect();
            bail!("no answer in {} s; the logs tell why: {}", START_TIMEOUT.as_secs(), logs.join(" "));
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// Sends a signal; a process that has ended does not need it.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Sends a signal to a process that this one has started, and to all that it has started itself.
pub fn signal_all_of(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(pid, signal);
    }
}

/// Whether a process of this id exists.
#[must_use]
pub(crate) fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

fn append(path: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn has_setpriv() -> bool {
    static FOUND: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *FOUND.get_or_init(|| {
        let tried = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--", "true"])
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    })
}

/// Runs a program to its end; gives what it wrote, or fails with the last lines of it.
pub(crate) fn succeed(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("cannot start {name}"))?;
    let written = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if status.success() {
        return Ok(written);
    }
    let lines: Vec<_> = written.lines().collect();
    bail!("{name}: {status}\n{}", lines[lines.len().saturating_sub(SHOWN_MAX)..].join("\n"))
}
