//! What people are told when something happens to Redis: `infra/redis/notify`.

use std::process::{Command, Output};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use spillway::{Signal, signal};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::failover::master;
use crate::fake_aws::fake_aws;
use crate::system::{empty_folder, eventually, private_with_notify};

/// What was posted to a webhook.
#[derive(Clone)]
struct Inbox {
    messages: Arc<Mutex<Vec<Value>>>,
    answer: StatusCode,
}

impl Inbox {
    /// Listens, answers each message with this status, and gives its address.
    async fn open(answer: StatusCode) -> (Self, String) {
        let inbox = Self { messages: Arc::default(), answer };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // A secret with everything that a configuration file or a shell could stumble over.
        let url = format!("http://{}/hook/se\"cr\\et$(id)?a=b&c=%20", listener.local_addr().unwrap());
        let router = Router::new().fallback(post(receive)).with_state(inbox.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (inbox, url)
    }

    async fn events(&self) -> Vec<String> {
        let messages = self.messages.lock().await;
        messages.iter().map(|message| message["event"].as_str().unwrap().to_owned()).collect()
    }
}

async fn receive(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers["content-type"], "application/json");
    let message = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {body:?}"));
    inbox.messages.lock().await.push(message);
    inbox.answer
}

/// Runs the script as a sentinel would.
async fn notify(event: &str, description: &str, settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/redis/notify"));
    command.args([event, description]).env("SPILLWAY_HOST", "redis-2.example").env("SPILLWAY_PORT", "26379");
    command.envs(settings.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_when_the_master_dies_and_who_follows() {
    let (inbox, url) = Inbox::open(StatusCode::OK).await;
    let stack = private_with_notify("notify-failover", url.clone());
    let running = stack.running().unwrap();
    let died = master(&running);
    signal(died.pid, Signal::KILL);
    let expected = ["+sdown", "+odown", "+switch-master"];
    eventually("the messages", async || {
        let events = inbox.events().await;
        expected.iter().all(|event| events.iter().any(|told| told == event)).then_some(())
    })
    .await;
    let messages = inbox.messages.lock().await;
    let switch = messages.iter().find(|message| message["event"] == "+switch-master").unwrap();
    let (_, port) = died.address.split_once(':').unwrap();
    let description = switch["description"].as_str().unwrap();
    assert!(description.starts_with(&format!("spillway 127.0.0.1 {port} 127.0.0.1 ")), "{description}");
    let sentinel = switch["sentinel"].as_str().unwrap();
    assert!(running.sentinels.iter().any(|address| address == sentinel), "{sentinel}");
    for log in std::fs::read_dir(&running.logs).unwrap() {
        let text = std::fs::read_to_string(log.unwrap().path()).unwrap();
        assert!(!text.contains("/hook/"), "the address is a secret");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_description_is_told_as_valid_json() {
    let (inbox, url) = Inbox::open(StatusCode::OK).await;
    let settings = [("NOTIFY_WEBHOOK_URL", url.as_str())];
    for (description, told) in [
        (r#"master "spillway" \ 10.0.0.1"#, r#"master "spillway" \ 10.0.0.1"#),
        (r#"\","event":"forged"}"#, r#"\","event":"forged"}"#),
        ("line\nline\r\tend\u{1b}[31m", "line?line??end?[31m"),
        ("$(touch /tmp/x) `id` %s %n !! *", "$(touch /tmp/x) `id` %s %n !! *"),
        ("@/etc/hostname", "@/etc/hostname"),
        ("naïve", "na??ve"),
        ("", ""),
    ] {
        let output = notify("+odown", description, &settings).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let message = inbox.messages.lock().await.pop().unwrap();
        assert_eq!((&message["event"], &message["description"]), (&"+odown".into(), &told.into()));
        assert_eq!(message["sentinel"], "redis-2.example:26379");
        let text = format!("Redis Sentinel redis-2.example:26379: +odown {told}");
        assert_eq!(message["text"], Value::String(text));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_not_delivered_is_tried_again_and_names_no_secret() {
    let (_, refusing) = Inbox::open(StatusCode::INTERNAL_SERVER_ERROR).await;
    for url in [refusing.as_str(), "http://127.0.0.1:1/hook/secret"] {
        let output = notify("+odown", "master spillway", &[("NOTIFY_WEBHOOK_URL", url)]).await;
        // One asks Sentinel to run it again.
        assert_eq!(output.status.code(), Some(1));
        let log = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(log.contains("was not reached") && !log.contains("/hook/"), "{log}");
    }
}

#[tokio::test]
async fn the_steps_of_a_failover_are_not_told_and_without_an_address_nobody_is() {
    let (inbox, url) = Inbox::open(StatusCode::OK).await;
    for event in ["+new-epoch", "+vote-for-leader", "+failover-state-select-slave", ""] {
        let output = notify(event, "1", &[("NOTIFY_WEBHOOK_URL", &url)]).await;
        assert_eq!(output.status.code(), Some(0));
    }
    assert_eq!(inbox.events().await, [""; 0]);
    let output = notify("+odown", "master spillway", &[]).await;
    assert_eq!(output.status.code(), Some(0));
    assert!(
        String::from_utf8(output.stderr).unwrap().contains("nobody is told (\"+odown master spillway\")")
    );
}

#[tokio::test]
async fn a_topic_is_published_to_with_the_same_object_as_a_webhook() {
    let folder = empty_folder("notify-topic");
    let path = fake_aws(&folder, "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$(dirname \"$0\")/called\"\n");
    let topic = "arn:aws:sns:eu-west-1:123456789012:redis";
    let settings = [("NOTIFY_SNS_TOPIC_ARN", topic), ("PATH", &path)];
    let output = notify("+odown", r#"master "spillway" $(id)"#, &settings).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let called = std::fs::read_to_string(folder.join("called")).unwrap();
    let words: Vec<&str> = called.lines().collect();
    let [subject, message] = [words[5], words[7]];
    assert_eq!(
        [words[0], words[1], words[2], words[3], words[4], words[6]],
        ["sns", "publish", "--topic-arn", topic, "--subject", "--message"]
    );
    assert_eq!(subject, "Redis Sentinel: +odown");
    let message: Value = serde_json::from_str(message).unwrap();
    assert_eq!(message["description"], r#"master "spillway" $(id)"#);
    let path = fake_aws(&folder, "#!/bin/sh\nexit 254\n");
    let output = notify("+odown", "master", &[("NOTIFY_SNS_TOPIC_ARN", topic), ("PATH", &path)]).await;
    assert_eq!(output.status.code(), Some(1), "Sentinel is asked to try again");
}
