//! The master dies, hangs, comes back: what callers are told meanwhile, and what is left afterwards.

use std::time::{Duration, Instant};

use sentinel::testkit::{History, Member, Outcome, Plan, Return};
use sentinel::{Client, Idempotency};

use crate::calls::{call, cluster, connected, eventually, idempotent, ms, one, patient, within};

/// More than this after its deadline, and a call was not bounded by it; less is a busy host.
const LATE: Duration = Duration::from_millis(500);

/// Case 13.
#[tokio::test]
async fn a_killed_master_costs_the_calls_in_flight_their_answer_and_nobody_a_write() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    let writers = history.writers(&client, 64, Plan::default());
    eventually("a thousand writes", async || {
        (history.tally().count(Outcome::Acknowledged) > 1_000).then_some(())
    })
    .await;
    cluster.kill(Member::Node(master)).unwrap();
    let new = cluster.master_after(master).await.unwrap();
    let so_far = history.tally().count(Outcome::Acknowledged);
    eventually("writes to the new master", async || {
        (history.tally().count(Outcome::Acknowledged) > so_far + 1_000).then_some(())
    })
    .await;
    writers.stop().await;
    let clients = cluster.command(Member::Node(new), &["CLIENT", "LIST", "TYPE", "normal"]).await.unwrap();
    let sentinel::Value::Bytes(clients) = clients else { panic!("no list") };
    let clients = String::from_utf8(clients).unwrap();
    let ours = clients.lines().filter(|line| line.contains("cmd=wait") || line.contains("cmd=evalsha"));
    assert_eq!(ours.count(), 1, "all callers share one new connection");
    let tally = history.check(&cluster).await.unwrap();
    println!("{tally:?}");
    assert!(tally.count(Outcome::OutcomeUnknown) <= 64, "only calls in flight are in doubt: {tally:?}");
    assert_eq!(tally.count(Outcome::Broken), 0, "{tally:?}");
    assert!(tally.overrun_max < LATE, "{tally:?}");
    let down_after = cluster.config().timings.down_after;
    assert!(tally.gap_max < 2 * (down_after + ms(1_500)), "{tally:?}");
}

/// Case 13.
#[tokio::test]
#[ignore = "slow: run by cargo spillway test --all"]
async fn calls_that_may_be_repeated_outlive_a_killed_master() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    let writers = history.writers(&client, 64, Plan { timeout: ms(15_000), ..idempotent() });
    eventually("a write", async || (history.tally().count(Outcome::Acknowledged) > 0).then_some(())).await;
    cluster.kill(Member::Node(master)).unwrap();
    cluster.master_after(master).await.unwrap();
    writers.stop().await;
    let tally = history.check(&cluster).await.unwrap();
    let told = tally.count(Outcome::Acknowledged) + tally.count(Outcome::Unreplicated);
    assert_eq!(told, tally.outcomes.values().sum::<usize>(), "nobody got an error: {tally:?}");
}

/// Case 14.
#[tokio::test]
async fn a_master_that_hangs_is_waited_for_once() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    cluster.pause(Member::Node(master)).unwrap();
    let begun_at = Instant::now();
    history.write(&client, Plan { timeout: ms(5_000), ..Plan::default() }).await.unwrap_err();
    let response = cluster.config().timings.response;
    assert!(begun_at.elapsed() < 2 * response, "{:?}", begun_at.elapsed());
    assert_eq!(history.tally().count(Outcome::OutcomeUnknown), 1);
    let writers = history.writers(&client, 16, Plan { timeout: ms(600), ..Plan::default() });
    cluster.master_after(master).await.unwrap();
    eventually("a write", async || (history.tally().count(Outcome::Acknowledged) > 0).then_some(())).await;
    writers.stop().await;
    cluster.kill(Member::Node(master)).unwrap();
    let tally = history.check(&cluster).await.unwrap();
    assert_eq!(tally.count(Outcome::OutcomeUnknown), 1, "nothing more was sent to it: {tally:?}");
    assert!(tally.overrun_max < LATE, "{tally:?}");
}

/// Case 15.
#[tokio::test]
#[ignore = "slow: run by cargo spillway test --all"]
async fn a_master_that_hung_and_comes_back_is_not_believed() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    let writers = history.writers(&client, 64, Plan::default());
    eventually("a write", async || (history.tally().count(Outcome::Acknowledged) > 0).then_some(())).await;
    cluster.pause(Member::Node(master)).unwrap();
    let new = cluster.master_after(master).await.unwrap();
    // What was left in its sockets is answered now, and whoever comes new finds two masters.
    cluster.thaw(Member::Node(master)).unwrap();
    for _ in 0..20 {
        let client = Client::new(cluster.config()).unwrap();
        history.write(&client, Plan::default()).await.unwrap();
        assert_eq!(client.status().master, Some(cluster.node(new)));
    }
    // Until the sentinels have made it a replica.
    eventually("its demotion", async || {
        cluster.role(master).await.is_ok_and(|role| role == "slave").then_some(())
    })
    .await;
    writers.stop().await;
    history.check(&cluster).await.unwrap();
}

/// Case 16.
#[tokio::test]
#[ignore = "slow: run by cargo spillway test --all"]
async fn a_master_that_died_and_comes_back_as_one_is_never_used() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    history.write(&client, Plan::default()).await.unwrap();
    cluster.kill(Member::Node(master)).unwrap();
    let new = cluster.master_after(master).await.unwrap();
    cluster.restart(master, Return::MasterWithData).unwrap();
    eventually("its return", async || {
        cluster.role(master).await.is_ok_and(|role| role == "master").then_some(())
    })
    .await;
    let mut demoted = false;
    while !demoted {
        let client = Client::new(cluster.config()).unwrap();
        client.warm_up(within(ms(2_000))).await.unwrap();
        assert_eq!(client.status().master, Some(cluster.node(new)));
        drop(history.write(&client, idempotent()).await);
        demoted = cluster.role(master).await.is_ok_and(|role| role == "slave");
    }
    history.check(&cluster).await.unwrap();
}

/// Case 24.
#[tokio::test]
#[ignore = "slow: run by cargo spillway test --all"]
async fn the_time_a_new_master_has_no_replica_is_not_seen_by_a_caller() {
    let cluster = cluster().await;
    let (client, plan) = patient(cluster.config());
    let history = History::new();
    history.write(&client, plan).await.unwrap();
    cluster.kill(Member::Node(cluster.master().await.unwrap())).unwrap();
    // The first call finds the connection dead and sends nothing, so it is not in doubt.
    eventually("the end of the connection", async || {
        one(&client, call(Idempotency::NonIdempotent, ms(100)))
            .await
            .err()
            .filter(|_| client.status().master.is_none())
    })
    .await;
    history.write(&client, plan).await.unwrap();
    let tally = history.check(&cluster).await.unwrap();
    assert_eq!(tally.count(Outcome::Acknowledged), 2, "{tally:?}");
}
