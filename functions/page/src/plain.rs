//! `GET /sales/{sale}/plain/{language}`: the page for browsers without JavaScript. It says the state itself; while it has
//! nothing to be chosen, it loads itself again. Its forms are answered by the functions that answer the script
//! (`shared/forms`). It is the same for everybody, and can be kept for as long as the status.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use edge::{Problem, Within};
use forms::Choice;
use jiff::Timestamp;
use languages::{FormTexts, LANGUAGES, Language, PageTexts};
use sale::{Definition, RoomState, RoomView, SaleId, SaleState, View};

use crate::App;
use crate::assets::{ICON, STYLE};
use crate::conditional::{conditional, tag_of};
use crate::html::{LanguagePath, headers};
use crate::status::CACHE;

/// How often the page loads itself again: far more seldom than a script asks, because it is all of the page.
const REFRESH_SECONDS: i64 = 10;

#[derive(Template)]
#[template(path = "plain.html")]
struct Plain<'a> {
    sale: &'a SaleId,
    definition: &'a Definition,
    choice: Choice<'a>,
    language: &'static Language,
    texts: &'static PageTexts,
    form: &'static FormTexts,
    state: &'static str,
    /// When reserving begins, while that is to come.
    opens_at: Option<Timestamp>,
    gives_tickets: bool,
    /// Whether somebody may have a ticket already.
    has_line: bool,
    /// When the page loads itself again, if it does.
    refresh_seconds: Option<i64>,
    style: String,
    icon: String,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    LanguagePath(sale, language): LanguagePath,
    Within(deadline): Within,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let view = app.view(&sale, deadline).await?;
    let definition = view.definition.as_ref().ok_or_else(Problem::sale_not_found)?;
    let room = view.waiting_room.as_ref();
    let is_announced = view.state == SaleState::Announced;
    let opens_at = view.opens_at.filter(|_| is_announced);
    let state = state(&view);
    let gives_tickets = room.is_some_and(gives_tickets) && !["paused", "sold_out"].contains(&state);
    let plain = Plain {
        sale: &sale,
        definition,
        choice: Choice::of(sale.as_str(), &view, language).ok_or_else(Problem::sale_not_found)?,
        language,
        texts: &language.texts.page,
        form: &language.texts.form,
        state: state_text(&view, state, language),
        opens_at,
        gives_tickets,
        has_line: room.is_some_and(|room| !matches!(room.state, RoomState::NotOpen | RoomState::Ended)),
        refresh_seconds: refresh_seconds(&view, gives_tickets),
        style: STYLE.path(),
        icon: ICON.path(),
    };
    let html = plain.render().map_err(|error| Problem::internal().caused_by(&error))?;
    Ok(conditional(&asked, &tag_of(html.as_bytes()), headers(CACHE, definition), html))
}

fn gives_tickets(room: &RoomView) -> bool {
    !room.is_closed && !matches!(room.state, RoomState::NotOpen | RoomState::Ended)
}

fn state_text(view: &View, state: &str, language: &'static Language) -> &'static str {
    let texts = &language.texts;
    let is_counted_down = view.state == SaleState::Announced && view.opens_at.is_some();
    let text = match state {
        "announced" if is_counted_down => Some(texts.problem("sale-not-open")),
        state => texts.state(state),
    };
    text.unwrap_or_default()
}

/// What the texts call the state of the sale.
fn state(view: &View) -> &'static str {
    let is_nothing_left = view.skus.iter().all(|sku| sku.available == 0);
    let may_return = view.skus.iter().any(sale::SkuView::may_return);
    match (view.state, &view.waiting_room) {
        (SaleState::Announced, Some(room)) if room.state == RoomState::Lobby => "lobby",
        (SaleState::Announced, _) => "announced",
        (SaleState::Paused, _) => "paused",
        (SaleState::Ended, _) => "ended",
        (SaleState::Open, _) if is_nothing_left && !may_return => "sold_out",
        (SaleState::Open, Some(_)) => "line",
        (SaleState::Open, None) if is_nothing_left => "may_return",
        (SaleState::Open, None) => "ready",
    }
}

/// The next loading: at the opening, and often while it is waited for something. Where a form can be sent, nothing else
/// takes the page from under the shopper's hands.
fn refresh_seconds(view: &View, gives_tickets: bool) -> Option<i64> {
    let to_opening = view.opens_at.map(|opens_at| opens_at.duration_since(view.now).as_secs() + 1);
    let to_opening = to_opening.filter(|_| view.state == SaleState::Announced).map(|seconds| seconds.max(1));
    let waits = match view.state {
        SaleState::Announced => !gives_tickets,
        SaleState::Paused => true,
        SaleState::Open => {
            let is_nothing_left = view.skus.iter().all(|sku| sku.available == 0);
            is_nothing_left && !gives_tickets && view.skus.iter().any(sale::SkuView::may_return)
        }
        SaleState::Ended => false,
    };
    if waits {
        Some(to_opening.map_or(REFRESH_SECONDS, |seconds| seconds.min(REFRESH_SECONDS)))
    } else {
        to_opening
    }
}
