//! A detour to the ledger that can be stalled or cut.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const BUFFER_BYTES: usize = 16 * 1024;

/// Whether anything gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Connections stay, and nothing comes.
    Stalled,
    /// Connections end, and none begins.
    Cut,
}

/// A running detour; dropping it ends it.
pub(crate) struct Detour {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    way: watch::Sender<Way>,
    upstream: Arc<OnceLock<SocketAddr>>,
    accepting: JoinHandle<()>,
}

impl Detour {
    /// One that leads nowhere yet.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (way, seen) = watch::channel(Way::Open);
        let upstream = Arc::new(OnceLock::new());
        let leads_to = upstream.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let is_cut = *seen.borrow() == Way::Cut;
                let Some(upstream) = leads_to.get().copied().filter(|_| !is_cut) else { continue };
                tokio::spawn(lead(stream, upstream, seen.clone()));
            }
        });
        Ok(Self { address, way, upstream, accepting })
    }

    /// Says where it leads, once.
    pub(crate) fn lead_to(&self, upstream: SocketAddr) {
        let _ = self.upstream.set(upstream);
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.accepting.abort();
        self.set(Way::Cut);
    }
}

async fn lead(stream: TcpStream, upstream: SocketAddr, way: watch::Receiver<Way>) {
    let Ok(onwards) = TcpStream::connect(upstream).await else { return };
    let ((from, to), (back_from, back_to)) = (stream.into_split(), onwards.into_split());
    // Where one direction ends, so does the other.
    tokio::select! {
        () = pass(from, back_to, way.clone()) => {}
        () = pass(back_from, to, way) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        if way.wait_for(|way| *way != Way::Stalled).await.is_err() || *way.borrow() == Way::Cut {
            return;
        }
        tokio::select! {
            _ = way.changed() => {}
            read = from.read(&mut buffer) => {
                let Ok(length @ 1..) = read else { return };
                let Ok(()) = to.write_all(&buffer[..length]).await else { return };
            }
        }
    }
}
