//! The Redis cluster as an operator sees it: figures, and in one list whatever is wrong.

use sentinel::{MasterView, SentinelTold, SentinelView, Topology};
use serde::Serialize;

/// Replicas that a master should have: with one, its loss stops the sale.
const REPLICAS_EXPECTED: usize = 2;

/// A replica that acknowledges every second is further behind only when something is wrong.
const LAG_SECONDS_MAX: u64 = 2;

/// Where an operator has to look before the limit is met.
const FILLED_PERCENT_MAX: u64 = 80;

/// The cluster: `GET /admin/cluster`, and what the function `monitor` publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cluster {
    /// What is wrong, in sentences; empty when nothing is.
    pub faults: Vec<String>,
    /// The master, if there is one.
    pub master: Option<Master>,
    /// Every sentinel.
    pub sentinels: Vec<Sentinel>,
}

/// The master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Master {
    /// `host:port`.
    pub address: String,
    /// The epoch of the sentinels' configuration that named it.
    pub config_epoch: u64,
    /// The history of its dataset.
    pub lineage: String,
    /// Bytes of the replication stream.
    pub offset: u64,
    /// Its replicas that are connected.
    pub replicas: Vec<Replica>,
    /// Bytes in use.
    pub memory_bytes: u64,
    /// Limit of bytes; 0 is none.
    pub memory_bytes_max: u64,
    /// Connected clients.
    pub clients: u64,
    /// Limit of clients.
    pub clients_max: u64,
}

/// A replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Replica {
    /// `host:port`.
    pub address: String,
    /// Whether it follows its master.
    pub is_online: bool,
    /// Bytes that it has not acknowledged.
    pub lag_bytes: u64,
    /// Seconds since its last acknowledgement.
    pub lag_seconds: u64,
}

/// A sentinel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sentinel {
    /// `host:port`.
    pub address: String,
    /// Why it says nothing, if so.
    pub silence: Option<String>,
    /// The master that it names.
    pub master: Option<String>,
    /// The epoch of its configuration.
    pub config_epoch: u64,
    /// What it notes of the master.
    pub flags: String,
    /// Sentinels that must agree that the master is down.
    pub quorum: u64,
    /// Sentinels that it knows, itself among them.
    pub sentinels: u64,
    /// Replicas that it knows.
    pub replicas: usize,
    /// Whether enough sentinels are reachable for a failover.
    pub has_quorum: bool,
    /// Whether it does nothing for half a minute, because its clock has jumped (TILT).
    pub is_tilted: bool,
}

impl Cluster {
    /// What is seen, and what is wrong with it.
    #[must_use]
    pub fn new(topology: &Topology) -> Self {
        let master = topology.master.as_ref().map(Master::new);
        let sentinels: Vec<_> = topology.sentinels.iter().map(Sentinel::new).collect();
        let mut faults = Vec::new();
        match &master {
            Ok(master) => faults.extend(master.faults()),
            Err(cause) => faults.push(format!("No master: {cause}.")),
        }
        let replicas = master.as_ref().map_or(0, |master| master.replicas.len());
        faults.extend(sentinels.iter().filter_map(|sentinel| sentinel.fault(replicas)));
        let mut named: Vec<_> = sentinels.iter().filter_map(|sentinel| sentinel.master.as_ref()).collect();
        named.sort();
        named.dedup();
        if named.len() > 1 {
            faults.push("The sentinels name different masters.".to_owned());
        }
        Self { faults, master: master.ok(), sentinels }
    }

    /// The replicas that follow the master.
    pub fn replicas_online(&self) -> impl Iterator<Item = &Replica> {
        self.master.iter().flat_map(|master| &master.replicas).filter(|replica| replica.is_online)
    }
}

impl Master {
    fn new(view: &MasterView) -> Self {
        let replicas = view.replicas.iter().map(|replica| Replica {
            address: replica.endpoint.to_string(),
            is_online: replica.is_online,
            lag_bytes: replica.lag_bytes,
            lag_seconds: replica.lag.as_secs(),
        });
        Self {
            address: view.endpoint.to_string(),
            config_epoch: view.config_epoch,
            lineage: view.lineage.as_str().to_owned(),
            offset: view.offset,
            replicas: replicas.collect(),
            memory_bytes: view.memory_used,
            memory_bytes_max: view.memory_max,
            clients: view.clients,
            clients_max: view.clients_max,
        }
    }

    /// Percent of the memory that is in use; 0 where there is no limit.
    #[must_use]
    pub fn memory_percent(&self) -> u64 {
        percent(self.memory_bytes, self.memory_bytes_max)
    }

    /// Percent of the connections that are taken.
    #[must_use]
    pub fn clients_percent(&self) -> u64 {
        percent(self.clients, self.clients_max)
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let online = self.replicas.iter().filter(|replica| replica.is_online).count();
        if online < REPLICAS_EXPECTED {
            faults.push(format!("{online} of {REPLICAS_EXPECTED} replicas follow the master."));
        }
        for replica in self.replicas.iter().filter(|replica| replica.lag_seconds > LAG_SECONDS_MAX) {
            faults.push(format!("Replica {} is {} s behind.", replica.address, replica.lag_seconds));
        }
        for (what, percent) in [("memory", self.memory_percent()), ("connections", self.clients_percent())] {
            if percent > FILLED_PERCENT_MAX {
                faults.push(format!("{percent} % of the master's {what} are in use."));
            }
        }
        faults
    }
}

impl Sentinel {
    fn new(view: &SentinelView) -> Self {
        let told: Option<&SentinelTold> = view.told.as_ref().ok();
        Self {
            address: view.endpoint.to_string(),
            silence: view.told.as_ref().err().cloned(),
            master: told.and_then(|told| told.master.as_ref()).map(ToString::to_string),
            config_epoch: told.map_or(0, |told| told.config_epoch),
            flags: told.map(|told| told.flags.clone()).unwrap_or_default(),
            quorum: told.map_or(0, |told| told.quorum),
            sentinels: told.map_or(0, |told| told.sentinels),
            replicas: told.map_or(0, |told| told.replicas.len()),
            has_quorum: told.is_some_and(|told| told.quorum_check.is_ok()),
            is_tilted: told.is_some_and(|told| told.is_tilted),
        }
    }

    /// What is wrong with it, where so many replicas follow the master.
    fn fault(&self, replicas: usize) -> Option<String> {
        let address = &self.address;
        if let Some(silence) = &self.silence {
            return Some(format!("Sentinel {address} does not answer: {silence}."));
        }
        if !self.has_quorum {
            return Some(format!("Sentinel {address} does not reach enough others for a failover."));
        }
        if self.is_tilted {
            return Some(format!(
                "Sentinel {address} does nothing for a while: its clock has jumped (TILT)."
            ));
        }
        if self.flags != "master" {
            return Some(format!("Sentinel {address} notes of the master: {}.", self.flags));
        }
        // After a failover that it leads, one that it does not know goes on following the old master.
        (self.replicas < replicas).then(|| {
            format!(
                "Sentinel {address} knows {} of {replicas} replicas so far; it looks every ten seconds.",
                self.replicas
            )
        })
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fills_up_lags_or_is_missing_is_told_in_sentences() {
        let replica = Replica { address: "b:1".to_owned(), is_online: true, lag_bytes: 9, lag_seconds: 7 };
        let master = Master {
            address: "a:1".to_owned(),
            config_epoch: 1,
            lineage: "x".to_owned(),
            offset: 1,
            replicas: vec![replica],
            memory_bytes: 90,
            memory_bytes_max: 100,
            clients: 1,
            clients_max: 10_000,
        };
        let faults = master.faults();
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert_eq!(Master { memory_bytes_max: 0, ..master }.memory_percent(), 0, "no limit");
    }

    #[test]
    fn a_sentinel_that_does_not_know_every_replica_is_told_of() {
        let sentinel = Sentinel {
            address: "s:1".to_owned(),
            silence: None,
            master: Some("a:1".to_owned()),
            config_epoch: 1,
            flags: "master".to_owned(),
            quorum: 2,
            sentinels: 3,
            replicas: 1,
            has_quorum: true,
            is_tilted: false,
        };
        assert_eq!(sentinel.fault(1), None);
        assert!(sentinel.fault(2).is_some_and(|fault| fault.contains("1 of 2 replicas")));
    }
}
