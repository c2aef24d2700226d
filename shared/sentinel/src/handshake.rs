//! What must be true of a server before it is used, read on the connection that is kept.

use redis::Value;
use redis::aio::MultiplexedConnection;

use crate::Error;

/// The oldest server whose scripts refuse to run where they must not.
const VERSION_MAJOR_MIN: u32 = 7;

/// The replication history that a dataset belongs to (`master_replid`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lineage(std::sync::Arc<str>);

impl Lineage {
    /// The 40 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Verifies that the server is a master of a version that can be used, and reads its lineage.
pub(crate) async fn shake(connection: &mut MultiplexedConnection) -> Result<Lineage, Error> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("ROLE");
    pipeline.cmd("INFO").arg("server").arg("replication");
    let values = connection
        .send_packed_commands(&pipeline, 0, 2)
        .await
        .map_err(|error| Error::Unavailable(format!("handshake: {error}")))?;
    let mut texts = Vec::new();
    for value in values {
        texts.push(read(value)?);
    }
    let [role, info] = texts.as_slice() else {
        return Err(Error::Unavailable("handshake: an answer is missing".to_owned()));
    };
    if role != "master" {
        return Err(Error::Unavailable(format!("the server is a {role} at present")));
    }
    check_version(info)?;
    let lineage = field(info, "master_replid");
    Ok(Lineage(lineage.ok_or_else(|| Error::Config("INFO shows no master_replid".to_owned()))?.into()))
}

/// The first text of ROLE's answer, or INFO's whole.
fn read(value: Value) -> Result<String, Error> {
    match value {
        Value::ServerError(error) => {
            let error = redis::RedisError::from(error);
            match error.code() {
                Some("NOAUTH" | "WRONGPASS" | "NOPERM") => Err(Error::Config(error.to_string())),
                _ => Err(Error::Unavailable(error.to_string())),
            }
        }
        Value::Array(values) => {
            read(values.into_iter().next().ok_or_else(|| Error::Unavailable("empty ROLE".to_owned()))?)
        }
        value => {
            redis::from_redis_value(value).map_err(|error| Error::Unavailable(format!("handshake: {error}")))
        }
    }
}

fn check_version(info: &str) -> Result<(), Error> {
    let version = field(info, "redis_version").unwrap_or("unknown");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= VERSION_MAJOR_MIN) {
        return Ok(());
    }
    Err(Error::Config(format!("the server's version is {version}; {VERSION_MAJOR_MIN} or later is needed")))
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_server_before_version_7_is_refused() {
        assert!(check_version("# Server\r\nredis_version:7.0.15\r\n").is_ok());
        assert!(check_version("# Server\r\nredis_version:10.1.0\r\n").is_ok());
        let error = check_version("redis_version:6.2.14\r\n").unwrap_err();
        assert!(error.to_string().contains("6.2.14"));
    }
}
