//! What a form says: bounded, and of the right type.

use axum::body::Body;
use axum::http::request::Parts;
use edge::{Problem, invalid_fields};
use http_body_util::{BodyExt, Limited};
use languages::Language;
use sale::Sku;
use serde::Deserialize;

/// A form has five short fields.
const FORM_BYTES_MAX: usize = 4 * 1024;

/// The fields of any form.
pub(crate) struct Fields {
    pub(crate) sku: Option<Sku>,
    pub(crate) quantity: u32,
    /// How many holds of this wish are known to have ended.
    pub(crate) ended: u32,
    /// Whether another ticket is wanted, because the turn of the first one is over.
    pub(crate) wants_another: bool,
    pub(crate) language: &'static Language,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    sku: Option<String>,
    quantity: Option<String>,
    ended: Option<String>,
    another: Option<String>,
    language: Option<String>,
}

#[derive(Deserialize)]
struct Query {
    language: Option<String>,
}

impl Fields {
    pub(crate) async fn read(body: Body, parts: &Parts) -> Result<Self, Problem> {
        let collected = Limited::new(body, FORM_BYTES_MAX).collect().await;
        let bytes = collected.map_err(|_| invalid_fields("", "must have at most 4 KiB"))?.to_bytes();
        let sent: Sent = serde_urlencoded::from_bytes(&bytes).map_err(|_| {
            invalid_fields(
                "",
                "must have the fields sku, quantity, ended, another and language at most, once each",
            )
        })?;
        let sku = sent.sku.as_deref().map(Sku::parse).transpose().map_err(|_| Problem::sku_not_found())?;
        // What is out of range is told by whoever knows the range.
        let quantity = sent.quantity.as_deref().map_or(Ok(1), str::parse);
        let quantity = quantity.map_err(|_| invalid_fields("/quantity", "must be a number"))?;
        let ended = sent.ended.as_deref().map_or(Ok(0), str::parse);
        let ended = ended.map_err(|_| invalid_fields("/ended", "must be a number"))?;
        let language = sent.language.as_deref().and_then(Language::of_tag);
        let wants_another = sent.another.is_some();
        Ok(Self {
            sku,
            quantity,
            ended,
            wants_another,
            language: language.unwrap_or_else(|| Language::wished(&parts.headers)),
        })
    }
}

/// The language that an address names, in its query or as its last segment, else the one that the browser likes best.
pub(crate) fn language_of_address(parts: &Parts) -> &'static Language {
    let query = serde_urlencoded::from_str::<Query>(parts.uri.query().unwrap_or_default());
    let named = query.ok().and_then(|query| Language::of_tag(&query.language?));
    let segment = || parts.uri.path().rsplit('/').next().and_then(Language::of_tag);
    named.or_else(segment).unwrap_or_else(|| Language::wished(&parts.headers))
}
