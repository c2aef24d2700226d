//! An audit in words.

use sale::{SaleId, Sku};

use crate::audit::SkuAudit;
use crate::audit_books::{Fate, Run};
use crate::table::{Table, grouped};

/// Differences that are printed one by one; `--json` has all.
const DIFFERENCES_SHOWN: usize = 50;

/// The units of each SKU by their fate, and what does not agree.
pub(crate) fn audit(sale: &SaleId, skus: &[SkuAudit]) -> String {
    let headings = ["sku", "sold", "held", "confirming", "available", "quarantined", "withdrawn", "agrees"];
    let mut table = Table::new(headings);
    for SkuAudit { sku, totals, differences, is_journal_compared, .. } in skus {
        let [sold, held, confirming, available, quarantined, withdrawn] = [
            totals.sold,
            totals.held,
            totals.confirming,
            totals.available,
            totals.quarantined,
            totals.withdrawn,
        ]
        .map(grouped);
        let agrees = match (differences.is_empty(), is_journal_compared) {
            (true, true) => "yes",
            (true, false) => "in part",
            (false, _) => "NO",
        };
        let agrees = agrees.to_owned();
        table.row([sku.to_string(), sold, held, confirming, available, quarantined, withdrawn, agrees]);
    }
    let mut lines = vec![format!("{sale}: each unit by what Redis and the ledger say of it\n{table}")];
    for sku in skus {
        let differences = sku.differences.iter().map(|difference| format!("{}: {difference}", sku.sku));
        lines.extend(differences.take(DIFFERENCES_SHOWN));
        let hidden = sku.differences.len().saturating_sub(DIFFERENCES_SHOWN);
        if hidden > 0 {
            lines.push(format!("{}: {hidden} more, which --json shows", sku.sku));
        }
        if !sku.is_quiet {
            lines.push(format!("{}: the counters were not compared, because the sale goes on", sku.sku));
        }
        if !sku.is_journal_compared {
            let why = "it is behind the sale, or entries are missing, as `replay` tells";
            lines.push(format!("{}: the journal was not compared: {why}", sku.sku));
        }
    }
    lines.join("\n").trim_end().to_owned()
}

/// Units of one fate.
pub(crate) fn run(sku: &Sku, run: &Run) -> String {
    let serials =
        if run.first == run.last { run.first.to_string() } else { format!("{}-{}", run.first, run.last) };
    let fate = match run.fate {
        Fate::Sold { order } => format!("sold, order {order}"),
        Fate::Held { reservation, expires_at } => {
            format!("held until {expires_at}, reservation {reservation}")
        }
        Fate::Confirming { reservation } => format!("being confirmed, reservation {reservation}"),
        Fate::Available => "available".to_owned(),
        Fate::Quarantined => "kept back after Redis lost the sale".to_owned(),
        Fate::Withdrawn => "withdrawn".to_owned(),
    };
    format!("{sku} {serials}: {fate}")
}
