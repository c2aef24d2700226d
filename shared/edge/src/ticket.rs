//! Signed tickets: a place in a waiting room that the shopper keeps, in the answer and as a cookie.

use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use sale::{SaleId, ShopperId, Ticket};
use serde::{Deserialize, Serialize};

use crate::Problem;
use crate::cookie::{cookie, set_cookie};
use crate::fields::invalid_fields;
use crate::guest::SESSION_SECONDS;
use crate::origin::PublicOrigin;
use crate::signing::{KeyRing, Purpose};

/// How long a ticket can be used, or renewed with the same place: as long as a guest stays the same guest.
const TICKET_SECONDS: i64 = SESSION_SECONDS;

/// Signs tickets, and reads them from requests.
#[derive(Clone)]
pub struct Tickets {
    pub(crate) keys: KeyRing,
    pub(crate) origin: PublicOrigin,
}

/// A ticket that is signed.
#[derive(Debug)]
pub struct SignedTicket {
    /// The token.
    pub token: String,
    /// Until when it can be used or renewed.
    pub expires_at: Timestamp,
    /// The header with the cookie that says the same.
    pub cookie: (HeaderName, HeaderValue),
}

#[derive(Clone, Serialize, Deserialize)]
struct Claims {
    aud: String,
    exp: i64,
    #[serde(rename = "spillway")]
    ticket: Ticket,
}

impl Tickets {
    /// The ticket as a signed token.
    pub fn sign(&self, ticket: &Ticket) -> Result<SignedTicket, Problem> {
        let expires_at = Timestamp::now() + SignedDuration::from_secs(TICKET_SECONDS);
        let claims =
            Claims { aud: Purpose::Ticket.audience(), exp: expires_at.as_second(), ticket: ticket.clone() };
        let token = self.keys.sign(&claims).map_err(|error| Problem::internal().caused_by(&error))?;
        let path = format!("/sales/{}", ticket.sale);
        let cookie = set_cookie(&self.origin, self.cookie_name(), &token, &path, TICKET_SECONDS)?;
        Ok(SignedTicket { token, expires_at, cookie: (SET_COOKIE, cookie) })
    }

    /// This shopper's ticket for this sale: the one that was sent, else the one of the cookie. What was sent and is
    /// not good is refused; a cookie that is not good is as good as none, for the shopper did not choose it.
    pub fn find(
        &self,
        sent: Option<&str>,
        headers: &HeaderMap,
        sale: &SaleId,
        shopper: &ShopperId,
    ) -> Result<Option<Ticket>, Problem> {
        if let Some(token) = sent {
            return self.read(token, sale, shopper).map(Some);
        }
        let token = cookie(headers, self.cookie_name());
        Ok(token.and_then(|token| self.read(token, sale, shopper).ok()))
    }

    /// The ticket for this sale of whoever brings it: for clients that have nothing else, which keep it for themselves. As
    /// they cannot renew it, it does not become too old.
    pub fn of_request(&self, token: &str, sale: &SaleId) -> Result<Ticket, Problem> {
        Ok(self.claims(token, sale, "/request_id")?.ticket)
    }

    fn read(&self, token: &str, sale: &SaleId, shopper: &ShopperId) -> Result<Ticket, Problem> {
        let Claims { exp, ticket, .. } = self.claims(token, sale, "/ticket")?;
        if ticket.shopper != *shopper {
            return Err(invalid_fields("/ticket", "is of another shopper"));
        }
        if exp <= Timestamp::now().as_second() {
            return Err(Problem::ticket_too_old());
        }
        Ok(ticket)
    }

    /// What a ticket for this sale says, be it too old or not; it stands in this field of the request.
    fn claims(&self, token: &str, sale: &SaleId, field: &str) -> Result<Claims, Problem> {
        let claims = self.keys.verify::<Claims>(Purpose::Ticket, token);
        let claims = claims.map_err(|_| invalid_fields(field, "is no ticket that this shop has signed"))?;
        if claims.ticket.sale == *sale {
            Ok(claims)
        } else {
            Err(invalid_fields(field, "is of another sale"))
        }
    }

    const fn cookie_name(&self) -> &'static str {
        if self.origin.is_https { "__Secure-spillway-ticket" } else { "spillway-ticket" }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::header::COOKIE;

    use super::*;

    #[test]
    fn a_ticket_that_was_not_renewed_for_a_day_is_over_for_its_shopper() {
        let tickets = Tickets {
            keys: KeyRing::of(&[("k", 3)]),
            origin: PublicOrigin::parse("http://127.0.0.1:8080").unwrap(),
        };
        let ticket = Ticket {
            sale: SaleId::parse("s").unwrap(),
            shopper: ShopperId::from_bytes([1; 16]),
            epoch: 1,
            number: Some(7),
            given_at_ms: None,
        };
        let read = |left: i64| {
            let exp = Timestamp::now().as_second() + left;
            let claims = Claims { aud: Purpose::Ticket.audience(), exp, ticket: ticket.clone() };
            let token = tickets.keys.sign(&claims).unwrap();
            let cookie = format!("spillway-ticket={token}").parse().unwrap();
            let cookies = HeaderMap::from_iter([(COOKIE, cookie)]);
            let sent = tickets.find(Some(&token), &HeaderMap::new(), &ticket.sale, &ticket.shopper);
            (sent, tickets.find(None, &cookies, &ticket.sale, &ticket.shopper).unwrap())
        };
        let (sent, kept) = read(60);
        assert_eq!((sent.unwrap(), kept), (Some(ticket.clone()), Some(ticket.clone())));
        let (sent, kept) = read(-1);
        assert_eq!(sent.unwrap_err().status(), 403);
        assert_eq!(kept, None, "the cookie of a ticket that is over is as good as none");
    }
}
