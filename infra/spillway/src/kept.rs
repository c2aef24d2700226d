//! What a stack chooses once and keeps in its data folder: ports, because sentinels remember addresses,
//! and secrets, because signatures outlive a restart.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use edge::SigningKeys;
use jiff::Timestamp;
use rand::RngExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::access_token_key::new_access_token_key;
use crate::layout::{FUNCTIONS, template, write_private};

/// Below the ports that systems take for outgoing connections, so that a node which restarts at the
/// peak finds its own port free.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
const TRIES_MAX: usize = 1_000;

/// Ports on loopback.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub(crate) redis: [u16; 3],
    pub(crate) sentinels: [u16; 3],
    pub(crate) dynamodb: u16,
    pub(crate) functions: BTreeMap<String, u16>,
    /// Where the gateway listens unless it is told a port.
    pub(crate) gateway: u16,
}

/// What signs, and what opens doors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Secrets {
    pub(crate) admin_token: String,
    pub(crate) shopper_secret: String,
    pub(crate) id_secret: String,
    pub(crate) signing_keys: String,
    /// Empty where an earlier start did not know them.
    #[serde(default)]
    pub(crate) access_token_keys: String,
    /// Passwords of the users of `infra/redis/users.acl`.
    #[serde(default)]
    pub(crate) redis_passwords: BTreeMap<String, String>,
    /// Passwords of the users of `infra/redis/sentinel-users.acl`.
    #[serde(default)]
    pub(crate) sentinel_passwords: BTreeMap<String, String>,
}

impl Ports {
    pub(crate) fn keep(data: &Path) -> Result<Self> {
        let path = data.join("ports.json");
        let mut ports: Self = keep(&path, Self::choose)?;
        given().extend(ports.named().map(|(_, port)| port).chain([ports.gateway]));
        // Also where an earlier start did not know one of the functions.
        for function in FUNCTIONS {
            if let Entry::Vacant(vacant) = ports.functions.entry(function.to_owned()) {
                vacant.insert(any_free_port()?);
            }
        }
        write_private(&path, &serde_json::to_string_pretty(&ports)?)?;
        for (name, port) in ports.named() {
            require_free(&name, port)?;
        }
        Ok(ports)
    }

    fn choose() -> Result<Self> {
        let three = || -> Result<[u16; 3]> { Ok([any_free_port()?, any_free_port()?, any_free_port()?]) };
        let (redis, sentinels) = (three()?, three()?);
        let (dynamodb, gateway) = (any_free_port()?, any_free_port()?);
        Ok(Self { redis, sentinels, dynamodb, functions: BTreeMap::new(), gateway })
    }

    fn named(&self) -> impl Iterator<Item = (String, u16)> + '_ {
        let numbered = |kind: &'static str, ports: [u16; 3]| {
            (1..).zip(ports).map(move |(number, port)| (format!("{kind}-{number}"), port))
        };
        let functions = self.functions.iter().map(|(name, port)| (name.clone(), *port));
        numbered("redis", self.redis)
            .chain(numbered("sentinel", self.sentinels))
            .chain(functions)
            .chain([("dynamodb".to_owned(), self.dynamodb)])
    }
}

impl Secrets {
    pub(crate) fn keep(data: &Path) -> Result<Self> {
        let path = data.join("secrets.json");
        let mut secrets: Self = keep(&path, || {
            let secret = || -> Result<String> { Ok(BASE64.encode(&random()?)) };
            Ok(Self {
                admin_token: BASE64URL_NOPAD.encode(&random()?),
                shopper_secret: secret()?,
                id_secret: secret()?,
                signing_keys: SigningKeys::first(Timestamp::now())?.to_setting(),
                access_token_keys: String::new(),
                redis_passwords: BTreeMap::new(),
                sentinel_passwords: BTreeMap::new(),
            })
        })?;
        if secrets.access_token_keys.is_empty() {
            secrets.access_token_keys = new_access_token_key()?;
        }
        // Also where an earlier start did not know one of the users.
        give_passwords(&mut secrets.redis_passwords, &template("redis/users.acl")?)?;
        give_passwords(&mut secrets.sentinel_passwords, &template("redis/sentinel-users.acl")?)?;
        write_private(&path, &serde_json::to_string_pretty(&secrets)?)?;
        Ok(secrets)
    }
}

/// Gives each user who needs a password one, unless there is one already.
fn give_passwords(passwords: &mut BTreeMap<String, String>, users: &str) -> Result<()> {
    let user = |line: &str| Some(line.strip_prefix("user ")?.split_once(" on {{passwords}}")?.0.to_owned());
    for user in users.lines().filter_map(user) {
        if let Entry::Vacant(vacant) = passwords.entry(user) {
            vacant.insert(BASE64URL_NOPAD.encode(&random()?));
        }
    }
    Ok(())
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system gives no randomness")?;
    Ok(bytes)
}

/// What the file says, or what is chosen now and written there.
fn keep<T: Serialize + DeserializeOwned>(path: &Path, choose: impl FnOnce() -> Result<T>) -> Result<T> {
    if let Ok(text) = std::fs::read_to_string(path) {
        let broken = || format!("{} is broken; `cargo spillway up --fresh` begins anew", path.display());
        return serde_json::from_str(&text).with_context(broken);
    }
    let chosen = choose()?;
    write_private(path, &serde_json::to_string_pretty(&chosen)?)?;
    Ok(chosen)
}

pub(crate) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Ports that stacks of this process have; who has one may not listen on it yet.
fn given() -> MutexGuard<'static, BTreeSet<u16>> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A port that nobody listens on now, that no outgoing connection is given, and that nobody else in this process
/// has got here.
pub fn any_free_port() -> Result<u16> {
    let (mut random, mut given) = (rand::rng(), given());
    for _ in 0..TRIES_MAX {
        let port = random.random_range(PORTS);
        if !given.contains(&port) && TcpListener::bind(local(port)).is_ok() {
            given.insert(port);
            return Ok(port);
        }
    }
    bail!("no free port between {} and {} was found", PORTS.start, PORTS.end)
}

/// Says in one sentence that a port is not free.
pub(crate) fn require_free(name: &str, port: u16) -> Result<()> {
    TcpListener::bind(local(port))
        .map(drop)
        .with_context(|| format!("port {port}, which {name} needs, is in use by another process"))
}
