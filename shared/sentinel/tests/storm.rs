//! A whole fleet reconnects at once.

use std::time::{Duration, Instant};

use sentinel::testkit::Member;
use sentinel::{Client, Idempotency};
use tokio::task::JoinSet;

use crate::calls::{call, cluster, connected, ms, one, within};

const CLIENTS: usize = 2_000;

/// So long that nothing else spreads a fleet as much.
const SPREAD: Duration = Duration::from_secs(4);

/// Case 34.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: run by cargo spillway test --all"]
async fn a_fleet_that_reconnects_is_spread_and_does_not_take_the_master_from_others() {
    let cluster = cluster().await;
    let (master, _) = connected(&cluster).await;
    let mut config = cluster.config();
    config.timings.reconnect_spread = SPREAD;
    // As a fleet of this size should: all of them, the sentinels and the master share this host.
    config.timings.backoff_min = ms(100);
    config.timings.backoff_max = ms(400);
    config.timings.calm_backoff_max = ms(800);
    let mut fleet = Vec::new();
    for _ in 0..CLIENTS {
        let client = Client::new(config.clone()).unwrap();
        client.warm_up(within(ms(5_000))).await.unwrap();
        fleet.push(client);
    }
    cluster.kill(Member::Node(master)).unwrap();
    let mut reconnecting = JoinSet::new();
    for client in fleet {
        reconnecting.spawn(async move {
            while one(&client, call(Idempotency::Idempotent, ms(8_000))).await.is_err() {}
            Instant::now()
        });
    }
    let new = cluster.master_after(master).await.unwrap();
    // Somebody who was never connected, and does not wait.
    let (bystander, mut took) = (Client::new(cluster.config()).unwrap(), Vec::new());
    while bystander.warm_up(within(ms(4_000))).await.is_err() {}
    assert_eq!(bystander.status().master, Some(cluster.node(new)));
    let mut connected_at = Vec::new();
    while !reconnecting.is_empty() {
        let begun_at = Instant::now();
        one(&bystander, call(Idempotency::Idempotent, ms(2_000))).await.unwrap();
        took.push(begun_at.elapsed());
        while let Some(done) = reconnecting.try_join_next() {
            connected_at.push(done.unwrap());
        }
        tokio::time::sleep(ms(1)).await;
    }
    connected_at.sort();
    took.sort();
    let middle = connected_at[CLIENTS * 95 / 100] - connected_at[CLIENTS * 5 / 100];
    println!(
        "90 % of {CLIENTS} clients came within {middle:?}; others' p99 {:?}",
        took[took.len() * 99 / 100]
    );
    // Of an even spread it is nine tenths.
    assert!(middle > SPREAD * 7 / 10, "they came within {middle:?}");
}
