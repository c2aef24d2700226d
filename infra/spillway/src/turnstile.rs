//! The waiting room as a crowd sees it: one process asks for the status, as a cache in front of the shop would, and wakes
//! each shopper when the serving number has come to their place. Of a lot the place is worked out of what the status tells
//! once the lobby is drawn.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::WaitingRoomStatus;
use jiff::{SignedDuration, Timestamp};
use sale::{Commitment, Draw, SaleId, ShopperId};
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
    sale: SaleId,
    waiting: Mutex<Waiting>,
}

/// What a ticket says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ticketed {
    /// A lot of the lobby.
    Lot(ShopperId),
    /// A number behind it.
    Number(u64),
}

/// Told the place when its turn has come, and nothing where it does not come.
type Called = oneshot::Sender<Option<u64>>;

struct Waiting {
    /// Who has come before anything was seen of the draw.
    before_draw: Vec<(Ticketed, Called)>,
    by_place: BTreeMap<u64, Vec<Called>>,
    seen: Option<Seen>,
    /// The hash of the seed that was told first.
    announced: Option<Commitment>,
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
    pub(crate) fn new(http: reqwest::Client, shop: &str, sale: SaleId) -> Self {
        let waiting = Waiting {
            before_draw: Vec::new(),
            by_place: BTreeMap::new(),
            seen: None,
            announced: None,
            still_since: Instant::now(),
            clock_ahead: None,
            polls: 0,
        };
        Self { http, url: format!("{shop}/sales/{sale}/status"), sale, waiting: Mutex::new(waiting) }
    }

    /// The place of this ticket, when its turn has come; `None` when nothing is left, or nobody has been let in for long.
    pub(crate) async fn wait(&self, ticket: Ticketed) -> Option<u64> {
        let (called, call) = oneshot::channel();
        self.with(|waiting| waiting.before_draw.push((ticket, called)));
        call.await.ok().flatten()
    }

    /// Whether the seed, if it was told, is the one whose hash was told first.
    pub(crate) fn is_draw_as_announced(&self) -> bool {
        self.with(|waiting| {
            let told = waiting.seen.as_ref().and_then(|seen| seen.room.seed);
            told.is_none_or(|seed| Some(seed.commitment()) == waiting.announced)
        })
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
            let is_growing = before.is_none_or(|seen| seen.room.serving_limit < room.serving_limit);
            if is_growing || room.seed.is_none() {
                waiting.still_since = Instant::now();
            }
            waiting.announced.get_or_insert(room.seed_hash);
            waiting.seen = Some(Seen { room, server_time, is_gone });
        });
    }

    fn call(&self) {
        self.with(|waiting| {
            if waiting.is_over() {
                let early = std::mem::take(&mut waiting.before_draw).into_iter().map(|(_, called)| called);
                let all = std::mem::take(&mut waiting.by_place);
                for called in all.into_values().flatten().chain(early) {
                    let _ = called.send(None);
                }
                return;
            }
            let Some(seen) = &waiting.seen else { return };
            let Some(seed) = seen.room.seed else { return };
            let draw = Draw { lobby: seen.room.lobby, seed };
            for (ticket, called) in waiting.before_draw.drain(..) {
                let place = match ticket {
                    Ticketed::Lot(lot) => draw.place(&self.sale, &lot),
                    Ticketed::Number(number) => draw.lobby + number,
                };
                waiting.by_place.entry(place).or_default().push(called);
            }
            let now = Timestamp::now() + waiting.clock_ahead.unwrap_or_default();
            let serving = seen.room.serving_after(now.duration_since(seen.server_time));
            while let Some(first) = waiting.by_place.first_entry()
                && is_served(*first.key(), serving)
            {
                let (place, waiters) = first.remove_entry();
                for called in waiters {
                    let _ = called.send(Some(place));
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
        let turnstile = Turnstile::new(http, "http://127.0.0.1:1", SaleId::parse("s").unwrap());
        let calls = async {
            turnstile.look().await;
            turnstile.call();
            let waiting = turnstile.with(|waiting| waiting.before_draw.len());
            assert_eq!(waiting, 1, "it left before its patience was over");
            turnstile.with(|waiting| waiting.still_since -= PATIENCE + POLL);
            turnstile.call();
        };
        let both = async { tokio::join!(turnstile.wait(Ticketed::Number(1)), calls) };
        let (called, ()) = tokio::time::timeout(10 * POLL, both).await.unwrap();
        assert_eq!(called, None);
    }
}
