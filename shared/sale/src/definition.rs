//! What a merchant says about a sale, and every rule that it must keep before anything is stored.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::currency::is_currency;
use crate::waiting_room::RATE_PER_MINUTE_MAX;
use crate::{Picture, RoomControls, SaleId, ShopperKind, Sku, WaitingRoom};

/// Units of one SKU, at most: keeps the bitmap of sold units under 1.25 MB.
pub const STOCK_MAX: u32 = 10_000_000;

const TITLE_CHARS_MAX: usize = 200;
const DESCRIPTION_CHARS_MAX: usize = 4_000;
const SKUS_MAX: usize = 50;
const PRICE_MINOR_MAX: u64 = 100_000_000_000;

/// What a merchant says about a sale. The ledger keeps it; Redis is loaded from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Heading of the sale's page.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = TITLE_CHARS_MAX)))]
    pub title: String,
    /// Text of the sale's page.
    #[cfg_attr(feature = "schema", schemars(length(max = DESCRIPTION_CHARS_MAX)))]
    #[serde(default)]
    pub description: String,
    /// Picture of the sale's page.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", length(max = 500)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
    /// ISO 4217 code of all prices.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Z]{3}$")))]
    pub currency: String,
    /// When reserving begins; without it the sale opens by the merchant's `open`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::Time>"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Timestamp>,
    /// When reserving ends.
    #[cfg_attr(feature = "schema", schemars(with = "crate::Time"))]
    pub closes_at: Timestamp,
    /// How long a hold is kept, in seconds.
    #[cfg_attr(feature = "schema", schemars(range(min = 10, max = 3600)))]
    pub hold_seconds: u32,
    /// Units that one shopper may hold and order.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 10)))]
    pub limit_per_shopper: u32,
    /// Which shoppers may reserve.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 2), extend("uniqueItems" = true)))]
    pub shoppers: Vec<ShopperKind>,
    /// How the crowd is let in; without it, whoever comes reserves at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_room: Option<WaitingRoom>,
    /// The variants.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = SKUS_MAX)))]
    pub skus: Vec<SkuDefinition>,
}

/// What a merchant says about one SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SkuDefinition {
    /// Its name within the sale.
    pub sku: Sku,
    /// What the page calls it.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = TITLE_CHARS_MAX)))]
    pub title: String,
    /// Price of one unit in minor units of the sale's currency.
    #[cfg_attr(feature = "schema", schemars(range(max = PRICE_MINOR_MAX)))]
    pub price_minor: u64,
    /// Number of units.
    #[cfg_attr(feature = "schema", schemars(range(max = STOCK_MAX)))]
    pub stock: u32,
}

/// A sale as the ledger records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// Its name.
    pub id: SaleId,
    /// Counts the changes of this record; Redis applies only newer ones. The first is 1.
    pub version: u64,
    /// How often the sale was loaded into Redis; 0 until the first time is certain.
    pub epoch: u64,
    /// Whether the merchant has paused it.
    pub paused: bool,
    /// Whether the merchant has closed it for good.
    pub closed: bool,
    /// What the merchant does to its waiting room.
    pub room: RoomControls,
    /// What the merchant says about it; `stock` is the present one.
    pub definition: Definition,
}

impl Sale {
    /// A sale as it is first recorded: of version 1, never loaded, neither paused nor closed.
    #[must_use]
    pub fn new(id: SaleId, definition: Definition) -> Self {
        let room = RoomControls::default();
        Self { id, version: 1, epoch: 0, paused: false, closed: false, room, definition }
    }
}

/// One thing that is wrong in a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// JSON pointer to the value, such as `/skus/0/stock`.
    pub pointer: String,
    /// What the value should be.
    pub reason: String,
}

impl Definition {
    /// Every rule that this definition breaks; empty when it is good.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Faults::default();
        faults.unless(is_length(&self.title, 1, TITLE_CHARS_MAX), "/title", "must have 1 to 200 characters");
        faults.unless(
            is_length(&self.description, 0, DESCRIPTION_CHARS_MAX),
            "/description",
            "must have at most 4000 characters",
        );
        faults.unless(is_currency(&self.currency), "/currency", "must be an ISO 4217 code such as EUR");
        faults.unless(
            self.opens_at.is_none_or(|opens_at| opens_at < self.closes_at),
            "/closes_at",
            "must be after opens_at",
        );
        faults.unless((10..=3600).contains(&self.hold_seconds), "/hold_seconds", "must be 10 to 3600");
        faults.unless((1..=10).contains(&self.limit_per_shopper), "/limit_per_shopper", "must be 1 to 10");
        let kinds: HashSet<_> = self.shoppers.iter().collect();
        faults.unless(
            !self.shoppers.is_empty() && kinds.len() == self.shoppers.len(),
            "/shoppers",
            "must name account, guest or both, each once",
        );
        self.waiting_room_faults(&mut faults);
        self.sku_faults(&mut faults);
        faults.0
    }

    fn waiting_room_faults(&self, faults: &mut Faults) {
        let Some(room) = &self.waiting_room else { return };
        faults.unless(
            room.lobby_opens_at.is_none_or(|lobby| lobby < self.opens_at.unwrap_or(self.closes_at)),
            "/waiting_room/lobby_opens_at",
            "must be before opens_at",
        );
        faults.unless(
            (1..=RATE_PER_MINUTE_MAX).contains(&room.rate_per_minute),
            "/waiting_room/rate_per_minute",
            "must be 1 to 1000000",
        );
        faults.unless(
            (10..=3600).contains(&room.turn_seconds),
            "/waiting_room/turn_seconds",
            "must be 10 to 3600",
        );
    }

    fn sku_faults(&self, faults: &mut Faults) {
        faults.unless((1..=SKUS_MAX).contains(&self.skus.len()), "/skus", "must list 1 to 50 SKUs");
        let mut seen = HashSet::new();
        for (index, sku) in self.skus.iter().enumerate() {
            let at = |field: &str| format!("/skus/{index}/{field}");
            faults.unless(seen.insert(&sku.sku), &at("sku"), "is listed twice");
            faults.unless(
                is_length(&sku.title, 1, TITLE_CHARS_MAX),
                &at("title"),
                "must have 1 to 200 characters",
            );
            faults.unless(
                sku.price_minor <= PRICE_MINOR_MAX,
                &at("price_minor"),
                "must be at most 100000000000",
            );
            faults.unless(sku.stock <= STOCK_MAX, &at("stock"), "must be at most 10000000");
        }
    }

    /// The SKU of this name.
    #[must_use]
    pub fn sku(&self, sku: &Sku) -> Option<&SkuDefinition> {
        self.skus.iter().find(|candidate| &candidate.sku == sku)
    }
}

fn is_length(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.chars().count())
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn unless(&mut self, holds: bool, pointer: &str, reason: &str) {
        if !holds {
            self.0.push(Fault { pointer: pointer.to_owned(), reason: reason.to_owned() });
        }
    }
}
