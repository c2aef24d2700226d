//! Who the master is, by the sentinels.
//!
//! All are asked at once with `get-master-addr-by-name`, which names a new master a second earlier
//! than `SENTINEL MASTERS`. A majority that agrees ends the search; else, when the time is over, the
//! answer with the highest config epoch wins.

use std::collections::HashMap;

use redis::Value;
use tokio::task::JoinSet;

use crate::config::{Config, Endpoint};
use crate::connect::{Dial, dial};
use crate::{Deadline, Error};

/// What one sentinel said.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Master { endpoint: Endpoint, config_epoch: u64 },
    UnknownMaster,
}

/// The address of the master.
pub(crate) async fn find_master(config: &Config, deadline: Deadline) -> Result<Endpoint, Error> {
    let deadline = deadline.sooner(config.timings.discovery);
    let majority = config.sentinels.len() / 2 + 1;
    let mut asked = JoinSet::new();
    for sentinel in &config.sentinels {
        asked.spawn(ask(config.clone(), sentinel.clone()));
    }
    let mut votes: HashMap<(Endpoint, u64), usize> = HashMap::new();
    let (mut unknown, mut misconfigured, mut failures) = (0, None, Vec::new());
    while let Some(Some(answer)) = deadline.bound(asked.join_next()).await {
        match answer {
            Ok(Ok(Answer::Master { endpoint, config_epoch })) => {
                let count = votes.entry((endpoint.clone(), config_epoch)).or_default();
                *count += 1;
                if *count >= majority {
                    return Ok(endpoint);
                }
            }
            Ok(Ok(Answer::UnknownMaster)) => unknown += 1,
            Ok(Err(error @ Error::Config(_))) => misconfigured = Some(error),
            Ok(Err(error)) => failures.push(error.to_string()),
            Err(error) => failures.push(error.to_string()),
        }
    }
    if let Some(((endpoint, _), _)) = votes.into_iter().max_by_key(|((_, epoch), _)| *epoch) {
        return Ok(endpoint);
    }
    // One sentinel that refuses us does not keep the others from being believed.
    if let Some(error) = misconfigured {
        return Err(error);
    }
    if unknown > 0 && unknown + failures.len() == config.sentinels.len() {
        return Err(Error::Config(format!("no sentinel knows a master named `{}`", config.master_name)));
    }
    failures.sort();
    failures.dedup();
    Err(Error::Unavailable(format!("no sentinel answered ({})", failures.join("; "))))
}

async fn ask(config: Config, sentinel: Endpoint) -> Result<Answer, Error> {
    let answer = Deadline::after(config.timings.ask).bound(query(&config, &sentinel)).await;
    answer.unwrap_or_else(|| Err(Error::Unavailable(format!("{sentinel} timed out"))))
}

async fn query(config: &Config, sentinel: &Endpoint) -> Result<Answer, Error> {
    let unavailable = |error: redis::RedisError| classify(sentinel, &error);
    let mut connection = dial(Dial {
        endpoint: sentinel,
        credentials: config.sentinel_credentials.as_ref(),
        connect: config.timings.ask,
        response: config.timings.ask,
        tcp_user_timeout: config.timings.tcp_user_timeout,
    })
    .await
    .map_err(unavailable)?;
    let mut pipeline = redis::pipe();
    pipeline.cmd("SENTINEL").arg("get-master-addr-by-name").arg(&config.master_name);
    pipeline.cmd("SENTINEL").arg("MASTER").arg(&config.master_name);
    let mut values = connection.send_packed_commands(&pipeline, 0, 2).await.map_err(unavailable)?.into_iter();
    let endpoint = match values.next() {
        Some(Value::ServerError(error)) => return Err(classify(sentinel, &error.into())),
        Some(Value::Nil) | None => return Ok(Answer::UnknownMaster),
        Some(value) => read_endpoint(value),
    };
    let endpoint =
        endpoint.ok_or_else(|| Error::Unavailable(format!("{sentinel} gave an address that is none")))?;
    Ok(Answer::Master { endpoint, config_epoch: values.next().and_then(read_config_epoch).unwrap_or(0) })
}

fn classify(sentinel: &Endpoint, error: &redis::RedisError) -> Error {
    let detail = format!("sentinel {sentinel}: {error}");
    match error.code() {
        Some("NOAUTH" | "WRONGPASS" | "NOPERM" | "ERR") => Error::Config(detail),
        _ if error.kind() == redis::ErrorKind::AuthenticationFailed => Error::Config(detail),
        _ => Error::Unavailable(detail),
    }
}

fn read_endpoint(value: Value) -> Option<Endpoint> {
    let (host, port): (String, u16) = redis::from_redis_value(value).ok()?;
    Some(Endpoint { host, port })
}

fn read_config_epoch(value: Value) -> Option<u64> {
    let fields: HashMap<String, String> = redis::from_redis_value(value).ok()?;
    fields.get("config-epoch")?.parse().ok()
}
