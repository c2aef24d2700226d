//! What must be true of a server before it is used, read on the connection that is kept.
//!
//! AUTH, PING, ROLE and INFO go in one pipeline. A server without a password in its configuration, or a client
//! without one, is found here and not by the first call.

use redis::Value;

use crate::Error;
use crate::config::Credentials;
use crate::endpoint::Endpoint;
use crate::replication::{Replication, field};
use crate::wire::{DialError, Wire, auth, info_command};

/// The oldest server whose scripts refuse to run where they must not.
const VERSION_MAJOR_MIN: u32 = 7;

/// Why a server is not used.
pub(crate) enum Refusal {
    /// It turned the connection away: too many clients.
    Crowded(Error),
    /// There is no address for its name.
    Unresolved(Error),
    Other(Error),
}

impl Refusal {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Crowded(error) | Self::Unresolved(error) | Self::Other(error) => error,
        }
    }
}

impl From<DialError> for Refusal {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Unresolved(error) => Self::Unresolved(error),
            DialError::Other(error) => Self::Other(error),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Verifies that the server is a master of a version that can be used, and reads its history.
pub(crate) async fn shake(
    wire: &Wire,
    endpoint: &Endpoint,
    credentials: Option<&Credentials>,
) -> Result<Replication, Refusal> {
    let mut commands: Vec<_> = auth(credentials).into_iter().collect();
    let auths = commands.len();
    // While a server loads its data it answers everything else.
    commands.push(redis::cmd("PING"));
    commands.push(redis::cmd("ROLE"));
    commands.extend(["server", "replication"].map(info_command));
    let answers = wire.send(&commands).await.map_err(|error| {
        let unavailable = Error::Unavailable(format!("{endpoint}: {error}"));
        // A server at its limit says so and closes; whether the words arrive is a matter of luck.
        if error.is_timeout() { Refusal::Other(unavailable) } else { Refusal::Crowded(unavailable) }
    })?;
    let mut texts = Vec::new();
    for answer in answers {
        texts.push(read(endpoint, answer)?);
    }
    let Some([_, role, server, replication]) = texts.get(auths..) else {
        return Err(Error::Unavailable(format!("{endpoint}: an answer is missing")).into());
    };
    if role != "master" {
        return Err(Error::Unavailable(format!("{endpoint} is a {role} at present")).into());
    }
    check_version(endpoint, server)?;
    let replication = Replication::read(replication);
    Ok(replication.map_err(|name| Error::Config(format!("{endpoint}: INFO shows no {name}")))?)
}

/// The first text of ROLE's answer, or the whole of any other.
fn read(endpoint: &Endpoint, value: Value) -> Result<String, Refusal> {
    let unreadable = || Error::Unavailable(format!("{endpoint}: an answer that cannot be read")).into();
    match value {
        Value::ServerError(error) => {
            let error = redis::RedisError::from(error);
            let told = format!("{endpoint}: {error}");
            Err(match error.code() {
                Some("WRONGPASS" | "NOAUTH") => Error::Config(format!("`credentials`: {told}")).into(),
                Some("NOPERM") => {
                    Error::Config(format!("`credentials`: the user may not do what is needed: {told}")).into()
                }
                _ if told.contains("max number of clients") => Refusal::Crowded(Error::Unavailable(told)),
                // Such as AUTH to a server that has no password, where it is one.
                Some("ERR") => Error::Config(told).into(),
                _ => Error::Unavailable(told).into(),
            })
        }
        Value::Array(values) => read(endpoint, values.into_iter().next().ok_or_else(unreadable)?),
        value => redis::from_redis_value(value).map_err(|_| unreadable()),
    }
}

fn check_version(endpoint: &Endpoint, info: &str) -> Result<(), Error> {
    let version = field(info, "redis_version").unwrap_or("unknown");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major >= VERSION_MAJOR_MIN) {
        return Ok(());
    }
    Err(Error::Config(format!("{endpoint} has version {version}; {VERSION_MAJOR_MIN} or later is needed")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_server_before_version_7_is_refused() {
        let endpoint = "h:1".parse().unwrap();
        assert!(check_version(&endpoint, "# Server\r\nredis_version:7.0.15\r\n").is_ok());
        assert!(check_version(&endpoint, "# Server\r\nredis_version:10.1.0\r\n").is_ok());
        let error = check_version(&endpoint, "redis_version:6.2.14\r\n").unwrap_err();
        assert!(error.to_string().contains("6.2.14"));
    }
}
