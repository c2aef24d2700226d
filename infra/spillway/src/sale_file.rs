//! A sale as a merchant writes it down: a TOML file with the fields of [`Definition`] and `sale`.
//!
//! A file is taken whole or refused with every fault at once, each with its line. The rules of a sale
//! live in [`Definition::faults`]; here is only what a *file* can get wrong: shape, types, times.

use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use sale::{Definition, SaleId, ShopperKind, Sku, SkuDefinition, WaitingRoom};
use toml::de::{DeTable, DeValue};

use crate::sale_file_faults::{Findings, SaleFileFaults};
use crate::sale_file_fields::{Fields, instant, is_table, list, name, number, picture, shopper_kind, text};

/// A sale file that keeps every rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleFile {
    /// Name of the sale.
    pub sale: SaleId,
    /// What the merchant says about it; times that were relative are resolved.
    pub definition: Definition,
}

impl SaleFile {
    /// Reads a file. Relative times count from `now`.
    pub fn read(path: &Path, now: Timestamp) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the sale file {}", path.display()))?;
        Ok(Self::parse(&text, &path.display().to_string(), now)?)
    }

    /// Parses the text of the file that is called `file` in messages.
    pub fn parse(text: &str, file: &str, now: Timestamp) -> Result<Self, SaleFileFaults> {
        let (tree, syntax_errors) = DeTable::parse_recoverable(text);
        let mut findings = Findings::new(file, text);
        for error in &syntax_errors {
            findings.syntax(error);
        }
        let (sale, definition) = read_sale(tree.get_ref(), &mut findings, now);
        for fault in definition.faults() {
            findings.fault(&fault.pointer, &fault.reason);
        }
        match (sale, findings.into_faults()) {
            (Some(sale), None) => Ok(Self { sale, definition }),
            (_, faults) => Err(faults.unwrap_or_default()),
        }
    }
}

/// Reads the whole tree. A value with a fault is replaced by one that breaks no further rule.
fn read_sale(
    table: &DeTable<'_>,
    findings: &mut Findings<'_>,
    now: Timestamp,
) -> (Option<SaleId>, Definition) {
    let mut fields = Fields::new(table, "", findings);
    let sale = fields.required("sale", name(SaleId::parse));
    let definition = Definition {
        title: fields.required("title", text).unwrap_or_else(|| "title".to_owned()),
        description: fields.optional("description", text).unwrap_or_default(),
        picture: fields.optional("picture", picture),
        currency: fields.required("currency", text).unwrap_or_else(|| "EUR".to_owned()),
        opens_at: fields.optional("opens_at", instant(now)),
        closes_at: fields.required("closes_at", instant(now)).unwrap_or(Timestamp::MAX),
        hold_seconds: fields.required("hold_seconds", number).unwrap_or(60),
        limit_per_shopper: fields.required("limit_per_shopper", number).unwrap_or(1),
        shoppers: read_shoppers(&mut fields),
        waiting_room: None,
        skus: Vec::new(),
    };
    fields.required("skus", |value| list(value).map(drop));
    fields.optional("waiting_room", is_table);
    fields.refuse_unknown();
    let room = table.get("waiting_room").and_then(|room| room.get_ref().as_table());
    let waiting_room = room.map(|room| read_waiting_room(room, findings, now));
    let list = table.get("skus").and_then(|skus| skus.get_ref().as_array());
    let mut skus = Vec::new();
    for (index, sku) in list.into_iter().flat_map(|skus| skus.iter()).enumerate() {
        skus.extend(read_sku(index, sku.get_ref(), findings));
    }
    (sale, Definition { skus, waiting_room, ..definition })
}

fn read_waiting_room(table: &DeTable<'_>, findings: &mut Findings<'_>, now: Timestamp) -> WaitingRoom {
    let mut fields = Fields::new(table, "/waiting_room", findings);
    let room = WaitingRoom {
        lobby_opens_at: fields.optional("lobby_opens_at", instant(now)),
        rate_per_minute: fields.required("rate_per_minute", number).unwrap_or(1),
        turn_seconds: fields.required("turn_seconds", number).unwrap_or(60),
    };
    fields.refuse_unknown();
    room
}

fn read_shoppers(fields: &mut Fields<'_, '_, '_>) -> Vec<ShopperKind> {
    let kinds = fields.required("shoppers", |value| {
        list(value)?.iter().map(|kind| shopper_kind(kind.get_ref())).collect::<Result<Vec<_>, _>>()
    });
    kinds.unwrap_or_else(|| vec![ShopperKind::Account])
}

fn read_sku(index: usize, value: &DeValue<'_>, findings: &mut Findings<'_>) -> Option<SkuDefinition> {
    let pointer = format!("/skus/{index}");
    let DeValue::Table(table) = value else {
        findings.fault(&pointer, "must be a table, written as [[skus]]");
        return None;
    };
    let mut fields = Fields::new(table, &pointer, findings);
    let sku = SkuDefinition {
        sku: fields
            .required("sku", name(Sku::parse))
            .or_else(|| Sku::parse(&format!("unnamed-{index}")).ok())?,
        title: fields.required("title", text).unwrap_or_else(|| "title".to_owned()),
        price_minor: fields.required("price_minor", number).unwrap_or(0),
        stock: fields.required("stock", number).unwrap_or(0),
    };
    fields.refuse_unknown();
    Some(sku)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GOOD: &str = r#"sale = "drop"
title = "A drop"
currency = "EUR"
opens_at = 2026-05-01T09:00:00Z
closes_at = "+2h"
hold_seconds = 300
limit_per_shopper = 2
shoppers = ["account"]

[[skus]]
sku = "one"
title = "One"
price_minor = 100
stock = 10

[waiting_room]
rate_per_minute = 600
turn_seconds = 60
"#;

    fn now() -> Timestamp {
        "2026-05-01T09:00:00Z".parse().unwrap()
    }

    fn faults(text: &str) -> String {
        SaleFile::parse(text, "drop.toml", now()).unwrap_err().to_string()
    }

    #[test]
    fn a_good_file_is_read_whole_and_relative_times_count_from_now() {
        let file = SaleFile::parse(GOOD, "drop.toml", now()).unwrap();
        assert_eq!(file.sale.as_str(), "drop");
        assert_eq!(file.definition.opens_at, Some(now()));
        assert_eq!(file.definition.closes_at.to_string(), "2026-05-01T11:00:00Z");
        assert_eq!(file.definition.skus[0].stock, 10);
        assert_eq!(file.definition.waiting_room.unwrap().rate_per_minute, 600);
    }

    #[test]
    fn each_fault_is_told_with_its_line_and_reason() {
        for (good, bad, told) in [
            ("2026-05-01T09:00:00Z", "2026-13-41T09:00:00Z", "drop.toml:4: "),
            ("2026-05-01T09:00:00Z", "\"tomorrow\"", "drop.toml:4: opens_at must be a time such as"),
            ("\"+2h\"", "2026-05-01T08:00:00Z", "drop.toml:5: closes_at must be after opens_at"),
            ("stock = 10", "stock = -10", "drop.toml:14: stock must not be negative, and is -10"),
            ("stock = 10", "stock = \"10\"", "drop.toml:14: stock must be a whole number without quotes"),
            ("stock = 10", "stock = 10_000_001", "drop.toml:14: stock must be at most 10000000"),
            ("\"EUR\"", "\"EURO\"", "drop.toml:3: currency must be an ISO 4217 code such as EUR"),
            (
                "\"drop\"",
                "\"Drop!\"",
                "drop.toml:1: sale must be 1 to 32 lower-case letters, digits and hyphens",
            ),
            ("[\"account\"]", "[\"robot\"]", "drop.toml:8: shoppers must name"),
            ("title = \"A drop\"", "titel = \"A drop\"", "drop.toml:2: titel is not a field of a sale file"),
            ("hold_seconds = 300\n", "", "hold_seconds is missing"),
            ("stock = 10", "stock = ", "drop.toml:14: "),
            ("turn_seconds = 60", "turn_seconds = 6", "drop.toml:18: turn_seconds must be 10 to 3600"),
            ("rate_per_minute = 600\n", "", "drop.toml:16: rate_per_minute is missing"),
            ("turn_seconds", "turn_minutes", "drop.toml:18: turn_minutes is not a field of a sale file"),
        ] {
            let text = faults(&GOOD.replacen(good, bad, 1));
            assert!(text.lines().any(|line| line.starts_with(told) || line.ends_with(told)), "{bad}: {text}");
        }
    }

    #[test]
    fn all_faults_of_a_file_are_told_at_once_in_the_order_of_its_lines() {
        let text = GOOD.replace("\"EUR\"", "\"XYZ\"").replace("stock = 10", "stock = -1").replace("300", "5");
        let text = faults(&text);
        let lines: Vec<_> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(lines, ["drop.toml:3:", "drop.toml:6:", "drop.toml:14:"], "{text}");
    }
}
