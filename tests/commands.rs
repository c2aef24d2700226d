//! The operator's command as an operator runs it: words for people, JSON for programs, an exit code for
//! scripts.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use spillway::{Parts, Running};

use crate::settings::binary;
use crate::shop::{new_sale_id, open_sale, units};
use crate::system::shared;

/// Exit code, standard output and standard error.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs `spillway` against the shared system.
fn spillway(arguments: &[&str]) -> Run {
    spillway_on(&shared(), arguments)
}

/// Runs `spillway` against this system.
pub(crate) fn spillway_on(running: &Running, arguments: &[&str]) -> Run {
    run(command_on(running, arguments))
}

/// Runs `spillway` with these environment variables and no others.
pub(crate) fn spillway_with(settings: &[(&str, String)], arguments: &[&str]) -> Run {
    let mut command = Command::new(binary("spillway"));
    command.args(arguments).env_clear().envs(settings.iter().map(|(name, value)| (name, value)));
    run(command)
}

/// Runs `spillway` with this on standard input.
pub(crate) fn spillway_reading(input: &str, arguments: &[&str]) -> Run {
    let mut command = Command::new(binary("spillway"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    told(child.wait_with_output().unwrap())
}

fn run(mut command: Command) -> Run {
    told(command.output().unwrap())
}

fn told(output: Output) -> Run {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// `spillway` against this system, to be run.
pub(crate) fn command_on(running: &Running, arguments: &[&str]) -> Command {
    let (group, rest) = arguments.split_first().unwrap();
    let up_json = running.logs.join(format!("up-{:016x}.json", rand::random::<u64>()));
    std::fs::write(&up_json, serde_json::to_string(running).unwrap()).unwrap();
    let mut command = Command::new(binary("spillway"));
    command.arg(group).arg("--up-json").arg(&up_json).args(rest);
    command
}

fn scratch(name: &str) -> PathBuf {
    shared().logs.join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_runs_a_sale_from_the_terminal() {
    let sale = new_sale_id();
    let file = scratch(&format!("{sale}.toml"));
    let text = format!(
        "sale = \"{sale}\"\ntitle = \"T\"\ncurrency = \"EUR\"\ncloses_at = \"+2h\"\nhold_seconds = 60\n\
         limit_per_shopper = 1\nshoppers = [\"account\"]\n[[skus]]\nsku = \"unit\"\ntitle = \"U\"\n\
         price_minor = 100\nstock = 3\n"
    );
    std::fs::write(&file, text).unwrap();
    let created = spillway(&["sale", "create", file.to_str().unwrap()]);
    assert_eq!(created.code, Some(0), "{}", created.err);
    assert!(created.out.contains(&format!("/sales/{sale}")) && created.out.contains("waits for `open`"));
    for (verb, stands) in [("open", ": on ("), ("pause", ": paused ("), ("resume", ": on (")] {
        let run = spillway(&["sale", verb, sale.as_str()]);
        assert!(run.code == Some(0) && run.out.contains(stands), "{verb}: {}{}", run.out, run.err);
    }
    let restocked = spillway(&["sale", "restock", sale.as_str(), "unit", "2", "--key", "k"]);
    assert_eq!(restocked.out, "unit: 2 units added, its stock is now 5\n", "{}", restocked.err);
    let report = spillway(&["sale", "report", sale.as_str(), "--json"]);
    let report: Value = serde_json::from_str(&report.out).unwrap();
    assert_eq!((&report["skus"][0]["available"], &report["conserved"]), (&5.into(), &true.into()));
    assert!(spillway(&["sale", "list"]).out.contains(sale.as_str()));
    let closed = spillway(&["sale", "close", sale.as_str()]);
    assert!(closed.out.contains(": closed ("), "{}", closed.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_listed_for_people_and_for_programs_and_can_be_cancelled() {
    let shop = open_sale(units(3)).await;
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "wish").await;
    let order = shop.confirm(&ann, &id).await.field("id").to_owned();
    let words = spillway(&["sale", "orders", shop.sale.as_str()]);
    assert!(words.out.lines().count() == 2 && words.out.contains(&order) && words.out.contains("1999 EUR"));
    let lines = spillway(&["sale", "orders", shop.sale.as_str(), "--json"]);
    let line: Value = serde_json::from_str(lines.out.trim()).unwrap();
    assert_eq!((&line["id"], &line["state"]), (&order.as_str().into(), &"confirmed".into()));
    let cancelled = spillway(&["sale", "cancel", &order]);
    assert!(cancelled.out.contains("is cancelled") && cancelled.out.contains("unit 1 went back"));
    assert_eq!(shop.figures().await, "3/0/0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_in_a_sentence_and_by_the_exit_code() {
    let file = scratch("faulty.toml");
    std::fs::write(&file, "sale = \"x\"\ntitle = \"T\"\nstock = -1\n").unwrap();
    for (arguments, said) in [
        (vec!["sale", "report", "nowhere"], "There is no such sale."),
        (vec!["sale", "report", "No Where"], "lower-case letters"),
        (vec!["sale", "create", "/nonexistent.toml"], "cannot read the sale file"),
        (vec!["sale", "create", file.to_str().unwrap()], ":3: stock is not a field of a sale file"),
        (vec!["rush", "--rate", "0"], "--rate must be more than 0"),
        (vec!["rush", "--shoppers", "5000000", "--rate", "1"], "are too long"),
        (vec!["rush", "--repeat", "2"], "--repeat is a share"),
    ] {
        let run = spillway(&arguments);
        assert!(run.code != Some(0) && run.err.contains(said), "{arguments:?}: {:?} {}", run.code, run.err);
        assert_eq!(run.out, "", "{arguments:?}");
    }
}

#[test]
fn parts_that_are_of_no_use_alone_are_refused_before_anything_starts() {
    for (arguments, said) in [
        (&["--only", "redis"][..], "--only must name redis and ledger"),
        (&["--only", "redis,ledger,gateway"], "without the functions"),
        (&["--only", "redis,ledger", "--tls"], "--tls is the gateway's"),
        (&["--only", "redis,mysql"], "possible values: redis, ledger, functions, gateway"),
    ] {
        let run = spillway_with(&[], &[&["up"], arguments].concat());
        assert!(run.code != Some(0) && run.err.contains(said), "{arguments:?}: {:?} {}", run.code, run.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_not_sent_to_cargo_lambda_watch() {
    let run = spillway_on(&Running { parts: Parts::Stores, ..shared() }, &["rush"]);
    assert!(run.code != Some(0) && run.err.contains("about a hundred waiting requests"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rush_ends_with_figures_and_with_success_only_when_every_promise_was_kept() {
    let rush =
        ["rush", "--shoppers", "300", "--rate", "300", "--stock", "50", "--think-ms", "100", "--seed", "7"];
    let run = spillway(&rush);
    assert!(run.code == Some(0) && run.out.contains("Every promise was kept"), "{}{}", run.out, run.err);
    let json = spillway(&[&rush[..], &["--json"]].concat());
    let figures: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (&figures["orders"], &figures["sold"], &figures["dropped"]),
        (&50.into(), &50.into(), &0.into())
    );
    assert_eq!(figures["broken_promises"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_passes_through_the_waiting_room_and_a_line_of_any_length_is_a_few_bytes() {
    let run = spillway(&[
        "rush",
        "--queue",
        "--json",
        "--shoppers",
        "400",
        "--rate",
        "400",
        "--stock",
        "40",
        "--serve",
        "20",
        "--think-ms",
        "100",
        "--seed",
        "11",
    ]);
    assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
    let figures: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(figures["broken_promises"], Value::Array(Vec::new()));
    assert_eq!((&figures["orders"], &figures["sold"]), (&40.into(), &40.into()));
    let queue = &figures["queue"];
    assert_eq!((&queue["places"], &queue["lobby"]), (&400.into(), &0.into()));
    let bytes = queue["redis_bytes"].as_u64().unwrap();
    assert!((1..16 * 1024).contains(&bytes), "{bytes} bytes for the line");
}

/// Half of them are there before the opening, and come by the draw.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_that_is_early_draws_lots_and_passes_before_the_rest_of_it() {
    let run = spillway(&[
        "rush",
        "--queue",
        "--json",
        "--opens-in",
        "3",
        "--shoppers",
        "600",
        "--rate",
        "100",
        "--spacing",
        "uniform",
        "--stock",
        "400",
        "--serve",
        "200",
        "--think-ms",
        "100",
        "--seed",
        "12",
    ]);
    assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
    let figures: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(figures["broken_promises"], Value::Array(Vec::new()));
    assert_eq!((&figures["orders"], &figures["sold"]), (&400.into(), &400.into()));
    let queue = &figures["queue"];
    let lobby = queue["lobby"].as_u64().unwrap();
    assert!((100..500).contains(&lobby), "{lobby} in the lobby");
    let bytes = queue["redis_bytes"].as_u64().unwrap();
    assert!((1..16 * 1024).contains(&bytes), "{bytes} bytes for the lobby and the line");
}

#[tokio::test]
async fn a_deployed_shop_is_told_by_its_address_and_asked_with_the_merchant_s_token() {
    let running = shared();
    let list = |url: &str, token: &str| {
        let (url, token) = (url.to_owned(), token.to_owned());
        spillway_with(&[("SPILLWAY_URL", url), ("SPILLWAY_ADMIN_TOKEN", token)], &["sale", "list"])
    };
    let listed = list(&running.url, &running.admin_token);
    assert!(listed.code == Some(0) && listed.out.contains("stands"), "{}", listed.err);
    for (url, token, told) in [
        (&*running.url, &*"x".repeat(40), "Who is asking is not known."),
        (&running.url, "", "put it into SPILLWAY_ADMIN_TOKEN"),
        ("http://shop.example", &running.admin_token, "neither https nor plain http on this machine"),
        ("nonsense", &running.admin_token, "neither https nor plain http on this machine"),
    ] {
        let refused = list(url, token);
        assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""), "{url}");
        assert!(refused.err.contains(told) && !refused.err.contains(&running.admin_token), "{}", refused.err);
    }
}
