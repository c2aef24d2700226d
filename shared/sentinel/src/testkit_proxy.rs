//! A TCP proxy that can be told to misbehave as networks do: to delay, to fall silent, to cut.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use crate::Endpoint;
use crate::testkit_process::free_port;

/// How a [`Proxy`] treats what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Everything passes at once.
    Open,
    /// Everything passes this much later, in each direction.
    Delayed(Duration),
    /// Connections are accepted and kept, nothing passes, nothing is closed: a black hole. What was sent
    /// meanwhile passes afterwards, as with a network that heals.
    Silent,
    /// Connections are closed, and new ones refused.
    Cut,
}

/// A TCP proxy on a loopback port of its own. Dropping it closes everything.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: watch::Sender<State>,
    counts: Arc<Counts>,
    accepting: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    passage: Passage,
    /// Connections up to this number are silent for good.
    muted: u64,
}

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    turns: AtomicU64,
}

impl Proxy {
    /// Listens for connections and passes them on to `target`. Runs on the present runtime.
    pub async fn start(target: &Endpoint) -> io::Result<Self> {
        let target = format!("{target}");
        let port = free_port()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let (state, seen) = watch::channel(State { passage: Passage::Open, muted: 0 });
        let counts = Arc::new(Counts::default());
        let accepting = tokio::spawn(accept(listener, target, seen, counts.clone()));
        Ok(Self { port, state, counts, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint { host: "127.0.0.1".to_owned(), port: self.port }
    }

    /// From now on, for connections old and new.
    pub fn set(&self, passage: Passage) {
        self.state.send_modify(|state| state.passage = passage);
    }

    /// The connections of this moment fall silent for good; new ones are treated as before. So looks a peer
    /// that went away without a word, or a path that forgot the connection.
    pub fn mute_present(&self) {
        let accepted = self.connections();
        self.state.send_modify(|state| state.muted = accepted);
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.counts.accepted.load(Ordering::Relaxed)
    }

    /// Round trips begun so far, over all connections: a client that sends twice without waiting for an
    /// answer has begun one.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.counts.turns.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: String,
    mut state: watch::Receiver<State>,
    counts: Arc<Counts>,
) {
    let Ok(address) = listener.local_addr() else { return };
    let mut listening = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        if state.borrow_and_update().passage == Passage::Cut {
            listening = None;
            connections.abort_all();
        } else if listening.is_none() {
            listening = listen_again(address).await;
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            accepted = next(listening.as_ref()) => if let Ok((client, _)) = accepted {
                let number = counts.accepted.fetch_add(1, Ordering::Relaxed) + 1;
                let gate = Gate { number, state: state.clone() };
                connections.spawn(join(client, target.clone(), gate, counts.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn next(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// The port was ours; only what still lingers on it can be in the way, and not for long.
async fn listen_again(address: SocketAddr) -> Option<TcpListener> {
    for _ in 0..100 {
        if let Ok(listener) = TcpListener::bind(address).await {
            return Some(listener);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}

/// What one connection sees of the proxy's state.
#[derive(Clone)]
struct Gate {
    number: u64,
    state: watch::Receiver<State>,
}

impl Gate {
    /// Waits until something may pass.
    async fn opens(&mut self) {
        let number = self.number;
        let passes = |state: &State| state.muted < number && state.passage != Passage::Silent;
        if self.state.wait_for(passes).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn delay(&self) -> Duration {
        match self.state.borrow().passage {
            Passage::Delayed(delay) => delay,
            _ => Duration::ZERO,
        }
    }
}

async fn join(client: TcpStream, target: String, mut gate: Gate, counts: Arc<Counts>) {
    gate.opens().await;
    let Ok(server) = TcpStream::connect(target).await else { return };
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let is_answered = AtomicBool::new(true);
    let there = carry(from_client, to_server, gate.clone(), || {
        if is_answered.swap(false, Ordering::Relaxed) {
            counts.turns.fetch_add(1, Ordering::Relaxed);
        }
    });
    let back = carry(from_server, to_client, gate, || is_answered.store(true, Ordering::Relaxed));
    // Either end closes: the whole connection is over.
    tokio::select! { () = there => {}, () = back => {} }
}

/// Carries one direction until its source is at its end. What comes meanwhile is read at once, so that a
/// delay is the same for all of it.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut gate: Gate,
    on_passing: impl Fn(),
) {
    let (queue, mut queued) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let delays = gate.clone();
    let reading = async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let due = Instant::now() + delays.delay();
            if queue.send((due, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, bytes)) = queued.recv().await {
            tokio::time::sleep_until(due).await;
            gate.opens().await;
            on_passing();
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(reading, writing);
}
