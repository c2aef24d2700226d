//! `GET /openapi.json`: what this API is, for whoever builds on it; the same for everybody.
//!
//! The document is made of the types where the tests run (`tests/openapi.rs`); here a file is handed out.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;

use crate::conditional::{conditional, tag_of};

const DOCUMENT: &str = include_str!("../assets/openapi.json");
const CACHE: &str = "public, max-age=300, stale-if-error=86400";

/// Worked out for the first who asks, so that a start costs nothing.
static TAG: LazyLock<String> = LazyLock::new(|| tag_of(DOCUMENT.as_bytes()));

pub(crate) async fn show(asked: HeaderMap) -> Response {
    conditional(&asked, &TAG, [(CACHE_CONTROL, CACHE), (CONTENT_TYPE, "application/json")], DOCUMENT)
}
