//! A stand-in for AWS Secrets Manager: keeps secrets with their versions, answers signed requests, and counts them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Answering,
    /// It waits until [`Vault::let_go`].
    Holding,
    Denying,
    /// It fails with something that is no JSON.
    Broken,
    /// It does what it is asked to do, and the answer is lost.
    Mute,
}

/// A running stand-in; it ends with the test's runtime.
pub(crate) struct Vault {
    url: String,
    inside: Arc<Inside>,
}

struct Inside {
    mood: Mutex<Mood>,
    secrets: Mutex<BTreeMap<String, Secret>>,
    asked: Mutex<BTreeMap<String, usize>>,
    let_go: Semaphore,
}

/// A secret: the text of each version, and which version is which.
#[derive(Default)]
struct Secret {
    texts: BTreeMap<String, String>,
    current: String,
    pending: Option<String>,
}

impl Vault {
    /// With these secrets, each a name and its text.
    pub(crate) async fn start(secrets: &[(&str, String)]) -> Self {
        let inside = Arc::new(Inside {
            mood: Mutex::new(Mood::Answering),
            secrets: Mutex::default(),
            asked: Mutex::default(),
            let_go: Semaphore::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(answer)).with_state(inside.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let vault = Self { url, inside };
        for (name, text) in secrets {
            vault.put(name, text);
        }
        vault
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        let mut secrets = self.inside.secrets.lock().unwrap();
        let secret = secrets.entry(name.to_owned()).or_default();
        secret.current = format!("by hand {}", secret.texts.len());
        secret.texts.insert(secret.current.clone(), text.to_owned());
    }

    /// The current text of a secret.
    pub(crate) fn current(&self, name: &str) -> String {
        let secrets = self.inside.secrets.lock().unwrap();
        secrets[name].texts[&secrets[name].current].clone()
    }

    /// How many versions a secret has had.
    pub(crate) fn versions(&self, name: &str) -> usize {
        self.inside.secrets.lock().unwrap()[name].texts.len()
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.inside.mood.lock().unwrap() = mood;
    }

    /// Lets so many held requests go on.
    pub(crate) fn let_go(&self, requests: usize) {
        self.inside.let_go.add_permits(requests);
    }

    /// How often this secret was asked for.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.inside.asked.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    /// The settings of a function that has all of its secrets here.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let names: Vec<_> = self.inside.secrets.lock().unwrap().keys().cloned().collect();
        let mut settings = vec![
            ("SECRETS".to_owned(), names.join(", ")),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER".to_owned(), self.url.clone()),
            ("AWS_SESSION_TOKEN".to_owned(), "a session".to_owned()),
        ];
        // An empty setting is one that is not there.
        settings.extend(edge::SECRET_SETTINGS.iter().map(|name| ((*name).to_owned(), String::new())));
        settings
    }
}

/// A secret's text.
pub(crate) fn text(pairs: &[(&str, &str)]) -> String {
    let pairs: BTreeMap<_, _> = pairs.iter().copied().collect();
    json!(pairs).to_string()
}

fn refusal(code: &str, message: &str) -> Response {
    let refusal = json!({ "__type": code, "Message": message }).to_string();
    (StatusCode::BAD_REQUEST, refusal).into_response()
}

async fn answer(State(inside): State<Arc<Inside>>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let signature = header("authorization");
    let is_signed = signature.starts_with("AWS4-HMAC-SHA256 Credential=local/")
        && signature.contains("/local/secretsmanager/aws4_request, ")
        && ["host", "x-amz-date", "x-amz-security-token", "x-amz-target"].iter().all(|name| {
            let signed = signature.split("SignedHeaders=").nth(1).unwrap_or_default();
            signed.split(',').next().unwrap_or_default().split(';').any(|signed| signed == *name)
        })
        && header("x-amz-security-token") == "a session";
    if !is_signed || header("content-type") != "application/x-amz-json-1.1" {
        return refusal("InvalidSignatureException", &signature);
    }
    let request: Value = serde_json::from_slice(&body).unwrap();
    let name = request["SecretId"].as_str().unwrap().to_owned();
    *inside.asked.lock().unwrap().entry(name.clone()).or_default() += 1;
    let mood = *inside.mood.lock().unwrap();
    match mood {
        Mood::Answering | Mood::Mute => {}
        Mood::Holding => inside.let_go.acquire().await.unwrap().forget(),
        Mood::Denying => return refusal("AccessDeniedException", "not for you"),
        Mood::Broken => return (StatusCode::INTERNAL_SERVER_ERROR, "<html>").into_response(),
    }
    let mut secrets = inside.secrets.lock().unwrap();
    let done = match secrets.get_mut(&name) {
        Some(secret) => secret.act(&header("x-amz-target"), &request),
        None => Err(("com.amazonaws.secretsmanager#ResourceNotFoundException", "no such secret")),
    };
    match done {
        _ if mood == Mood::Mute => (StatusCode::INTERNAL_SERVER_ERROR, "<html>").into_response(),
        Ok(answer) => answer.to_string().into_response(),
        Err((code, message)) => refusal(code, message),
    }
}

impl Secret {
    /// Does what the service documents for this action; the answer, or the refusal with its code.
    fn act(&mut self, action: &str, request: &Value) -> Result<Value, (&'static str, &'static str)> {
        let asked = |name: &str| request[name].as_str().map(str::to_owned);
        match action {
            "secretsmanager.GetSecretValue" => {
                let staged = match request["VersionStage"].as_str() {
                    Some("AWSPENDING") => self.pending.as_ref(),
                    _ => Some(&self.current),
                };
                let id = staged.filter(|id| asked("VersionId").is_none_or(|asked| asked == **id));
                let id = id.ok_or(("ResourceNotFoundException", "no such version"))?;
                Ok(json!({ "VersionId": id, "SecretString": self.texts[id] }))
            }
            "secretsmanager.PutSecretValue" => {
                assert_eq!(request["VersionStages"], json!(["AWSPENDING"]));
                let (id, text) = (asked("ClientRequestToken").unwrap(), asked("SecretString").unwrap());
                if self.texts.get(&id).is_some_and(|known| *known != text) {
                    return Err(("ResourceExistsException", "that version has another text"));
                }
                self.texts.insert(id.clone(), text);
                self.pending = Some(id.clone());
                Ok(json!({ "VersionId": id }))
            }
            "secretsmanager.UpdateSecretVersionStage" => {
                assert_eq!(request["VersionStage"], "AWSCURRENT");
                if asked("RemoveFromVersionId").as_ref() != Some(&self.current) {
                    return Err(("InvalidParameterException", "that version is not the current one"));
                }
                self.current = asked("MoveToVersionId").unwrap();
                Ok(json!({}))
            }
            _ => Err(("UnknownOperationException", "no such action")),
        }
    }
}
