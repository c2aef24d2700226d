//! The whole cluster at one look: what each sentinel says, and what the master says of itself.
//!
//! For operators and their monitoring; no call depends on it.

use std::time::Duration;

use futures_util::future::join_all;
use redis::Value;

use crate::client::Client;
use crate::config::Config;
use crate::discovery::{explain, sentinel_command};
use crate::endpoint::Endpoint;
use crate::replication::field;
use crate::sentinel_answer::{
    Instance, endpoint_of, number_of, read_endpoint, read_instance, read_instances,
};
use crate::wire::{Wire, auth, info_command};
use crate::{Deadline, Error, Lineage};

/// The whole cluster at one look.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Topology {
    /// The master that this client is connected to, or why it is not.
    pub master: Result<MasterView, String>,
    /// Every sentinel that this client asks.
    pub sentinels: Vec<SentinelView>,
}

/// What the master says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MasterView {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The epoch of the sentinels' configuration that named it.
    pub config_epoch: u64,
    /// The history of its dataset.
    pub lineage: Lineage,
    /// Bytes of the replication stream.
    pub offset: u64,
    /// Its replicas that are connected.
    pub replicas: Vec<ReplicaView>,
    /// Bytes in use.
    pub memory_used: u64,
    /// The limit of bytes; 0 is none.
    pub memory_max: u64,
    /// Connected clients.
    pub clients: u64,
    /// The limit of connected clients.
    pub clients_max: u64,
}

/// A replica, as its master sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicaView {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Whether it follows; otherwise it is still being copied to.
    pub is_online: bool,
    /// Bytes of the replication stream that it has not acknowledged.
    pub lag_bytes: u64,
    /// Since its last acknowledgement.
    pub lag: Duration,
}

/// What one sentinel says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentinelView {
    /// Where it is.
    pub endpoint: Endpoint,
    /// What it says, or why it says nothing.
    pub told: Result<SentinelTold, String>,
}

/// What a sentinel that answers says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentinelTold {
    /// The master that it names.
    pub master: Option<Endpoint>,
    /// The epoch of its configuration.
    pub config_epoch: u64,
    /// What it notes of the master, such as `master,s_down,o_down`.
    pub flags: String,
    /// Sentinels that must agree that the master is down.
    pub quorum: u64,
    /// Sentinels that it knows, itself among them.
    pub sentinels: u64,
    /// Replicas that it knows, and its notes on each, such as `slave,s_down`.
    pub replicas: Vec<(Endpoint, String)>,
    /// Whether it does nothing for the time being, because its clock has jumped (TILT).
    pub is_tilted: bool,
    /// Whether enough sentinels are reachable to authorise a failover; otherwise the reason.
    pub quorum_check: Result<(), String>,
}

impl Client {
    /// Looks at the whole cluster once. Whatever does not answer in time is told as such.
    pub async fn topology(&self, deadline: Deadline) -> Topology {
        let sentinels = self.sentinels(deadline).await;
        let asked = sentinels.into_iter().map(|endpoint| look_at(self.config(), endpoint, deadline));
        let (master, sentinels) = tokio::join!(self.look_at_master(deadline), join_all(asked));
        Topology { master: master.map_err(|error| error.to_string()), sentinels }
    }

    async fn look_at_master(&self, deadline: Deadline) -> Result<MasterView, Error> {
        let session = self.session(deadline).await?;
        let infos = ["replication", "memory", "clients"].map(info_command);
        let deadline = deadline.sooner(self.config().timings.response);
        let answers = session.send(&infos, deadline).await.map_err(|failure| failure.error)?;
        let mut text = String::new();
        for answer in answers {
            let part: Result<String, _> = redis::from_redis_value(answer);
            text += &part.map_err(|error| Error::Unavailable(format!("INFO: {error}")))?;
            text.push('\n');
        }
        let number = |name| field(&text, name).and_then(|number| number.parse().ok()).unwrap_or(0);
        let offset = number("master_repl_offset");
        session.saw(offset);
        Ok(MasterView {
            endpoint: session.master.clone(),
            config_epoch: session.config_epoch,
            lineage: session.lineage(),
            offset,
            replicas: read_replicas(&text, offset),
            memory_used: number("used_memory"),
            memory_max: number("maxmemory"),
            clients: number("connected_clients"),
            clients_max: number("maxclients"),
        })
    }
}

/// `slave0:ip=10.0.0.2,port=6379,state=online,offset=1865,lag=0`.
pub(crate) fn read_replicas(info: &str, master_offset: u64) -> Vec<ReplicaView> {
    let read = |line: &str| {
        let (name, fields) = line.trim().split_once(':')?;
        let number = name.strip_prefix("slave")?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let value = |wanted: &str| {
            fields
                .split(',')
                .find_map(|field| field.split_once('=').filter(|(name, _)| *name == wanted))
                .map(|(_, value)| value)
        };
        let offset: u64 = value("offset")?.parse().ok()?;
        Some(ReplicaView {
            endpoint: Endpoint { host: value("ip")?.to_owned(), port: value("port")?.parse().ok()? },
            is_online: value("state")? == "online",
            lag_bytes: master_offset.saturating_sub(offset),
            lag: Duration::from_secs(value("lag").and_then(|lag| lag.parse().ok()).unwrap_or(0)),
        })
    };
    info.lines().filter_map(read).collect()
}

async fn look_at(config: &Config, endpoint: Endpoint, deadline: Deadline) -> SentinelView {
    let told = deadline.sooner(config.timings.discovery).bound(ask(config, &endpoint)).await;
    let told = told.unwrap_or_else(|| Err(Error::Unavailable("no answer in time".to_owned())));
    SentinelView { told: told.map_err(|error| error.to_string()), endpoint }
}

async fn ask(config: &Config, endpoint: &Endpoint) -> Result<SentinelTold, Error> {
    let wire = Wire::to_sentinel(config, endpoint).await?;
    let mut commands: Vec<_> = auth(config.sentinel_credentials.as_ref()).into_iter().collect();
    let auths = commands.len();
    commands.push(info_command("sentinel"));
    for name in ["get-master-addr-by-name", "MASTER", "REPLICAS", "CKQUORUM"] {
        commands.push(sentinel_command(name, Some(&config.master_name)));
    }
    let answers = wire.send(&commands).await.map_err(|error| explain(endpoint, &error))?;
    // CKQUORUM's error is its answer; any other is ours.
    let own = answers.len().saturating_sub(1);
    if let Some(Value::ServerError(error)) =
        answers.iter().take(own).find(|answer| matches!(answer, Value::ServerError(_)))
    {
        return Err(explain(endpoint, &error.clone().into()));
    }
    let mut answers = answers.into_iter().skip(auths);
    let info = answers.next().and_then(|info| redis::from_redis_value::<String>(info).ok());
    let master = answers.next().and_then(read_endpoint);
    let instance = answers.next().and_then(read_instance).unwrap_or_default();
    let replicas = answers.next().map(read_instances).unwrap_or_default();
    let quorum_check = match answers.next() {
        Some(Value::ServerError(error)) => Err(redis::RedisError::from(error).to_string()),
        _ => Ok(()),
    };
    Ok(SentinelTold {
        master,
        config_epoch: number_of(&instance, "config-epoch"),
        flags: flags_of(&instance),
        quorum: number_of(&instance, "quorum"),
        sentinels: number_of(&instance, "num-other-sentinels").saturating_add(1),
        replicas: replicas
            .iter()
            .filter_map(|replica| Some((endpoint_of(replica)?, flags_of(replica))))
            .collect(),
        is_tilted: info.is_some_and(|info| field(&info, "sentinel_tilt") == Some("1")),
        quorum_check,
    })
}

fn flags_of(instance: &Instance) -> String {
    instance.get("flags").cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_read_from_the_master_s_own_words() {
        let info = "role:master\r\nconnected_slaves:2\r\n\
            slave0:ip=10.0.0.2,port=6379,state=online,offset=1800,lag=1\r\n\
            slave1:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0\r\n\
            slave_read_only:1\r\nslaveX:ip=1\r\nslave2:ip=,port=x\r\n";
        let replicas = read_replicas(info, 1_865);
        assert_eq!(replicas.len(), 2);
        let [first, second] = [&replicas[0], &replicas[1]];
        assert_eq!((first.lag_bytes, first.lag, first.is_online), (65, Duration::from_secs(1), true));
        assert!(!second.is_online);
        assert_eq!(second.endpoint.to_string(), "10.0.0.3:6379");
    }
}
