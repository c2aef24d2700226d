//! What systemd is told of a function that serves plain HTTP: that it is ready, that it still answers, that it is
//! stopping. Where no systemd asked for it (`NOTIFY_SOCKET`, `WATCHDOG_USEC`), nobody is told anything.
//!
//! A sign of life says that a stranger would be answered, because it follows such an answer: a request over the
//! function's own socket, through the accept loop and the gate. None comes from a runtime that hangs, and none where
//! descriptors have run out; systemd then starts the process again. It asks `/livez` and not `/readyz`, because no
//! start cures a Redis that is away.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An attempt for each of these parts of systemd's patience, and each gets as long: one that fails is no end yet.
const PARTS: u32 = 4;

const REQUEST: &[u8] =
    b"GET /livez HTTP/1.1\r\nhost: watchdog\r\nx-request-id: watchdog\r\nconnection: close\r\n\r\n";

/// The socket listens.
pub(crate) fn ready() {
    tell(NotifyState::Ready);
}

/// What is under way is finished, and nothing new taken.
pub(crate) fn stopping() {
    tell(NotifyState::Stopping);
}

/// Gives signs of life for what listens here, as long as it is awaited.
pub(crate) async fn watch(listener: SocketAddr) {
    let Some(patience) = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero()) else { return };
    let part = patience / PARTS;
    loop {
        if answers(listener, part).await {
            tell(NotifyState::Watchdog);
        }
        tokio::time::sleep(part).await;
    }
}

/// Whether a request is answered in time. Any answer will do, and so does a connection that is closed, as it is where
/// there are too many: the loop that does so is alive, and whoever is connected is served.
async fn answers(listener: SocketAddr, timeout: Duration) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(reachable(listener)).await.ok()?;
        let mut answer = [0; 1];
        let read = async {
            stream.write_all(REQUEST).await?;
            stream.read(&mut answer).await
        };
        let _ = read.await;
        Some(())
    };
    matches!(tokio::time::timeout(timeout, asked).await, Ok(Some(())))
}

/// Where to connect to what listens on this address, which may be all of this host.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        ip if !ip.is_unspecified() => ip,
        ip if ip.is_ipv4() => Ipv4Addr::LOCALHOST.into(),
        _ => Ipv6Addr::LOCALHOST.into(),
    };
    (ip, listener.port()).into()
}

/// A systemd that does not listen is no reason to stop.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const SOON: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_listener_from_which_nobody_accepts_gives_no_sign_of_life() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        assert!(!answers(listener.local_addr().unwrap(), SOON).await);
    }

    #[tokio::test]
    async fn a_closed_port_gives_no_sign_of_life() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(!answers(address, LONG).await);
    }

    #[tokio::test]
    async fn an_answer_and_a_connection_that_is_turned_away_are_signs_of_life() {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            drop(listener.accept().await.unwrap());
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").await.unwrap();
        });
        assert!(answers(address, LONG).await, "turned away");
        assert!(answers(address, LONG).await, "answered");
    }
}
