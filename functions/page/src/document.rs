//! `GET /openapi.json`: what this API is, for whoever builds on it; the same for everybody.
//!
//! The document is made of the types where the tests run (`tests/openapi.rs`); here a file is handed out.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::ASSET_CACHE;

const DOCUMENT: &str = include_str!("../assets/openapi.json");

/// Worked out for the first who asks, so that a start costs nothing.
static TAG: LazyLock<String> =
    LazyLock::new(|| format!("\"{}\"", HEXLOWER.encode(&Sha256::digest(DOCUMENT)[..16])));

pub(crate) async fn show(headers: HeaderMap) -> Response {
    let caching = [(CACHE_CONTROL, ASSET_CACHE), (ETAG, TAG.as_str())];
    if is_known(&headers) {
        (StatusCode::NOT_MODIFIED, caching).into_response()
    } else {
        (caching, [(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
    }
}

/// Whether the client says that it has this very document.
fn is_known(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(|tag| tag.trim());
    tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == *TAG)
}
