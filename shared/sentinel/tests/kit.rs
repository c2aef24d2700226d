//! The test kit itself.

use sentinel::Client;
use sentinel::testkit::{Cluster, ClusterOptions, History, Member, Outcome, Plan, Violation};

use crate::calls::patient;

#[tokio::test]
async fn a_cluster_starts_settled_and_undisturbed_writes_are_all_made() {
    let cluster = Cluster::start(ClusterOptions::default()).await.unwrap();
    let client = Client::new(cluster.config()).unwrap();
    let history = History::new();
    for _ in 0..100 {
        history.write(&client, Plan::default()).await.unwrap();
    }
    let tally = history.check(&cluster).await.unwrap();
    // On a busy host a replica may once not acknowledge in time.
    assert_eq!(tally.count(Outcome::Acknowledged) + tally.count(Outcome::Unreplicated), 100, "{tally:?}");
    assert!(tally.count(Outcome::Acknowledged) > 50, "{tally:?}");
}

#[tokio::test]
async fn a_history_tells_a_lost_write_and_one_that_ran_twice() {
    let cluster = Cluster::start(ClusterOptions::default()).await.unwrap();
    let (client, plan) = patient(cluster.config());
    let history = History::new();
    for _ in 0..3 {
        history.write(&client, plan).await.unwrap();
    }
    let master = Member::Node(cluster.master().await.unwrap());
    cluster.command(master, &["HINCRBY", "sentinel:history", "1", "1"]).await.unwrap();
    assert!(matches!(history.check(&cluster).await, Err(Violation::RanAgain(ids)) if ids == [1]));
    cluster.command(master, &["HDEL", "sentinel:history", "2"]).await.unwrap();
    assert!(matches!(history.check(&cluster).await, Err(Violation::Lost(ids)) if ids == [2]));
}
