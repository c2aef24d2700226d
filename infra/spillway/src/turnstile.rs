//! The waiting room as a crowd sees it: one process asks for the status, as a cache in front of the shop would, and wakes
//! each shopper when the serving number has come to their place.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::WaitingRoomStatus;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::oneshot;

/// How often the status is asked for: as long as a cache keeps it.
const POLL: Duration = Duration::from_secs(1);
/// How often it is worked out whose turn it is.
const TICK: Duration = Duration::from_millis(20);

/// A crowd leaves when nobody was let in for so long.
const PATIENCE: Duration = Duration::from_secs(40);

/// Where shoppers wait for their turn.
pub(crate) struct Turnstile {
    http: reqwest::Client,
    url: String,
    waiting: Mutex<Waiting>,
}

struct Waiting {
    by_place: BTreeMap<u64, Vec<oneshot::Sender<Called>>>,
    seen: Option<Seen>,
    /// Since when no more are let in, as far as the status tells; it may have stopped answering.
    still_since: Instant,
    /// How far the server's clock is ahead of this one, by the freshest answer: one from a cache is late.
    clock_ahead: Option<SignedDuration>,
    polls: u64,
}

struct Seen {
    room: WaitingRoomStatus,
    server_time: Timestamp,
    /// Nothing is left.
    is_gone: bool,
}

/// What a shopper who waits is told in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Called {
    /// It is their turn.
    Turn,
    /// Nothing is left, or nobody has been let in for long.
    Over,
}

#[derive(Deserialize)]
struct Status {
    server_time: Timestamp,
    waiting_room: Option<WaitingRoomStatus>,
    skus: Vec<Sku>,
}

#[derive(Deserialize)]
struct Sku {
    sold_out: bool,
    may_return: bool,
}

impl Turnstile {
    pub(crate) fn new(http: reqwest::Client, url: String) -> Self {
        let waiting = Waiting {
            by_place: BTreeMap::new(),
            seen: None,
            still_since: Instant::now(),
            clock_ahead: None,
            polls: 0,
        };
        Self { http, url, waiting: Mutex::new(waiting) }
    }

    /// Waits for the turn of a place: behind the lobby, of which there is none in a rush.
    pub(crate) async fn wait(&self, place: u64) -> Called {
        let (called, call) = oneshot::channel();
        self.with(|waiting| waiting.by_place.entry(place).or_default().push(called));
        call.await.unwrap_or(Called::Over)
    }

    /// Asks and calls, for ever.
    pub(crate) async fn run(&self) {
        let mut asked: Option<Instant> = None;
        loop {
            if asked.is_none_or(|at| at.elapsed() >= POLL) {
                asked = Some(Instant::now());
                self.look().await;
            }
            self.call();
            tokio::time::sleep(TICK).await;
        }
    }

    /// How often the status was asked for.
    pub(crate) fn polls(&self) -> u64 {
        self.with(|waiting| waiting.polls)
    }

    async fn look(&self) {
        let answer = self.http.get(&self.url).send().await;
        self.with(|waiting| waiting.polls += 1);
        let Ok(answer) = answer else { return };
        let Ok(status) = answer.json::<Status>().await else { return };
        let Some(room) = status.waiting_room else { return };
        let is_gone = status.skus.iter().all(|sku| sku.sold_out && !sku.may_return);
        self.with(|waiting| {
            let server_time = status.server_time;
            let ahead = server_time.duration_since(Timestamp::now());
            waiting.clock_ahead = Some(waiting.clock_ahead.map_or(ahead, |known| known.max(ahead)));
            let before = waiting.seen.as_ref();
            if before.is_none_or(|seen| seen.room.serving_limit < room.serving_limit) {
                waiting.still_since = Instant::now();
            }
            waiting.seen = Some(Seen { room, server_time, is_gone });
        });
    }

    fn call(&self) {
        self.with(|waiting| {
            if waiting.is_over() {
                let all = std::mem::take(&mut waiting.by_place);
                for called in all.into_values().flatten() {
                    let _ = called.send(Called::Over);
                }
                return;
            }
            let Some(seen) = &waiting.seen else { return };
            let now = Timestamp::now() + waiting.clock_ahead.unwrap_or_default();
            let serving = seen.room.serving_after(now.duration_since(seen.server_time));
            while let Some(first) = waiting.by_place.first_entry()
                && is_served(*first.key(), serving)
            {
                for called in first.remove() {
                    let _ = called.send(Called::Turn);
                }
            }
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Waiting) -> T) -> T {
        act(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Waiting {
    fn is_over(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.is_gone) || self.still_since.elapsed() > PATIENCE
    }
}

/// Exact for any number of places that there can be.
#[allow(clippy::cast_precision_loss)]
fn is_served(place: u64, serving: f64) -> bool {
    place as f64 <= serving
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::running::{http_client, trusting};

    #[tokio::test]
    async fn a_crowd_leaves_a_shop_that_has_stopped_answering() {
        let http = http_client(trusting(rustls::RootCertStore::empty()).unwrap()).unwrap();
        let turnstile = Turnstile::new(http, "http://127.0.0.1:1/status".to_owned());
        let calls = async {
            turnstile.look().await;
            turnstile.call();
            assert_eq!(
                turnstile.with(|waiting| waiting.by_place.len()),
                1,
                "it left before its patience was over"
            );
            turnstile.with(|waiting| waiting.still_since -= PATIENCE + POLL);
            turnstile.call();
        };
        let both = async { tokio::join!(turnstile.wait(1), calls) };
        let (called, ()) = tokio::time::timeout(10 * POLL, both).await.unwrap();
        assert_eq!(called, Called::Over);
    }
}
