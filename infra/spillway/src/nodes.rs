//! The Redis nodes and their sentinels: `infra/redis/start` told what it needs. What a node is to be when it
//! comes up, that script decides, here as in production.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::kept::{Ports, Secrets, local};
use crate::layout::{checkout, write_private};
use crate::process::{Program, WhenOrphaned};

/// The servers of one stack.
#[derive(Debug)]
pub(crate) struct Nodes {
    data: PathBuf,
    ports: Ports,
    secrets: PathBuf,
    notify_url: Option<String>,
}

impl Nodes {
    /// Writes the passwords down for them.
    pub(crate) fn prepare(
        data: &Path,
        ports: &Ports,
        secrets: &Secrets,
        notify_url: Option<&str>,
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
        let notify_url = notify_url.map(str::to_owned);
        Ok(Self { data: data.to_owned(), ports: ports.clone(), secrets: path, notify_url })
    }

    /// A data node.
    pub(crate) fn redis(&self, index: usize) -> Program {
        let sentinels = self.ports.sentinels.map(|port| local(port).to_string()).join(",");
        let own = [("SPILLWAY_SENTINELS", sentinels)];
        self.server("node", format!("redis-{}", index + 1), self.ports.redis[index], own)
    }

    /// A sentinel.
    pub(crate) fn sentinel(&self, index: usize) -> Program {
        let own = [("SPILLWAY_FIRST_MASTER", local(self.ports.redis[0]).to_string())];
        let name = format!("sentinel-{}", index + 1);
        let mut program = self.server("sentinel", name, self.ports.sentinels[index], own);
        let url = self.notify_url.iter().map(|url| ("NOTIFY_WEBHOOK_URL".to_owned(), url.clone()));
        program.environment.extend(url);
        program
    }

    fn server(&self, kind: &str, name: String, port: u16, own: [(&str, String); 1]) -> Program {
        let address = local(port);
        let settings = [
            ("SPILLWAY_HOST", address.ip().to_string()),
            ("SPILLWAY_BIND", address.ip().to_string()),
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
