//! What can be chosen in a sale, as forms: on the page without JavaScript, and on that of whose turn it is.

use askama::Template;
use languages::{Language, PageTexts, Price};
use sale::{Definition, SaleState, Sku, SkuDefinition, SkuView, View};

/// A form for each SKU.
#[derive(Template)]
#[template(path = "choice.html")]
pub struct Choice<'a> {
    sale: &'a str,
    definition: &'a Definition,
    view: &'a View,
    language: &'static Language,
    texts: &'static PageTexts,
}

impl<'a> Choice<'a> {
    /// The forms of a sale that stands like this; nothing before it is known what it sells.
    #[must_use]
    pub fn of(sale: &'a str, view: &'a View, language: &'static Language) -> Option<Self> {
        let definition = view.definition.as_ref()?;
        Some(Self { sale, definition, view, language, texts: &language.texts.page })
    }

    /// Whether any of the forms can be sent.
    pub(crate) fn is_open(&self) -> bool {
        self.definition.skus.iter().any(|sku| self.is_available(&sku.sku))
    }

    fn price(&self, sku: &SkuDefinition) -> Price<'_> {
        Price { minor: sku.price_minor, currency: &self.definition.currency }
    }

    /// Whether a form for this SKU may come to something. Whose turn it is, is said in answer to it.
    fn is_available(&self, sku: &Sku) -> bool {
        let has_units = |view: &SkuView| view.sku == *sku && view.available > 0;
        self.view.state == SaleState::Open && self.view.skus.iter().any(has_units)
    }
}
