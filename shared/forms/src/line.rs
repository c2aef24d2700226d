//! A ticket as a page: where its shopper stands in line, and what can be chosen once it is their turn. It loads itself
//! again as long as there is something to wait for.

use languages::{Language, Texts};
use sale::{RoomState, SaleState, SkuView, View};
use serde_json::Value;

use crate::choice::Choice;

/// How often the page loads itself again at least, in seconds, while it waits.
const REFRESH_SECONDS: u64 = 10;

/// It does so this many times in a turn, so that no turn passes unseen.
const REFRESHES_PER_TURN: u64 = 4;

/// How often it does where nothing is left: an order that is cancelled, or a restock, would be told.
const SOLD_OUT_REFRESH_SECONDS: u64 = 60;

/// The place of somebody who may pass the line: their turn has no end.
const NO_PLACE: u64 = 0;

/// What the page says.
pub(crate) struct Line<'a> {
    pub(crate) text: String,
    /// That the sale stands still, beside the place that is kept.
    pub(crate) paused: Option<&'static str>,
    /// The forms, while it is the shopper's turn.
    pub(crate) choice: Option<Choice<'a>>,
    /// Whether nothing comes of this ticket any more.
    pub(crate) is_over: bool,
    /// When the page loads itself again; not under the hands of somebody who could send a form.
    pub(crate) refresh_seconds: Option<u64>,
}

impl<'a> Line<'a> {
    /// What this ticket says, in a sale that stands like this and is not over.
    pub(crate) fn of(ticket: &Value, sale: &'a str, view: &'a View, language: &'static Language) -> Self {
        let texts: &'static Texts = &language.texts;
        let named = |state: &str| texts.state(state).unwrap_or_default();
        let waits = |text: &str| Self {
            text: text.to_owned(),
            paused: None,
            choice: None,
            is_over: false,
            refresh_seconds: Some(refresh_seconds(view)),
        };
        let turn = &ticket["turn"];
        match turn["state"].as_str() {
            Some("passed" | "used") => {
                Self { is_over: true, refresh_seconds: None, ..waits(named("turn_over")) }
            }
            _ if is_sold_out(view) => {
                Self { refresh_seconds: Some(SOLD_OUT_REFRESH_SECONDS), ..waits(named("sold_out")) }
            }
            Some("served") => match Choice::of(sale, view, language).filter(Choice::is_open) {
                Some(choice) => Self::with_choice(choice, turn, view, texts),
                None => waits(match view.state {
                    SaleState::Announced => texts.problem("sale-not-open"),
                    SaleState::Paused => named("paused"),
                    SaleState::Open | SaleState::Ended => named("may_return"),
                }),
            },
            Some("lobby") => waits(&texts.form.lobby),
            _ => Self {
                paused: (view.state == SaleState::Paused).then(|| named("paused")),
                ..waits(&place(language, turn).unwrap_or_else(|| named("waiting").to_owned()))
            },
        }
    }

    /// The forms of whose turn it is. Its end is shown when it may have come; where it cannot come by itself, because
    /// the turn has none or stands still, nothing takes the forms away.
    fn with_choice(choice: Choice<'a>, turn: &Value, view: &View, texts: &Texts) -> Self {
        let seconds_left = turn["left_ms"].as_u64().unwrap_or_default() / 1_000;
        let stands_still = view.waiting_room.as_ref().is_some_and(|room| room.state == RoomState::Paused);
        let has_end = turn["place"] != NO_PLACE && !stands_still;
        let text = match seconds_left {
            0 => texts.state("turn").unwrap_or_default().to_owned(),
            seconds => texts.form.turn.replace("{seconds}", &seconds.to_string()),
        };
        let refresh_seconds = has_end.then(|| (seconds_left + 1).max(REFRESH_SECONDS));
        Self { text, paused: None, choice: Some(choice), is_over: false, refresh_seconds }
    }
}

/// Whether nothing is left that somebody who waits could get.
fn is_sold_out(view: &View) -> bool {
    let is_gone = |sku: &SkuView| sku.available == 0 && !sku.may_return();
    view.state == SaleState::Open && view.skus.iter().all(is_gone)
}

/// How soon the page of somebody who waits loads itself again: at the opening, too.
fn refresh_seconds(view: &View) -> u64 {
    let room = view.waiting_room.as_ref();
    let often = room.map_or(REFRESH_SECONDS, |room| room.turn_ms / 1_000 / REFRESHES_PER_TURN);
    let opens_at = view.opens_at.filter(|_| view.state == SaleState::Announced);
    let to_opening = opens_at.map(|opens_at| opens_at.duration_since(view.now).as_secs() + 1);
    let to_opening = to_opening.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(REFRESH_SECONDS);
    often.min(to_opening).clamp(1, REFRESH_SECONDS)
}

/// The place in line, where an answer tells it.
pub(crate) fn place(language: &'static Language, told: &Value) -> Option<String> {
    let (place, ahead) = told["place"].as_u64().zip(told["ahead"].as_u64())?;
    let form = &language.texts.form.place;
    Some(form.replace("{place}", &place.to_string()).replace("{ahead}", &ahead.to_string()))
}
