//! The figures in `CloudWatch`'s embedded metric format: one JSON line on standard output.

use std::io::Write;

use edge::Cluster;
use jiff::Timestamp;
use sale::RedisStatus;
use serde_json::{Map, Value, json};

/// The name space of all metrics.
const NAMESPACE: &str = "Spillway";

/// Whose figures they are. Two stacks in one account and region differ by the function alone.
pub(crate) struct Source<'a> {
    /// What the sentinels call the master.
    pub(crate) master_name: &'a str,
    /// Who looked: the name of a Lambda function, or `monitor`.
    pub(crate) function_name: &'a str,
}

impl Source<'_> {
    /// Name and value of every dimension.
    fn dimensions(&self) -> [(&'static str, &str); 2] {
        [("MasterName", self.master_name), ("FunctionName", self.function_name)]
    }
}

/// Writes the figures of one look.
pub(crate) fn publish(source: &Source<'_>, cluster: &Cluster, status: &RedisStatus) {
    let line = embedded(source, cluster, status, Timestamp::now());
    // Where nobody reads, there is nobody to tell.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Name, unit and value of every metric.
fn metrics(cluster: &Cluster, status: &RedisStatus) -> [(&'static str, &'static str, u64); 13] {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let lag_bytes = cluster.replicas_online().map(|replica| replica.lag_bytes).max().unwrap_or(0);
    let lag_seconds = cluster.replicas_online().map(|replica| replica.lag_seconds).max().unwrap_or(0);
    let master = cluster.master.as_ref();
    let answering = cluster.sentinels.iter().filter(|sentinel| sentinel.silence.is_none()).count();
    let with_quorum = cluster.sentinels.iter().filter(|sentinel| sentinel.has_quorum).count();
    [
        ("Faults", "Count", count(cluster.faults.len())),
        ("MasterReachable", "Count", u64::from(master.is_some())),
        ("ReplicasOnline", "Count", count(cluster.replicas_online().count())),
        ("ReplicaLagBytes", "Bytes", lag_bytes),
        ("ReplicaLagSeconds", "Seconds", lag_seconds),
        ("SentinelsAnswering", "Count", count(answering)),
        ("SentinelsWithQuorum", "Count", count(with_quorum)),
        ("MemoryUsedPercent", "Percent", master.map_or(0, |master| master.memory_percent())),
        ("ClientsConnected", "Count", master.map_or(0, |master| master.clients)),
        ("ClientsConnectedPercent", "Percent", master.map_or(0, |master| master.clients_percent())),
        // Of this environment, since it began.
        ("FailoversSeen", "Count", status.failovers),
        ("LostBytesSeen", "Bytes", status.lost_bytes),
        ("BrokenHistoriesSeen", "Count", status.breaks),
    ]
}

fn embedded(source: &Source<'_>, cluster: &Cluster, status: &RedisStatus, now: Timestamp) -> Value {
    let (metrics, dimensions) = (metrics(cluster, status), source.dimensions());
    let declared: Vec<_> =
        metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [dimensions.map(|(name, _)| name)],
                "Metrics": declared,
            }],
        }),
    );
    for (name, value) in dimensions {
        line.insert(name.to_owned(), value.into());
    }
    line.insert("function".to_owned(), "monitor".into());
    for (name, _, value) in metrics {
        line.insert(name.to_owned(), value.into());
    }
    Value::Object(line)
}
