//! What an operator sees of the Redis cluster, and the failover on purpose.

use std::fs::File;
use std::process::Stdio;

use reqwest::Method;
use serde_json::Value;
use spillway::{Running, Signal, signal};

use crate::commands::{command_on, spillway_on, spillway_with};
use crate::failover::{master, rush_through};
use crate::shop::{Answer, open_sale, open_sale_in, send, units};
use crate::system::{eventually, private};

/// What is wrong, as one text.
fn faults(answer: &Answer) -> String {
    answer.body["faults"].to_string()
}

/// The figures that a monitor with this log published last.
pub(crate) fn published(running: &Running, log: &str) -> Option<Value> {
    let log = std::fs::read_to_string(running.logs.join(log)).ok()?;
    let lines = log.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.into_iter().find(|line| line["_aws"].is_object())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_master_replicas_and_sentinels() {
    let shop = open_sale(units(1)).await;
    let seen = eventually("a cluster without faults", async || {
        let answer = send(shop.admin(Method::GET, "/cluster")).await;
        (faults(&answer) == "[]").then_some(answer)
    })
    .await;
    let seen = &seen.body;
    assert_eq!(seen["master"]["address"], master(&shop.running).address.as_str());
    assert_eq!(seen["master"]["replicas"].as_array().unwrap().len(), 2);
    assert_eq!(seen["master"]["lineage"].as_str().unwrap().len(), 40);
    assert_eq!(seen["sentinels"].as_array().unwrap().len(), 3);
    for sentinel in seen["sentinels"].as_array().unwrap() {
        assert_eq!((&sentinel["has_quorum"], &sentinel["quorum"]), (&true.into(), &2.into()));
        assert_eq!(sentinel["master"], seen["master"]["address"]);
    }
    let run = spillway_on(&shop.running, &["cluster"]);
    assert!(run.out.contains("master") && run.out.contains("quorum 2 of 3"), "{}{}", run.out, run.err);
    let refused = send(shop.request(Method::GET, "/admin/cluster").bearer_auth("nobody")).await;
    assert_eq!(refused.told(), "401 unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_monitor_publishes_every_figure_that_it_declares() {
    let running = crate::system::shared();
    let line = eventually("a line of figures", async || published(&running, "monitor.log")).await;
    let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
    assert_eq!(metrics.len(), 13);
    for metric in metrics {
        assert!(line[metric["Name"].as_str().unwrap()].is_u64(), "{metric} in {line}");
    }
    assert_eq!((&line["MasterReachable"], &line["SentinelsWithQuorum"]), (&1.into(), &3.into()));
    assert_eq!((&line["MasterName"], &line["FunctionName"]), (&"spillway".into(), &"monitor".into()));
    assert!(line["_aws"]["Timestamp"].as_i64().unwrap() > 1_700_000_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_cluster_is_told_in_sentences_and_by_the_exit_code() {
    let stack = private("cluster-faults");
    let running = stack.running().unwrap();
    let shop = open_sale_in(running.clone(), units(1)).await;
    let master = master(&running);
    let replica = running.redis.iter().find(|part| part.pid != master.pid).unwrap().clone();
    signal(replica.pid, Signal::STOP);
    eventually("the fault", async || {
        let answer = send(shop.admin(Method::GET, "/cluster")).await;
        faults(&answer).contains(&format!("Replica {} is", replica.address)).then_some(())
    })
    .await;
    let run = spillway_on(&running, &["cluster"]);
    assert!(run.code != Some(0) && run.err.contains("behind"), "{:?} {}", run.code, run.err);
    assert!(run.out.contains(&format!("! Replica {}", replica.address)), "{}", run.out);
    eventually("the figure", async || {
        published(&running, "monitor.log").filter(|line| line["ReplicaLagSeconds"].as_u64().unwrap() > 2)
    })
    .await;
    signal(replica.pid, Signal::CONT);
    eventually("a cluster without faults", async || {
        (spillway_on(&running, &["cluster"]).code == Some(0)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_failover_in_a_rush_loses_nothing_and_is_seen_by_who_follows() {
    let stack = private("cluster-failover");
    let running = stack.running().unwrap();
    let before = master(&running);
    let events = running.logs.join("events.json");
    let mut follower = command_on(&running, &["cluster", "--follow", "--json"]);
    let mut follower = follower.stdout(File::create(&events).unwrap()).stdin(Stdio::null()).spawn().unwrap();
    let (done, failover) = std::sync::mpsc::channel();
    let rush = rush_through(&stack, |_| {
        let (running, done) = (running.clone(), done.clone());
        std::thread::spawn(move || done.send(spillway_on(&running, &["failover"])));
    })
    .await;
    let run = failover.recv().unwrap();
    assert!(run.code == Some(0) && run.out.contains(&before.address), "{}{}", run.out, run.err);
    println!("{}", run.out);
    assert_eq!(rush.broken_promises(), [""; 0]);
    assert_eq!(rush.orders_confirmed(), 1_000);
    assert_ne!(master(&running).address, before.address);
    eventually("the event", async || {
        let text = std::fs::read_to_string(&events).unwrap();
        text.contains("\"event\":\"+switch-master\"").then_some(())
    })
    .await;
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn a_command_on_another_cluster_says_which_settings_it_misses() {
    let run = spillway_with(&[], &["failover", "--from-env"]);
    assert_ne!(run.code, Some(0));
    let err = run.err;
    assert!(
        err.contains("REDIS_SENTINELS is missing") && err.contains("REDIS_MASTER_NAME is missing"),
        "{err}"
    );
}
