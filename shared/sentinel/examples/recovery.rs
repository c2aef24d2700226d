//! How long a killed master keeps a durable write from being made, through the client and at best: the best
//! is a loop that does nothing but ask each sentinel every 10 ms on connections that it keeps, believes the
//! first one that names another master, writes there and waits for a replica. Both look at the same
//! failover. Starts its own clusters.
//!
//! `cargo run --release --package sentinel --example recovery`

use std::error::Error;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use sentinel::testkit::{Cluster, ClusterOptions, History, MASTER_NAME, Member, Plan};
use sentinel::{Client, Endpoint, Idempotency};

const RUNS: usize = 5;
const DOWN_AFTER: Duration = Duration::from_secs(1);
/// A sentinel connects to a node once a second at most, and counts what it misses from then on: a master
/// that dies sooner is missed up to a second later.
const AGE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(10);

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("kill -9 of the master, down-after {} ms, until a durable write", DOWN_AFTER.as_millis());
    let (mut through, mut floors) = (Vec::new(), Vec::new());
    for run in 1..=RUNS {
        let (client, floor) = run_once().await?;
        println!("  run {run}: client {} ms, floor {} ms", client.as_millis(), floor.as_millis());
        through.push(client);
        floors.push(floor);
    }
    // The two of a run look at the same failover, so their difference is taken run by run.
    let added = median(through.iter().zip(&floors).map(|(client, floor)| client.saturating_sub(*floor)));
    let (client, floor) = (median(through), median(floors));
    println!("  medians: client {} ms, floor {} ms", client.as_millis(), floor.as_millis());
    let ratio = client.as_secs_f64() / floor.as_secs_f64();
    println!("  the client adds {} ms; {ratio:.3} of the floor", added.as_millis());
    Ok(())
}

/// From the kill to a durable write: through the client, and of the bare loop.
async fn run_once() -> Result<(Duration, Duration), Box<dyn Error>> {
    let options = ClusterOptions { down_after: DOWN_AFTER, ..ClusterOptions::default() };
    let cluster = Cluster::start(options).await?;
    let client = Client::new(cluster.config())?;
    let history = History::new();
    let plan =
        Plan { timeout: Duration::from_secs(20), idempotency: Idempotency::Idempotent, ..Plan::default() };
    history.write(&client, plan).await?;
    let master = cluster.master().await?;
    let mut sentinels = Vec::new();
    for index in 0..3 {
        sentinels.push(open(&cluster.sentinel(index)).await?);
    }
    tokio::time::sleep(AGE).await;
    let bare = tokio::spawn(bare_loop(sentinels, cluster.node(master), Instant::now()));
    let before = client.status().generation;
    let writer = tokio::spawn({
        let (history, client) = (history.clone(), client.clone());
        async move {
            // As a caller would have it: one write after the other. One that no connection had taken when the master
            // was killed fails for nobody, so the new connection tells that there was a failover.
            loop {
                let told = history.write(&client, plan).await;
                let is_durable = told.is_ok_and(|reply| reply.replicas > 0);
                if is_durable && client.status().generation > before {
                    return Instant::now();
                }
            }
        }
    });
    let killed_at = Instant::now();
    cluster.kill(Member::Node(master))?;
    let (through, floor) = (writer.await?, bare.await?);
    history.check(&cluster).await?;
    Ok((through - killed_at, floor - killed_at))
}

/// When a write on another master than this was acknowledged by a replica.
async fn bare_loop(sentinels: Vec<MultiplexedConnection>, old: Endpoint, begun_at: Instant) -> Instant {
    let mut ticks = tokio::time::interval_at(begun_at.into(), LOOK);
    let mut new: Option<MultiplexedConnection> = None;
    loop {
        ticks.tick().await;
        if new.is_none() {
            new = other_master(&sentinels, &old).await;
        }
        if let Some(connection) = &mut new {
            let mut write = redis::pipe();
            write.cmd("SET").arg("bare").arg(1).ignore();
            write.cmd("WAIT").arg(1).arg(100);
            let replicas: redis::RedisResult<(u64,)> = write.query_async(connection).await;
            if replicas.is_ok_and(|(replicas,)| replicas > 0) {
                return Instant::now();
            }
        }
    }
}

/// A connection to the first master that a sentinel names and that is not this one.
async fn other_master(sentinels: &[MultiplexedConnection], old: &Endpoint) -> Option<MultiplexedConnection> {
    for sentinel in sentinels {
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("get-master-addr-by-name").arg(MASTER_NAME);
        let named: redis::RedisResult<(String, u16)> = ask.query_async(&mut sentinel.clone()).await;
        if let Ok((host, port)) = named
            && port != old.port
        {
            return open(&Endpoint { host, port }).await.ok();
        }
    }
    None
}

async fn open(endpoint: &Endpoint) -> redis::RedisResult<MultiplexedConnection> {
    redis::Client::open(format!("redis://{endpoint}/"))?.get_multiplexed_async_connection().await
}

fn median(times: impl IntoIterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.into_iter().collect();
    times.sort();
    times[times.len() / 2]
}
