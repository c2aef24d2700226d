//! A detour to a data node, that can be stalled for everybody or for some.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const BUFFER_BYTES: usize = 16 * 1024;

/// Who connects to a data node says its user's name within so many bytes.
const HEAD_BYTES_MAX: usize = 512;

/// Whether anything gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// Connections stay, and nothing comes.
    Stalled,
    /// The same, for connections of these users of Redis.
    StalledFor(&'static [&'static str]),
}

/// A running detour; dropping it ends it.
pub(crate) struct Detour {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    way: watch::Sender<Way>,
    accepting: JoinHandle<()>,
}

impl Detour {
    /// One that listens here and leads there.
    pub(crate) async fn start(address: SocketAddr, upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("nothing can listen on {address}"))?;
        let (way, seen) = watch::channel(Way::Open);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(lead(stream, upstream, seen.clone()));
            }
        });
        Ok(Self { address, way, accepting })
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Way {
    fn stalls(self, user: Option<&String>) -> bool {
        match self {
            Self::Open => false,
            Self::Stalled => true,
            Self::StalledFor(users) => user.is_some_and(|user| users.contains(&user.as_str())),
        }
    }
}

/// The user of Redis whom a connection is of, once it has said so.
type User = Arc<OnceLock<String>>;

async fn lead(stream: TcpStream, upstream: SocketAddr, way: watch::Receiver<Way>) {
    let Ok(onwards) = TcpStream::connect(upstream).await else { return };
    // Who is waited for gets what there is, as without a detour.
    if stream.set_nodelay(true).is_err() || onwards.set_nodelay(true).is_err() {
        return;
    }
    let ((from, to), (back_from, back_to)) = (stream.into_split(), onwards.into_split());
    let user = User::default();
    // Where one direction ends, so does the other.
    tokio::select! {
        () = pass(from, back_to, way.clone(), &user) => {}
        () = pass(back_from, to, way, &user) => {}
    }
}

/// One direction.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>, user: &User) {
    let (mut buffer, mut head) = (vec![0; BUFFER_BYTES], Vec::new());
    loop {
        let length = tokio::select! {
            // This ends with the detour only.
            _ = way.wait_for(|_| false) => return,
            read = from.read(&mut buffer) => match read {
                Ok(length @ 1..) => length,
                _ => return,
            },
        };
        if user.get().is_none() && head.len() < HEAD_BYTES_MAX {
            head.extend_from_slice(&buffer[..length]);
            if let Some(named) = named_user(&head) {
                let _ = user.set(named);
            }
        }
        if way.wait_for(|way| !way.stalls(user.get())).await.is_err() {
            return;
        }
        let Ok(()) = to.write_all(&buffer[..length]).await else { return };
    }
}

/// The user of the command AUTH, as Redis is sent it.
fn named_user(head: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("AUTH\r\n").nth(1)?.split("\r\n");
    let (length, name) = (lines.next()?.strip_prefix('$')?, lines.next()?);
    (length.parse() == Ok(name.len())).then(|| name.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_of_the_user_whom_its_auth_names() {
        let head = "*1\r\n$4\r\nPING\r\n*3\r\n$4\r\nAUTH\r\n$7\r\nreplica\r\n$6\r\nsecret\r\n";
        assert_eq!(named_user(head.as_bytes()).unwrap(), "replica");
        for length in 0..head.find("replica").unwrap() + "replica".len() {
            assert_eq!(named_user(&head.as_bytes()[..length]), None, "{length}");
        }
    }

    #[test]
    fn a_way_is_stalled_for_everybody_or_for_some() {
        let user = |name: &str| Some(name.to_owned());
        assert!(Way::Stalled.stalls(None) && Way::Stalled.stalls(user("reserve").as_ref()));
        let nodes = Way::StalledFor(&["replica", "sentinel"]);
        assert!(nodes.stalls(user("replica").as_ref()) && !nodes.stalls(user("reserve").as_ref()));
        assert!(!nodes.stalls(None) && !Way::Open.stalls(user("replica").as_ref()));
    }
}
