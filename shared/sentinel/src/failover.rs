//! A planned failover that loses nothing.
//!
//! `SENTINEL FAILOVER` by itself loses what the old master acknowledges until its replicas have left it, even
//! what a replica has acknowledged: the one that was not chosen still follows the old master for about a
//! second, and the sentinels let the old master be one for ten. So writes are paused first, until every
//! replica has everything, and stay paused until there is a new master, which the old one is then told to
//! follow. Callers wait meanwhile, and repeat what they sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Cmd, Value};

use crate::client::Client;
use crate::discovery::{explain, sentinel_command};
use crate::endpoint::Endpoint;
use crate::replication::field;
use crate::session::Session;
use crate::topology::Topology;
use crate::wire::{Wire, auth, info_command};
use crate::{Deadline, Error};

/// How long the old master pauses writes, unless it is told so again.
const PAUSE: Duration = Duration::from_secs(15);

/// Between two times that it is told so.
const RENEW: Duration = Duration::from_secs(3);

/// Until every replica has everything. Short, because sentinels begin to miss a master that pauses: it does
/// not take their messages.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Until the sentinels have made another one the master, and it answers.
const SWITCH: Duration = Duration::from_secs(12);

const POLL: Duration = Duration::from_millis(10);

/// A failover that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failover {
    /// The master before.
    pub from: Endpoint,
    /// The master now.
    pub to: Endpoint,
    /// How long no write was possible.
    pub gap: Duration,
    /// Bytes of the replication stream that the old master had when it paused, and the new one has not. 0,
    /// unless the sentinels have chosen a replica that was not seen to follow.
    pub lost_bytes: u64,
}

impl Client {
    /// Has the sentinels replace the master, without losing anything that was acknowledged. Takes a user
    /// that may run `CLIENT PAUSE`, `INFO` and `REPLICAOF` on the data nodes, and `SENTINEL FAILOVER`.
    ///
    /// Where the sentinels refuse, writes go on at once. Where it is not known whether they have begun, writes
    /// on the old master stay paused for at most 15 s beyond this call.
    pub async fn failover(&self) -> Result<Failover, Error> {
        let before = self.topology(Deadline::after(CATCH_UP)).await;
        let (from, replicas, sentinel) = check(self, &before)?;
        let master = self.node(&from).await?;
        let mut followers = Vec::new();
        for replica in &replicas {
            let dialled = self.config().nat_map.dialled(replica);
            let dialled =
                dialled.ok_or_else(|| Error::Config(format!("`nat_map` has no entry for {replica}")))?;
            followers.push(self.node(&dialled).await?);
        }
        let sentinel_wire = Wire::to_sentinel(self.config(), &sentinel).await?;
        let began = Instant::now();
        let deadline = Deadline::after(CATCH_UP + SWITCH);
        let started = async {
            pause(&master).await?;
            let goal = catch_up(&master, &followers).await?;
            start(self, &sentinel, &sentinel_wire).await?;
            Ok(goal)
        };
        let goal = match started.await {
            Ok(goal) => goal,
            Err(error) => {
                // Should this get lost, the pause ends by itself.
                let _ = answer(&master, client_command(&["UNPAUSE"])).await;
                return Err(error);
            }
        };
        let session = self.await_other_than(&from, &master, deadline).await?;
        let gap = began.elapsed();
        let lost_bytes = self.lost_bytes(&session, goal).await?;
        demote(&master, &session.named, deadline).await;
        Ok(Failover { from, to: session.master.clone(), gap, lost_bytes })
    }

    /// What the new master lacks of what the old one had when it paused.
    async fn lost_bytes(&self, session: &Session, goal: u64) -> Result<u64, Error> {
        let info = info(&self.node(&session.master).await?).await?;
        let own_from = field(&info, "second_repl_offset").and_then(|offset| offset.parse::<u64>().ok());
        let own_from = own_from.ok_or_else(|| {
            Error::Unavailable(
                "the failover is done, but the new master shows no history before it".to_owned(),
            )
        })?;
        Ok(goal.saturating_sub(own_from.saturating_sub(1)))
    }

    /// A connection to a data node, whatever its role.
    async fn node(&self, endpoint: &Endpoint) -> Result<Wire, Error> {
        let wire = Wire::to_node(self.config(), endpoint).await?;
        if let Some(auth) = auth(self.config().credentials.as_ref()) {
            answer(&wire, auth).await?;
        }
        Ok(wire)
    }

    /// Waits for another master than the old one, which pauses meanwhile.
    async fn await_other_than(
        &self,
        old: &Endpoint,
        master: &Wire,
        deadline: Deadline,
    ) -> Result<Arc<Session>, Error> {
        let mut paused = Instant::now();
        loop {
            match self.session(deadline).await {
                Ok(session) if session.master != *old => return Ok(session),
                Ok(session) => session.doubt(),
                Err(error) if deadline.is_over() => return Err(error),
                Err(_) => {}
            }
            if deadline.is_over() {
                return Err(Error::Unavailable(format!("the sentinels still name {old}")));
            }
            if paused.elapsed() > RENEW {
                paused = Instant::now();
                // Where it cannot be told any more, it has been replaced or is gone.
                let _ = pause(master).await;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The master, its replicas and a sentinel to tell, where a failover can be expected to lose nothing.
fn check(client: &Client, before: &Topology) -> Result<(Endpoint, Vec<Endpoint>, Endpoint), Error> {
    let unfit = |cause: &str| Error::Unavailable(format!("no failover now: {cause}"));
    let master = before.master.as_ref().map_err(|cause| unfit(cause))?;
    if master.replicas.is_empty() {
        return Err(unfit("no replica follows the master"));
    }
    let names_it = |named: &Option<Endpoint>| {
        let dialled = named.as_ref().and_then(|named| client.config().nat_map.dialled(named));
        dialled.as_ref() == Some(&master.endpoint)
    };
    let told = before.sentinels.iter().find_map(|sentinel| {
        let told = sentinel.told.as_ref().ok()?;
        let is_fit = told.quorum_check.is_ok() && told.flags == "master" && names_it(&told.master);
        is_fit.then_some((&sentinel.endpoint, told))
    });
    let (sentinel, told) =
        told.ok_or_else(|| unfit("no sentinel sees a healthy master and a majority of the sentinels"))?;
    // Sentinels choose by what they last heard, and could choose one that has lost its master since.
    let eligible = told.replicas.iter().filter(|(_, flags)| !flags.contains("down")).count();
    if master.replicas.iter().any(|replica| !replica.is_online) || eligible > master.replicas.len() {
        return Err(unfit("a replica that could be chosen does not follow the master"));
    }
    // It would have all that it knows follow the new master; any other would follow the old one for ever, unknown to
    // the sentinels, which look at a master's replicas only.
    if eligible < master.replicas.len() {
        return Err(unfit("the sentinel does not know every replica yet; it looks every ten seconds"));
    }
    let replicas = master.replicas.iter().map(|replica| replica.endpoint.clone()).collect();
    Ok((master.endpoint.clone(), replicas, sentinel.clone()))
}

async fn pause(master: &Wire) -> Result<(), Error> {
    answer(master, client_command(&["PAUSE", &PAUSE.as_millis().to_string(), "WRITE"])).await.map(drop)
}

/// Waits until every replica has all that the master had when it paused, and tells how much that is.
async fn catch_up(master: &Wire, followers: &[Wire]) -> Result<u64, Error> {
    let goal = offset(master, "master_repl_offset").await?;
    let give_up = Deadline::after(CATCH_UP);
    for follower in followers {
        while offset(follower, "slave_repl_offset").await? < goal {
            if give_up.is_over() {
                return Err(Error::Unavailable("no failover now: a replica does not catch up".to_owned()));
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(goal)
}

/// Tells a sentinel to begin. Only a definite refusal is an error: where the answer is lost, or a failover is
/// under way already, the old master must not go on.
async fn start(client: &Client, sentinel: &Endpoint, wire: &Wire) -> Result<(), Error> {
    let config = client.config();
    let mut commands: Vec<_> = auth(config.sentinel_credentials.as_ref()).into_iter().collect();
    commands.push(sentinel_command("FAILOVER", Some(&config.master_name)));
    let Ok(answers) = wire.send(&commands).await else { return Ok(()) };
    for answer in answers {
        let Value::ServerError(error) = answer else { continue };
        let error = redis::RedisError::from(error);
        if error.code() != Some("INPROG") {
            return Err(explain(sentinel, &error));
        }
    }
    Ok(())
}

/// Has the old master follow the new one. Should it not listen, the sentinels tell it some seconds later, and
/// until then it pauses.
async fn demote(master: &Wire, to: &Endpoint, deadline: Deadline) {
    let mut follow = redis::cmd("REPLICAOF");
    follow.arg(&to.host).arg(to.port);
    let followed = async {
        answer(master, follow).await?;
        // A replica that pauses would not apply what its master sends. Whoever waits is told READONLY now.
        answer(master, client_command(&["UNPAUSE"])).await
    };
    match deadline.bound(followed).await {
        Some(Ok(_)) => {}
        failed => tracing::warn!(?failed, "the old master was not told to follow the new one"),
    }
}

async fn offset(node: &Wire, name: &str) -> Result<u64, Error> {
    let info = info(node).await?;
    let offset = field(&info, name).and_then(|offset| offset.parse().ok());
    offset.ok_or_else(|| Error::Unavailable(format!("no failover now: INFO shows no {name}")))
}

async fn info(node: &Wire) -> Result<String, Error> {
    let text = redis::from_redis_value(answer(node, info_command("replication")).await?);
    text.map_err(|error| Error::Unavailable(format!("INFO: {error}")))
}

fn client_command(words: &[&str]) -> Cmd {
    let mut command = redis::cmd("CLIENT");
    command.arg(words);
    command
}

async fn answer(node: &Wire, command: Cmd) -> Result<Value, Error> {
    let answers = node.send(std::slice::from_ref(&command)).await;
    let answer = answers.map_err(|error| Error::Unavailable(error.to_string()))?.into_iter().next();
    match answer {
        Some(Value::ServerError(error)) => Err(Error::Config(redis::RedisError::from(error).to_string())),
        Some(value) => Ok(value),
        None => Err(Error::Unavailable("an answer is missing".to_owned())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::topology::{MasterView, ReplicaView, SentinelTold, SentinelView};
    use crate::{Config, Lineage};

    /// A master with two replicas, and a sentinel that knows so many.
    fn known(count: u16) -> Topology {
        let endpoint = |port: u16| Endpoint { host: "h".to_owned(), port };
        let replica = |port| ReplicaView {
            endpoint: endpoint(port),
            is_online: true,
            lag_bytes: 0,
            lag: Duration::ZERO,
        };
        let master = MasterView {
            endpoint: endpoint(1),
            config_epoch: 1,
            lineage: Lineage("a".into()),
            offset: 1,
            replicas: vec![replica(2), replica(3)],
            memory_used: 0,
            memory_max: 0,
            clients: 0,
            clients_max: 0,
        };
        let told = SentinelTold {
            master: Some(endpoint(1)),
            config_epoch: 1,
            flags: "master".to_owned(),
            quorum: 2,
            sentinels: 3,
            replicas: (0..count).map(|index| (endpoint(2 + index), "slave".to_owned())).collect(),
            is_tilted: false,
            quorum_check: Ok(()),
        };
        Topology {
            master: Ok(master),
            sentinels: vec![SentinelView { endpoint: endpoint(9), told: Ok(told) }],
        }
    }

    #[test]
    fn a_sentinel_that_does_not_know_exactly_the_replicas_that_follow_is_not_told_to_fail_over() {
        let client = Client::new(Config::new(vec!["h:9".parse().unwrap()], "m")).unwrap();
        assert!(check(&client, &known(2)).is_ok());
        for (count, cause) in [(1, "does not know every replica"), (3, "does not follow the master")] {
            let refused = check(&client, &known(count)).unwrap_err().to_string();
            assert!(refused.contains(cause), "{refused}");
        }
    }
}
