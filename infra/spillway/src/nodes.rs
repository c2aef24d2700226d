//! The Redis nodes and their sentinels: configuration from `infra/redis/`, started so that no node comes
//! back as a master which the sentinels have replaced.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::ask::master_port;
use crate::kept::{Ports, local};
use crate::layout::{MASTER_NAME, make_folder, template};
use crate::process::{Program, WhenOrphaned};

/// Sentinels that must agree that the master is gone: the majority.
const QUORUM: usize = 2;

/// A data node. What it is, master or replica, the sentinels say; before there are any it is a replica
/// of the first node.
pub(crate) fn redis(data: &Path, ports: &Ports, index: usize) -> Result<Program> {
    let port = ports.redis[index];
    let folder = data.join(format!("redis-{}", index + 1));
    make_folder(&folder)?;
    let mut text = template("redis/redis.conf")?;
    write!(text, "\nport {port}\ndir {}\n", quoted(&folder))?;
    let master = master_port(&ports.sentinels.map(local)).unwrap_or(ports.redis[0]);
    if master != port {
        writeln!(text, "replicaof 127.0.0.1 {master}")?;
    }
    // A failover rewrites this file, so it is made anew at each start.
    let configuration = folder.join("redis.conf");
    std::fs::write(&configuration, text)
        .with_context(|| format!("cannot write {}", configuration.display()))?;
    Ok(redis_server(configuration, vec![], data, &format!("redis-{}", index + 1)))
}

/// A sentinel. Its file is its memory: it is written once, and then by the sentinel itself.
pub(crate) fn sentinel(data: &Path, ports: &Ports, index: usize) -> Result<Program> {
    let folder = data.join(format!("sentinel-{}", index + 1));
    make_folder(&folder)?;
    let configuration = folder.join("sentinel.conf");
    if !configuration.exists() {
        let head = format!(
            "port {}\ndir {}\nsentinel monitor {MASTER_NAME} 127.0.0.1 {} {QUORUM}\n\n",
            ports.sentinels[index],
            quoted(&folder),
            ports.redis[0]
        );
        std::fs::write(&configuration, head + &template("redis/sentinel.conf")?)
            .with_context(|| format!("cannot write {}", configuration.display()))?;
    }
    Ok(redis_server(configuration, vec!["--sentinel".into()], data, &format!("sentinel-{}", index + 1)))
}

fn redis_server(configuration: PathBuf, more: Vec<std::ffi::OsString>, data: &Path, name: &str) -> Program {
    let arguments = std::iter::once(configuration.into_os_string()).chain(more).collect();
    let log = data.join(format!("logs/{name}.log"));
    Program {
        path: "redis-server".into(),
        arguments,
        environment: vec![],
        log,
        when_orphaned: WhenOrphaned::Kill,
    }
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}
