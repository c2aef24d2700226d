//! What one shopper does: reserve, think, confirm; and repeat, with the same key, whatever has no
//! known outcome.

use std::time::{Duration, Instant};

use api::{OrderAnswer, Proof};
use reqwest::RequestBuilder;
use reqwest::header::{HeaderValue, RETRY_AFTER};
use sale::{OrderId, ReservationId, ShopperId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use crate::arrivals::Arrival;
use crate::merchant_problem::Problem;
use crate::tally::{Kind, Step, Tally};
use crate::turnstile::{Ticketed, Turnstile};

/// How long a shopper repeats a request without a known outcome.
const PATIENCE: Duration = Duration::from_secs(30);

/// A repeat without the server's advice.
const PAUSE: Duration = Duration::from_secs(1);

/// Whoever asked a moment too early asks again after it.
const TURN_PAUSE: Duration = Duration::from_millis(100);

/// In every answer of a function, and in none that a gateway gives itself.
const REQUEST_ID: &str = "x-request-id";

/// What all shoppers of a crowd share.
pub(crate) struct Market {
    pub(crate) http: reqwest::Client,
    /// `…/sales/{sale}` at each gateway. A shopper begins at one of them, and repeats at the next.
    pub(crate) urls: Vec<String>,
    /// The SKU of which everybody wishes one.
    pub(crate) sku: &'static str,
    /// Where shoppers wait, if the sale has a waiting room.
    pub(crate) turnstile: Option<Turnstile>,
    pub(crate) tally: Tally,
}

/// A shopper with everything made beforehand.
pub(crate) struct Shopper {
    pub(crate) authorization: HeaderValue,
    pub(crate) number: u32,
}

/// How a visit ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Visit {
    /// Holds that were acknowledged.
    pub(crate) holds: Vec<Hold>,
    /// The order that was acknowledged.
    pub(crate) order: Option<OrderId>,
    /// What the answers to this one shopper contradict each other in.
    pub(crate) contradictions: Vec<String>,
    /// Acknowledged holds that were refused at their confirm, or of which their repeat knew nothing.
    pub(crate) lost_holds: Vec<String>,
    /// The number of the ticket, behind the lobby.
    pub(crate) number: Option<u64>,
    /// The place in the waiting room whose turn has come.
    pub(crate) place: Option<u64>,
    /// Why nothing was held.
    pub(crate) refusal: Option<String>,
}

/// A hold as far as the crowd needs it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Hold {
    pub(crate) id: ReservationId,
    pub(crate) units: Vec<u32>,
    pub(crate) receipt: Option<String>,
}

/// A ticket as far as the crowd needs it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Place {
    ticket: String,
    lot: ShopperId,
    number: Option<u64>,
}

#[derive(Serialize)]
struct Wish<'a> {
    sku: &'a str,
    quantity: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<&'a str>,
}

/// The known outcome of a request, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply<T> {
    /// 201, or 200 on a repeat.
    Success { is_new: bool, content: T },
    /// 4xx: the problem's slug.
    Refused(String),
    /// Repeated in vain.
    Unknown,
}

impl<T> Reply<T> {
    const fn content(&self) -> Option<&T> {
        match self {
            Self::Success { content, .. } => Some(content),
            Self::Refused(_) | Self::Unknown => None,
        }
    }

    const fn is_new(&self) -> bool {
        matches!(self, Self::Success { is_new: true, .. })
    }
}

impl Market {
    /// One shopper's visit, from the instant at which it was due. The permit is for its first request.
    pub(crate) async fn visit(
        &self,
        shopper: Shopper,
        arrival: Arrival,
        due: Instant,
        permit: OwnedSemaphorePermit,
    ) -> Visit {
        let mut visit = Visit::default();
        let (mut due, mut ticket, mut permit) = (due, None, Some(permit));
        if let Some(turnstile) = &self.turnstile {
            // Up to a million wait at once: in a box, what a request needs takes no room meanwhile.
            let Reply::Success { content: place, .. } = Box::pin(self.join(&shopper, due)).await else {
                return visit;
            };
            permit = None;
            visit.number = place.number;
            let ticketed = place.number.map_or(Ticketed::Lot(place.lot), Ticketed::Number);
            visit.place = turnstile.wait(ticketed).await;
            if visit.place.is_none() {
                return visit;
            }
            (due, ticket) = (Instant::now(), Some(place.ticket));
        }
        Box::pin(self.buy(&mut visit, &shopper, arrival, ticket.as_deref(), due, permit)).await;
        visit
    }

    /// Reserves, thinks and confirms; the permit is held until the outcome of the first request is known.
    async fn buy(
        &self,
        visit: &mut Visit,
        shopper: &Shopper,
        arrival: Arrival,
        ticket: Option<&str>,
        due: Instant,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let reserve = |key| self.reserve(shopper, key, ticket, due);
        let again = async { if arrival.repeats { Some(reserve(1).await) } else { None } };
        let greedy = async { if arrival.is_greedy { Some(reserve(2).await) } else { None } };
        let (reply, again, greedy) = tokio::join!(reserve(1), again, greedy);
        drop(permit);
        if let Reply::Refused(slug) = &reply {
            visit.refusal = Some(slug.clone());
        }
        if let Some(again) = &again {
            visit.compare_holds(&reply, again);
        }
        let replies = [Some(&reply), again.as_ref(), greedy.as_ref()].into_iter().flatten();
        visit.holds.extend(replies.filter_map(Reply::content).cloned());
        visit.holds.dedup_by_key(|hold| hold.id);
        let Some(hold) = visit.holds.first().filter(|_| arrival.confirms).cloned() else { return };
        tokio::time::sleep(arrival.think).await;

        let since = Instant::now();
        let again =
            async { if arrival.repeats { Some(self.confirm(shopper, &hold, since).await) } else { None } };
        let (reply, again) = tokio::join!(self.confirm(shopper, &hold, since), again);
        if let Some(again) = &again {
            visit.compare_orders(&reply, again);
        }
        for reply in [Some(&reply), again.as_ref()].into_iter().flatten() {
            match reply {
                Reply::Success { content, .. } => visit.order = Some(content.id),
                Reply::Refused(slug) if slug == "confirm-in-progress" => {}
                Reply::Refused(slug) => {
                    let lost =
                        format!("the acknowledged hold {} was refused at its confirm: {slug}", hold.id);
                    visit.lost_holds.push(lost);
                }
                Reply::Unknown => {}
            }
        }
    }

    async fn join(&self, shopper: &Shopper, since: Instant) -> Reply<Place> {
        let request = |url: &str| {
            self.http.post(format!("{url}/tickets")).header("authorization", &shopper.authorization)
        };
        self.until_known(Step::Ticket, shopper, since, request).await
    }

    /// A turn that was worked out of a status a moment old can be a moment early.
    async fn reserve(&self, shopper: &Shopper, key: u32, ticket: Option<&str>, due: Instant) -> Reply<Hold> {
        let key = format!("\"{}-{key}\"", shopper.number);
        let wish = Wish { sku: self.sku, quantity: 1, ticket };
        let request = |url: &str| {
            self.http
                .post(format!("{url}/reservations"))
                .header("authorization", &shopper.authorization)
                .header("idempotency-key", &key)
                .json(&wish)
        };
        let mut since = due;
        loop {
            let reply = self.until_known(Step::Reserve, shopper, since, &request).await;
            if reply != Reply::Refused("not-your-turn".to_owned()) || due.elapsed() >= PATIENCE {
                return reply;
            }
            tokio::time::sleep(TURN_PAUSE).await;
            since = Instant::now();
        }
    }

    async fn confirm(&self, shopper: &Shopper, hold: &Hold, since: Instant) -> Reply<OrderAnswer> {
        let request = |url: &str| {
            let url = format!("{url}/reservations/{}/order", hold.id);
            let request = self.http.post(url).header("authorization", &shopper.authorization);
            match hold.receipt.clone() {
                Some(receipt) => request.json(&Proof { receipt }),
                None => request,
            }
        };
        self.until_known(Step::Confirm, shopper, since, request).await
    }

    /// Repeats a request until its outcome is known or the shopper's patience is over. The latency of
    /// the first attempt counts from the instant at which it was due.
    async fn until_known<T: DeserializeOwned>(
        &self,
        step: Step,
        shopper: &Shopper,
        due: Instant,
        request: impl Fn(&str) -> RequestBuilder,
    ) -> Reply<T> {
        let give_up = due + PATIENCE;
        let mut since = due;
        let gateways = self.urls.iter().cycle().skip(shopper.number as usize % self.urls.len().max(1));
        for (repeats, url) in (0..).zip(gateways) {
            let (kind, answer) = attempt(step, request(url)).await;
            self.tally.answered(kind, since.elapsed(), repeats);
            let pause = match answer {
                Ok(reply) => return reply,
                Err(pause) => pause,
            };
            if Instant::now() + pause > give_up {
                return Reply::Unknown;
            }
            tokio::time::sleep(pause).await;
            since = Instant::now();
        }
        Reply::Unknown
    }
}

/// One request: what kind of answer it got, and the outcome or the pause before the next attempt.
async fn attempt<T: DeserializeOwned>(
    step: Step,
    request: RequestBuilder,
) -> (Kind, Result<Reply<T>, Duration>) {
    let kind = |status: u16, slug: &str| Kind { step, status, slug: slug.to_owned() };
    let Ok(response) = request.send().await else { return (kind(0, "no-answer"), Err(PAUSE)) };
    let status = response.status().as_u16();
    let advice = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let is_of_function = response.headers().contains_key(REQUEST_ID);
    let Ok(body) = response.bytes().await else { return (kind(0, "no-answer"), Err(PAUSE)) };
    if (200..300).contains(&status) {
        return match serde_json::from_slice(&body) {
            Ok(content) => (kind(status, ""), Ok(Reply::Success { is_new: status == 201, content })),
            Err(_) => (kind(0, "not-understood"), Ok(Reply::Unknown)),
        };
    }
    let slug = Problem::read(status, &body).slug().to_owned();
    let kind = kind(status, &if is_of_function { slug.clone() } else { format!("{slug} (gateway)") });
    // A server's error, and a rate limit, say: later.
    if status >= 500 || status == 429 {
        return (kind, Err(advice.map_or(PAUSE, Duration::from_secs)));
    }
    (kind, Ok(Reply::Refused(slug)))
}

impl Visit {
    /// Two answers to a reserve that was sent twice at once. A hold that both have made was lost between them: one id is
    /// one record.
    fn compare_holds(&mut self, one: &Reply<Hold>, other: &Reply<Hold>) {
        self.compare("reserve", one, other, |hold| hold.id.to_string());
        if one.is_new() && other.is_new() {
            let holds = one.content().into_iter();
            let made =
                holds.map(|hold| format!("the acknowledged hold {} was made again by its repeat", hold.id));
            self.lost_holds.extend(made);
        }
    }

    /// Two answers to a confirm that was sent twice at once. No order is ever lost, so only one of them can make it.
    fn compare_orders(&mut self, one: &Reply<OrderAnswer>, other: &Reply<OrderAnswer>) {
        self.compare("confirm", one, other, |order| order.id.to_string());
        if one.is_new() && other.is_new() {
            self.contradictions.push("one confirm, sent twice at once, was done twice".to_owned());
        }
    }

    /// Two answers to the same request must not contradict each other.
    fn compare<T>(&mut self, step: &str, one: &Reply<T>, other: &Reply<T>, id: impl Fn(&T) -> String) {
        if let (Some(one), Some(other)) = (one.content(), other.content())
            && id(one) != id(other)
        {
            let (one, other) = (id(one), id(other));
            self.contradictions.push(format!("one {step}, sent twice at once, gave {one} and {other}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_that_a_repeat_makes_again_was_lost_and_two_ids_contradict_each_other() {
        let reply = |is_new: bool, number: u8| {
            let id = ReservationId::from_bytes([number; 16]);
            Reply::Success { is_new, content: Hold { id, units: vec![1], receipt: None } }
        };
        for (one, other, lost, contradictions) in [
            (reply(true, 1), reply(false, 1), 0, 0),
            (reply(true, 1), Reply::Refused("sold-out".to_owned()), 0, 0),
            (reply(true, 1), reply(true, 1), 1, 0),
            (reply(true, 1), reply(false, 2), 0, 1),
        ] {
            let mut visit = Visit::default();
            visit.compare_holds(&one, &other);
            assert_eq!(
                (visit.lost_holds.len(), visit.contradictions.len()),
                (lost, contradictions),
                "{other:?}"
            );
        }
    }
}
