//! Long outages, and a load that must not starve anyone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sentinel::testkit::{Cluster, ClusterOptions, History, Member, Outcome, Plan, Return};

use crate::calls::{cluster, connected, eventually, ms};

/// Case 33.
#[tokio::test]
async fn of_many_calls_at_once_none_starves() {
    const CALLERS: usize = 64;
    const CALLS: usize = 100;
    let cluster = cluster().await;
    let (_, client) = connected(&cluster).await;
    let history = History::new();
    let mut callers = tokio::task::JoinSet::new();
    let answered: Arc<[AtomicUsize; CALLERS]> = Arc::new([const { AtomicUsize::new(0) }; CALLERS]);
    for caller in 0..CALLERS {
        let (history, client, answered) = (history.clone(), client.clone(), answered.clone());
        callers.spawn(async move {
            for _ in 0..CALLS {
                history.write(&client, Plan::default()).await.unwrap();
                answered[caller].fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    callers.join_next().await.unwrap().unwrap();
    let slowest = answered.iter().map(|count| count.load(Ordering::Relaxed)).min().unwrap();
    assert!(slowest > CALLS / 2, "one caller is through when another has {slowest} answers");
    callers.join_all().await;
    let tally = history.check(&cluster).await.unwrap();
    // On a busy host a replica may now and then not acknowledge in time.
    let made = tally.count(Outcome::Acknowledged) + tally.count(Outcome::Unreplicated);
    assert_eq!(made, CALLERS * CALLS, "{tally:?}");
    assert!(tally.count(Outcome::Acknowledged) > made * 9 / 10, "{tally:?}");
}

/// Case 39.
#[tokio::test]
#[ignore = "slow: run by cargo spillway test --all"]
async fn an_outage_without_a_replica_to_promote_is_told_quickly_and_for_as_long_as_it_lasts() {
    let options =
        ClusterOptions { node_lines: vec!["replica-priority 0".to_owned()], ..ClusterOptions::default() };
    let cluster = Cluster::start(options).await.unwrap();
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    history.write(&client, Plan::default()).await.unwrap();
    cluster.kill(Member::Node(master)).unwrap();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let plan = Plan { timeout: ms(500), ..Plan::default() };
    let writers = history.writers(&client, 16, plan);
    tokio::time::sleep(ms(1_000)).await;
    let early = tasks();
    // The fault lasts: longer than a failover takes, and its attempt is given up.
    tokio::time::sleep(ms(7_000)).await;
    let late = tasks();
    let told = history.tally();
    println!("{told:?}; tasks: {early} early, {late} late");
    assert!(told.count(Outcome::NotDone) > 16 * 8, "{told:?}");
    assert!(told.count(Outcome::OutcomeUnknown) <= 16, "{told:?}");
    assert!(told.overrun_max < ms(500), "{told:?}");
    assert!(late <= early + 16, "what an attempt leaves behind must not heap up: {early}, {late}");
    cluster.restart(master, Return::MasterWithData).unwrap();
    eventually("writes", async || (history.tally().count(Outcome::Acknowledged) > 100).then_some(())).await;
    writers.stop().await;
    history.check(&cluster).await.unwrap();
}
