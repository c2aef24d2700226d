//! The terms of a sale that tests and examples open.

#![allow(clippy::unwrap_used)]

use jiff::{SignedDuration, Timestamp};
use sale::{Definition, ShopperKind, Sku, SkuDefinition};

/// An open sale with so many units, of which one shopper may have ten, held for ten minutes.
pub(crate) fn units(stock: u32) -> Definition {
    let now = Timestamp::now();
    Definition {
        title: "A test".to_owned(),
        description: String::new(),
        picture: None,
        currency: "EUR".to_owned(),
        opens_at: Some(now - SignedDuration::from_secs(1)),
        closes_at: now + SignedDuration::from_hours(1),
        hold_seconds: 600,
        limit_per_shopper: 10,
        shoppers: vec![ShopperKind::Account, ShopperKind::Guest],
        waiting_room: None,
        skus: vec![SkuDefinition {
            sku: Sku::parse("unit").unwrap(),
            title: "Unit".to_owned(),
            price_minor: 1_999,
            stock,
        }],
    }
}
