//! `GET /sales/{sale}`: the page, the same for everybody. `GET /sales/{sale}/status`: what changes.
//! `GET /assets/{file}`: style and script of the page. `GET /openapi.json`: what the API is.

mod document;

use std::process::ExitCode;
use std::sync::Arc;

use api::{SkuStatus, Status, WaitingRoomStatus};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use edge::{Problem, SalePath, Within};
use sale::{Definition, SaleId, Stock};

const PAGE_CACHE: &str = "public, max-age=0, s-maxage=5, stale-while-revalidate=30, stale-if-error=86400";
const STATUS_CACHE: &str = "public, max-age=1, s-maxage=1, stale-while-revalidate=5";
const ASSET_CACHE: &str = "public, max-age=300, stale-if-error=86400";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How soon a client may ask for the status again: as long as a cache may keep it.
const POLL_AFTER_MS: u32 = 1_000;

#[tokio::main]
async fn main() -> ExitCode {
    edge::serve("page", |settings| {
        let routes = Router::new()
            .route("/sales/{sale}", get(page))
            .route("/sales/{sale}/status", get(status))
            .route("/assets/{file}", get(asset))
            .route("/openapi.json", get(document::show));
        Some(routes.with_state(Arc::new(settings.stock()?)))
    })
    .await
}

#[derive(Template)]
#[template(path = "sale.html")]
struct Page {
    sale: SaleId,
    definition: Definition,
}

async fn page(
    State(stock): State<Arc<Stock>>,
    SalePath(sale): SalePath,
    Within(deadline): Within,
) -> Result<Response, Problem> {
    let view = stock.view(&sale, deadline).await?.ok_or_else(Problem::sale_not_found)?;
    let definition = view.definition.ok_or_else(Problem::sale_not_found)?;
    let html = Page { sale, definition }.render().map_err(|error| Problem::internal().caused_by(&error))?;
    Ok(([(CACHE_CONTROL, PAGE_CACHE), (CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response())
}

async fn status(
    State(stock): State<Arc<Stock>>,
    SalePath(sale): SalePath,
    Within(deadline): Within,
) -> Result<Response, Problem> {
    let view = stock.view(&sale, deadline).await?.ok_or_else(Problem::sale_not_found)?;
    let status = Status {
        sale,
        state: view.state,
        server_time: view.now,
        opens_at: view.opens_at,
        closes_at: view.closes_at,
        waiting_room: view.waiting_room.map(WaitingRoomStatus::from),
        skus: view.skus.into_iter().map(SkuStatus::from).collect(),
        poll_after_ms: POLL_AFTER_MS,
    };
    Ok(([(CACHE_CONTROL, STATUS_CACHE)], axum::Json(status)).into_response())
}

async fn asset(Path(file): Path<String>) -> Result<Response, Problem> {
    let (kind, content) = match file.as_str() {
        "sale.css" => ("text/css; charset=utf-8", include_str!("../assets/sale.css")),
        "queue.js" => ("text/javascript; charset=utf-8", include_str!("../assets/queue.js")),
        "sale.js" => ("text/javascript; charset=utf-8", include_str!("../assets/sale.js")),
        _ => return Err(Problem::route_not_found()),
    };
    Ok(([(CACHE_CONTROL, ASSET_CACHE), (CONTENT_TYPE, kind)], content).into_response())
}
