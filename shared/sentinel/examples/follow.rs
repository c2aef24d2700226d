//! A client follows a failover: a cluster is started, its master is killed, and each write is told as it is
//! answered.
//!
//! `cargo run --release --package sentinel --example follow`

use std::error::Error;
use std::time::{Duration, Instant};

use sentinel::testkit::{Cluster, ClusterOptions, Member};
use sentinel::{Call, Client, Deadline, Durability, Idempotency, Invocation, Script};

/// The serial number of a call makes it safe to repeat: the second time changes nothing.
static NOTE: Script = Script::new("#!lua\nreturn redis.call('HSET', KEYS[1], ARGV[1], 1)");

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Box<dyn Error>> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let client = Client::new(cluster.config())?;
    let begun_at = Instant::now();
    for number in 1..=6 {
        if number == 3 {
            println!("the master is killed");
            cluster.kill(Member::Node(cluster.master().await?))?;
        }
        let call = Call {
            deadline: Deadline::after(Duration::from_secs(8)),
            idempotency: Idempotency::Idempotent,
            durability: Durability::Replicas { count: 1, timeout: Duration::from_millis(100) },
        };
        let note = Invocation::new(&NOTE).key("notes").arg(number.to_string());
        let told = client.invoke(&note, call).await.and_then(|reply| reply.require(1));
        let status = client.status();
        let master = status.master.map_or_else(|| "no master".to_owned(), |master| master.to_string());
        println!("{:.2?}: write {number} to {master}: {told:?}", begun_at.elapsed());
    }
    let status = client.status();
    println!("{} failover followed, {} bytes proven lost", status.failovers, status.lost_bytes);
    Ok(())
}
