//! One connection to a data node or a sentinel: TCP, TLS where it is asked for, and the wire driver on it.
//!
//! The driver is a task; it is aborted with its connection, so that nothing is left that a process which
//! was frozen meanwhile could wake up with.

use std::pin::Pin;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisError, Value};
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use crate::config::{Config, Credentials};
use crate::endpoint::Endpoint;
use crate::timings::Timings;
use crate::tls::Tls;
use crate::{Deadline, Error};

/// Before the first keepalive probe; a vanished server is noticed sooner by its silence.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);

/// An open connection; dropping it closes it.
pub(crate) struct Wire {
    connection: MultiplexedConnection,
    driver: AbortHandle,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Wire {
    /// A new connection to a data node; nothing has been sent on it, not even AUTH.
    pub(crate) async fn to_node(config: &Config, endpoint: &Endpoint) -> Result<Self, DialError> {
        let Timings { connect, response, tcp_user_timeout, .. } = config.timings;
        let stream = dial_stream(endpoint, config.tls.as_ref(), connect, tcp_user_timeout).await?;
        Self::drive(stream, response).await
    }

    /// A new connection to a sentinel; nothing has been sent on it, not even AUTH.
    pub(crate) async fn to_sentinel(config: &Config, endpoint: &Endpoint) -> Result<Self, DialError> {
        let Timings { ask, tcp_user_timeout, .. } = config.timings;
        let stream = dial_stream(endpoint, config.sentinel_tls.as_ref(), ask, tcp_user_timeout).await?;
        Self::drive(stream, ask).await
    }

    async fn drive(stream: Stream, response: Duration) -> Result<Self, DialError> {
        // Without a password the driver sends nothing by itself: AUTH is part of the handshake.
        let nothing = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(response));
        let made = MultiplexedConnection::new_with_config(&nothing, stream, config).await;
        let (connection, driver) = made.map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { connection, driver: tokio::spawn(driver).abort_handle() })
    }

    /// Sends commands in one pipeline; each one's answer or error stands by itself.
    pub(crate) async fn send(&self, commands: &[Cmd]) -> Result<Vec<Value>, RedisError> {
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command.clone());
        }
        self.connection.clone().send_packed_commands(&pipeline, 0, commands.len()).await
    }
}

/// Why there is no connection.
pub(crate) enum DialError {
    /// There is no address for its name.
    Unresolved(Error),
    Other(Error),
}

impl From<Error> for DialError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<DialError> for Error {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Unresolved(error) | DialError::Other(error) => error,
        }
    }
}

/// Plain TCP or TLS, to whoever speaks the protocol on it.
pub(crate) type Stream = Pin<Box<dyn Duplex>>;

/// Both directions of a connection.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Duplex for S {}

/// Opens TCP, and TLS on it where that is asked for; only TCP is bounded by `connect`.
pub(crate) async fn dial_stream(
    endpoint: &Endpoint,
    tls: Option<&Tls>,
    connect: Duration,
    tcp_user_timeout: Duration,
) -> Result<Stream, DialError> {
    let unavailable = |error: std::io::Error| Error::Unavailable(format!("{endpoint}: {error}"));
    let deadline = Deadline::after(connect);
    let resolving = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port));
    let resolved = deadline.bound(resolving).await;
    let resolved = resolved.ok_or_else(|| unavailable(std::io::ErrorKind::TimedOut.into()))?;
    let addresses: Vec<_> = resolved.map_err(|error| DialError::Unresolved(unavailable(error)))?.collect();
    let stream = deadline.bound(TcpStream::connect(addresses.as_slice())).await;
    let stream = stream.unwrap_or_else(|| Err(std::io::ErrorKind::TimedOut.into())).map_err(unavailable)?;
    tune(&stream, tcp_user_timeout).map_err(unavailable)?;
    let Some(tls) = tls else { return Ok(Box::pin(stream)) };
    let name = ServerName::try_from(endpoint.host.clone())
        .map_err(|_| Error::Config(format!("{endpoint}: no certificate can have this name")))?;
    let secured = TlsConnector::from(tls.0.clone()).connect(name, stream).await;
    Ok(Box::pin(secured.map_err(|error| refused(endpoint, error))?))
}

/// `INFO section`.
pub(crate) fn info_command(section: &str) -> Cmd {
    let mut info = redis::cmd("INFO");
    info.arg(section);
    info
}

/// `AUTH`, where there is something to show.
pub(crate) fn auth(credentials: Option<&Credentials>) -> Option<Cmd> {
    let Credentials { username, password } = credentials?;
    let mut auth = redis::cmd("AUTH");
    if let Some(username) = username {
        auth.arg(username);
    }
    auth.arg(password);
    Some(auth)
}

fn tune(stream: &TcpStream, user_timeout: Duration) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_AFTER))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(user_timeout))?;
    #[cfg(not(target_os = "linux"))]
    let _ = user_timeout;
    Ok(())
}

/// What a failed TLS handshake means: whatever TLS itself objects to will be there the next time, too.
fn refused(endpoint: &Endpoint, error: std::io::Error) -> Error {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(fault)) => Error::Config(format!(
            "{endpoint}: `tls` refuses its certificate: {fault}. The sentinels must announce a name that \
             is in it (`announce-hostnames yes`), and the roots must have signed it"
        )),
        Some(fault) => Error::Config(format!("{endpoint}: `tls`: {fault}")),
        None => Error::Unavailable(format!("{endpoint}: {error}")),
    }
}
