//! Guests: a signed cookie with a random subject.

use api::Session;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE32_DNSSEC;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Problem;
use crate::cookie::{cookie, set_cookie};
use crate::origin::PublicOrigin;
use crate::signing::{KeyRing, Purpose};

/// How long a guest stays the same guest; half of it after each `POST /sessions`, at least.
pub(crate) const SESSION_SECONDS: i64 = 24 * 3600;

/// Opens and recognises guest sessions.
#[derive(Clone)]
pub struct Guests {
    pub(crate) keys: KeyRing,
    pub(crate) origin: PublicOrigin,
}

/// A guest's session, as an answer.
#[derive(Debug)]
pub struct GuestSession {
    /// Whether it was opened just now.
    pub is_new: bool,
    expires_at: Timestamp,
    cookie: Option<HeaderValue>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Claims {
    sub: String,
    aud: String,
    exp: i64,
}

impl Guests {
    /// The session of a valid cookie, or a new one.
    pub fn open(&self, headers: &HeaderMap) -> Result<GuestSession, Problem> {
        self.origin.check(&Method::POST, headers)?;
        let known = self.claims(headers);
        let is_new = known.is_none();
        let now = Timestamp::now();
        if let Some(claims) = &known
            && claims.exp > now.as_second() + SESSION_SECONDS / 2
        {
            let expires_at = Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MAX);
            return Ok(GuestSession { is_new, expires_at, cookie: None });
        }
        let subject = known.map_or_else(new_subject, |claims| Ok(claims.sub))?;
        let expires_at = now + SignedDuration::from_secs(SESSION_SECONDS);
        let claims = Claims { sub: subject, aud: Purpose::Guest.audience(), exp: expires_at.as_second() };
        let token = self.keys.sign(&claims).map_err(|error| Problem::internal().caused_by(&error))?;
        let cookie = set_cookie(&self.origin, self.cookie_name(), &token, "/", SESSION_SECONDS)?;
        Ok(GuestSession { is_new, expires_at, cookie: Some(cookie) })
    }

    /// The subject of a valid cookie.
    pub(crate) fn subject(&self, headers: &HeaderMap) -> Option<String> {
        self.claims(headers).map(|claims| claims.sub)
    }

    /// Whether a guest's cookie came along, valid or not.
    pub(crate) fn has_cookie(&self, headers: &HeaderMap) -> bool {
        self.cookie(headers).is_some()
    }

    /// Whether a page of this site sends the cookie of a session that is valid.
    pub(crate) fn is_of_own_page(&self, method: &Method, headers: &HeaderMap) -> bool {
        self.claims(headers).is_some() && self.origin.check(method, headers).is_ok()
    }

    fn claims(&self, headers: &HeaderMap) -> Option<Claims> {
        self.keys.verify(Purpose::Guest, self.cookie(headers)?).ok()
    }

    fn cookie<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        cookie(headers, self.cookie_name())
    }

    /// With the `__Host-` prefix browsers keep other hosts and paths from setting it; they take it over
    /// https only.
    const fn cookie_name(&self) -> &'static str {
        if self.origin.is_https { "__Host-spillway" } else { "spillway" }
    }
}

pub(crate) fn new_subject() -> Result<String, Problem> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Problem::internal().caused_by(&error))?;
    Ok(BASE32_DNSSEC.encode(&random))
}

impl IntoResponse for GuestSession {
    fn into_response(self) -> Response {
        let mut response = axum::Json(Session { expires_at: self.expires_at }).into_response();
        if let Some(cookie) = self.cookie {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        response
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn guests(url: &str) -> Guests {
        let keys = KeyRing::of(&[("k", 3)]);
        Guests { keys, origin: PublicOrigin::parse(url).unwrap() }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn over_https_the_cookie_is_bound_to_the_host() {
        let guests = guests("https://shop.example");
        let session = guests.open(&headers(&[("origin", "https://shop.example")])).unwrap();
        let cookie = session.cookie.unwrap().to_str().unwrap().to_owned();
        assert!(cookie.starts_with("__Host-spillway="));
        for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(attribute), "{attribute}");
        }
        assert!(!cookie.contains("Domain"));
    }

    #[test]
    fn who_brings_a_valid_cookie_stays_the_same_guest() {
        let guests = guests("http://127.0.0.1:8080");
        let origin = ("origin", "http://127.0.0.1:8080");
        let first = guests.open(&headers(&[origin])).unwrap();
        let cookie = first.cookie.unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
        assert!(cookie.starts_with("spillway="));
        let with_cookie = headers(&[origin, ("cookie", &format!("theme=dark; {cookie}"))]);
        assert!(guests.subject(&with_cookie).is_some());
        assert!(!guests.open(&with_cookie).unwrap().is_new);
        let forged = headers(&[origin, ("cookie", &format!("{cookie}x"))]);
        assert!(guests.subject(&forged).is_none() && guests.has_cookie(&forged));
        assert!(guests.open(&forged).unwrap().is_new);
    }

    #[test]
    fn a_session_in_its_second_half_goes_on_as_the_same_guest() {
        let guests = guests("http://127.0.0.1:8080");
        let claims = |left: i64| Claims {
            sub: "ann".to_owned(),
            aud: Purpose::Guest.audience(),
            exp: Timestamp::now().as_second() + left,
        };
        let open = |left: i64| {
            let cookie = format!("spillway={}", guests.keys.sign(&claims(left)).unwrap());
            guests.open(&headers(&[("origin", "http://127.0.0.1:8080"), ("cookie", &cookie)])).unwrap()
        };
        let early = open(SESSION_SECONDS / 2 + 60);
        assert!(!early.is_new && early.cookie.is_none());
        let late = open(60);
        assert!(!late.is_new && late.expires_at > Timestamp::now() + SignedDuration::from_hours(23));
        let cookie = late.cookie.unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(guests.subject(&headers(&[("cookie", &cookie)])).as_deref(), Some("ann"));
    }

    #[test]
    fn another_sites_page_cannot_open_a_session() {
        let problem = guests("https://a.example").open(&headers(&[("origin", "https://b.example")]));
        assert_eq!(problem.unwrap_err().slug(), "origin-refused");
    }
}
