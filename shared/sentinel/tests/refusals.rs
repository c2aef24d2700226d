//! A server that refuses before it runs anything: what is tried again, what is told at once.

use std::time::Instant;

use sentinel::testkit::{Cluster, ClusterOptions, History, Member, Outcome, Plan};
use sentinel::{Client, Error, Next};

use crate::calls::{cluster, connected, eventually, ms};

/// How often a server has refused with this code.
async fn refusals(cluster: &Cluster, master: usize, code: &str) -> u64 {
    let told = cluster.field(Member::Node(master), "errorstats", &format!("errorstat_{code}")).await.unwrap();
    told.trim_start_matches("count=").parse().unwrap_or(0)
}

async fn set(cluster: &Cluster, node: usize, name: &str, value: &str) {
    cluster.command(Member::Node(node), &["CONFIG", "SET", name, value]).await.unwrap();
}

/// Case 23.
#[tokio::test]
async fn a_call_outlasts_a_master_that_loads_its_data_and_else_is_told_that_nothing_was_done() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    history.write(&client, Plan::default()).await.unwrap();
    let fill = "for i = 1, 5000 do redis.call('SET', 'fill:' .. i, i) end";
    cluster.command(Member::Node(master), &["EVAL", fill, "0"]).await.unwrap();
    set(&cluster, master, "loading-process-events-interval-bytes", "1024").await;
    // Microseconds for each key: three seconds in all, more than sentinels mind of a master that says so.
    set(&cluster, master, "key-load-delay", "600").await;
    let load = cluster.command(Member::Node(master), &["DEBUG", "RELOAD"]);
    let calls = async {
        eventually("the loading", async || {
            let loading = cluster.field(Member::Node(master), "persistence", "loading").await.unwrap();
            (loading == "1").then_some(())
        })
        .await;
        let told = history.write(&client, Plan { timeout: ms(600), ..Plan::default() }).await;
        // That it loads, where it finds the time to say so.
        assert!(told.as_ref().is_err_and(|error| error.next() == Next::NotDone), "{told:?}");
        history.write(&client, Plan { timeout: ms(15_000), ..Plan::default() }).await
    };
    let (loaded, told) = tokio::join!(load, calls);
    loaded.unwrap();
    told.unwrap();
    history.check(&cluster).await.unwrap();
}

/// Case 24.
#[tokio::test]
async fn a_master_that_finds_its_replicas_in_time_is_waited_for() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    set(&cluster, master, "min-replicas-to-write", "3").await;
    let plan = Plan { timeout: ms(15_000), ..Plan::default() };
    let relent = async {
        eventually("refusals", async || (refusals(&cluster, master, "NOREPLICAS").await > 2).then_some(()))
            .await;
        set(&cluster, master, "min-replicas-to-write", "1").await;
    };
    let (told, ()) = tokio::join!(history.write(&client, plan), relent);
    told.unwrap();
    history.check(&cluster).await.unwrap();
}

/// What a call with all the time is told, and that it is told at once.
async fn told_at_once(history: &History, client: &Client) -> String {
    let begun_at = Instant::now();
    let told = history.write(client, Plan { timeout: ms(10_000), ..Plan::default() }).await;
    assert!(begun_at.elapsed() < ms(1_000), "{:?}", begun_at.elapsed());
    match told {
        Err(Error::Rejected { code, .. }) => code,
        told => panic!("{told:?}"),
    }
}

/// Case 25.
#[tokio::test]
async fn a_master_without_memory_or_disk_is_told_at_once_and_by_name() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    set(&cluster, master, "maxmemory", "1").await;
    assert_eq!(told_at_once(&history, &client).await, "OOM");
    set(&cluster, master, "maxmemory", "0").await;
    // A folder where its snapshot should be, and it cannot save.
    let snapshot = cluster.folder(Member::Node(master)).join("dump.rdb");
    drop(std::fs::remove_file(&snapshot));
    std::fs::create_dir(&snapshot).unwrap();
    std::fs::write(snapshot.join("file"), "").unwrap();
    set(&cluster, master, "save", "3600 1").await;
    cluster.command(Member::Node(master), &["BGSAVE"]).await.unwrap();
    eventually("a save that fails", async || {
        let status = cluster.field(Member::Node(master), "persistence", "rdb_last_bgsave_status").await;
        (status.unwrap() == "err").then_some(())
    })
    .await;
    assert_eq!(told_at_once(&history, &client).await, "MISCONF");
    set(&cluster, master, "save", "").await;
    history.write(&client, Plan::default()).await.unwrap();
    assert_eq!(client.status().generation, 1, "neither is a doubt about the connection");
    let tally = history.check(&cluster).await.unwrap();
    assert_eq!((tally.count(Outcome::Acknowledged), tally.count(Outcome::NotDone)), (1, 2));
}

/// Case 26.
#[tokio::test]
async fn a_script_that_the_server_forgot_costs_one_more_trip_and_runs_once() {
    let cluster = cluster().await;
    let (master, client) = connected(&cluster).await;
    let history = History::new();
    history.write(&client, Plan::default()).await.unwrap();
    for flush in [["SCRIPT", "FLUSH"], ["CONFIG", "RESETSTAT"]] {
        cluster.command(Member::Node(master), &flush).await.unwrap();
    }
    history.write(&client, Plan::default()).await.unwrap();
    history.write(&client, Plan::default()).await.unwrap();
    let calls = async |name: &str| {
        let stats = cluster.field(Member::Node(master), "commandstats", &format!("cmdstat_{name}")).await;
        stats.unwrap().split([',', '=']).nth(1).and_then(|calls| calls.parse::<u64>().ok()).unwrap_or(0)
    };
    assert_eq!((calls("evalsha").await, calls("eval").await, calls("hincrby").await), (2, 1, 2));
    history.check(&cluster).await.unwrap();
}

/// Case 28.
#[tokio::test]
async fn a_server_without_room_for_a_client_is_not_besieged() {
    let room = ClusterOptions { node_lines: vec!["maxclients 40".to_owned()], ..ClusterOptions::default() };
    let cluster = Cluster::start(room).await.unwrap();
    let master = cluster.master().await.unwrap();
    let mut fillers = Vec::new();
    let address = cluster.node_direct(master).to_string();
    for _ in 0..60 {
        fillers.push(std::net::TcpStream::connect(&address).unwrap());
    }
    let client = Client::new(cluster.config()).unwrap();
    let history = History::new();
    let told = history.write(&client, Plan { timeout: ms(1_000), ..Plan::default() }).await;
    assert!(matches!(told, Err(Error::Unavailable(_))), "{told:?}");
    drop(fillers);
    history.write(&client, Plan { timeout: ms(5_000), ..Plan::default() }).await.unwrap();
    let refused = cluster.field(Member::Node(master), "stats", "rejected_connections").await.unwrap();
    // A second with at least the shortest pause between two attempts, beside the fillers and the sentinels.
    let attempts = 1_000 / cluster.config().timings.backoff_min.as_millis();
    assert!(refused.parse::<u128>().unwrap() < 60 + attempts, "{refused}");
    history.check(&cluster).await.unwrap();
}
