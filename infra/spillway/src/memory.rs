//! How much of the Redis master's memory its data takes: all of it, less what a server needs anyway.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use sentinel::{Call, Client, Deadline, Durability, Idempotency, Value};

use crate::running::{OPERATOR, Running};

const TIMEOUT: Duration = Duration::from_secs(3);

/// What is not data: the empty server, and buffers whose size does not depend on what is stored.
const NOT_DATA: [&str; 6] = [
    "startup.allocated",
    "replication.backlog",
    "clients.slaves",
    "clients.normal",
    "aof.buffer",
    "lua.caches",
];

/// How often it is looked how much keys take.
const PAUSE: Duration = Duration::from_secs(1);

/// Looks for ever how many bytes these keys take at most.
pub(crate) async fn watch_bytes(running: &Running, keys: &[String], most: &AtomicU64) -> Result<()> {
    let client = Client::new(running.connection(OPERATOR)?)?;
    loop {
        if let Ok(bytes) = key_bytes(&client, keys).await {
            most.fetch_max(bytes, Ordering::Relaxed);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Bytes that these keys take, with what is stored under them.
async fn key_bytes(client: &Client, keys: &[String]) -> Result<u64> {
    let mut bytes = 0;
    for key in keys {
        let arguments: [&[u8]; 4] = [b"USAGE", key.as_bytes(), b"SAMPLES", b"0"];
        if let Value::Int(used) = client.command("MEMORY", &arguments, call()).await?.value {
            bytes += u64::try_from(used)?;
        }
    }
    Ok(bytes)
}

fn call() -> Call {
    Call {
        deadline: Deadline::after(TIMEOUT),
        idempotency: Idempotency::ReadOnly,
        durability: Durability::Master,
    }
}

/// Bytes that keys and values take, with everything that Redis keeps about them.
pub(crate) async fn data_bytes(running: &Running) -> Result<u64> {
    let client = Client::new(running.connection(OPERATOR)?)?;
    let Value::Array(stats) = client.command("MEMORY", &[b"STATS"], call()).await?.value else {
        anyhow::bail!("MEMORY STATS answers no list");
    };
    let field = |name: &str| {
        let pair = stats.chunks_exact(2).find(|pair| pair[0] == Value::Bytes(name.as_bytes().to_vec()));
        match pair.map(|pair| &pair[1]) {
            Some(Value::Int(bytes)) => u64::try_from(*bytes).ok(),
            _ => None,
        }
    };
    let all = field("total.allocated").context("MEMORY STATS lacks total.allocated")?;
    Ok(all.saturating_sub(NOT_DATA.iter().filter_map(|name| field(name)).sum()))
}
