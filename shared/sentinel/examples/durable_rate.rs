//! Rates of durable calls from many tasks on one connection, in one run: without WAIT, in batches as this
//! crate sends them, and with one WAIT per call. Prints ratios; the figures mean nothing across runs.
//! Starts its own cluster, unless it is given one.
//!
//! `cargo run --release --package sentinel --example durable_rate [MASTER_NAME SENTINEL…]`

use std::error::Error;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use sentinel::testkit::{Cluster, ClusterOptions};
use sentinel::{Call, Client, Config, Deadline, Durability, Idempotency, Invocation, Script};
use tokio::task::JoinSet;

const TASKS: u64 = 64;
const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 3;

static TOUCH: Script = Script::new("#!lua\nreturn redis.call('HSET', KEYS[1], ARGV[1], 1)");

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (config, _cluster) = if let Some(master_name) = arguments.next() {
        let sentinels = arguments.map(|sentinel| sentinel.parse()).collect::<Result<Vec<_>, _>>()?;
        (Config::new(sentinels, master_name), None)
    } else {
        let cluster = Cluster::start(ClusterOptions::default()).await?;
        (cluster.config(), Some(cluster))
    };
    let client = Client::new(config)?;
    client.warm_up(Deadline::after(Duration::from_secs(2))).await?;
    let master = client.status().master.ok_or("there is no master")?;
    let raw = redis::Client::open(format!("redis://{master}/"))?.get_multiplexed_async_connection().await?;

    let replicas = Durability::Replicas { count: 1, timeout: Duration::from_millis(100) };
    let mut best = [0_u64; 3];
    for _ in 0..ROUNDS {
        best[0] = best[0].max(rate(|task| through(client.clone(), task, Durability::Master)).await);
        best[1] = best[1].max(rate(|task| through(client.clone(), task, replicas)).await);
        best[2] = best[2].max(rate(|task| one_wait_per_call(raw.clone(), task)).await);
    }
    let [master_only, batched, one_each] = best;
    println!("{TASKS} tasks on one connection, calls a second, best of {ROUNDS} rounds");
    println!("  without WAIT       {master_only}");
    println!("  batched WAIT       {batched}, {} of it", ratio(batched, master_only));
    println!("  one WAIT per call  {one_each}, {} of it", ratio(one_each, master_only));
    println!("  batched against one per call: {}", ratio(batched, one_each));
    Ok(())
}

/// Calls that all tasks together made in a second; each task counts its own until the round is over.
async fn rate<F: Future<Output = u64> + Send + 'static>(task: impl Fn(u64) -> F) -> u64 {
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        tasks.spawn(task(number));
    }
    tasks.join_all().await.into_iter().sum::<u64>() / ROUND.as_secs()
}

async fn through(client: Client, task: u64, durability: Durability) -> u64 {
    let end = Instant::now() + ROUND;
    let mut calls = 0;
    while Instant::now() < end {
        let call = Call {
            deadline: Deadline::after(Duration::from_secs(2)),
            idempotency: Idempotency::Idempotent,
            durability,
        };
        let touch = Invocation::new(&TOUCH).key("sentinel:durable-rate").arg(task.to_string());
        calls += u64::from(client.invoke(&touch, call).await.is_ok());
    }
    calls
}

async fn one_wait_per_call(mut connection: MultiplexedConnection, task: u64) -> u64 {
    let mut pipeline = redis::pipe();
    pipeline.cmd("HSET").arg("sentinel:durable-rate").arg(task).arg(1);
    pipeline.cmd("WAIT").arg(1).arg(100);
    let end = Instant::now() + ROUND;
    let mut calls = 0;
    while Instant::now() < end {
        calls += u64::from(connection.send_packed_commands(&pipeline, 0, 2).await.is_ok());
    }
    calls
}

fn ratio(a: u64, b: u64) -> String {
    format!(
        "{:.2}",
        f64::from(u32::try_from(a).unwrap_or(0)) / f64::from(u32::try_from(b).unwrap_or(1).max(1))
    )
}
