//! The journal in an audit: whether it comes to the counts that Redis has.

use std::time::Duration;

use anyhow::Result;
use sale::{SaleId, SkuView};

use crate::audit::SkuAudit;
use crate::audit_books::{Difference, persistent};
use crate::merchant::Merchant;
use crate::replay::{Replay, SkuThen};
use crate::replay_command::read_journal;

/// Looks at a journal that does not come to the counts: it is some seconds behind them.
const ROUNDS: usize = 10;
/// What is wrong stays wrong, to the last figure, so many times.
const ROUNDS_WRONG: usize = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Compares the journal of a sale that is at rest, and adds what is wrong.
pub(crate) async fn compare(merchant: &Merchant, sale: &SaleId, skus: &mut [SkuAudit]) -> Result<()> {
    if skus.iter().any(|sku| !sku.is_quiet) {
        return Ok(());
    }
    let (mut replay, mut cursor) = (Replay::default(), None);
    let mut rounds: Vec<Vec<Vec<Difference>>> = Vec::new();
    while rounds.len() < ROUNDS {
        let counters = merchant.report(sale).await?.skus;
        let add = |entry| {
            replay.add(entry);
            Ok(())
        };
        read_journal(merchant, sale, &mut cursor, add).await?;
        let end = replay.end().map_or_else(Vec::new, |end| replay.at(end));
        let of_sku = |sku: &SkuAudit| differences(sku, &counters, &end);
        let round: Vec<_> = skus.iter().map(of_sku).collect();
        let agrees = round.iter().all(Vec::is_empty);
        rounds.push(round);
        if agrees {
            for sku in skus {
                sku.is_journal_compared = end.iter().any(|then| then.sku == sku.sku && then.missing == 0);
            }
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    let last = rounds.split_off(ROUNDS - ROUNDS_WRONG);
    for (at, sku) in skus.iter_mut().enumerate() {
        let rounds = last.iter().map(|round| round[at].clone()).collect();
        let wrong = persistent(rounds);
        sku.is_journal_compared = !wrong.is_empty() || last.iter().any(|round| round[at].is_empty());
        sku.differences.extend(wrong);
    }
    Ok(())
}

/// What the journal says otherwise than the counters of a SKU; nothing where entries are missing.
fn differences(sku: &SkuAudit, counters: &[SkuView], end: &[SkuThen]) -> Vec<Difference> {
    let counters = counters.iter().find(|view| view.sku == sku.sku);
    let then = end.iter().find(|then| then.sku == sku.sku);
    let (Some(view), Some(then)) = (counters, then) else {
        return vec![Difference { serial: None, what: "the journal has no entry".to_owned() }];
    };
    if then.missing > 0 {
        return Vec::new();
    }
    let pairs = [
        ("in the stock", then.stock, view.stock),
        ("available", then.available, view.available),
        ("held", then.held, view.held),
        ("sold", then.sold, view.sold),
        ("quarantined", then.quarantined, view.quarantined),
    ];
    let wrong = pairs.into_iter().filter(|(_, journal, counted)| *journal != i64::from(*counted));
    let what = |(what, journal, counted)| {
        format!("by the journal {journal} units are {what}, counted are {counted}")
    };
    wrong.map(|pair| Difference { serial: None, what: what(pair) }).collect()
}
