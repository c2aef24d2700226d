//! What is the same for everybody: `GET /sales/{sale}/{language}`, the page, and `GET /sales/{sale}`, which finds the
//! language; `GET /sales/{sale}/plain/{language}`, the page for browsers without JavaScript;
//! `GET /sales/{sale}/status`, what changes; `GET /sales/{sale}/opening.ics`, a reminder;
//! `GET /assets/{file}`, style, script and icons; `GET /openapi.json`, what the API is.
//!
//! All of it can be kept by a CDN and by the browser for as long as its `Cache-Control` says, and is asked for
//! again with the tag of what is there.

mod assets;
mod calendar;
mod conditional;
mod document;
mod html;
mod plain;
mod status;

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use edge::{Problem, SalePath, Within};
use forms::with_problem_pages;
use languages::Language;
use sale::{Deadline, Definition, SaleId, Stock, View};

use crate::conditional::{conditional, tag_of};
use crate::html::LanguagePath;

const PAGE_CACHE: &str = "public, max-age=0, s-maxage=5, stale-while-revalidate=30, stale-if-error=86400";
const LANGUAGE_CACHE: &str = "public, max-age=300, stale-if-error=86400";

struct App {
    stock: Stock,
    /// Origin that shoppers see.
    url: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    edge::serve("page", |settings| {
        let (stock, url) = (settings.stock(), settings.public_url());
        let app = App { stock: stock?, url: url? };
        let pages = Router::new()
            .route("/sales/{sale}/{language}", get(page))
            .route("/sales/{sale}/plain/{language}", get(plain::show))
            .route("/sales/{sale}/opening.ics", get(opening));
        let routes = Router::new()
            .route("/sales/{sale}", get(find_language))
            .route("/sales/{sale}/status", get(status::show))
            .route("/assets/{file}", get(assets::show))
            .route("/openapi.json", get(document::show));
        Some(with_problem_pages(pages).merge(routes).with_state(Arc::new(app)))
    })
    .await
}

/// Sends the browser to the page in its language, whether or not there is such a sale: nothing is asked for that.
async fn find_language(SalePath(sale): SalePath, asked: HeaderMap) -> Response {
    let place = format!("/sales/{sale}/{}", Language::wished(&asked).tag);
    let headers = [(CACHE_CONTROL, LANGUAGE_CACHE), (VARY, "accept-language")];
    (StatusCode::FOUND, headers, [(LOCATION, place)]).into_response()
}

async fn page(
    State(app): State<Arc<App>>,
    LanguagePath(sale, language): LanguagePath,
    Within(deadline): Within,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let definition = app.definition(&sale, deadline).await?;
    let html = html::render(&app.url, &sale, &definition, language)?;
    Ok(conditional(&asked, &tag_of(html.as_bytes()), html::headers(PAGE_CACHE, &definition), html))
}

async fn opening(
    State(app): State<Arc<App>>,
    SalePath(sale): SalePath,
    Within(deadline): Within,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let view = app.view(&sale, deadline).await?;
    let definition = view.definition.as_ref().ok_or_else(Problem::sale_not_found)?;
    // Nothing to be reminded of: the sale opens by hand.
    let opens_at = definition.opens_at.ok_or_else(Problem::route_not_found)?;
    let url = format!("{}/sales/{sale}", app.url);
    let text = calendar::calendar(&sale, view.version, definition, opens_at, &url);
    let headers = [(CACHE_CONTROL, PAGE_CACHE), (CONTENT_TYPE, "text/calendar; charset=utf-8")];
    Ok(conditional(&asked, &tag_of(text.as_bytes()), headers, text))
}

impl App {
    /// What the merchant says about the sale.
    async fn definition(&self, sale: &SaleId, deadline: Deadline) -> Result<Definition, Problem> {
        self.view(sale, deadline).await?.definition.ok_or_else(Problem::sale_not_found)
    }

    async fn view(&self, sale: &SaleId, deadline: Deadline) -> Result<View, Problem> {
        self.stock.view(sale, deadline).await?.ok_or_else(Problem::sale_not_found)
    }
}
