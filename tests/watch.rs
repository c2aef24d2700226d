//! A purchase through `cargo lambda watch`: the real functions under its runtime, over what
//! `cargo spillway up --only redis,ledger` starts, called as that says.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use spillway::{Running, Signal, signal, watch_command};

use crate::openapi_answers;
use crate::shop::{Shop, open_sale_in, receive, send, units};
use crate::system::{eventually, stores};
use crate::tidy::read;

/// Longer than a function takes: an answer that has not come by then will not.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

struct Watch {
    process: Child,
    log: PathBuf,
}

impl Watch {
    /// Starts it and returns when it listens.
    async fn start(running: &Running) -> Self {
        let log = running.logs.join("watch.log");
        let output = File::create(&log).unwrap();
        let mut command = watch_command(running).unwrap();
        // Other tests write beside the sources.
        command.arg("--ignore-changes");
        let process = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut watch = Self { process, log };
        let address = running.url.strip_prefix("http://").unwrap();
        let is_there = async || tokio::net::TcpStream::connect(address).await.ok();
        eventually("that it listens", is_there).await;
        // Where somebody else has the port, it ends without a word.
        assert_eq!(watch.process.try_wait().unwrap(), None, "{}", watch.log());
        watch
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// As Ctrl-C does.
    async fn interrupt(&mut self) -> ExitStatus {
        signal(self.process.id(), Signal::INT);
        eventually("its end", async || self.process.try_wait().unwrap()).await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal(self.process.id(), Signal::INT);
            let _ = self.process.wait();
        }
    }
}

/// Processes that were told this origin.
#[cfg(target_os = "linux")]
fn processes_of(url: &str) -> usize {
    let told = format!("PUBLIC_URL={url}");
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let environment = std::fs::read(entry.ok()?.path().join("environ")).ok()?;
        environment.split(|byte| *byte == 0).any(|variable| variable == told.as_bytes()).then_some(())
    });
    processes.count()
}

/// Path and function of every route that `cargo lambda watch` is told.
fn router() -> BTreeMap<String, String> {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let router = manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].as_table().unwrap();
    router.iter().map(|(path, function)| (path.clone(), function.as_str().unwrap().to_owned())).collect()
}

/// What a guest needs to be known again.
async fn guest(shop: &Shop) -> String {
    let request = shop.request(Method::POST, "/sessions").header("origin", &shop.running.url);
    let session = send(request).await;
    assert_eq!(session.status, 201, "{}", session.text);
    session.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_and_a_customer_each_buy_a_unit_through_cargo_lambda_watch() {
    let stack = stores("watch-purchase");
    let running = stack.running().unwrap();
    let mut watch = Watch::start(&running).await;
    let shop = open_sale_in(running.clone(), units(2)).await;

    let ann = shop.shopper("ann");
    let held = shop.hold(&ann, "wish").await;
    assert_eq!(shop.reserve(&ann, "wish", 1).await.told(), "200 held", "a repeat gets the same hold");
    let order = shop.confirm(&ann, &held).await;
    assert_eq!(order.told(), "201 confirmed", "{}", order.text);
    assert_eq!(shop.order(&ann, order.field("id")).await.body, order.body);

    let cookie = guest(&shop).await;
    let as_guest = |method: Method, path: &str| {
        shop.request(method, path).header("origin", &running.url).header("cookie", &cookie)
    };
    let wish = as_guest(Method::POST, &shop.path("/reservations")).header("idempotency-key", "\"wish\"");
    let held = send(wish.json(&json!({ "sku": "unit", "quantity": 1 }))).await;
    assert_eq!(held.told(), "201 held", "{}", held.text);
    let place = shop.path(&format!("/reservations/{}/order", held.field("id")));
    let order = send(as_guest(Method::POST, &place)).await;
    assert_eq!(order.told(), "201 confirmed", "{}", order.text);
    let path = format!("/orders/{}", order.field("id"));
    assert_eq!(send(as_guest(Method::GET, &path)).await.body, order.body);
    assert_eq!(shop.order(&ann, order.field("id")).await.told(), "404 order-not-found");

    assert_eq!(shop.reserve(&ann, "another", 1).await.told(), "409 sold-out");
    assert_eq!(shop.figures().await, "0/0/2");
    let status = watch.interrupt().await;
    assert!(status.success(), "{status}: {}", watch.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_answers_under_cargo_lambda_watch_where_its_routes_say_and_ends_with_it() {
    let stack = stores("watch-routes");
    let running = stack.running().unwrap();
    let mut watch = Watch::start(&running).await;
    let shop = open_sale_in(running.clone(), units(2)).await;
    for (path, function) in router() {
        let asked = path
            .replace("{sale}", shop.sale.as_str())
            .replace("{sku}", "unit")
            .replace("{file}", "sale.css")
            .replace("{language}", "en")
            .replace("{id}", "nobody");
        // On a busy machine `cargo lambda watch` now and then drops what a function has answered: it has a 500 of its own
        // for it, or leaves the request without an answer.
        let answer = eventually("the answer of a function", async || {
            let (client, request) = shop.request(Method::GET, &asked).timeout(ANSWER_TIMEOUT).build_split();
            let answer = receive(client, request.unwrap()).await.ok()?;
            (!answer.header("x-request-id").is_empty()).then_some(answer)
        })
        .await;
        openapi_answers::check("GET", &asked, &answer);
        let line =
            format!("\"function\":\"{function}\",\"request_id\":\"{}\"", answer.header("x-request-id"));
        eventually("its line in the log", async || watch.log().contains(&line).then_some(())).await;
        assert_ne!(answer.slug(), "route-not-found", "{function} does not know {path}");
    }
    for unknown in ["/", "/sales", "/orders/nobody/more", "/admin"] {
        // It is the gateway here that refuses, in its own words.
        assert_eq!(shop.request(Method::GET, unknown).send().await.unwrap().status(), 404, "{unknown}");
    }
    let connections = || watch.log().matches("\"connected\"").count();
    let before = connections();
    for scheduled in ["sweep", "monitor"] {
        let path = format!("/2015-03-31/functions/{scheduled}/invocations");
        // It works for most of a minute; nobody waits for its end here.
        tokio::spawn(shop.request(Method::POST, &path).json(&json!({})).send());
    }
    let both_work = async || (connections() == before + 2).then_some(());
    eventually("that the scheduled functions work", both_work).await;
    let status = watch.interrupt().await;
    assert!(status.success(), "{status}: {}", watch.log());
    #[cfg(target_os = "linux")]
    eventually("the end of every function", async || (processes_of(&running.url) == 0).then_some(())).await;
}
