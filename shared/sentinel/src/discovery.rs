//! Who the master is, by the sentinels.
//!
//! All are asked at once with `get-master-addr-by-name`, which names a new master a second earlier
//! than `SENTINEL MASTERS`. A majority that agrees ends the search; else, when the time is over, the
//! answer with the highest config epoch wins, or none where a majority is required.
//!
//! While a master is being replaced the same sentinels are asked again and again, by every client at once;
//! so their connections are kept from one attempt to the next, and closed as soon as a master is found.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::Value;

use crate::config::{Agreement, Config, SENTINELS_MAX};
use crate::endpoint::Endpoint;
use crate::sentinel_answer::{
    Instance, Told, endpoint_of, is_content, is_failing_over, number_of, read_endpoint, read_instance,
    read_instances,
};
use crate::wire::{Wire, auth};
use crate::{Deadline, Error};

/// For answers that come just after those that decided: one of them may be that of the sentinel which replaces the master.
/// Where that is what the question is about, each is waited for as long as any may take.
const STRAGGLERS: Duration = Duration::from_millis(50);

/// Connections to sentinels that rested this long are not tried again.
const KEPT_MAX: Duration = Duration::from_secs(1);

/// Where the master is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// What is to be dialled.
    pub(crate) master: Endpoint,
    /// What the sentinels say.
    pub(crate) named: Endpoint,
    pub(crate) config_epoch: u64,
    /// A sentinel is making a replica the master in its place.
    pub(crate) is_being_replaced: bool,
    /// Too few sentinels are about to take it for down to replace it.
    pub(crate) is_safe: bool,
}

/// The search for the master: which sentinels there are, and the connections to them.
#[derive(Default)]
pub(crate) struct Search {
    /// Beyond the configured ones.
    learned: Vec<Endpoint>,
    learned_at: Option<Instant>,
    kept: HashMap<Endpoint, Kept>,
    kept_at: Option<Instant>,
    /// Whether some were asked the short question last, which does not tell who is being replaced.
    pub(crate) is_brief: bool,
}

impl Search {
    /// Asks the sentinels, within the time of a discovery. Each further answer is for the case that there
    /// is no address for the name in the one before.
    pub(crate) async fn find_master(
        &mut self,
        config: &Config,
        deadline: Deadline,
    ) -> Result<Vec<Found>, Error> {
        self.search(config, false, deadline).await
    }

    async fn search(
        &mut self,
        config: &Config,
        is_whole: bool,
        deadline: Deadline,
    ) -> Result<Vec<Found>, Error> {
        let deadline = deadline.sooner(config.timings.discovery);
        if self.kept_at.is_some_and(|at| at.elapsed() > KEPT_MAX) {
            self.rest();
        }
        self.is_brief = !is_whole && !self.kept.is_empty();
        let is_refresh = self.learned_at.is_none_or(|at| at.elapsed() >= config.timings.sentinel_refresh);
        let endpoints: Vec<_> = config.sentinels.iter().chain(&self.learned).cloned().collect();
        let asked = endpoints.into_iter().map(|endpoint| {
            let kept = self.kept.remove(&endpoint);
            ask(config, endpoint, kept, is_whole, is_refresh)
        });
        let mut asked: FuturesUnordered<_> = asked.collect();
        let mut tally = Tally::default();
        let (mut agreed, mut until) = (None, deadline);
        while let Some(Some((endpoint, answer))) = until.bound(asked.next()).await {
            if let Some(kept) = tally.count(endpoint.clone(), answer) {
                self.kept.insert(endpoint, kept);
            }
            if agreed.is_none() {
                agreed = tally.agreed(config);
                if agreed.is_some() && !is_whole {
                    until = deadline.sooner(STRAGGLERS);
                }
            }
        }
        drop(asked);
        self.kept_at = Some(Instant::now());
        if is_refresh && !tally.told.is_empty() {
            self.learned = tally.learned(config);
            self.learned_at = Some(Instant::now());
        }
        let (replaced, is_safe) = (tally.replaced(), tally.is_safe());
        let named = agreed.map_or_else(|| tally.without_agreement(config), |agreed| Ok(vec![agreed]))?;
        let gap = named.first().map(|(named, _)| format!("`nat_map` has no entry for {named}"));
        let mapped = named.into_iter().filter_map(|(named, config_epoch)| {
            let is_being_replaced = replaced.contains(&named);
            let master = config.nat_map.dialled(&named)?;
            Some(Found { master, named, config_epoch, is_being_replaced, is_safe })
        });
        let found: Vec<_> = mapped.collect();
        if found.is_empty() { Err(Error::Config(gap.unwrap_or_default())) } else { Ok(found) }
    }

    /// The same, where each sentinel is asked the whole question, however short the last one was.
    pub(crate) async fn find_master_anew(
        &mut self,
        config: &Config,
        deadline: Deadline,
    ) -> Result<Vec<Found>, Error> {
        self.search(config, true, deadline).await
    }

    /// Closes the connections to the sentinels.
    pub(crate) fn rest(&mut self) {
        self.kept.clear();
        self.kept_at = None;
    }

    /// All sentinels that are asked.
    pub(crate) fn sentinels(&self, config: &Config) -> Vec<Endpoint> {
        config.sentinels.iter().chain(&self.learned).cloned().collect()
    }
}

/// A connection to a sentinel, and what it said on it last.
struct Kept {
    wire: Wire,
    told: Told,
}

/// What the sentinels have said so far.
#[derive(Default)]
struct Tally {
    told: Vec<(Endpoint, Told)>,
    misconfigured: Option<Error>,
    failures: Vec<String>,
}

impl Tally {
    /// Counts an answer; gives back the connection that it came on.
    fn count(&mut self, endpoint: Endpoint, answer: Result<Kept, Error>) -> Option<Kept> {
        match answer {
            Ok(kept) => {
                self.told.push((endpoint, kept.told.clone()));
                return Some(kept);
            }
            Err(error @ Error::Config(_)) => self.misconfigured = Some(error),
            Err(error) => self.failures.push(error.to_string()),
        }
        None
    }

    /// The votes for each master; a sentinel that was asked at two addresses has one.
    fn votes(&self) -> HashMap<(&Endpoint, u64), HashSet<&str>> {
        let mut votes: HashMap<_, HashSet<&str>> = HashMap::new();
        for (_, told) in &self.told {
            if let Some(master) = &told.master {
                votes.entry((master, told.config_epoch)).or_default().insert(&told.id);
            }
        }
        votes
    }

    /// The masters that a sentinel is replacing.
    fn replaced(&self) -> Vec<Endpoint> {
        self.told.iter().filter_map(|(_, told)| told.replaces.clone()).collect()
    }

    fn is_safe(&self) -> bool {
        let quorum = self.told.iter().map(|(_, told)| told.quorum).max().unwrap_or(0);
        self.told.iter().filter(|(_, told)| !told.is_content).count() < quorum.max(1)
    }

    /// As Sentinel itself counts: of all sentinels that are known, reachable or not.
    fn majority(&self, config: &Config) -> usize {
        let known = self.told.iter().map(|(_, told)| told.electorate).max().unwrap_or(0);
        known.max(config.sentinels.len()) / 2 + 1
    }

    fn agreed(&self, config: &Config) -> Option<(Endpoint, u64)> {
        let majority = self.majority(config);
        let agreed = self.votes().into_iter().find(|(_, voters)| voters.len() >= majority);
        agreed.map(|((master, epoch), _)| (master.clone(), epoch))
    }

    /// What can be said when no majority agrees, the newest first.
    fn without_agreement(self, config: &Config) -> Result<Vec<(Endpoint, u64)>, Error> {
        let votes = self.votes();
        let mut named: Vec<_> = votes.keys().map(|(master, epoch)| ((*master).clone(), *epoch)).collect();
        named.sort_by_key(|(_, epoch)| std::cmp::Reverse(*epoch));
        match (named.first(), config.agreement) {
            (Some(_), Agreement::MajorityElseNewest) => return Ok(named),
            (Some(_), Agreement::Majority) => {
                let most = votes.values().map(HashSet::len).max().unwrap_or(0);
                return Err(Error::Unavailable(format!(
                    "{most} of the sentinels agree on a master; `agreement` requires {}",
                    self.majority(config)
                )));
            }
            (None, _) => {}
        }
        // One sentinel that refuses us does not keep the others from being believed.
        if let Some(error) = self.misconfigured {
            return Err(error);
        }
        if !self.told.is_empty() {
            let name = &config.master_name;
            return Err(Error::Config(format!("`master_name`: no sentinel knows a master named `{name}`")));
        }
        let mut failures = self.failures;
        failures.sort();
        failures.dedup();
        Err(Error::Unavailable(format!("none of `sentinels` answered ({})", failures.join("; "))))
    }

    /// Sentinels that the others name and that are not configured.
    fn learned(&self, config: &Config) -> Vec<Endpoint> {
        let answered = |endpoint: &Endpoint| self.told.iter().find(|(asked, _)| asked == endpoint);
        let configured: HashSet<&str> = config
            .sentinels
            .iter()
            .filter_map(|endpoint| answered(endpoint).map(|(_, told)| told.id.as_str()))
            .collect();
        let mut learned: Vec<Endpoint> = self
            .told
            .iter()
            .flat_map(|(_, told)| &told.others)
            .filter(|(id, _)| !configured.contains(id.as_str()))
            .filter_map(|(_, named)| config.nat_map.dialled(named))
            .filter(|endpoint| !config.sentinels.contains(endpoint))
            .collect();
        learned.sort();
        learned.dedup();
        learned.truncate(SENTINELS_MAX.saturating_sub(config.sentinels.len()));
        learned
    }
}

async fn ask(
    config: &Config,
    endpoint: Endpoint,
    kept: Option<Kept>,
    is_whole: bool,
    is_refresh: bool,
) -> (Endpoint, Result<Kept, Error>) {
    let answer = async {
        if let Some(kept) = kept {
            // A whole fleet asks in this way while a master is being replaced: one short question.
            match name_master(config, &endpoint, &kept.wire).await {
                Ok(master)
                    if master == kept.told.master
                        && !is_whole
                        && !is_refresh
                        && kept.told.replaces.is_none() =>
                {
                    return Ok(kept);
                }
                Ok(_) => {
                    let told = query(config, &endpoint, &kept.wire, false, is_refresh).await?;
                    return Ok(Kept { told, ..kept });
                }
                // It was closed meanwhile.
                Err(_) => {}
            }
        }
        let wire = Wire::to_sentinel(config, &endpoint).await?;
        let told = query(config, &endpoint, &wire, true, is_refresh).await?;
        Ok(Kept { wire, told })
    };
    let answer = Deadline::after(config.timings.ask).bound(answer).await;
    let answer = answer.unwrap_or_else(|| Err(Error::Unavailable(format!("{endpoint} timed out"))));
    (endpoint, answer)
}

async fn name_master(config: &Config, endpoint: &Endpoint, wire: &Wire) -> Result<Option<Endpoint>, Error> {
    let question = sentinel_command("get-master-addr-by-name", Some(&config.master_name));
    let answers = wire.send(std::slice::from_ref(&question)).await;
    let answer = answers.map_err(|error| explain(endpoint, &error))?.into_iter().next();
    read_master(endpoint, answer)
}

/// The master that a sentinel names; `None` where it knows none of that name.
fn read_master(endpoint: &Endpoint, answer: Option<Value>) -> Result<Option<Endpoint>, Error> {
    match answer {
        Some(Value::ServerError(error)) => Err(explain(endpoint, &error.into())),
        Some(Value::Nil) | None => Ok(None),
        Some(value) => read_endpoint(value)
            .map(Some)
            .ok_or_else(|| Error::Unavailable(format!("sentinel {endpoint} gave an address that is none"))),
    }
}

async fn query(
    config: &Config,
    endpoint: &Endpoint,
    wire: &Wire,
    is_new: bool,
    is_refresh: bool,
) -> Result<Told, Error> {
    let auth = auth(config.sentinel_credentials.as_ref()).filter(|_| is_new);
    let auths = usize::from(auth.is_some());
    let mut commands: Vec<_> = auth.into_iter().collect();
    commands.push(sentinel_command("get-master-addr-by-name", Some(&config.master_name)));
    commands.push(sentinel_command("MASTER", Some(&config.master_name)));
    commands.push(sentinel_command("MYID", None));
    if is_refresh {
        commands.push(sentinel_command("SENTINELS", Some(&config.master_name)));
    }
    let answers = wire.send(&commands).await.map_err(|error| explain(endpoint, &error))?;
    let mut answers = answers.into_iter();
    for _ in 0..auths {
        if let Some(Value::ServerError(error)) = answers.next() {
            return Err(explain(endpoint, &error.into()));
        }
    }
    let master = read_master(endpoint, answers.next())?;
    let instance = match answers.next() {
        // Without its epoch an old answer would count like a new one.
        Some(Value::ServerError(error)) if master.is_some() => return Err(explain(endpoint, &error.into())),
        answer => answer.and_then(read_instance).unwrap_or_default(),
    };
    let id = answers.next().and_then(|id| redis::from_redis_value(id).ok());
    let others = answers.next().map(read_instances).unwrap_or_default();
    let other = |instance: &Instance| Some((instance.get("runid")?.clone(), endpoint_of(instance)?));
    Ok(Told {
        id: id.unwrap_or_else(|| endpoint.to_string()),
        replaces: endpoint_of(&instance).filter(|_| is_failing_over(&instance)),
        is_content: is_content(&instance, config.timings.unanswered_ping_max()),
        quorum: usize::try_from(number_of(&instance, "quorum")).unwrap_or(0),
        config_epoch: number_of(&instance, "config-epoch"),
        electorate: usize::try_from(number_of(&instance, "num-other-sentinels"))
            .unwrap_or(0)
            .saturating_add(1),
        others: others.iter().filter_map(other).collect(),
        master,
    })
}

/// `SENTINEL name [argument]`.
pub(crate) fn sentinel_command(name: &str, argument: Option<&str>) -> redis::Cmd {
    let mut command = redis::cmd("SENTINEL");
    command.arg(name).arg(argument);
    command
}

/// What a sentinel's error means.
pub(crate) fn explain(endpoint: &Endpoint, error: &redis::RedisError) -> Error {
    let told = format!("sentinel {endpoint}: {error}");
    match error.code() {
        Some("NOAUTH" | "WRONGPASS" | "NOPERM") => Error::Config(format!("`sentinel_credentials`: {told}")),
        Some("DENIED") => Error::Config(told),
        _ if told.contains("unknown command") => {
            Error::Config(format!("`sentinels`: {endpoint} is no sentinel: {error}"))
        }
        Some("ERR") if told.contains("AUTH") => Error::Config(format!("`sentinel_credentials`: {told}")),
        _ => Error::Unavailable(told),
    }
}
