//! The journal in an audit: whether it comes to the counts that Redis has.

use std::time::Duration;

use anyhow::Result;
use sale::{SaleId, SkuView};

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

/// Compares the journal with the counters of each SKU, which name their last entry, and adds what is wrong. What a
/// failover took back is wrong until the journal goes on, so it is looked at again.
pub(crate) async fn compare(merchant: &Merchant, sale: &SaleId, skus: &mut [SkuAudit]) -> Result<()> {
    let (mut replay, mut cursor, mut verdicts) = (Replay::default(), None, Vec::new());
    for round in 0..ROUNDS {
        if round > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let report = merchant.report(sale).await?;
        let add = |entry| {
            replay.add(entry);
            Ok(())
        };
        read_journal(merchant, sale, &mut cursor, add).await?;
        let told = |sku: &SkuAudit| {
            let counters = report.skus.iter().find(|view| view.sku == sku.sku);
            counters.map_or(Told::Unknown, |counters| told(&replay, report.epoch, counters))
        };
        verdicts = skus.iter().map(told).collect();
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
