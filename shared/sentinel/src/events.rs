//! What the sentinels say as it happens, for an operator who looks on.
//!
//! A client does not need it to follow a failover: asking finds a new master earlier than `+switch-master`
//! is said.

use std::pin::Pin;

use futures_util::future::join_all;
use futures_util::stream::{SelectAll, select_all, unfold};
use futures_util::{Stream, StreamExt};
use redis::RedisConnectionInfo;
use redis::aio::PubSub;

use crate::config::Config;
use crate::discovery::explain;
use crate::endpoint::Endpoint;
use crate::wire::dial_stream;
use crate::{Deadline, Error};

/// Something that a sentinel said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The sentinel that said it.
    pub sentinel: Endpoint,
    /// What, such as `+odown`; `lost` when its connection has ended.
    pub name: String,
    /// Of which instance, in Sentinel's own words.
    pub text: String,
}

/// The events of several sentinels, as they come.
pub struct Events(SelectAll<Pin<Box<dyn Stream<Item = Event> + Send>>>);

impl Events {
    /// Subscribes to these sentinels; those that cannot be reached are left out, unless that is all.
    pub async fn subscribe(
        config: &Config,
        sentinels: &[Endpoint],
        deadline: Deadline,
    ) -> Result<Self, Error> {
        let mut streams = Vec::new();
        let mut failure = None;
        // All at once: one that hangs must not keep the others from being heard.
        let subscribed = sentinels.iter().map(|sentinel| deadline.bound(subscribe(config, sentinel)));
        for (sentinel, subscribed) in sentinels.iter().zip(join_all(subscribed).await) {
            match subscribed {
                Some(Ok(pubsub)) => streams.push(told_by(sentinel.clone(), pubsub)),
                Some(Err(error)) => failure = Some(error),
                None => failure = Some(Error::Unavailable(format!("sentinel {sentinel}: no answer in time"))),
            }
        }
        match failure {
            Some(error) if streams.is_empty() => Err(error),
            _ => Ok(Self(select_all(streams))),
        }
    }

    /// Waits for the next event; `None` when every connection has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.next().await
    }
}

async fn subscribe(config: &Config, sentinel: &Endpoint) -> Result<PubSub, Error> {
    let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(credentials) = &config.sentinel_credentials {
        if let Some(username) = &credentials.username {
            info = info.set_username(username);
        }
        info = info.set_password(&credentials.password);
    }
    let stream = dial_stream(
        sentinel,
        config.sentinel_tls.as_ref(),
        config.timings.ask,
        config.timings.tcp_user_timeout,
    )
    .await?;
    let made = PubSub::new(&info, stream).await;
    let mut pubsub = made.map_err(|error| explain(sentinel, &error))?;
    pubsub.psubscribe("*").await.map_err(|error| explain(sentinel, &error))?;
    Ok(pubsub)
}

fn told_by(sentinel: Endpoint, pubsub: PubSub) -> Pin<Box<dyn Stream<Item = Event> + Send>> {
    let messages = pubsub.into_on_message();
    Box::pin(unfold(Some(messages), move |messages| {
        let sentinel = sentinel.clone();
        async move {
            let mut messages = messages?;
            let event = |name: &str, text: String| Event { sentinel, name: name.to_owned(), text };
            Some(match messages.next().await {
                Some(message) => {
                    let text = String::from_utf8_lossy(message.get_payload_bytes()).into_owned();
                    (event(message.get_channel_name(), text), Some(messages))
                }
                None => (event("lost", String::new()), None),
            })
        }
    }))
}
