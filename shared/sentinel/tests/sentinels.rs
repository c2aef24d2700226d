//! The sentinels go away while the master serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sentinel::testkit::{
    Answer, Cluster, FakeServer, History, Knowledge, Member, Outcome, Plan, as_master, as_sentinel,
};
use sentinel::{Client, Config, Idempotency};

use crate::calls::{call, client_of, cluster, connected, fake_master, idempotent, ms, one};

fn kill_sentinels(cluster: &Cluster) {
    for index in 0..3 {
        cluster.kill(Member::Sentinel(index)).unwrap();
    }
}

/// Writes until a replica acknowledges.
async fn write_until_acknowledged(history: &Arc<History>, client: &Client, plan: Plan) {
    for _ in 0..100 {
        let before = history.tally().count(Outcome::Acknowledged);
        let _ = history.write(client, plan).await;
        if history.tally().count(Outcome::Acknowledged) > before {
            return;
        }
    }
    panic!("nothing was acknowledged: {:?}", history.tally());
}

/// Case 4.
#[tokio::test]
async fn a_connection_that_works_is_kept_when_all_sentinels_are_gone() {
    let cluster = cluster().await;
    let mut config = cluster.config();
    config.timings.idle_before_probe = ms(20);
    let client = Client::new(config).unwrap();
    let history = History::new();
    history.write(&client, Plan::default()).await.unwrap();
    let master = cluster.master().await.unwrap();
    kill_sentinels(&cluster);
    for _ in 0..20 {
        history.write(&client, Plan::default()).await.unwrap();
        // Long enough for the connection to be probed before it is used.
        tokio::time::sleep(ms(30)).await;
    }
    assert_eq!(client.status().generation, 1);
    assert_eq!(client.status().master, Some(cluster.node(master)));
    for index in 0..3 {
        cluster.restart_sentinel(index).unwrap();
    }
    let tally = history.check(&cluster).await.unwrap();
    assert!(tally.count(Outcome::Acknowledged) > 15, "{tally:?}");
}

/// Case 4.
#[tokio::test]
async fn replicas_that_are_late_and_a_slow_moment_do_not_end_a_connection_without_sentinels() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    kill_sentinels(&cluster);
    let replicas: Vec<_> = (0..3).filter(|index| *index != master).map(Member::Node).collect();
    for replica in &replicas {
        cluster.pause(*replica).unwrap();
    }
    // Long enough for the connection to be doubted several times.
    tokio::time::sleep(ms(300)).await;
    for _ in 0..8 {
        history.write(&client, Plan::default()).await.unwrap();
    }
    assert_eq!(history.tally().count(Outcome::Unreplicated), 8);
    for replica in &replicas {
        cluster.thaw(*replica).unwrap();
    }
    write_until_acknowledged(&history, &client, Plan::default()).await;
    cluster.pause(Member::Node(master)).unwrap();
    let late = history.write(&client, Plan::default());
    let thawed = async {
        tokio::time::sleep(cluster.config().timings.response + ms(30)).await;
        cluster.thaw(Member::Node(master)).unwrap();
    };
    tokio::join!(late, thawed).0.unwrap_err();
    write_until_acknowledged(&history, &client, idempotent()).await;
    assert_eq!(client.status().generation, 1, "{:?}", history.tally());
    for index in 0..3 {
        cluster.restart_sentinel(index).unwrap();
    }
    history.check(&cluster).await.unwrap();
}

/// Case 18, of a master that does not know yet that it was replaced: it has lost its replicas.
#[tokio::test]
async fn a_master_without_replicas_is_left_for_the_one_that_the_sentinels_name() {
    let old = FakeServer::start(|words| {
        let is_write = words[0].starts_with("EVAL");
        if is_write { Answer::Error("NOREPLICAS not enough".to_owned()) } else { as_master(words) }
    })
    .await
    .unwrap();
    let new = fake_master().await;
    let (client, sentinels) = client_of(&old.endpoint()).await;
    one(&client, call(Idempotency::Idempotent, ms(300))).await.unwrap_err();
    assert_eq!(client.status().generation, 1, "they name it still");
    for sentinel in &sentinels {
        sentinel.learn(|known| (known.master, known.config_epoch) = (Some(new.endpoint()), 2));
    }
    one(&client, call(Idempotency::Idempotent, ms(2_000))).await.unwrap();
    assert_eq!(client.status().master, Some(new.endpoint()));
}

/// Case 4, with sentinels that are silent and a caller who has no time to wait for them.
#[tokio::test]
async fn a_caller_without_time_does_not_lose_the_connection_for_those_who_have_some() {
    let is_late = Arc::new(AtomicBool::new(false));
    let late = is_late.clone();
    let master = FakeServer::start(move |words| {
        let is_due = words[0] == "ROLE" && late.swap(false, Ordering::SeqCst);
        if is_due { Answer::After(ms(150), Box::new(as_master(words))) } else { as_master(words) }
    })
    .await
    .unwrap();
    let known = Knowledge { master: Some(master.endpoint()), config_epoch: 1, ..Knowledge::default() };
    let is_silent = Arc::new(AtomicBool::new(false));
    let silent = is_silent.clone();
    let sentinel = FakeServer::start(move |words| {
        if silent.load(Ordering::SeqCst) { Answer::Silence } else { as_sentinel(&known, words) }
    })
    .await
    .unwrap();
    let mut config = Config::new(vec![sentinel.endpoint()], "spillway");
    config.timings.idle_before_probe = ms(10);
    let client = Client::new(config).unwrap();
    one(&client, call(Idempotency::Idempotent, ms(2_000))).await.unwrap();
    for flag in [&is_late, &is_silent] {
        flag.store(true, Ordering::SeqCst);
    }
    tokio::time::sleep(ms(20)).await;
    // The probe takes half of this, and the sentinel would take more than the other half.
    one(&client, call(Idempotency::Idempotent, ms(200))).await.unwrap_err();
    assert!(!is_late.load(Ordering::SeqCst), "the connection was doubted");
    one(&client, call(Idempotency::Idempotent, ms(2_000))).await.unwrap();
    assert_eq!((master.connections(), client.status().generation), (1, 1));
}
