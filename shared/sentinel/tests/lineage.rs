//! Whether a new master's history continues the old one's, and how much of it is missing.

use sentinel::testkit::{Cluster, ClusterOptions, History, Member, Outcome, Passage, Plan, Return};
use sentinel::{Call, Client, Durability, Idempotency, Invocation, NatMap, Script, Value};

use crate::calls::{cluster, connected, eventually, idempotent, ms, within};

/// Writes through until one is acknowledged by the master after `old`.
async fn follow(history: &History, client: &Client) {
    eventually("a write to the new master", async || {
        history.write(client, Plan { timeout: ms(2_000), ..idempotent() }).await.ok()
    })
    .await;
}

/// Case 22.
#[tokio::test]
async fn a_failover_that_lost_nothing_is_proven_to_have_lost_nothing() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    for _ in 0..50 {
        history.write(&client, Plan::default()).await.unwrap();
    }
    client.topology(within(ms(500))).await;
    cluster.kill(Member::Node(master)).unwrap();
    follow(&history, &client).await;
    let status = client.status();
    assert_eq!((status.failovers, status.lost_bytes, status.breaks), (1, 0, 0));
    history.check(&cluster).await.unwrap();
}

static ARGUMENTS: Script = Script::new("#!lua\nreturn ARGV");

/// A master that starts begins another history with its first replica, and its connections stay.
#[tokio::test]
async fn a_script_is_not_told_the_history_of_a_master_that_has_had_no_replica_since_it_started() {
    let cluster = cluster().await;
    let (master, _) = connected(&cluster).await;
    let others: Vec<_> = (0..3).filter(|node| *node != master).collect();
    for node in 0..3 {
        cluster.kill(Member::Node(node)).unwrap();
    }
    cluster.restart(master, Return::MasterWithData).unwrap();
    let (early, late) = (Client::new(cluster.config()).unwrap(), Client::new(cluster.config()).unwrap());
    eventually("a connection", async || early.warm_up(within(ms(500))).await.ok()).await;
    assert_eq!(lineage_of_script(&early).await, None, "nothing runs before a replica follows");
    let generation = early.status().generation;
    for node in others {
        cluster.restart(node, Return::ReplicaOf(master)).unwrap();
    }
    let told = eventually("a script", async || lineage_of_script(&early).await).await;
    assert_eq!(early.status().generation, generation, "the same connection");
    assert_eq!(lineage_of_script(&late).await.unwrap(), told, "one that has seen nothing else");
}

/// The lineage that a script is told.
async fn lineage_of_script(client: &Client) -> Option<Value> {
    let call = Call {
        deadline: within(ms(1_000)),
        idempotency: Idempotency::Idempotent,
        durability: Durability::Master,
    };
    let asked = Invocation::new(&ARGUMENTS).with_history();
    let Value::Array(told) = client.invoke(&asked, call).await.ok()?.value else { return None };
    told.into_iter().next()
}

#[tokio::test]
async fn a_script_is_told_the_history_that_it_is_sent_to_and_the_one_before() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let told = async || {
        let call = Call {
            deadline: within(ms(2_000)),
            idempotency: Idempotency::Idempotent,
            durability: Durability::Master,
        };
        let asked = Invocation::new(&ARGUMENTS).with_history().arg("own");
        let Value::Array(told) = client.invoke(&asked, call).await.ok()?.value else { return None };
        let text = |value| if let Value::Bytes(bytes) = value { String::from_utf8(bytes).ok() } else { None };
        told.into_iter().map(text).collect::<Option<Vec<_>>>()
    };
    let before = told().await.unwrap();
    let lineage = client.status().lineage.unwrap();
    assert_eq!((before[0].as_str(), before[1].as_str()), ("own", lineage.as_str()));
    cluster.kill(Member::Node(master)).unwrap();
    let after =
        eventually("the next master", async || told().await.filter(|told| told[1] != before[1])).await;
    assert_eq!(after[2], before[1], "it continues the one before");
    let master = cluster.master().await.unwrap();
    let reads = async || {
        let stats = cluster.field(Member::Node(master), "commandstats", "cmdstat_info").await.unwrap();
        stats.split([',', '=']).nth(1).and_then(|calls| calls.parse::<u64>().ok()).unwrap_or(0)
    };
    // Each look is one itself.
    let before = reads().await;
    told().await.unwrap();
    assert_eq!(reads().await - before, 1, "it is known");
    client.doubt_lineage();
    assert_eq!(told().await.unwrap(), after, "what is read again is the same");
    assert_eq!(reads().await - before, 3, "it is read again");
}

/// Case 22.
#[tokio::test]
#[ignore = "slow: run by cargo spillway test --all"]
async fn a_failover_that_lost_the_end_of_the_history_is_followed_and_the_loss_is_counted() {
    let cluster =
        Cluster::start(ClusterOptions { is_proxied: true, ..ClusterOptions::default() }).await.unwrap();
    let mut config = cluster.config();
    let pairs = (0..3).map(|index| (cluster.node(index), cluster.node_direct(index)));
    let sentinels = (0..3).map(|index| (cluster.sentinel(index), cluster.sentinel(index)));
    config.nat_map = NatMap::new(pairs.chain(sentinels));
    let client = Client::new(config).unwrap();
    let history = History::new();
    history.write(&client, Plan::default()).await.unwrap();
    let master = cluster.master().await.unwrap();
    // Replicas and sentinels do not hear it any more; for two seconds it takes the replicas for connected.
    let proxy = cluster.proxy(master).unwrap();
    proxy.set(Passage::Silent);
    for _ in 0..50 {
        history.write(&client, Plan { durability: Durability::Master, ..Plan::default() }).await.unwrap();
    }
    client.topology(within(ms(500))).await;
    cluster.kill(Member::Node(master)).unwrap();
    proxy.set(Passage::Cut);
    follow(&history, &client).await;
    let status = client.status();
    println!("{status:?}");
    assert_eq!((status.failovers, status.breaks), (1, 0));
    assert!(status.lost_bytes > 0);
    let tally = history.check(&cluster).await.unwrap();
    assert!(tally.count(Outcome::Acknowledged) >= 2, "what a replica had acknowledged is there: {tally:?}");
}

/// Case 21. That a script then refuses to sell is a matter of the script.
#[tokio::test]
async fn a_master_that_comes_back_empty_is_told_as_another_history() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    history.write(&client, Plan { durability: Durability::Master, ..Plan::default() }).await.unwrap();
    let before = client.status().lineage;
    // Sooner than the sentinels miss it.
    cluster.kill(Member::Node(master)).unwrap();
    cluster.restart(master, Return::MasterEmpty).unwrap();
    eventually("its return", async || client.warm_up(within(ms(500))).await.ok().and(client.status().master))
        .await;
    eventually("a new connection", async || {
        drop(history.write(&client, idempotent()).await);
        (client.status().generation > 1).then_some(())
    })
    .await;
    let status = client.status();
    assert!(status.breaks > 0, "{status:?}");
    assert_ne!(status.lineage, before);
}
