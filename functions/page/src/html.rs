//! The page as HTML: one text per sale and language, the same for everybody. Nothing in it changes while the sale
//! runs; that is the status's part.

use askama::Template;
use axum::extract::{FromRequestParts, Path};
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::request::Parts;
use axum::response::{AppendHeaders, IntoResponseParts};
use edge::Problem;
use languages::{FormTexts, LANGUAGES, Language, PageTexts, Price};
use sale::{Definition, Picture, SaleId, SkuDefinition};

use crate::assets::{ICON, ICON_DONE, ICON_NOW, SCRIPT, STYLE};

const PERMISSIONS: &str = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";

/// Characters of the description that a preview elsewhere shows.
const PREVIEW_CHARS: usize = 200;

#[derive(Template)]
#[template(path = "sale.html")]
struct Page<'a> {
    sale: &'a SaleId,
    definition: &'a Definition,
    language: &'static Language,
    texts: &'static PageTexts,
    form: &'static FormTexts,
    /// Origin that shoppers see.
    url: &'a str,
    /// The beginning of the description, in one line.
    preview: String,
    assets: Assets,
}

struct Assets {
    style: String,
    script: String,
    icon: String,
    icon_now: String,
    icon_done: String,
}

/// The page of this sale in this language.
pub(crate) fn render(
    url: &str,
    sale: &SaleId,
    definition: &Definition,
    language: &'static Language,
) -> Result<String, Problem> {
    let words = definition.description.split_whitespace().collect::<Vec<_>>().join(" ");
    let preview = words.chars().take(PREVIEW_CHARS).collect();
    let assets = Assets {
        style: STYLE.path(),
        script: SCRIPT.path(),
        icon: ICON.path(),
        icon_now: ICON_NOW.path(),
        icon_done: ICON_DONE.path(),
    };
    let (texts, form) = (&language.texts.page, &language.texts.form);
    let page = Page { sale, definition, language, texts, form, url, preview, assets };
    page.render().map_err(|error| Problem::internal().caused_by(&error))
}

impl Page<'_> {
    /// The picture's whole address, for whoever shows a preview.
    fn preview_picture(&self) -> Option<String> {
        let picture = self.definition.picture.as_ref()?;
        let origin = if picture.origin().is_some() { "" } else { self.url };
        Some(format!("{origin}{picture}"))
    }

    /// How many digits of a price are behind the point.
    fn minor_digits(&self) -> u32 {
        sale::minor_digits(&self.definition.currency)
    }

    fn price(&self, sku: &SkuDefinition) -> Price<'_> {
        Price { minor: sku.price_minor, currency: &self.definition.currency }
    }

    fn limit(&self) -> String {
        self.texts.limit.replace("{limit}", &self.definition.limit_per_shopper.to_string())
    }

    /// How long a hold is kept, in minutes where these are whole ones and several.
    fn hold_time(&self) -> String {
        let seconds = self.definition.hold_seconds;
        if seconds > 60 && seconds.is_multiple_of(60) {
            self.texts.hold_minutes.replace("{minutes}", &(seconds / 60).to_string())
        } else {
            self.texts.hold_seconds.replace("{seconds}", &seconds.to_string())
        }
    }
}

/// What a browser is told with a page that can be kept for so long.
pub(crate) fn headers(cache: &'static str, definition: &Definition) -> impl IntoResponseParts + use<> {
    let fixed = [
        (CACHE_CONTROL, cache),
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // A form would else be sent from nowhere, and be refused.
        (REFERRER_POLICY, "same-origin"),
    ];
    (AppendHeaders(fixed), AppendHeaders([(CONTENT_SECURITY_POLICY, policy(definition))]))
}

/// Nothing but the page's own files and the sale's picture, and nothing that makes markup of a text.
fn policy(definition: &Definition) -> String {
    let origin = definition.picture.as_ref().and_then(Picture::origin);
    let picture = origin.map(|origin| format!(" {origin}")).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{picture}; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'"
    )
}

/// `/sales/{sale}/{language}`
pub(crate) struct LanguagePath(pub(crate) SaleId, pub(crate) &'static Language);

impl<S: Send + Sync> FromRequestParts<S> for LanguagePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((sale, language)) = path.map_err(|_| Problem::route_not_found())?;
        let sale = SaleId::parse(&sale).map_err(|_| Problem::sale_not_found())?;
        Ok(Self(sale, Language::of_tag(&language).ok_or_else(Problem::route_not_found)?))
    }
}
