//! The Lambda runtime interface as a function sees it: it asks for the next event and posts its response.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// A runtime that waits for a function.
pub(crate) struct LambdaRuntime {
    /// `host:port` of the interface.
    pub(crate) address: String,
    state: Arc<State>,
    events: mpsc::Sender<(String, Value)>,
    server: JoinHandle<()>,
}

struct State {
    events: tokio::sync::Mutex<mpsc::Receiver<(String, Value)>>,
    answers: Mutex<HashMap<String, oneshot::Sender<Value>>>,
}

impl LambdaRuntime {
    pub(crate) async fn start() -> Self {
        let (events, waiting) = mpsc::channel(1);
        let state = Arc::new(State { events: waiting.into(), answers: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(respond))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(respond))
            .with_state(state.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, state, events, server }
    }

    /// Sends an event, which the function may come for later; where its response will come.
    pub(crate) async fn invoke(&self, event: Value) -> oneshot::Receiver<Value> {
        let id = format!("{:016x}", rand::random::<u64>());
        let (answer, answered) = oneshot::channel();
        self.state.answers.lock().unwrap().insert(id.clone(), answer);
        self.events.send((id, event)).await.unwrap();
        answered
    }
}

impl Drop for LambdaRuntime {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An event of an HTTP API, payload format 2.0.
pub(crate) fn event(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Value {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let cookies: Vec<_> =
        headers.iter().filter(|(name, _)| *name == "cookie").map(|(_, value)| value).collect();
    let headers: HashMap<_, _> = headers.iter().filter(|(name, _)| *name != "cookie").copied().collect();
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "headers": headers, "cookies": cookies, "body": body, "isBase64Encoded": false,
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "shop.example", "domainPrefix": "shop",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": "test" },
            "requestId": "r", "routeKey": "$default", "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 0
        }
    })
}

async fn next(extract::State(state): extract::State<Arc<State>>) -> (HeaderMap, String) {
    let Some((id, event)) = state.events.lock().await.recv().await else { std::future::pending().await };
    let deadline = (Timestamp::now().as_millisecond() + 10_000).to_string();
    let arn = "arn:aws:lambda:eu-west-1:1:function:test";
    let headers = [
        ("lambda-runtime-aws-request-id", id.as_str()),
        ("lambda-runtime-deadline-ms", deadline.as_str()),
        ("lambda-runtime-invoked-function-arn", arn),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"),
    ];
    let headers = headers.map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()));
    (headers.into_iter().collect(), event.to_string())
}

async fn respond(
    extract::State(state): extract::State<Arc<State>>,
    extract::Path(id): extract::Path<String>,
    body: Bytes,
) -> StatusCode {
    let answer = state.answers.lock().unwrap().remove(&id).unwrap();
    answer.send(serde_json::from_slice(&body).unwrap()).unwrap();
    StatusCode::ACCEPTED
}
