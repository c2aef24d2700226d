//! A master that is one no longer, or is cut off from those who would know.

use sentinel::testkit::{Cluster, ClusterOptions, FakeSentinel, History, Member, Outcome, Passage, Plan};
use sentinel::{Client, Config, Error};

use crate::calls::{cluster, connected, eventually, idempotent, ms};

/// Case 18.
#[tokio::test]
async fn a_write_that_a_demoted_master_refuses_is_made_once_the_master_is_found() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    history.write(&client, Plan::default()).await.unwrap();
    let before = client.status();
    cluster.demote(master).await.unwrap();
    let (history, waiting) = (&history, client.clone());
    let write = history.write(&waiting, Plan { timeout: ms(15_000), ..Plan::default() });
    let restore = async {
        eventually("the end of the connection", async || client.status().master.is_none().then_some(()))
            .await;
        cluster.promote(master).await.unwrap();
    };
    let (told, ()) = tokio::join!(write, restore);
    told.unwrap();
    assert!(client.status().generation > before.generation);
    // The replicas may have only just come back, and acknowledge later than the second write waits.
    let tally = history.check(&cluster).await.unwrap();
    assert_eq!(tally.count(Outcome::Acknowledged) + tally.count(Outcome::Unreplicated), 2, "{tally:?}");
}

/// Case 19.
#[tokio::test]
async fn closed_connections_cost_one_reconnect_and_no_error_where_a_call_may_be_repeated() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    let writers = history.writers(&client, 16, idempotent());
    for round in 1..=3 {
        let goal = history.tally().count(Outcome::Acknowledged) + 500;
        eventually("writes", async || (history.tally().count(Outcome::Acknowledged) > goal).then_some(()))
            .await;
        assert_eq!(client.status().generation, round);
        cluster.command(Member::Node(master), &["CLIENT", "KILL", "TYPE", "normal"]).await.unwrap();
    }
    let goal = history.tally().count(Outcome::Acknowledged) + 500;
    eventually("writes", async || (history.tally().count(Outcome::Acknowledged) > goal).then_some(())).await;
    writers.stop().await;
    assert_eq!(client.status().generation, 4, "one reconnect each time");
    let tally = history.check(&cluster).await.unwrap();
    let is_made = |outcome: &Outcome| matches!(outcome, Outcome::Acknowledged | Outcome::Unreplicated);
    assert!(tally.outcomes.keys().all(is_made), "on a busy host a replica may be late, no more: {tally:?}");
}

/// Case 20.
#[tokio::test]
#[ignore = "slow: run by cargo spillway test --all"]
async fn a_client_cut_off_together_with_the_old_master_is_told_so() {
    let options = ClusterOptions { is_proxied: true, ..ClusterOptions::default() };
    let cluster = Cluster::start(options).await.unwrap();
    let master = cluster.master().await.unwrap();
    // The only sentinel on our side of the cut.
    let outdated = FakeSentinel::naming(&cluster.node_direct(master), 0).await.unwrap();
    let client = Client::new(Config::new(vec![outdated.server().endpoint()], "spillway")).unwrap();
    let history = History::new();
    let writers = history.writers(&client, 8, Plan::default());
    eventually("a write", async || (history.tally().count(Outcome::Acknowledged) > 0).then_some(())).await;
    cluster.proxy(master).unwrap().set(Passage::Silent);
    eventually("a write that no replica has", async || {
        (history.tally().count(Outcome::Unreplicated) > 0).then_some(())
    })
    .await;
    writers.stop().await;
    eventually("the master's own refusal", async || {
        let told = history.write(&client, Plan { timeout: ms(400), ..Plan::default() }).await;
        matches!(told, Err(Error::Rejected { code, .. }) if code == "NOREPLICAS").then_some(())
    })
    .await;
    let acknowledged = history.tally().count(Outcome::Acknowledged);
    let writers = history.writers(&client, 8, Plan::default());
    let new = cluster.master_after(master).await.unwrap();
    assert_eq!(history.tally().count(Outcome::Acknowledged), acknowledged, "by a master without replicas");
    outdated.learn(|knowledge| {
        knowledge.master = Some(cluster.node(new));
        knowledge.config_epoch = 1;
    });
    eventually("writes to the new master", async || {
        (history.tally().count(Outcome::Acknowledged) > acknowledged).then_some(())
    })
    .await;
    writers.stop().await;
    cluster.kill(Member::Node(master)).unwrap();
    history.check(&cluster).await.unwrap();
}

/// Case 20.
#[tokio::test]
async fn calls_that_wait_for_replicas_that_hang_are_each_told_so() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    let replicas: Vec<_> = (0..3).filter(|index| *index != master).map(Member::Node).collect();
    for replica in &replicas {
        cluster.pause(*replica).unwrap();
    }
    let writers = history.writers(&client, 8, Plan { timeout: ms(10_000), ..Plan::default() });
    // Before the master itself refuses: it minds a lag of two seconds.
    tokio::time::sleep(ms(1_000)).await;
    let tally = history.tally();
    for replica in &replicas {
        cluster.thaw(*replica).unwrap();
    }
    writers.stop().await;
    assert_eq!(tally.outcomes.keys().collect::<Vec<_>>(), [&Outcome::Unreplicated], "{tally:?}");
    assert_eq!(client.status().generation, 1, "the sentinels still name this master");
    history.check(&cluster).await.unwrap();
}

/// Case 40.
#[tokio::test]
async fn a_call_that_waits_for_replicas_of_a_demoted_master_ends_by_its_own_timeout() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    history.write(&client, Plan::default()).await.unwrap();
    let replicas: Vec<_> = (0..3).filter(|index| *index != master).map(Member::Node).collect();
    for replica in &replicas {
        cluster.pause(*replica).unwrap();
    }
    let response = cluster.config().timings.response;
    let begun_at = std::time::Instant::now();
    let demote = async {
        eventually("the wait", async || {
            let blocked = cluster.field(Member::Node(master), "clients", "blocked_clients").await.unwrap();
            (blocked == "1").then_some(())
        })
        .await;
        cluster.demote(master).await.unwrap();
    };
    let waiting = sentinel::Durability::Replicas { count: 2, timeout: ms(190) };
    let plan = Plan { timeout: ms(4_000), durability: waiting, ..Plan::default() };
    let (told, ()) = tokio::join!(history.write(&client, plan), demote);
    assert!(begun_at.elapsed() < 2 * response, "{:?}", begun_at.elapsed());
    assert!(told.is_err() || told.is_ok_and(|reply| reply.replicas < 2));
    for replica in &replicas {
        cluster.thaw(*replica).unwrap();
    }
    cluster.promote(master).await.unwrap();
    history.check(&cluster).await.unwrap();
}
