//! The sentinels go away while the master serves.

use sentinel::Client;
use sentinel::testkit::{History, Member, Outcome, Plan};

use crate::calls::{cluster, ms};

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
    for index in 0..3 {
        cluster.kill(Member::Sentinel(index)).unwrap();
    }
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
