//! From nothing to a connection.

use std::time::Instant;

use sentinel::testkit::{FakeSentinel, History, Knowledge, Member, Passage, Plan, Proxy};
use sentinel::{Client, Config, Endpoint, Error};

use crate::calls::{
    client_of, closed_port, cluster, config_naming, connections, eventually, fake_master, ms, within,
};

/// Case 1.
#[tokio::test]
async fn a_cold_start_takes_four_round_trips() {
    let master = fake_master().await;
    let door = Proxy::start(&master.endpoint()).await.unwrap();
    let (mut config, sentinels) = config_naming(&door.endpoint()).await;
    let mut doors = Vec::new();
    for sentinel in &sentinels {
        doors.push(Proxy::start(&sentinel.server().endpoint()).await.unwrap());
    }
    config.sentinels = doors.iter().map(Proxy::endpoint).collect();
    Client::new(config).unwrap().warm_up(within(ms(2_000))).await.unwrap();
    // One each to connect, and one each for what is asked: of all sentinels at once, then of the master.
    assert_eq!(door.turns(), 1);
    assert!(doors.iter().all(|door| door.turns() <= 1 && door.connections() <= 1));
}

/// Case 1.
#[tokio::test]
async fn a_cold_start_opens_one_connection_to_the_master_and_leaves_none_at_the_sentinels() {
    let cluster = cluster().await;
    let master = Member::Node(cluster.master().await.unwrap());
    let open = async |member| cluster.field(member, "clients", "connected_clients").await.unwrap();
    let mut before = Vec::new();
    for member in cluster.members() {
        before.push((member, connections(&cluster, member).await, open(member).await));
    }
    let client = Client::new(cluster.config()).unwrap();
    let history = History::new();
    history.write(&client, Plan::default()).await.unwrap();
    for (member, accepted, clients) in before {
        // Two questions of ours came in between.
        let opened = connections(&cluster, member).await - accepted - 2;
        let is_sentinel = matches!(member, Member::Sentinel(_));
        assert!(opened <= u64::from(is_sentinel || member == master), "{member}: {opened} opened");
        if is_sentinel {
            let closed = async || (open(member).await == clients).then_some(());
            eventually(&format!("the end of the connection to {member}"), closed).await;
        }
    }
    history.check(&cluster).await.unwrap();
}

/// Case 2.
#[tokio::test]
async fn a_sentinel_that_hangs_delays_nobody() {
    let cluster = cluster().await;
    cluster.pause(Member::Sentinel(0)).unwrap();
    let config = cluster.config();
    let ask = config.timings.ask;
    let client = Client::new(config).unwrap();
    let begun_at = Instant::now();
    client.warm_up(within(ms(2_000))).await.unwrap();
    assert!(begun_at.elapsed() < ask, "waited for the sentinel that hangs: {:?}", begun_at.elapsed());
}

/// Case 3.
#[tokio::test]
async fn one_sentinel_of_three_is_enough() {
    let cluster = cluster().await;
    cluster.kill(Member::Sentinel(0)).unwrap();
    cluster.kill(Member::Sentinel(1)).unwrap();
    let client = Client::new(cluster.config()).unwrap();
    client.warm_up(within(ms(2_000))).await.unwrap();
    let master = cluster.master().await.unwrap();
    assert_eq!(client.status().master, Some(cluster.node(master)));
}

async fn told_without_sentinels(sentinels: Vec<Endpoint>) {
    let config = Config::new(sentinels, "spillway");
    let discovery = config.timings.discovery;
    let client = Client::new(config).unwrap();
    let begun_at = Instant::now();
    let told = client.warm_up(within(ms(5_000))).await;
    assert!(matches!(told, Err(Error::Unavailable(_))), "{told:?}");
    assert!(begun_at.elapsed() < 2 * discovery, "{:?}", begun_at.elapsed());
}

/// Case 5.
#[tokio::test]
async fn closed_sentinel_ports_are_told_within_the_time_for_discovery() {
    told_without_sentinels(vec![closed_port().await, closed_port().await, closed_port().await]).await;
}

/// Case 5.
#[tokio::test]
async fn sentinels_in_a_black_hole_are_told_within_the_time_for_discovery() {
    let mut holes = Vec::new();
    for _ in 0..3 {
        let hole = Proxy::start(&closed_port().await).await.unwrap();
        hole.set(Passage::Silent);
        holes.push(hole);
    }
    told_without_sentinels(holes.iter().map(Proxy::endpoint).collect()).await;
}

/// A client of these sentinels.
fn client_of_these(sentinels: &[&FakeSentinel], others: &[Endpoint]) -> Client {
    let sentinels = sentinels.iter().map(|sentinel| sentinel.server().endpoint());
    Client::new(Config::new(sentinels.chain(others.iter().cloned()).collect(), "spillway")).unwrap()
}

/// A sentinel that knows no master of that name.
async fn ignorant() -> FakeSentinel {
    FakeSentinel::start(Knowledge::default()).await.unwrap()
}

/// Case 6.
#[tokio::test]
async fn a_sentinel_that_does_not_know_the_master_does_not_hide_it() {
    let master = fake_master().await;
    let knowing = FakeSentinel::naming(&master.endpoint(), 1).await.unwrap();
    let (first, second) = (ignorant().await, ignorant().await);
    let client = client_of_these(&[&first, &second, &knowing], &[]);
    client.warm_up(within(ms(2_000))).await.unwrap();
    assert_eq!(client.status().master, Some(master.endpoint()));
}

/// Case 6.
#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_a_wrong_setting() {
    let (first, second, third) = (ignorant().await, ignorant().await, ignorant().await);
    let client = client_of_these(&[&first, &second, &third], &[]);
    let told = client.warm_up(within(ms(2_000))).await.unwrap_err();
    assert!(matches!(told, Error::Config(_)) && told.to_string().contains("spillway"), "{told}");
}

/// Case 7.
#[tokio::test]
async fn of_two_sentinels_that_disagree_the_one_with_the_higher_epoch_is_believed() {
    let (old, new) = (fake_master().await, fake_master().await);
    let outdated = FakeSentinel::naming(&old.endpoint(), 1).await.unwrap();
    let current = FakeSentinel::naming(&new.endpoint(), 2).await.unwrap();
    for order in [[&outdated, &current], [&current, &outdated]] {
        let client = client_of_these(&order, &[closed_port().await]);
        client.warm_up(within(ms(2_000))).await.unwrap();
        assert_eq!(client.status().master, Some(new.endpoint()));
    }
    assert_eq!(old.connections(), 0, "the old master is not even tried");
}

/// Case 7.
#[tokio::test]
async fn two_sentinels_that_agree_outvote_an_outdated_one() {
    let (old, new) = (fake_master().await, fake_master().await);
    let (client, sentinels) = client_of(&new.endpoint()).await;
    sentinels[0].learn(|knowledge| {
        knowledge.master = Some(old.endpoint());
        knowledge.config_epoch = 0;
    });
    client.warm_up(within(ms(2_000))).await.unwrap();
    assert_eq!(client.status().master, Some(new.endpoint()));
}

/// Case 37.
#[tokio::test]
async fn an_address_that_does_not_resolve_gives_way_to_the_next_answer() {
    let master = fake_master().await;
    let knowing = FakeSentinel::naming(&master.endpoint(), 1).await.unwrap();
    let nowhere = Endpoint { host: "nowhere.invalid".to_owned(), port: 6379 };
    let misled = FakeSentinel::naming(&nowhere, 2).await.unwrap();
    let client = client_of_these(&[&misled, &knowing], &[closed_port().await]);
    client.warm_up(within(ms(2_000))).await.unwrap();
    assert_eq!(client.status().master, Some(master.endpoint()));
}
