//! `GET /assets/{file}`: style, script and icons of the page. A file's name has the hash of its content in it, so that
//! it can be kept for ever: `sale.0123456789abcdef.css`.
//!
//! During a deployment a page of one version meets the files of another. A known file of an unknown hash is therefore
//! answered with what it is now, and kept for a minute only.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use edge::Problem;

use crate::conditional::{conditional, tag_of};

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_A_MINUTE: &str = "public, max-age=60, stale-if-error=86400";

/// A file of the page.
pub(crate) struct Asset {
    stem: &'static str,
    extension: &'static str,
    kind: &'static str,
    content: &'static str,
    /// Worked out for the first who asks, so that a start costs nothing.
    tag: LazyLock<String>,
}

macro_rules! assets {
    ($($name:ident $stem:literal $extension:literal $kind:literal $content:expr;)*) => {
        $(pub(crate) static $name: Asset = Asset {
            stem: $stem,
            extension: $extension,
            kind: $kind,
            content: $content,
            tag: LazyLock::new(|| tag_of($name.content.as_bytes())),
        };)*

        static ASSETS: &[&Asset] = &[$(&$name),*];
    };
}

macro_rules! script {
    ($($file:literal)*) => {
        // One file, so that it is one request, and one scope, which is not the window's.
        concat!("'use strict';{\n", $(include_str!(concat!("../assets/", $file)),)* "}\n")
    };
}

assets! {
    STYLE "sale" "css" "text/css; charset=utf-8" include_str!("../assets/sale.css");
    SCRIPT "sale" "js" "text/javascript; charset=utf-8"
        script!("texts.js" "kept.js" "clock.js" "shop.js" "queue.js" "state.js" "view.js" "sale.js");
    ICON "icon" "svg" "image/svg+xml" include_str!("../assets/icon.svg");
    ICON_NOW "icon-now" "svg" "image/svg+xml" include_str!("../assets/icon-now.svg");
    ICON_DONE "icon-done" "svg" "image/svg+xml" include_str!("../assets/icon-done.svg");
}

impl Asset {
    /// Where it is.
    pub(crate) fn path(&self) -> String {
        format!("/assets/{}", self.file())
    }

    fn file(&self) -> String {
        format!("{}.{}.{}", self.stem, *self.tag, self.extension)
    }

    /// Whether this is one of its names, of whatever version.
    fn has_name(&self, file: &str) -> bool {
        file.split_once('.')
            .is_some_and(|(stem, rest)| stem == self.stem && rest.rsplit('.').next() == Some(self.extension))
    }
}

pub(crate) async fn show(Path(file): Path<String>, asked: HeaderMap) -> Result<Response, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.has_name(&file)).ok_or_else(Problem::route_not_found)?;
    let cache = if file == asset.file() { FOR_EVER } else { FOR_A_MINUTE };
    let headers = [(CACHE_CONTROL, cache), (CONTENT_TYPE, asset.kind)];
    Ok(conditional(&asked, &asset.tag, headers, asset.content))
}
