//! What a cold start costs: connections opened and left open, and its time, with all sentinels well and with
//! the first one hanging. Starts its own cluster. Prints a ratio; the times mean nothing across runs.
//!
//! `cargo run --release --package sentinel --example discovery`

use std::error::Error;
use std::time::{Duration, Instant};

use sentinel::testkit::{Cluster, ClusterOptions, Member};
use sentinel::{Client, Deadline};

const ROUNDS: usize = 101;

#[tokio::main]
#[allow(clippy::print_stdout)]
async fn main() -> Result<(), Box<dyn Error>> {
    let cluster = Cluster::start(ClusterOptions::default()).await?;
    let before = counts(&cluster).await?;
    let (healthy, clients) = cold_starts(&cluster).await?;
    let after = counts(&cluster).await?;
    println!("{ROUNDS} cold starts of one client each: the sentinels asked, the master found and verified");
    println!("  connections for each client, as the servers count them (opened, still open)");
    for ((member, opened, open), (_, opened_before, open_before)) in after.into_iter().zip(before) {
        let (opened, open) = (each(opened, opened_before), each(open, open_before));
        println!("    {:<12}{opened}, {open}", member.to_string());
    }
    drop(clients);

    cluster.pause(Member::Sentinel(0))?;
    let (hanging, _clients) = cold_starts(&cluster).await?;
    println!("  time, median: {healthy:?}; with the first sentinel hanging {hanging:?}");
    println!("  ratio of the two: {:.2}", hanging.as_secs_f64() / healthy.as_secs_f64());
    Ok(())
}

/// Clients that have just connected, and the median of the times they took.
async fn cold_starts(cluster: &Cluster) -> Result<(Duration, Vec<Client>), Box<dyn Error>> {
    let (mut clients, mut times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let client = Client::new(cluster.config())?;
        let begun_at = Instant::now();
        client.warm_up(Deadline::after(Duration::from_secs(2))).await?;
        times.push(begun_at.elapsed());
        clients.push(client);
    }
    times.sort();
    Ok((times[ROUNDS / 2], clients))
}

/// Connections that each member has accepted so far, and that are open now.
async fn counts(cluster: &Cluster) -> Result<Vec<(Member, u64, u64)>, Box<dyn Error>> {
    let mut counts = Vec::new();
    for member in cluster.members() {
        let opened = cluster.field(member, "stats", "total_connections_received").await?.parse()?;
        let open = cluster.field(member, "clients", "connected_clients").await?.parse()?;
        counts.push((member, opened, open));
    }
    Ok(counts)
}

/// For each round; the questions themselves, two for each count, are lost in the rounding.
fn each(after: u64, before: u64) -> String {
    let more = u32::try_from(after.saturating_sub(before)).unwrap_or(u32::MAX);
    let rounds = u32::try_from(ROUNDS).unwrap_or(u32::MAX);
    format!("{:.1}", f64::from(more) / f64::from(rounds))
}
