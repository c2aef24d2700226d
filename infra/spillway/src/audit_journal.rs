//! The journal in an audit: whether it comes to the counts that Redis has.

use std::time::Duration;

use anyhow::Result;
use api::Report;
use sale::{SaleId, Sku, SkuView};

use crate::audit::SkuAudit;
use crate::audit_books::Difference;
use crate::merchant::Merchant;
use crate::replay::Replay;
use crate::replay_command::read_journal;

/// How often it is read on, because it is some seconds behind the sale.
const ROUNDS: usize = 10;
const PAUSE: Duration = Duration::from_secs(1);

/// What the journal says of a SKU.
enum Told {
    /// What Redis counts.
    Same,
    /// Not as far as Redis is, or entries are missing: nothing can be compared.
    Unknown,
    Differences(Vec<Difference>),
}

/// Compares the journal with the counters of each SKU, which name their last entry, and adds what is wrong. It follows
/// the counters of a sale that goes on, and what a failover took back is wrong until it goes on: so it is looked at
/// again, by the counters of now and of before.
pub(crate) async fn compare(merchant: &Merchant, sale: &SaleId, skus: &mut [SkuAudit]) -> Result<()> {
    let (mut replay, mut cursor, mut reports, mut verdicts) =
        (Replay::default(), None, Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        if round > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        reports.push(merchant.report(sale).await?);
        let add = |entry| {
            replay.add(entry);
            Ok(())
        };
        read_journal(merchant, sale, &mut cursor, add).await?;
        verdicts = skus.iter().map(|sku| told_at_any(&replay, &reports, &sku.sku)).collect();
        if verdicts.iter().all(|told| matches!(told, Told::Same)) {
            break;
        }
    }
    for (sku, told) in skus.iter_mut().zip(verdicts) {
        sku.is_journal_compared = !matches!(told, Told::Unknown);
        if let Told::Differences(differences) = told {
            sku.differences.extend(differences);
        }
    }
    Ok(())
}

/// What the journal says of a SKU by these reports, oldest first: the same as one of them, or else what is wrong by the
/// latest that can be compared.
fn told_at_any(replay: &Replay, reports: &[Report], sku: &Sku) -> Told {
    let mut latest = Told::Unknown;
    for report in reports {
        let counters = report.skus.iter().find(|view| view.sku == *sku);
        match counters.map_or(Told::Unknown, |counters| told(replay, report.epoch, counters)) {
            Told::Same => return Told::Same,
            Told::Unknown => {}
            differences @ Told::Differences(_) => latest = differences,
        }
    }
    latest
}

/// What the journal says of a SKU by these counters.
fn told(replay: &Replay, epoch: u64, counters: &SkuView) -> Told {
    if counters.changes == 0 && counters.stock == 0 {
        return Told::Same;
    }
    let then = replay.after(&counters.sku, epoch, counters.changes);
    let Some(then) = then.filter(|then| then.missing == 0) else { return Told::Unknown };
    // A hold whose time is over is counted as available, until a script frees it.
    let pairs = [
        ("in the stock", then.stock, counters.stock),
        ("available or held", then.available + then.held, counters.available + counters.held),
        ("sold", then.sold, counters.sold),
        ("quarantined", then.quarantined, counters.quarantined),
    ];
    let wrong = pairs.into_iter().filter(|(_, journal, counted)| *journal != i64::from(*counted));
    let difference = |(what, journal, counted)| Difference {
        serial: None,
        what: format!("by the journal {journal} units are {what}, by Redis {counted}"),
    };
    let differences: Vec<_> = wrong.map(difference).collect();
    if differences.is_empty() { Told::Same } else { Told::Differences(differences) }
}
