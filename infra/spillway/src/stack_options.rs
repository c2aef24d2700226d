//! What a stack is told: which parts, where its data lies, at which address it is found.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::clocks::Clocks;
use crate::parts::Parts;

/// Where what the stack says goes, line by line.
pub type Say = Box<dyn Fn(&str) + Send>;

/// What to start.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// Which parts.
    pub parts: Parts,
    /// Folder of data, logs, ports and secrets; kept from one start to the next.
    pub data: PathBuf,
    /// Port of the gateway, or of what answers in its place where the stack has none; `None` takes a free
    /// one and keeps it.
    pub port: Option<u16>,
    /// Whether the gateway speaks HTTPS.
    pub is_tls: bool,
    /// Further settings of the functions.
    pub settings: Vec<(String, String)>,
    /// Where everybody reaches the data nodes. They listen on 127.0.0.1, each at the same port; what stands elsewhere has
    /// to lead there.
    pub nodes_reached_at: Ipv4Addr,
    /// Which clocks data nodes and functions go by; the right one where there are none.
    pub clocks: Option<Clocks>,
    /// Address that the sentinels post their warnings to; it may be a secret.
    pub notify_url: Option<String>,
}

impl StackOptions {
    /// Everything, over plain HTTP on a free port, with its data in this folder.
    #[must_use]
    pub fn all_in(data: PathBuf) -> Self {
        Self {
            parts: Parts::All,
            data,
            port: None,
            is_tls: false,
            settings: Vec::new(),
            nodes_reached_at: Ipv4Addr::LOCALHOST,
            clocks: None,
            notify_url: None,
        }
    }
}
