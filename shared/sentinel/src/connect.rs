//! Opens one connection to a data node or a sentinel.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::{TcpSettings, socket2};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError,
};

use crate::config::{Credentials, Endpoint};

/// How to open a connection.
pub(crate) struct Dial<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) credentials: Option<&'a Credentials>,
    pub(crate) connect: Duration,
    pub(crate) response: Duration,
    pub(crate) tcp_user_timeout: Duration,
}

/// Opens a connection: TCP without delay, AUTH where there are credentials.
pub(crate) async fn dial(dial: Dial<'_>) -> Result<MultiplexedConnection, RedisError> {
    let tcp = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(socket2::TcpKeepalive::new().with_time(Duration::from_secs(30)))
        .set_user_timeout(dial.tcp_user_timeout);
    let mut redis = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(credentials) = dial.credentials {
        if let Some(username) = &credentials.username {
            redis = redis.set_username(username);
        }
        redis = redis.set_password(&credentials.password);
    }
    let address = ConnectionAddr::Tcp(dial.endpoint.host.clone(), dial.endpoint.port);
    let info = address.into_connection_info()?.set_tcp_settings(tcp).set_redis_settings(redis);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(dial.connect))
        .set_response_timeout(Some(dial.response));
    Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await
}
