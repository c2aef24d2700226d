//! What the API answered, and the page that a person reads instead of it.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY};
use axum::http::request::Parts;
use axum::http::response::Parts as Head;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use edge::{Problem, is_for_the_moment};
use http_body_util::{BodyExt, Limited};
use languages::{FormTexts, Language, PageTexts, Price};
use sale::{Sku, View};
use serde_json::Value;

use crate::fields::Fields;
use crate::line::{Line, place};

/// Far more than any answer of these routes has.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// How often a page that waits for something loads itself again, in seconds.
const REFRESH_SECONDS: u64 = 10;

/// An answer of the API.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    head: Head,
    body: Value,
}

#[derive(Template)]
#[template(path = "answer.html")]
struct Page<'a> {
    language: &'static Language,
    texts: &'static PageTexts,
    form: &'static FormTexts,
    /// The sale that the address names, if it names one.
    sale: &'a str,
    content: Content<'a>,
}

enum Content<'a> {
    Hold {
        id: &'a str,
        units: Units<'a>,
        seconds_left: u64,
        /// The same as a text.
        time_left: String,
    },
    /// The order is being written; this page shows it. A confirm that broke off goes on when it is sent again.
    Confirming {
        id: &'a str,
    },
    Order {
        id: &'a str,
        units: Units<'a>,
    },
    Line(Line<'a>),
    Problem {
        text: String,
        again: Option<Again<'a>>,
        own: Option<Own<'a>>,
        can_take_ticket: bool,
        /// Whether the page of the ticket says when the turn comes.
        is_in_line: bool,
        /// Whether it is seen to by itself, so that the same address has another answer soon.
        is_passing: bool,
    },
}

/// What the shopper has instead: a reservation or an order.
struct Own<'a> {
    name: &'a str,
    path: &'a str,
}

/// The form that was refused for the moment, to be sent once more.
struct Again<'a> {
    action: &'a str,
    sku: Option<&'a Sku>,
    quantity: u32,
    ended: u32,
}

impl Content<'_> {
    /// What has become of a reservation or an order, as the problem of who still asks for it.
    fn over(language: &'static Language, slug: &str) -> Self {
        let text = language.texts.problem(slug).to_owned();
        Self::Problem {
            text,
            again: None,
            own: None,
            can_take_ticket: false,
            is_in_line: false,
            is_passing: false,
        }
    }
}

struct Units<'a> {
    quantity: u64,
    sku: &'a str,
    price: Price<'a>,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let collected = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let bytes = collected.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Self { status: head.status, head, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    /// A text of the body.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }

    /// Which problem it is, if it is one.
    pub(crate) fn slug(&self) -> &str {
        self.text("type").rsplit('/').next().unwrap_or_default()
    }

    /// Whether the shop does not know who asks.
    pub(crate) fn is_of_nobody(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    /// Where the form leads, if it did what it was for.
    pub(crate) fn place(&self, path: &str, fields: &Fields) -> Option<String> {
        let (sale, language) = (self.text("sale"), fields.language.tag);
        let id = self.text("id");
        match path.rsplit('/').next() {
            _ if !self.status.is_success() => None,
            Some("order") => Some(format!("/orders/{id}?language={language}")),
            Some("reservations") => Some(format!("/sales/{sale}/reservations/{id}?language={language}")),
            Some("tickets") => Some(format!("/sales/{sale}/tickets?language={language}")),
            _ => Some(format!("/sales/{sale}/plain/{language}")),
        }
    }

    /// Leads on with what the answer sets.
    pub(crate) fn lead_to(self, place: &str) -> Response {
        let mut response = self.with(StatusCode::SEE_OTHER, Body::empty());
        response.headers_mut().remove(CONTENT_TYPE);
        match HeaderValue::from_str(place) {
            Ok(place) => response.headers_mut().insert(LOCATION, place),
            Err(error) => return Problem::internal().caused_by(&error).into_response(),
        };
        response
    }

    /// The page that says what was answered, to this form if it was one.
    pub(crate) fn page(self, language: &'static Language, parts: &Parts, sent: Option<&Fields>) -> Response {
        let texts = &*language.texts;
        let mut segments = parts.uri.path().split('/').skip(1);
        let sale = match self.text("sale") {
            "" if segments.next() == Some("sales") => segments.next().unwrap_or_default(),
            sale => sale,
        };
        let again = sent.filter(|_| self.is_for_the_moment()).map(|fields| Again {
            action: parts.uri.path(),
            sku: fields.sku.as_ref(),
            quantity: fields.quantity,
            ended: fields.ended,
        });
        let content = self.content(language, again);
        let page = Page { language, texts: &texts.page, form: &texts.form, sale, content };
        match page.render() {
            Ok(html) => {
                let status = self.status;
                let mut response = self.with(status, Body::from(html));
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
                headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
                headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
                response
            }
            Err(error) => Problem::internal().caused_by(&error).into_response(),
        }
    }

    /// Whether the same form may be taken in a moment. What it says is repeated with the same key.
    fn is_for_the_moment(&self) -> bool {
        self.slug() == "confirm-in-progress"
            || self.slug() == "not-your-turn"
            || is_for_the_moment(self.status)
    }

    fn content<'a>(&'a self, language: &'static Language, again: Option<Again<'a>>) -> Content<'a> {
        if !self.status.is_success() {
            return self.problem(language, again);
        }
        if let Some(view) = self.head.extensions.get::<Arc<View>>() {
            return Content::Line(Line::of(&self.body, self.text("sale"), view, language));
        }
        let id = self.text("id");
        match self.text("state") {
            "held" => {
                let seconds_left = self.body["expires_in_ms"].as_u64().unwrap_or_default().div_ceil(1_000);
                let text = &language.texts.form.seconds_left;
                let time_left = text.replace("{seconds}", &seconds_left.to_string());
                Content::Hold { id, units: self.units(), seconds_left, time_left }
            }
            "confirming" => Content::Confirming { id },
            "ordered" => Content::Order { id: self.text("order_id"), units: self.units() },
            "confirmed" => Content::Order { id, units: self.units() },
            "cancelled" => Content::over(language, "order-cancelled"),
            "released" => Content::over(language, "reservation-released"),
            _ => Content::over(language, "reservation-expired"),
        }
    }

    fn units(&self) -> Units<'_> {
        let number = |name: &str| self.body[name].as_u64().unwrap_or_default();
        let price = Price { minor: number("total_minor"), currency: self.text("currency") };
        Units { quantity: number("quantity"), sku: self.text("sku"), price }
    }

    fn problem<'a>(&'a self, language: &'static Language, again: Option<Again<'a>>) -> Content<'a> {
        let slug = self.slug();
        let text = place(language, &self.body).unwrap_or_else(|| language.texts.problem(slug).to_owned());
        let is_passing = again.is_none() && self.status == StatusCode::SERVICE_UNAVAILABLE;
        let can_take_ticket = ["ticket-missing", "ticket-expired"].contains(&slug);
        let is_in_line = slug == "not-your-turn";
        let page = &language.texts.page;
        let own = [("reservation", &page.reservation), ("order", &page.order)].into_iter();
        let mut own = own.map(|(member, name)| Own { name, path: self.text(member) });
        let own = own.find(|own| !own.path.is_empty());
        Content::Problem { text, again, own, can_take_ticket, is_in_line, is_passing }
    }

    /// The answer's own headers with another status and body.
    fn with(self, status: StatusCode, body: Body) -> Response {
        let mut response = Response::from_parts(self.head, body);
        *response.status_mut() = status;
        response.headers_mut().remove(CONTENT_LENGTH);
        response
    }
}

impl Page<'_> {
    fn title(&self) -> &str {
        match &self.content {
            Content::Hold { .. } => &self.texts.reservation,
            Content::Confirming { .. } => &self.form.confirming,
            Content::Order { .. } => &self.texts.order,
            Content::Line(_) => &self.texts.waiting_room,
            Content::Problem { .. } => &self.form.refused,
        }
    }

    /// After how many seconds the page loads itself again, where it is waited for something.
    fn refresh(&self) -> Option<u64> {
        match &self.content {
            Content::Confirming { .. } | Content::Problem { is_passing: true, .. } => Some(REFRESH_SECONDS),
            // Its end is shown when it comes, and nothing before takes the focus from its buttons.
            Content::Hold { seconds_left, .. } => Some(seconds_left.saturating_add(1)),
            Content::Line(line) => line.refresh_seconds,
            Content::Order { .. } | Content::Problem { .. } => None,
        }
    }
}
