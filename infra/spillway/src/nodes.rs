//! The Redis nodes and their sentinels: `infra/redis/start` told what it needs. What a node is to be when it
//! comes up, that script decides, here as in production.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::clocks::Clocks;
use crate::kept::{Ports, Secrets, local};
use crate::layout::{checkout, write_private};
use crate::process::{Program, WhenOrphaned};
use crate::stack_options::StackOptions;

/// The servers of one stack.
#[derive(Debug)]
pub(crate) struct Nodes {
    data: PathBuf,
    ports: Ports,
    secrets: PathBuf,
    reached_at: IpAddr,
    clocks: Option<Clocks>,
    notify_url: Option<String>,
}

impl Nodes {
    /// Writes the passwords down for them.
    pub(crate) fn prepare(
        data: &Path,
        ports: &Ports,
        secrets: &Secrets,
        options: &StackOptions,
    ) -> Result<Self> {
        let path = data.join("redis-secrets");
        let mut text = String::new();
        for (server, passwords) in
            [("redis", &secrets.redis_passwords), ("sentinel", &secrets.sentinel_passwords)]
        {
            for (user, password) in passwords {
                writeln!(text, "{server} {user} {password}")?;
            }
        }
        write_private(&path, &text)?;
        if (1..=3).all(|number| !has_stored(&data.join(format!("redis-{number}/appendonlydir")))) {
            forget_cluster(data)?;
        }
        Ok(Self {
            data: data.to_owned(),
            ports: ports.clone(),
            secrets: path,
            reached_at: options.nodes_reached_at.into(),
            clocks: options.clocks.clone(),
            notify_url: options.notify_url.clone(),
        })
    }

    /// A data node.
    pub(crate) fn redis(&self, index: usize) -> Program {
        let sentinels = self.ports.sentinels.map(|port| local(port).to_string()).join(",");
        let own = [("SPILLWAY_SENTINELS", sentinels)];
        let reached_at = SocketAddr::from((self.reached_at, self.ports.redis[index]));
        let name = format!("redis-{}", index + 1);
        let clock = self.clocks.iter().flat_map(|clocks| clocks.environment(&name));
        let mut program = self.server("node", name.clone(), reached_at, own);
        program.environment.extend(clock);
        program
    }

    /// A sentinel.
    pub(crate) fn sentinel(&self, index: usize) -> Program {
        let first = SocketAddr::from((self.reached_at, self.ports.redis[0]));
        let own = [("SPILLWAY_FIRST_MASTER", first.to_string())];
        let name = format!("sentinel-{}", index + 1);
        let mut program = self.server("sentinel", name, local(self.ports.sentinels[index]), own);
        let url = self.notify_url.iter().map(|url| ("NOTIFY_WEBHOOK_URL".to_owned(), url.clone()));
        program.environment.extend(url);
        program
    }

    fn server(&self, kind: &str, name: String, reached_at: SocketAddr, own: [(&str, String); 1]) -> Program {
        let (host, port) = (reached_at.ip(), reached_at.port());
        let settings = [
            ("SPILLWAY_HOST", host.to_string()),
            ("SPILLWAY_BIND", local(port).ip().to_string()),
            ("SPILLWAY_PORT", port.to_string()),
            ("SPILLWAY_DATA", self.data.join(&name).display().to_string()),
            ("SPILLWAY_SECRETS", self.secrets.display().to_string()),
        ];
        let named = |(name, value): (&str, String)| (name.to_owned(), value);
        Program {
            path: checkout().join("infra/redis/start"),
            arguments: vec![kind.into()],
            environment: settings.into_iter().chain(own).map(named).collect(),
            log: self.data.join(format!("logs/{name}.log")),
            when_orphaned: WhenOrphaned::Kill,
        }
    }
}

/// An append-only file without a key is half as long; `infra/redis/start` says the same.
const EMPTY_BYTES_MAX: u64 = 200;

/// Whether a data node has ever stored anything in its folder of append-only files.
fn has_stored(folder: &Path) -> bool {
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|file| {
        let (name, bytes) = (file.file_name(), file.metadata().map_or(0, |file| file.len()));
        match name.to_string_lossy() {
            name if name.ends_with(".manifest") => false,
            name if name.ends_with(".incr.aof") => bytes > 0,
            _ => bytes > EMPTY_BYTES_MAX,
        }
    })
}

/// Has the sentinels meet everybody anew. An empty node that they know as a master with replicas waits to be
/// replaced, which takes long where all are empty.
fn forget_cluster(data: &Path) -> Result<()> {
    for number in 1..=3 {
        let memory = data.join(format!("sentinel-{number}/sentinel.conf"));
        if memory.exists() {
            std::fs::remove_file(&memory).with_context(|| format!("cannot remove {}", memory.display()))?;
        }
    }
    Ok(())
}
