//! What a test asks of a cluster's servers, and waits for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::testkit_cluster::{Cluster, ClusterError, Member};
use crate::testkit_options::MASTER_NAME;
use crate::{Credentials, Endpoint, Value};

/// For a failover and all that follows from it, on a busy host: the sentinels repeat a failed attempt after 20 s.
const PATIENCE: Duration = Duration::from_secs(70);

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);

impl Cluster {
    /// Sends a command to a member, past all proxies, on a connection of its own.
    pub async fn command(&self, member: Member, words: &[&str]) -> Result<Value, ClusterError> {
        let (endpoint, password) = self.door(member);
        ask(endpoint, password, words, Duration::from_secs(10)).await.map_err(|cause| ClusterError::Command {
            member,
            command: words.join(" "),
            cause,
        })
    }

    /// One field of a member's INFO, such as `("replication", "connected_slaves")`.
    pub async fn field(&self, member: Member, section: &str, name: &str) -> Result<String, ClusterError> {
        let info = text(&self.command(member, &["INFO", section]).await?);
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(value.unwrap_or_default().trim().to_owned())
    }

    /// What a sentinel knows of the master, as `SENTINEL MASTER` has it.
    pub async fn view(&self, sentinel: usize) -> Result<BTreeMap<String, String>, ClusterError> {
        Ok(fields(&self.command(Member::Sentinel(sentinel), &["SENTINEL", "MASTER", MASTER_NAME]).await?))
    }

    /// Makes a node a master by hand, behind the sentinels' back.
    pub async fn promote(&self, index: usize) -> Result<(), ClusterError> {
        self.command(Member::Node(index), &["REPLICAOF", "NO", "ONE"]).await.map(drop)
    }

    /// Makes a node a replica by hand, behind the sentinels' back: of a master that is not there, because
    /// two nodes that copy each other can end up empty.
    pub async fn demote(&self, index: usize) -> Result<(), ClusterError> {
        self.command(Member::Node(index), &["REPLICAOF", "127.0.0.1", "1"]).await.map(drop)
    }

    /// Has a sentinel replace the master, without anybody's agreement.
    pub async fn failover(&self) -> Result<(), ClusterError> {
        self.command(Member::Sentinel(0), &["SENTINEL", "FAILOVER", MASTER_NAME]).await.map(drop)
    }

    /// The node that most of the answering sentinels name.
    pub async fn master(&self) -> Result<usize, ClusterError> {
        let votes = self.votes().await;
        let most = votes.iter().max_by_key(|(_, count)| **count).map(|(index, _)| *index);
        most.ok_or_else(|| overdue("a sentinel that names a node", Duration::ZERO))
    }

    /// Waits until all sentinels that answer name the same node, another than `old`, and it is a master.
    pub async fn master_after(&self, old: usize) -> Result<usize, ClusterError> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let votes = self.votes().await;
            if let Some((&index, _)) = votes.iter().next().filter(|(index, _)| **index != old)
                && votes.len() == 1
                && self.role(index).await.is_ok_and(|role| role == "master")
            {
                return Ok(index);
            }
            if Instant::now() > give_up {
                return Err(overdue(&format!("a master after node {old}; votes {votes:?}"), PATIENCE));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What ROLE says of a node.
    pub async fn role(&self, index: usize) -> Result<String, ClusterError> {
        let role = self.command(Member::Node(index), &["ROLE"]).await?;
        Ok(items(&role).first().map(text).unwrap_or_default())
    }

    /// Waits until all running nodes follow one master and all running sentinels know all of it: what is
    /// true after the start, and must be again after an incident.
    pub async fn until_settled(&self) -> Result<usize, ClusterError> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let missing = match self.unsettled().await {
                Ok(index) => return Ok(index),
                Err(missing) => missing,
            };
            if Instant::now() > give_up {
                return Err(overdue(&missing, PATIENCE));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the other running nodes are replicas in step with this one.
    pub async fn until_replicas_follow(&self, master: usize) -> Result<(), ClusterError> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let followers = self.followers(master).await;
            let missing = match followers {
                Ok(count) if count >= self.running_nodes() - 1 => return Ok(()),
                Ok(count) => format!("replicas of node {master}; {count} follow"),
                Err(error) => error.to_string(),
            };
            if Instant::now() > give_up {
                return Err(overdue(&missing, PATIENCE));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Lets the sentinels find each other in a moment instead of the two seconds between two of their
    /// greetings, then gives the greetings their usual pace again.
    pub(crate) async fn introduce_sentinels(&self) -> Result<(), ClusterError> {
        self.pace_greetings("100").await?;
        self.until_settled().await?;
        self.pace_greetings("2000").await
    }

    async fn pace_greetings(&self, ms: &str) -> Result<(), ClusterError> {
        for index in 0..self.options.sentinels {
            let give_up = Instant::now() + PATIENCE;
            let words = ["SENTINEL", "DEBUG", "publish-period", ms];
            while let Err(error) = self.command(Member::Sentinel(index), &words).await {
                if Instant::now() > give_up {
                    return Err(error);
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// How many of the answering sentinels name which node.
    async fn votes(&self) -> BTreeMap<usize, usize> {
        let mut asked = JoinSet::new();
        for index in 0..self.options.sentinels {
            let (endpoint, password) = self.door(Member::Sentinel(index));
            let words = ["SENTINEL", "get-master-addr-by-name", MASTER_NAME];
            asked.spawn(async move { ask(endpoint, password, &words, Duration::from_millis(300)).await });
        }
        let mut votes = BTreeMap::new();
        for answer in asked.join_all().await.into_iter().flatten() {
            let port = items(&answer).get(1).map(text).unwrap_or_default();
            let named = (0..self.options.nodes).find(|index| self.node(*index).port.to_string() == port);
            if let Some(index) = named {
                *votes.entry(index).or_default() += 1;
            }
        }
        votes
    }

    /// The master, or what is not yet as it should be.
    async fn unsettled(&self) -> Result<usize, String> {
        let votes = self.votes().await;
        let (&master, _) = votes.iter().next().filter(|_| votes.len() == 1).ok_or("one master for all")?;
        let role = self.role(master).await.map_err(|error| error.to_string())?;
        let followers = self.followers(master).await.map_err(|error| error.to_string())?;
        if role != "master" || followers < self.running_nodes() - 1 {
            return Err(format!("node {master} is a {role} with {followers} replicas in step"));
        }
        let sentinels: Vec<usize> =
            (0..self.options.sentinels).filter(|index| self.is_running(Member::Sentinel(*index))).collect();
        let running = sentinels.len();
        for index in sentinels {
            let view = self.view(index).await.map_err(|error| error.to_string())?;
            let is = |name: &str, value: String| view.get(name) == Some(&value);
            let knows_sentinels = is("num-other-sentinels", (self.options.sentinels - 1).to_string());
            if !knows_sentinels || !is("flags", "master".to_owned()) {
                return Err(format!("sentinel {index} sees {view:?}"));
            }
            let peers = self.peers(index, "SENTINELS").await?;
            let replicas = self.peers(index, "REPLICAS").await?;
            let is = |peer: &BTreeMap<String, String>, name: &str, value: &str| {
                peer.get(name).is_some_and(|known| known == value)
            };
            let is_well =
                |replica: &&_| is(replica, "flags", "slave") && is(replica, "master-link-status", "ok");
            let is_met = |peer: &&_| is(peer, "flags", "sentinel");
            if replicas.iter().filter(is_well).count() < self.running_nodes() - 1
                || peers.iter().filter(is_met).count() < running - 1
            {
                return Err(format!("sentinel {index} sees {replicas:?} and {peers:?}"));
            }
        }
        Ok(master)
    }

    /// What a sentinel knows of the other sentinels, or of the replicas.
    async fn peers(&self, sentinel: usize, kind: &str) -> Result<Vec<BTreeMap<String, String>>, String> {
        let words = ["SENTINEL", kind, MASTER_NAME];
        let peers = self.command(Member::Sentinel(sentinel), &words).await;
        Ok(items(&peers.map_err(|error| error.to_string())?).iter().map(fields).collect())
    }

    /// Replicas that are online at this node and not behind.
    async fn followers(&self, master: usize) -> Result<usize, ClusterError> {
        let info = text(&self.command(Member::Node(master), &["INFO", "replication"]).await?);
        let is_in_step = |line: &&str| {
            line.starts_with("slave")
                && line.contains("state=online")
                && (line.contains("lag=0") || line.contains("lag=1"))
        };
        Ok(info.lines().filter(is_in_step).count())
    }

    fn running_nodes(&self) -> usize {
        (0..self.options.nodes).filter(|index| self.is_running(Member::Node(*index))).count().max(1)
    }

    fn door(&self, member: Member) -> (Endpoint, Option<Credentials>) {
        let (endpoint, password) = match member {
            Member::Node(index) => (self.node_direct(index), &self.options.node_password),
            Member::Sentinel(index) => (self.sentinel(index), &self.options.sentinel_password),
        };
        (endpoint, password.clone().map(|password| Credentials { username: None, password }))
    }
}

/// A command on a connection of its own, without the client that is under test.
async fn ask(
    endpoint: Endpoint,
    credentials: Option<Credentials>,
    words: &[&str],
    timeout: Duration,
) -> Result<Value, String> {
    use redis::IntoConnectionInfo;
    let text = |error: redis::RedisError| error.to_string();
    let mut settings = redis::RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(credentials) = credentials {
        settings = settings.set_password(credentials.password);
    }
    let address = redis::ConnectionAddr::Tcp(endpoint.host, endpoint.port);
    let info = address.into_connection_info().map_err(text)?.set_redis_settings(settings);
    let timeouts = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(Some(timeout));
    let client = redis::Client::open(info).map_err(text)?;
    let mut connection =
        client.get_multiplexed_async_connection_with_config(&timeouts).await.map_err(text)?;
    let (name, args) = words.split_first().ok_or("no command")?;
    let value = redis::cmd(name).arg(args).query_async(&mut connection).await.map_err(text)?;
    Value::read(value).map_err(|error| error.to_string())
}

/// The text of a string or a number; empty for all else.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::Nil | Value::Array(_) => String::new(),
    }
}

/// The parts of a list; none for all else.
pub(crate) fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        _ => &[],
    }
}

/// A list of names and values in turn.
pub(crate) fn fields(value: &Value) -> BTreeMap<String, String> {
    items(value).chunks_exact(2).map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

fn overdue(missing: &str, patience: Duration) -> ClusterError {
    ClusterError::Overdue { missing: missing.to_owned(), patience }
}
