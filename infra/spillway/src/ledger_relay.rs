//! Stands before the ledger and lets requests fail as they do on their way to DynamoDB, or there. Chaos has a part of them
//! fail at random; a test has each transaction caught, so that whoever waits for it can be ended at exactly that step.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rand::RngExt;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::ledger_refusal::{conflicting, throttled};
use crate::running::{http_client, trusting};

const FORWARDED: [&str; 4] = ["x-amz-target", "content-type", "authorization", "x-amz-date"];
const LATE_MS: std::ops::Range<u64> = 100..400;

/// How requests fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerFault {
    /// The answer comes late.
    Late,
    /// Neither requests nor answers arrive until it is over; then all do, also those that nobody waits for any more.
    Stalled,
    /// The connection ends instead.
    Cut,
    /// The ledger says that it has too much to do, and does nothing.
    Throttled,
    /// A transaction is told to meet another one, and does nothing.
    Conflicting,
    /// The connection ends before a transaction reaches the ledger.
    LostBeforeCommit,
    /// The connection ends after a transaction is committed, before its answer.
    LostAfterCommit,
    /// A transaction does not reach the ledger until [`LedgerRelay::recover`].
    CaughtBeforeCommit,
    /// A transaction is committed, and not answered until [`LedgerRelay::recover`].
    CaughtAfterCommit,
}

/// A running relay; dropping it ends it.
pub struct LedgerRelay {
    /// Where it is found, instead of the ledger.
    pub url: String,
    gates: Arc<Gates>,
    fault: watch::Sender<Option<Fault>>,
    serving: JoinHandle<()>,
}

#[derive(Clone, Copy)]
struct Fault {
    kind: LedgerFault,
    percent: u8,
}

struct Gates {
    upstream: String,
    http: reqwest::Client,
    fault: watch::Receiver<Option<Fault>>,
    caught: Semaphore,
}

struct Request {
    headers: HeaderMap,
    body: Bytes,
}

impl LedgerRelay {
    /// One that leads to this ledger, which everything reaches at first.
    pub async fn start(upstream: &str) -> Result<Self> {
        let (fault, seen) = watch::channel(None);
        let gates = Arc::new(Gates {
            upstream: upstream.to_owned(),
            http: http_client(trusting(rustls::RootCertStore::empty())?)?,
            fault: seen,
            caught: Semaphore::new(0),
        });
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(relay).with_state(gates.clone());
        let serving = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { url, gates, fault, serving })
    }

    /// From now on so many of a hundred requests fail like this.
    pub fn fail(&self, kind: LedgerFault, percent: u8) {
        self.gates.caught.forget_permits(usize::MAX);
        self.fault.send_replace(Some(Fault { kind, percent }));
    }

    /// From now on everything gets through again, what is caught included.
    pub fn recover(&self) {
        self.fault.send_replace(None);
    }

    /// The settings of a function that goes through this relay.
    #[must_use]
    pub fn settings(&self) -> [(String, String); 1] {
        [("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), self.url.clone())]
    }

    /// Waits until one more transaction is caught.
    pub async fn caught(&self, timeout: Duration) -> Result<()> {
        let caught = tokio::time::timeout(timeout, self.gates.caught.acquire()).await;
        caught.context("no transaction came")??.forget();
        Ok(())
    }
}

impl Drop for LedgerRelay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn relay(State(gates): State<Arc<Gates>>, headers: HeaderMap, body: Bytes) -> Response {
    // What is on its way arrives, whether or not somebody waits for it.
    let passed = tokio::spawn(async move { gates.pass(Request { headers, body }).await });
    passed.await.ok().flatten().unwrap_or_else(cut)
}

impl Gates {
    /// The answer; `None` where the connection is to end instead.
    async fn pass(&self, request: Request) -> Option<Response> {
        match self.drawn_for(&request) {
            Some(LedgerFault::Throttled) => Some(throttled()),
            Some(LedgerFault::Conflicting) => Some(conflicting(&request.body)),
            Some(LedgerFault::LostBeforeCommit) => None,
            Some(LedgerFault::LostAfterCommit) => {
                self.forward(request).await;
                None
            }
            Some(kind @ LedgerFault::CaughtBeforeCommit) => {
                self.hold(kind).await;
                self.forward(request).await
            }
            Some(kind @ LedgerFault::CaughtAfterCommit) => {
                let answer = self.forward(request).await;
                self.hold(kind).await;
                answer
            }
            Some(LedgerFault::Late) => {
                let answer = self.forward(request).await;
                let late = rand::rng().random_range(LATE_MS);
                tokio::time::sleep(Duration::from_millis(late)).await;
                answer
            }
            // An answer may meet them, too, and each request before it.
            Some(LedgerFault::Stalled | LedgerFault::Cut) | None => {
                self.let_through().await?;
                let answer = self.forward(request).await;
                self.let_through().await?;
                answer
            }
        }
    }

    /// How this request is to fail, if it is.
    fn drawn_for(&self, request: &Request) -> Option<LedgerFault> {
        let fault = (*self.fault.borrow())?;
        let target = request.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let is_transaction = target.is_some_and(|target| target.ends_with(".TransactWriteItems"));
        let can_fail = is_transaction || !fault.kind.is_of_transactions();
        (can_fail && rand::rng().random_range(0..100) < fault.percent).then_some(fault.kind)
    }

    /// Waits while the way is stalled; `None` where it is cut.
    async fn let_through(&self) -> Option<()> {
        let is = |fault: &Option<Fault>, kind| fault.is_some_and(|fault| fault.kind == kind);
        let mut fault = self.fault.clone();
        let fault = fault.wait_for(|fault| !is(fault, LedgerFault::Stalled)).await.ok()?;
        (!is(&fault, LedgerFault::Cut)).then_some(())
    }

    /// Catches a transaction until it is over.
    async fn hold(&self, kind: LedgerFault) {
        self.caught.add_permits(1);
        let mut fault = self.fault.clone();
        // A relay that has ended lets nothing go.
        if fault.wait_for(|fault| fault.is_none_or(|fault| fault.kind != kind)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn forward(&self, Request { headers, body }: Request) -> Option<Response> {
        let mut request = self.http.post(&self.upstream).body(body);
        for name in FORWARDED {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.ok()?;
        let status: StatusCode = answer.status();
        Some((status, answer.bytes().await.ok()?).into_response())
    }
}

impl LedgerFault {
    const fn is_of_transactions(self) -> bool {
        !matches!(self, Self::Late | Self::Stalled | Self::Cut | Self::Throttled)
    }
}

/// Ends the connection without a byte: an answer breaks it that cannot be told.
fn cut() -> Response {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    Response::new(Body::from_stream(futures_util::stream::iter([Err::<Bytes, _>(broken)])))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn answer_to(relay: &LedgerRelay, operation: &str) -> String {
        let mut stream = TcpStream::connect(relay.url.trim_start_matches("http://")).await.unwrap();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: ledger\r\nx-amz-target: DynamoDB_20120810.{operation}\r\n\
             connection: close\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_request_that_is_lost_ends_its_connection_without_a_byte() {
        let ledger = LedgerRelay::start("http://127.0.0.1:1").await.unwrap();
        ledger.fail(LedgerFault::Throttled, 100);
        let relay = LedgerRelay::start(&ledger.url).await.unwrap();
        for fault in [LedgerFault::LostBeforeCommit, LedgerFault::LostAfterCommit] {
            relay.fail(fault, 100);
            assert_eq!(answer_to(&relay, "TransactWriteItems").await, "", "{fault:?}");
            assert!(answer_to(&relay, "GetItem").await.contains("ThrottlingException"), "{fault:?}");
        }
        relay.fail(LedgerFault::Cut, 100);
        assert_eq!(answer_to(&relay, "GetItem").await, "");
        relay.recover();
        assert!(answer_to(&relay, "TransactWriteItems").await.contains("ThrottlingException"));
    }
}
