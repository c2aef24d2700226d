//! The merchant's answers in words.

use crate::table::{Table, grouped};
use api::{OrderAnswer, Report, Restocked, SaleAnswer, Sales, Withdrawn};

/// A sale after `create`, and where shoppers find it.
pub(crate) fn defined(answer: &SaleAnswer, page: &str) -> String {
    format!("{}\n{page}", sale(answer))
}

/// Where a sale stands, in one sentence.
pub(crate) fn sale(answer: &SaleAnswer) -> String {
    let units: u64 = answer.definition.skus.iter().map(|sku| u64::from(sku.stock)).sum();
    format!(
        "{}: {} ({} units, from {}, to {})",
        answer.sale,
        standing(answer),
        grouped(units),
        answer.definition.opens_at.map_or("`open`".to_owned(), |at| at.to_string()),
        answer.definition.closes_at,
    )
}

/// What the merchant has decided; whether the times are right is the report's business.
fn standing(answer: &SaleAnswer) -> &'static str {
    match (answer.closed, answer.paused, answer.definition.opens_at) {
        (true, _, _) => "closed",
        (false, true, _) => "paused",
        (false, false, Some(_)) => "on",
        (false, false, None) => "waits for `open`",
    }
}

/// All sales in a table.
pub(crate) fn sales(answer: &Sales) -> String {
    let mut table = Table::new(["sale", "stands", "units", "opens", "closes", "title"]);
    for sale in &answer.sales {
        let definition = &sale.definition;
        table.row([
            sale.sale.to_string(),
            standing(sale).to_owned(),
            grouped(definition.skus.iter().map(|sku| u64::from(sku.stock)).sum()),
            definition.opens_at.map_or_else(String::new, |at| at.to_string()),
            definition.closes_at.to_string(),
            definition.title.clone(),
        ]);
    }
    table.to_string()
}

/// A sale's figures.
pub(crate) fn report(report: &Report) -> String {
    let headings = ["sku", "stock", "available", "held", "sold", "quarantined", "withdrawn", "adds up"];
    let mut table = Table::new(headings);
    for sku in &report.skus {
        let [stock, available, held, sold, quarantined, withdrawn] =
            [sku.stock, sku.available, sku.held, sku.sold, sku.quarantined, sku.withdrawn]
                .map(|units| grouped(units.into()));
        let adds_up = if sku.conserved { "yes" } else { "NO" }.to_owned();
        table.row([sku.sku.to_string(), stock, available, held, sold, quarantined, withdrawn, adds_up]);
    }
    format!(
        "{}: {}, {} (epoch {}, {} unsettled)\n{table}",
        report.sale,
        report.state.as_str(),
        report.server_time,
        report.epoch,
        report.unsettled
    )
}

/// The line above the orders. Ids and times have one length, so columns stand without knowing all rows.
pub(crate) fn orders_heading() -> String {
    format!("{:<26}  {:<9}  {:<24}  {:<16}  {:>12}  units", "order", "state", "confirmed", "sku", "total")
}

/// One order in one line.
pub(crate) fn order(order: &OrderAnswer) -> String {
    let confirmed_at = format!("{:.3}", order.confirmed_at);
    format!(
        "{}  {:<9}  {confirmed_at:<24}  {:<16}  {:>12}  {}",
        order.id,
        order.state.as_str(),
        order.sku.as_str(),
        format!("{} {}", order.total_minor, order.currency),
        serials(&order.units, ", ")
    )
}

/// An order after its cancel.
pub(crate) fn cancelled(order: &OrderAnswer) -> String {
    let at = order.cancelled_at.map_or_else(String::new, |at| format!(" since {at}"));
    format!(
        "order {} is {}{at}; unit {} went back",
        order.id,
        order.state.as_str(),
        serials(&order.units, ", ")
    )
}

/// A restock.
pub(crate) fn restocked(answer: &Restocked) -> String {
    format!("{}: {} units added, its stock is now {}", answer.sku, answer.restocked, answer.stock)
}

/// A withdrawal of as many units as were available.
pub(crate) fn withdrawn(answer: &Withdrawn, asked: u32) -> String {
    let Withdrawn { sku, stock, withdrawn } = answer;
    format!("{sku}: {withdrawn} of {asked} units taken out, its stock is now {stock}")
}

/// Serials, with this between them.
pub(crate) fn serials(units: &[u32], separator: &str) -> String {
    units.iter().map(u32::to_string).collect::<Vec<_>>().join(separator)
}
