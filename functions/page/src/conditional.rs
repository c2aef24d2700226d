//! Answers that a client may have already: a strong entity tag of their bytes, and 304 for who names it.

use axum::body::Body;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, IntoResponseParts, Response};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// Bytes of the hash that name a content, far more than a site has contents.
const TAG_BYTES: usize = 8;

/// What names these bytes and no others.
pub(crate) fn tag_of(content: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(content)[..TAG_BYTES])
}

/// This body, or 304 where the client has it; both with these headers.
pub(crate) fn conditional(
    asked: &HeaderMap,
    tag: &str,
    headers: impl IntoResponseParts,
    body: impl Into<Body>,
) -> Response {
    let tag = format!("\"{tag}\"");
    let is_known = is_known(asked, &tag);
    let head = (headers, [(ETAG, tag)]);
    if is_known {
        (StatusCode::NOT_MODIFIED, head).into_response()
    } else {
        (head, body.into()).into_response()
    }
}

/// Whether the client says that it has this very content. A gateway that compresses makes the tag a weak one.
fn is_known(asked: &HeaderMap, tag: &str) -> bool {
    let lists = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}
