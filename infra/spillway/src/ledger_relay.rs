//! Stands before the ledger and lets requests fail as DynamoDB's do: late, throttled, in conflict with others, lost
//! before their commit or after it. Chaos has some of them fail at random; a test has each transaction caught, so that
//! whoever waits for it can be ended at exactly that step.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::running::Running;

const FORWARDED: [&str; 4] = ["x-amz-target", "content-type", "authorization", "x-amz-date"];
const LATE_MS: std::ops::Range<u64> = 100..400;

/// How requests fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerFault {
    /// The answer comes late.
    Late,
    /// The ledger says that it has too much to do, and does nothing.
    Throttled,
    /// A transaction is told to meet another one, and does nothing.
    Conflicting,
    /// A transaction does not reach the ledger, and nothing is answered.
    LostBeforeCommit,
    /// A transaction is committed, and nothing is answered until [`LedgerRelay::let_go`].
    LostAfterCommit,
}

/// A running relay; dropping it ends it.
pub struct LedgerRelay {
    /// Where it is found, instead of the ledger.
    pub url: String,
    gates: Arc<Gates>,
    fault: watch::Sender<Option<(LedgerFault, u8)>>,
    serving: JoinHandle<()>,
}

struct Gates {
    upstream: String,
    http: reqwest::Client,
    fault: watch::Receiver<Option<(LedgerFault, u8)>>,
    caught: Semaphore,
    let_go: Semaphore,
}

impl LedgerRelay {
    /// One that leads to the ledger of this system, through which everything goes at first.
    pub async fn start(running: &Running) -> Result<Self> {
        let (fault, seen) = watch::channel(None);
        let gates = Arc::new(Gates {
            upstream: running.dynamodb_url.clone(),
            http: running.http_client()?,
            fault: seen,
            caught: Semaphore::new(0),
            let_go: Semaphore::new(0),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(relay).with_state(gates.clone());
        let serving = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { url, gates, fault, serving })
    }

    /// From now on so many of a hundred requests fail like this.
    pub fn fail(&self, fault: LedgerFault, percent: u8) {
        self.fault.send_replace(Some((fault, percent)));
    }

    /// From now on everything goes through again.
    pub fn recover(&self) {
        self.fault.send_replace(None);
    }

    /// The settings of a function that goes through this relay.
    #[must_use]
    pub fn settings(&self) -> [(String, String); 1] {
        [("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), self.url.clone())]
    }

    /// Waits until a transaction is lost.
    pub async fn caught(&self, timeout: Duration) -> Result<()> {
        let caught = tokio::time::timeout(timeout, self.gates.caught.acquire()).await;
        caught.context("no transaction came")??.forget();
        Ok(())
    }

    /// Lets the answer to a committed transaction go on.
    pub fn let_go(&self) {
        self.gates.let_go.add_permits(1);
    }
}

impl Drop for LedgerRelay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn relay(State(gates): State<Arc<Gates>>, headers: HeaderMap, body: Bytes) -> (StatusCode, Bytes) {
    let fault = *gates.fault.borrow();
    let fault = fault.filter(|(_, percent)| rand::rng().random_range(0..100) < *percent);
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let is_transaction = target.ends_with(".TransactWriteItems");
    match fault.map(|(fault, _)| fault) {
        Some(LedgerFault::Late) => {
            let late = rand::rng().random_range(LATE_MS);
            tokio::time::sleep(Duration::from_millis(late)).await;
        }
        Some(LedgerFault::Throttled) => {
            return refused(&json!({ "__type": error_type("ThrottlingException"), "message": "slow down" }));
        }
        Some(LedgerFault::Conflicting) if is_transaction => return refused(&conflict(&body)),
        Some(LedgerFault::LostBeforeCommit) if is_transaction => {
            gates.caught.add_permits(1);
            std::future::pending::<()>().await;
        }
        Some(LedgerFault::LostAfterCommit) if is_transaction => {
            let answer = forward(&gates, &headers, body).await;
            gates.caught.add_permits(1);
            if let Ok(permit) = gates.let_go.acquire().await {
                permit.forget();
            }
            return answer;
        }
        _ => {}
    }
    forward(&gates, &headers, body).await
}

async fn forward(gates: &Gates, headers: &HeaderMap, body: Bytes) -> (StatusCode, Bytes) {
    let mut request = gates.http.post(&gates.upstream).body(body);
    for name in FORWARDED {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let answer = async {
        let answer = request.send().await?;
        Ok::<_, reqwest::Error>((answer.status(), answer.bytes().await?))
    };
    answer.await.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, error.to_string().into()))
}

fn error_type(name: &str) -> String {
    format!("com.amazonaws.dynamodb.v20120810#{name}")
}

fn refused(error: &Value) -> (StatusCode, Bytes) {
    (StatusCode::BAD_REQUEST, error.to_string().into())
}

/// One reason for each write of the transaction: the first one meets another transaction.
fn conflict(body: &[u8]) -> Value {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut reasons = vec![json!({ "Code": "None" }); body["TransactItems"].as_array().map_or(1, Vec::len)];
    if let Some(first) = reasons.first_mut() {
        *first = json!({ "Code": "TransactionConflict", "Message": "Transaction is ongoing for the item" });
    }
    json!({
        "__type": error_type("TransactionCanceledException"),
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    })
}
