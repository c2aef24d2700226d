//! A sale as a merchant writes it down: a TOML file with the fields of [`Definition`] and `sale`.
//!
//! A file is taken whole or refused with every fault at once, each with its line. The rules of a sale
//! live in [`Definition::faults`]; here is only what a *file* can get wrong: shape, types, times.

use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use sale::{Definition, SaleId, ShopperKind, Sku, SkuDefinition};
use toml::de::{DeTable, DeValue};

use crate::sale_file_faults::{Findings, SaleFileFaults};
use crate::sale_file_fields::{Fields, instant, list, name, number, shopper_kind, text};

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
        currency: fields.required("currency", text).unwrap_or_else(|| "EUR".to_owned()),
        opens_at: fields.optional("opens_at", instant(now)),
        closes_at: fields.required("closes_at", instant(now)).unwrap_or(Timestamp::MAX),
        hold_seconds: fields.required("hold_seconds", number).unwrap_or(60),
        limit_per_shopper: fields.required("limit_per_shopper", number).unwrap_or(1),
        shoppers: read_shoppers(&mut fields),
        skus: Vec::new(),
    };
    fields.required("skus", |value| list(value).map(drop));
    fields.refuse_unknown();
    let list = table.get("skus").and_then(|skus| skus.get_ref().as_array());
    let mut skus = Vec::new();
    for (index, sku) in list.into_iter().flat_map(|skus| skus.iter()).enumerate() {
        skus.extend(read_sku(index, sku.get_ref(), findings));
    }
    (sale, Definition { skus, ..definition })
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
