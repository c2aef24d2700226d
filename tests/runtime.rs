//! The Lambda runtime interface as a function sees it: it asks for the next event and posts its response.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::{Value, json};
use spillway::{ExtraFunction, Running};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::system::PATIENCE;

/// A runtime with one function in it.
pub(crate) struct LambdaFunction {
    runtime: Arc<Runtime>,
    events: mpsc::Sender<(String, Value)>,
    _function: ExtraFunction,
}

struct Runtime {
    events: tokio::sync::Mutex<mpsc::Receiver<(String, Value)>>,
    answers: Mutex<HashMap<String, oneshot::Sender<Value>>>,
}

impl LambdaFunction {
    pub(crate) async fn start(running: &Running, name: &str) -> Self {
        let (events, waiting) = mpsc::channel(1);
        let runtime = Arc::new(Runtime { events: waiting.into(), answers: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(respond))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(respond))
            .with_state(runtime.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let function = ExtraFunction::start_under_lambda(running, name, &address).unwrap();
        Self { runtime, events, _function: function }
    }

    /// Sends an event; where its response will come.
    pub(crate) async fn invoke(&self, event: Value) -> oneshot::Receiver<Value> {
        let id = format!("{:016x}", rand::random::<u64>());
        let (answer, answered) = oneshot::channel();
        self.runtime.answers.lock().unwrap().insert(id.clone(), answer);
        self.events.send((id, event)).await.unwrap();
        answered
    }

    /// Sends an HTTP request as API Gateway's event; the function's response.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Value {
        let answered = self.invoke(event(method, path, headers, body)).await;
        tokio::time::timeout(PATIENCE, answered).await.expect("the function did not respond").unwrap()
    }
}

/// An event of an HTTP API, payload format 2.0.
fn event(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Value {
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

async fn next(State(runtime): State<Arc<Runtime>>) -> (HeaderMap, String) {
    let Some((id, event)) = runtime.events.lock().await.recv().await else { std::future::pending().await };
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

async fn respond(State(runtime): State<Arc<Runtime>>, Path(id): Path<String>, body: Bytes) -> StatusCode {
    let answer = runtime.answers.lock().unwrap().remove(&id).unwrap();
    answer.send(serde_json::from_slice(&body).unwrap()).unwrap();
    StatusCode::ACCEPTED
}
