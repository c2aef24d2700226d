//! A function of the system behind its Lambda door.

use serde_json::Value;
use spillway::{ExtraFunction, Running};
use tokio::sync::oneshot;

use crate::runtime::{LambdaRuntime, event};
use crate::system::PATIENCE;

/// A runtime with one function in it.
pub(crate) struct LambdaFunction {
    runtime: LambdaRuntime,
    _function: ExtraFunction,
}

impl LambdaFunction {
    pub(crate) async fn start(running: &Running, name: &str) -> Self {
        let runtime = LambdaRuntime::start().await;
        let function = ExtraFunction::start_under_lambda(running, name, &runtime.address).unwrap();
        Self { runtime, _function: function }
    }

    /// Sends an event; where its response will come.
    pub(crate) async fn invoke(&self, event: Value) -> oneshot::Receiver<Value> {
        self.runtime.invoke(event).await
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
