//! Whose word is taken for who the master is, and by which address it is reached.

use sentinel::testkit::{
    Answer, Cluster, ClusterOptions, FakeSentinel, FakeServer, History, Knowledge, Member, Plan, Proxy,
};
use sentinel::{Agreement, Client, Config, Endpoint, Error, Idempotency, NatMap};

use crate::calls::{call, closed_port, cluster, eventually, fake_master, ms, one, within};

async fn told(config: Config) -> Result<Option<Endpoint>, Error> {
    let client = Client::new(config).unwrap();
    one(&client, call(Idempotency::Idempotent, ms(1_000))).await?;
    Ok(client.status().master)
}

/// Case 3.
#[tokio::test]
async fn one_sentinel_of_three_is_not_believed_where_a_majority_is_required() {
    let cluster = cluster().await;
    for index in 1..3 {
        cluster.kill(Member::Sentinel(index)).unwrap();
    }
    let mut config = cluster.config();
    config.agreement = Agreement::Majority;
    let refused = told(config.clone()).await.unwrap_err();
    assert!(
        matches!(refused, Error::Unavailable(_)) && refused.to_string().contains("`agreement`"),
        "{refused}"
    );
    config.agreement = Agreement::MajorityElseNewest;
    assert_eq!(told(config).await.unwrap(), Some(cluster.node(0)));
}

/// Case 8.
#[tokio::test]
async fn a_minority_on_our_side_of_a_partition_is_not_believed_where_a_majority_is_required() {
    let old_master = fake_master().await;
    let ours = FakeSentinel::naming(&old_master.endpoint(), 1).await.unwrap();
    let silent = FakeServer::start(|_| Answer::Silence).await.unwrap();
    let sentinels = vec![ours.server().endpoint(), silent.endpoint(), closed_port().await];
    let mut config = Config::new(sentinels, "spillway");
    config.agreement = Agreement::Majority;
    assert!(matches!(told(config.clone()).await, Err(Error::Unavailable(_))));
    assert_eq!(old_master.connections(), 0, "the replaced master was not even dialled");
    config.agreement = Agreement::MajorityElseNewest;
    assert_eq!(told(config).await.unwrap(), Some(old_master.endpoint()));
}

#[tokio::test]
async fn a_sentinel_that_is_reached_at_two_addresses_has_one_vote() {
    let old_master = fake_master().await;
    let sentinel = FakeSentinel::naming(&old_master.endpoint(), 1).await.unwrap();
    let again = Proxy::start(&sentinel.server().endpoint()).await.unwrap();
    let sentinels = vec![sentinel.server().endpoint(), again.endpoint(), closed_port().await];
    let mut config = Config::new(sentinels, "spillway");
    config.agreement = Agreement::Majority;
    assert!(matches!(told(config).await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn a_sentinel_that_counts_more_sentinels_than_are_configured_needs_more_votes() {
    let old_master = fake_master().await;
    let others: Vec<Endpoint> = (1..=4).map(|port| Endpoint { host: "127.0.0.1".to_owned(), port }).collect();
    let knowledge =
        Knowledge { master: Some(old_master.endpoint()), config_epoch: 1, others, ..Knowledge::default() };
    let sentinel = FakeSentinel::start(knowledge).await.unwrap();
    let mut config = Config::new(vec![sentinel.server().endpoint()], "spillway");
    config.agreement = Agreement::Majority;
    assert!(matches!(told(config).await, Err(Error::Unavailable(_))), "one of five is no majority");
}

#[tokio::test]
async fn sentinels_that_others_name_are_learned_and_followed() {
    let cluster = cluster().await;
    let mut config = cluster.config();
    config.sentinels.truncate(1);
    let client = Client::new(config).unwrap();
    let history = History::new();
    history.write(&client, Plan::default()).await.unwrap();
    let mut learned = client.sentinels(within(ms(500))).await;
    learned.sort();
    let mut all: Vec<_> = (0..3).map(|index| cluster.sentinel(index)).collect();
    all.sort();
    assert_eq!(learned, all);
    let master = cluster.master().await.unwrap();
    cluster.kill(Member::Sentinel(0)).unwrap();
    cluster.kill(Member::Node(master)).unwrap();
    eventually("a write to the new master", async || history.write(&client, Plan::default()).await.ok())
        .await;
    cluster.restart_sentinel(0).unwrap();
    history.check(&cluster).await.unwrap();
}

/// Case 38.
#[tokio::test]
async fn a_nat_map_is_applied_to_the_master_and_to_learned_sentinels() {
    let options = ClusterOptions { is_proxied: true, ..ClusterOptions::default() };
    let cluster = Cluster::start(options).await.unwrap();
    let (mut sentinels, mut pairs) = (Vec::new(), Vec::new());
    for index in 0..3 {
        pairs.push((cluster.node(index), cluster.node_direct(index)));
        let proxy = Proxy::start(&cluster.sentinel(index)).await.unwrap();
        pairs.push((cluster.sentinel(index), proxy.endpoint()));
        sentinels.push(proxy);
    }
    let mut config = cluster.config();
    config.sentinels = vec![sentinels[0].endpoint()];
    config.nat_map = NatMap::new(pairs.clone());
    let client = Client::new(config.clone()).unwrap();
    one(&client, call(Idempotency::Idempotent, ms(1_000))).await.unwrap();
    assert_eq!(client.status().master, Some(cluster.node_direct(0)));
    let mut learned = client.sentinels(within(ms(500))).await;
    learned.sort();
    let mut expected: Vec<_> = sentinels.iter().map(Proxy::endpoint).collect();
    expected.sort();
    assert_eq!(learned, expected);
    // The master is missing from it.
    config.nat_map = NatMap::new(pairs.into_iter().skip(1));
    let gap = told(config).await.unwrap_err();
    assert!(matches!(gap, Error::Config(_)) && gap.to_string().contains("`nat_map`"), "{gap}");
}
