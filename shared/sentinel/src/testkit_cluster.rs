//! A cluster of real servers to break: nodes and sentinels on loopback, in a folder of their own.
//!
//! Everything a test may do to it needs `&self` only, so that writers can go on meanwhile.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use crate::testkit_options::{
    ClusterOptions, MASTER_NAME, NodePlace, node_configuration, sentinel_configuration,
};
use crate::testkit_process::{Process, free_port};
use crate::testkit_proxy::Proxy;
use crate::{Config, Credentials, Endpoint};

/// Why a test's cluster does not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A file, a port or a process could not be had.
    #[error("{what}: {cause}")]
    System {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        cause: std::io::Error,
    },
    /// A server refused a command, or did not answer it.
    #[error("{member} to {command}: {cause}")]
    Command {
        /// Whom it was sent to.
        member: Member,
        /// What was sent.
        command: String,
        /// Why it failed.
        cause: String,
    },
    /// Something that must come did not come in time.
    #[error("not within {patience:?}: {missing}")]
    Overdue {
        /// What is still missing.
        missing: String,
        /// How long it was waited for.
        patience: Duration,
    },
}

/// One process of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Member {
    /// The data node of this number, from 0.
    Node(usize),
    /// The sentinel of this number, from 0.
    Sentinel(usize),
}

/// As what a node comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// As a replica of this node.
    ReplicaOf(usize),
    /// As a master that has what it wrote to its disk.
    MasterWithData,
    /// As a master that has nothing.
    MasterEmpty,
}

/// Real nodes and sentinels; all end, and their folder goes, when it is dropped.
pub struct Cluster {
    pub(crate) options: ClusterOptions,
    folder: PathBuf,
    nodes: Vec<Place>,
    sentinels: Vec<Place>,
}

/// One member: where it listens, and its process.
struct Place {
    folder: PathBuf,
    port: u16,
    proxy: Option<Proxy>,
    process: Mutex<Option<Process>>,
}

impl Cluster {
    /// Starts a cluster of this kind; returns when all of it knows all of it. Within its first second its
    /// sentinels miss a dead master up to a second later than they would afterwards.
    pub async fn start(options: ClusterOptions) -> Result<Self, ClusterError> {
        let folder = new_folder()?;
        let mut cluster = Self { options, folder, nodes: Vec::new(), sentinels: Vec::new() };
        for index in 0..cluster.options.nodes {
            let place = cluster.place(&format!("node-{index}"), cluster.options.is_proxied).await?;
            cluster.nodes.push(place);
            cluster.write_node(index, (index > 0).then_some(0))?;
            cluster.launch(Member::Node(index))?;
        }
        // Sentinels look for replicas every ten seconds only, but at once when they start.
        cluster.until_replicas_follow(0).await?;
        for index in 0..cluster.options.sentinels {
            let place = cluster.place(&format!("sentinel-{index}"), false).await?;
            let master = cluster.node(0).port;
            let text = sentinel_configuration(&cluster.options, &place.folder, place.port, master);
            write(&place.folder.join("server.conf"), &text)?;
            cluster.sentinels.push(place);
            cluster.launch(Member::Sentinel(index))?;
        }
        cluster.introduce_sentinels().await?;
        Ok(cluster)
    }

    /// What a client needs: all sentinels, the name, the passwords, `down_after`.
    #[must_use]
    pub fn config(&self) -> Config {
        let sentinels = (0..self.sentinels.len()).map(|index| self.sentinel(index)).collect();
        let mut config = Config::new(sentinels, MASTER_NAME);
        let credentials = |password: &Option<String>| {
            password.clone().map(|password| Credentials { username: None, password })
        };
        config.credentials = credentials(&self.options.node_password);
        config.sentinel_credentials = credentials(&self.options.sentinel_password);
        config.timings.down_after = self.options.down_after;
        config
    }

    /// Where sentinels and replicas reach a node: its proxy, where it has one.
    #[must_use]
    pub fn node(&self, index: usize) -> Endpoint {
        let place = &self.nodes[index];
        place.proxy.as_ref().map_or_else(|| local(place.port), Proxy::endpoint)
    }

    /// Where a node itself listens, past its proxy.
    #[must_use]
    pub fn node_direct(&self, index: usize) -> Endpoint {
        local(self.nodes[index].port)
    }

    /// Where a sentinel listens.
    #[must_use]
    pub fn sentinel(&self, index: usize) -> Endpoint {
        local(self.sentinels[index].port)
    }

    /// The proxy before a node, in a cluster that has proxies.
    #[must_use]
    pub fn proxy(&self, index: usize) -> Option<&Proxy> {
        self.nodes[index].proxy.as_ref()
    }

    /// Where a member keeps its files.
    #[must_use]
    pub fn folder(&self, member: Member) -> &Path {
        &self.place_of(member).folder
    }

    /// All members, nodes first.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let nodes = (0..self.nodes.len()).map(Member::Node);
        nodes.chain((0..self.sentinels.len()).map(Member::Sentinel)).collect()
    }

    /// Whether a member's process runs, be it paused.
    #[must_use]
    pub fn is_running(&self, member: Member) -> bool {
        self.process(member).as_mut().is_some_and(Process::is_running)
    }

    /// Kills a member as a power cut would: SIGKILL. Returns when it has ended.
    pub fn kill(&self, member: Member) -> Result<(), ClusterError> {
        // A dropped process is killed and waited for.
        drop(self.process(member).take());
        Ok(())
    }

    /// Stops a member where it is: it keeps its sockets and answers nothing.
    pub fn pause(&self, member: Member) -> Result<(), ClusterError> {
        self.signal(member, Signal::STOP)
    }

    /// Lets a paused member go on.
    pub fn thaw(&self, member: Member) -> Result<(), ClusterError> {
        self.signal(member, Signal::CONT)
    }

    /// Starts a node that was killed, with its present settings as this. Does not wait until it answers.
    pub fn restart(&self, index: usize, back: Return) -> Result<(), ClusterError> {
        self.kill(Member::Node(index))?;
        let follows = match back {
            Return::ReplicaOf(master) => Some(master),
            Return::MasterWithData => None,
            Return::MasterEmpty => {
                let aof = self.nodes[index].folder.join("appendonlydir");
                std::fs::remove_dir_all(&aof).map_err(|cause| system(format!("empty {index}"), cause))?;
                None
            }
        };
        self.write_node(index, follows)?;
        self.launch(Member::Node(index))
    }

    /// Starts a sentinel that was killed, with what it knew.
    pub fn restart_sentinel(&self, index: usize) -> Result<(), ClusterError> {
        self.kill(Member::Sentinel(index))?;
        self.launch(Member::Sentinel(index))
    }

    fn signal(&self, member: Member, signal: Signal) -> Result<(), ClusterError> {
        let mut process = self.process(member);
        let process = process.as_mut().ok_or_else(|| {
            system(format!("signal {member}"), std::io::Error::from(std::io::ErrorKind::NotFound))
        })?;
        process.signal(signal).map_err(|cause| system(format!("signal {member}"), cause))
    }

    async fn place(&self, name: &str, is_proxied: bool) -> Result<Place, ClusterError> {
        let folder = self.folder.join(name);
        std::fs::create_dir(&folder).map_err(|cause| system(format!("folder of {name}"), cause))?;
        let port = free_port().map_err(|cause| system(format!("port for {name}"), cause))?;
        let mut proxy = None;
        if is_proxied {
            let started = Proxy::start(&local(port)).await;
            proxy = Some(started.map_err(|cause| system(format!("proxy before {name}"), cause))?);
        }
        Ok(Place { folder, port, proxy, process: Mutex::new(None) })
    }

    fn write_node(&self, index: usize, follows: Option<usize>) -> Result<(), ClusterError> {
        let place = &self.nodes[index];
        let text = node_configuration(
            &self.options,
            &NodePlace {
                folder: &place.folder,
                port: place.port,
                announced: self.node(index).port,
                follows: follows.map(|master| self.node(master).port),
            },
        );
        write(&place.folder.join("server.conf"), &text)
    }

    fn launch(&self, member: Member) -> Result<(), ClusterError> {
        let place = self.place_of(member);
        let arguments: &[&str] = match member {
            Member::Node(_) => &[],
            Member::Sentinel(_) => &["--sentinel"],
        };
        let started = Process::start(&place.folder.join("server.conf"), arguments, &place.folder.join("log"));
        let started = started.map_err(|cause| system(format!("start {member}"), cause))?;
        *self.process(member) = Some(started);
        Ok(())
    }

    fn place_of(&self, member: Member) -> &Place {
        match member {
            Member::Node(index) => &self.nodes[index],
            Member::Sentinel(index) => &self.sentinels[index],
        }
    }

    fn process(&self, member: Member) -> MutexGuard<'_, Option<Process>> {
        self.place_of(member).process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in self.members() {
            drop(self.process(member).take());
        }
        // What remains in the temporary folder does no harm.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

impl fmt::Display for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(index) => write!(formatter, "node {index}"),
            Self::Sentinel(index) => write!(formatter, "sentinel {index}"),
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cluster").field("folder", &self.folder).finish_non_exhaustive()
    }
}

pub(crate) fn local(port: u16) -> Endpoint {
    Endpoint { host: "127.0.0.1".to_owned(), port }
}

fn new_folder() -> Result<PathBuf, ClusterError> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("sentinel-testkit-{}-{number}", std::process::id()));
    // What a process that was killed, and had the same id, left behind.
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir(&folder).map_err(|cause| system(format!("{}", folder.display()), cause))?;
    Ok(folder)
}

fn write(path: &Path, text: &str) -> Result<(), ClusterError> {
    std::fs::write(path, text).map_err(|cause| system(format!("write {}", path.display()), cause))
}

fn system(what: String, cause: std::io::Error) -> ClusterError {
    ClusterError::System { what, cause }
}
