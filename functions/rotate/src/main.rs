//! Rotates the signing keys, step by step as AWS Secrets Manager asks for it.
//!
//! A step may come again, after a lost answer or a crash: what it finds done, it leaves as it is. The rule by
//! which one ring of keys follows another is `SigningKeys` of `edge`.

mod rotation;

use std::process::ExitCode;
use std::sync::Arc;

use edge::RotatedSecret;
use serde::Deserialize;

use crate::rotation::{Rotation, RotationError};

/// What Secrets Manager sends.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    step: Step,
    /// The secret's ARN.
    secret_id: String,
    /// The version that this rotation makes.
    client_request_token: String,
}

#[derive(Deserialize)]
enum Step {
    #[serde(rename = "createSecret")]
    Create,
    #[serde(rename = "setSecret")]
    Set,
    #[serde(rename = "testSecret")]
    Test,
    #[serde(rename = "finishSecret")]
    Finish,
}

#[tokio::main]
async fn main() -> ExitCode {
    Box::pin(edge::serve_events("rotate", |settings| {
        let secret = Arc::new(settings.rotated_secret()?);
        Some(move |event| rotate(secret.clone(), event))
    }))
    .await
}

async fn rotate(secret: Arc<RotatedSecret>, event: Event) -> Result<(), RotationError> {
    let rotation = Rotation::of(&secret, &event.secret_id, &event.client_request_token)?;
    match event.step {
        Step::Create => rotation.create().await,
        // Nobody else keeps these keys: there is no server that would have to be told.
        Step::Set => Ok(()),
        Step::Test => rotation.test().await,
        Step::Finish => rotation.finish().await,
    }
}
