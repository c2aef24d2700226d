//! How a test's cluster is to be, and the configuration files that make it so.

use std::path::Path;
use std::time::Duration;

/// The name under which the sentinels of a test's cluster know its master.
pub const MASTER_NAME: &str = "spillway";

/// How a [`Cluster`](crate::testkit::Cluster) is to be.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Data nodes; the first begins as the master, the others as its replicas.
    pub nodes: usize,
    /// Sentinels.
    pub sentinels: usize,
    /// Sentinels that must miss the master before it is taken for down.
    pub quorum: usize,
    /// `down-after-milliseconds`. At 1 s, Sentinel's own ping period, a second failover right after the
    /// first has been seen; the default is 1.5 s.
    pub down_after: Duration,
    /// Further lines for each node's configuration; they win over the kit's own.
    pub node_lines: Vec<String>,
    /// Further lines for each sentinel's configuration.
    pub sentinel_lines: Vec<String>,
    /// The password of the nodes' default user.
    pub node_password: Option<String>,
    /// The password of the sentinels' default user.
    pub sentinel_password: Option<String>,
    /// Whether sentinels and replicas reach each node through a [`Proxy`](crate::testkit::Proxy) only,
    /// whose address is also the one that the sentinels name.
    pub is_proxied: bool,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            nodes: 3,
            sentinels: 3,
            quorum: 2,
            down_after: Duration::from_millis(1_500),
            node_lines: Vec::new(),
            sentinel_lines: Vec::new(),
            node_password: None,
            sentinel_password: None,
            is_proxied: false,
        }
    }
}

/// Where one node listens, what it calls itself, and whom it follows.
pub(crate) struct NodePlace<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) port: u16,
    pub(crate) announced: u16,
    /// The announced port of its master; `None` makes it one.
    pub(crate) follows: Option<u16>,
}

/// The configuration of a node.
pub(crate) fn node_configuration(options: &ClusterOptions, place: &NodePlace<'_>) -> String {
    let mut lines = vec![
        "bind 127.0.0.1".to_owned(),
        format!("port {}", place.port),
        format!("dir {}", place.folder.display()),
        "appendonly yes".to_owned(),
        "appendfsync everysec".to_owned(),
        "save \"\"".to_owned(),
        "min-replicas-to-write 1".to_owned(),
        "min-replicas-max-lag 2".to_owned(),
        "replica-priority 100".to_owned(),
        "repl-ping-replica-period 1".to_owned(),
        "repl-diskless-sync yes".to_owned(),
        "repl-diskless-sync-delay 0".to_owned(),
        "enable-debug-command local".to_owned(),
    ];
    if place.announced != place.port {
        lines.push("replica-announce-ip 127.0.0.1".to_owned());
        lines.push(format!("replica-announce-port {}", place.announced));
    }
    if let Some(password) = &options.node_password {
        lines.push(format!("requirepass {password}"));
        lines.push(format!("masterauth {password}"));
    }
    lines.extend(place.follows.map(|port| format!("replicaof 127.0.0.1 {port}")));
    lines.extend(options.node_lines.iter().cloned());
    lines.join("\n") + "\n"
}

/// The configuration of a sentinel.
pub(crate) fn sentinel_configuration(
    options: &ClusterOptions,
    folder: &Path,
    port: u16,
    master: u16,
) -> String {
    let name = MASTER_NAME;
    let mut lines = vec![
        "bind 127.0.0.1".to_owned(),
        format!("port {port}"),
        format!("dir {}", folder.display()),
        format!("sentinel monitor {name} 127.0.0.1 {master} {}", options.quorum),
        format!("sentinel down-after-milliseconds {name} {}", options.down_after.as_millis()),
        // A failed attempt is repeated after twice this.
        format!("sentinel failover-timeout {name} 10000"),
        // Both replicas follow a new master at once.
        format!("sentinel parallel-syncs {name} 2"),
    ];
    lines.extend(
        options.node_password.as_ref().map(|password| format!("sentinel auth-pass {name} {password}")),
    );
    if let Some(password) = &options.sentinel_password {
        lines.push(format!("requirepass {password}"));
        lines.push(format!("sentinel sentinel-pass {password}"));
    }
    lines.extend(options.sentinel_lines.iter().cloned());
    lines.join("\n") + "\n"
}
