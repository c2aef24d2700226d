//! Child processes that cannot outlive this one, and ports for them to listen on.

use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};

use rustix::process::{Pid, Signal, kill_process};

/// Below the range from which the kernel takes ports for outgoing connections: a process that was killed
/// finds its port free when it is started again.
const PORTS: std::ops::Range<u32> = 10_000..30_000;

/// A running `redis-server`; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts `redis-server` with this configuration and these arguments; its output goes to `log`.
    pub(crate) fn start(configuration: &Path, arguments: &[&str], log: &Path) -> io::Result<Self> {
        let output = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        // The kernel kills it when the thread that started it ends; setpriv becomes redis-server, so the
        // process id stays the same.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "redis-server"]).arg(configuration).args(arguments);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Ok(Self { child: spawn_from_lasting_thread(command)? })
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal, where the process has not ended.
    pub(crate) fn signal(&mut self, signal: Signal) -> io::Result<()> {
        if !self.is_running() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the process has ended"));
        }
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let id = id.ok_or_else(|| io::Error::other("a process id that is none"))?;
        Ok(kill_process(id, signal)?)
    }

    /// Kills it and waits for its end; its port is free then.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whoever drops it has no use for the reason why it could not be killed.
        drop(self.kill());
    }
}

struct Order {
    command: Command,
    started: Sender<io::Result<Child>>,
}

/// Starts a process from a thread that lives as long as this process: the death signal is bound to the
/// thread, and a thread of a runtime may end while its children are in use.
fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    static ORDERS: OnceLock<Sender<Order>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (orders, taken) = channel::<Order>();
        std::thread::spawn(move || {
            for mut order in taken {
                drop(order.started.send(order.command.spawn()));
            }
        });
        orders
    });
    let (started, child) = channel();
    let gone = "the thread that starts processes has ended";
    orders.send(Order { command, started }).map_err(|_| io::Error::other(gone))?;
    let child = child.recv().map_err(|_| io::Error::other(gone))?;
    child.map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => io::Error::new(cause.kind(), "setpriv is missing; apt install util-linux"),
        _ => cause,
    })
}

/// A port on which nothing listens, and which this process has not given to anyone before.
pub(crate) fn free_port() -> io::Result<u16> {
    static NEXT: OnceLock<AtomicU32> = OnceLock::new();
    let width = PORTS.end - PORTS.start;
    // Test processes that run at the same time begin in different places.
    let next = NEXT.get_or_init(|| AtomicU32::new(std::process::id().wrapping_mul(7_919) % width));
    for _ in 0..width {
        let port = PORTS.start + next.fetch_add(1, Ordering::Relaxed) % width;
        if let Ok(port) = u16::try_from(port)
            && TcpListener::bind(("127.0.0.1", port)).is_ok()
        {
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no port is free"))
}
