//! The Redis cluster in words.

use edge::Cluster;

use crate::table::{Table, grouped};

const MEGABYTE: u64 = 1_048_576;

/// Every node and sentinel in a table, then what is wrong.
pub(crate) fn cluster(cluster: &Cluster) -> String {
    let mut nodes = Table::new(["node", "address", "state", "behind"]);
    if let Some(master) = &cluster.master {
        let memory = match master.memory_bytes_max {
            0 => format!("{} MB", grouped(master.memory_bytes / MEGABYTE)),
            limit => {
                format!("{} of {} MB", grouped(master.memory_bytes / MEGABYTE), grouped(limit / MEGABYTE))
            }
        };
        let state = format!(
            "epoch {}, {memory}, {} of {} connections",
            master.config_epoch,
            grouped(master.clients),
            grouped(master.clients_max)
        );
        nodes.row(["master".to_owned(), master.address.clone(), state, String::new()]);
        for replica in &master.replicas {
            let state = if replica.is_online { "follows" } else { "is being copied to" };
            let behind = format!("{} bytes, {} s", grouped(replica.lag_bytes), replica.lag_seconds);
            nodes.row(["replica".to_owned(), replica.address.clone(), state.to_owned(), behind]);
        }
    }
    for sentinel in &cluster.sentinels {
        let state = match (&sentinel.silence, &sentinel.master) {
            (Some(_), _) => "does not answer".to_owned(),
            (None, None) => "knows no master".to_owned(),
            (None, Some(master)) => format!(
                "names {master}, epoch {}, quorum {} of {}{}",
                sentinel.config_epoch,
                sentinel.quorum,
                sentinel.sentinels,
                if sentinel.has_quorum { "" } else { " NOT REACHED" }
            ),
        };
        nodes.row(["sentinel".to_owned(), sentinel.address.clone(), state, String::new()]);
    }
    let mut text = nodes.to_string();
    for fault in &cluster.faults {
        text += "\n! ";
        text += fault;
    }
    text
}
