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
    /// Since when somebody waits and nobody is let in, as far as the status tells; it may have stopped answering.
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
        self.with(|waiting| waiting.come(ticket, called));
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
        self.with(|waiting| waiting.see(status));
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
    fn come(&mut self, ticket: Ticketed, called: Called) {
        if self.before_draw.is_empty() && self.by_place.is_empty() {
            self.still_since = Instant::now();
        }
        self.before_draw.push((ticket, called));
    }

    fn see(&mut self, status: Status) {
        let server_time = status.server_time;
        let Some(room) = status.waiting_room else { return };
        let is_gone = status.skus.iter().all(|sku| sku.sold_out && !sku.may_return);
        let ahead = server_time.duration_since(Timestamp::now());
        self.clock_ahead = Some(self.clock_ahead.map_or(ahead, |known| known.max(ahead)));
        // Its limit stands still where every turn is used.
        let is_growing = self.seen.as_ref().is_none_or(|seen| seen.room.serving < room.serving);
        if is_growing || room.seed.is_none() {
            self.still_since = Instant::now();
        }
        self.announced.get_or_insert(room.seed_hash);
        self.seen = Some(Seen { room, server_time, is_gone });
    }

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

    fn turnstile() -> Turnstile {
        let http = http_client(trusting(rustls::RootCertStore::empty()).unwrap()).unwrap();
        Turnstile::new(http, "http://127.0.0.1:1", SaleId::parse("s").unwrap())
    }

    fn status(serving: f64, serving_limit: f64) -> Status {
        let seed = sale::Seed::from_bytes([1; 32]);
        let status = serde_json::json!({
            "server_time": Timestamp::now(),
            "waiting_room": {
                "state": "serving", "lobby_opens_at": null, "door_closed": false, "lobby": 0,
                "seed_hash": seed.commitment(), "seed": seed, "last_place": 1_000, "serving": serving,
                "serving_limit": serving_limit, "rate_per_minute": 60.0, "turn_seconds": 10.0,
            },
            "skus": [{"sold_out": false, "may_return": false}],
        });
        serde_json::from_value(status).unwrap()
    }

    #[tokio::test]
    async fn a_crowd_leaves_a_shop_that_has_stopped_answering() {
        let turnstile = turnstile();
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

    #[test]
    fn a_crowd_stays_while_others_are_let_in_and_leaves_when_nobody_is() {
        for (next, is_over) in [
            // Every turn is used: no more than before can be open, and one after the other is.
            (status(11.0, 50.0), false),
            (status(10.0, 50.0), true),
            // Whoever comes behind is nobody who is let in.
            (status(10.0, 60.0), true),
        ] {
            turnstile().with(|waiting| {
                waiting.come(Ticketed::Number(100), oneshot::channel().0);
                waiting.see(status(10.0, 50.0));
                waiting.still_since -= PATIENCE + POLL;
                waiting.see(next);
                assert_eq!(waiting.is_over(), is_over);
            });
        }
    }

    #[test]
    fn whoever_comes_after_a_time_in_which_nobody_waited_does_not_leave_at_once() {
        turnstile().with(|waiting| {
            waiting.still_since -= PATIENCE + POLL;
            waiting.come(Ticketed::Number(100), oneshot::channel().0);
            assert!(!waiting.is_over());
            waiting.still_since -= PATIENCE + POLL;
            waiting.come(Ticketed::Number(101), oneshot::channel().0);
            assert!(waiting.is_over(), "another one who comes makes those who wait no more patient");
        });
    }
}
