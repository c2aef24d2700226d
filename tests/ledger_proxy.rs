//! Stands between a function and the ledger, and catches a transaction before or after its commit, so that
//! whoever waits for it can be ended at exactly that step.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// What becomes of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trap {
    /// It never reaches the ledger.
    BeforeCommit,
    /// It is committed, and the answer waits until it is let go.
    AfterCommit,
    /// The ledger says that it has too much to do.
    Throttled,
}

/// A running proxy; it ends with the test's runtime.
pub(crate) struct LedgerProxy {
    pub(crate) url: String,
    gates: Arc<Gates>,
}

struct Gates {
    upstream: String,
    trap: Trap,
    http: reqwest::Client,
    caught: Semaphore,
    let_go: Semaphore,
}

impl LedgerProxy {
    pub(crate) async fn start(upstream: &str, trap: Trap, http: reqwest::Client) -> Self {
        let gates = Arc::new(Gates {
            upstream: upstream.to_owned(),
            trap,
            http,
            caught: Semaphore::new(0),
            let_go: Semaphore::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(relay).with_state(gates.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, gates }
    }

    /// The settings of a function that goes through this proxy.
    pub(crate) fn settings(&self) -> [(String, String); 1] {
        [("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), self.url.clone())]
    }

    /// Waits until a transaction is caught.
    pub(crate) async fn caught(&self) {
        let caught = tokio::time::timeout(crate::system::PATIENCE, self.gates.caught.acquire()).await;
        caught.expect("no transaction came").unwrap().forget();
    }

    /// Lets the answer to a committed transaction go on.
    pub(crate) fn let_go(&self) {
        self.gates.let_go.add_permits(1);
    }
}

async fn relay(State(gates): State<Arc<Gates>>, headers: HeaderMap, body: Bytes) -> (StatusCode, Bytes) {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let is_transaction = target.ends_with(".TransactWriteItems");
    match gates.trap {
        Trap::BeforeCommit if is_transaction => {
            gates.caught.add_permits(1);
            std::future::pending::<()>().await;
        }
        Trap::Throttled if is_transaction => {
            let error =
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down"}"#;
            return (StatusCode::BAD_REQUEST, Bytes::from_static(error.as_bytes()));
        }
        _ => {}
    }
    let mut request = gates.http.post(&gates.upstream).body(body);
    for name in ["x-amz-target", "content-type", "authorization", "x-amz-date"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let body = answer.bytes().await.unwrap();
    if gates.trap == Trap::AfterCommit && is_transaction {
        gates.caught.add_permits(1);
        gates.let_go.acquire().await.unwrap().forget();
    }
    (status, body)
}
