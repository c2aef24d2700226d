//! Systems to test against: one that most tests share, and private ones for tests that break something.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ledger::Ledger;
use sale::Stock;
use sentinel::{Client, Value};
use spillway::{OPERATOR, Parts, Running, Stack, StackOptions};

use crate::on_master;
pub(crate) use crate::on_master::soon;

/// Until something that must happen has happened.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// The system that most tests share.
pub(crate) fn shared() -> Running {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(|| start("shared", Parts::All, None)).running().unwrap()
}

/// A system of this test's own, in an empty folder of this name; dropping it stops it.
pub(crate) fn private(name: &str) -> Stack {
    start(name, Parts::All, None)
}

/// Redis and the ledger alone.
pub(crate) fn stores(name: &str) -> Stack {
    start(name, Parts::Stores, None)
}

/// The same with what an earlier one has left.
pub(crate) fn stores_again(name: &str) -> Stack {
    start_in(folder(name), Parts::Stores, None)
}

/// One whose sentinels post their warnings to this address.
pub(crate) fn private_with_notify(name: &str, url: String) -> Stack {
    start(name, Parts::All, Some(url))
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tests")).join(name)
}

fn start(name: &str, parts: Parts, notify_url: Option<String>) -> Stack {
    start_in(empty_folder(name), parts, notify_url)
}

fn start_in(data: PathBuf, parts: Parts, notify_url: Option<String>) -> Stack {
    // Most tests ask more often in ten seconds than a shopper may; the limit has tests of its own.
    let settings = vec![("RATE_LIMIT_QUOTA".to_owned(), "1000".to_owned())];
    let options = StackOptions { parts, settings, notify_url, ..StackOptions::all_in(data) };
    Stack::start(options, Box::new(|_| {})).unwrap()
}

/// An empty folder of this name, for what a test writes.
pub(crate) fn empty_folder(name: &str) -> PathBuf {
    let folder = folder(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder.canonicalize().unwrap()
}

/// The answer of the ledger's emulator, which looks at no signature, to a request that no function makes.
pub(crate) async fn ask_emulator(
    running: &Running,
    operation: &str,
    body: &serde_json::Value,
) -> serde_json::Value {
    let scope = "Credential=local/20270101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=00";
    let request = running
        .http_client()
        .unwrap()
        .post(&running.dynamodb_url)
        .header("x-amz-date", "20270101T000000Z")
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .header("authorization", format!("AWS4-HMAC-SHA256 {scope}"))
        .body(body.to_string());
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// A connection to the system's Redis that may do everything.
pub(crate) fn redis(running: &Running) -> Client {
    redis_as(running, OPERATOR)
}

/// A connection to the system's Redis as this user.
pub(crate) fn redis_as(running: &Running, user: &str) -> Client {
    Client::new(running.connection(user).unwrap()).unwrap()
}

/// The stock of the system's sales, with the allowance for clocks that its functions have.
pub(crate) fn stock(running: &Running) -> Stock {
    Stock::new(redis(running), Duration::from_millis(500))
}

/// The system's ledger.
pub(crate) fn ledger(running: &Running) -> Ledger {
    Ledger::of_emulator(&running.dynamodb_url).with_table(running.ledger_table.clone())
}

/// Runs a Redis command on the master.
pub(crate) async fn command(client: &Client, name: &str, args: &[&str]) -> Value {
    on_master::command(client, name, args).await.unwrap()
}

/// The same with arguments that are no text.
pub(crate) async fn command_of_bytes(client: &Client, name: &str, args: &[&[u8]]) -> Value {
    on_master::command_of_bytes(client, name, args).await.unwrap()
}

/// Waits until this gives something, and gives it; fails after [`PATIENCE`].
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < give_up, "{what} did not happen within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
