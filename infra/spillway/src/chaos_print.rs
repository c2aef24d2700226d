//! What came of the faults, in words.

use std::collections::BTreeMap;
use std::iter;

use crate::chaos::{LeftOut, Round, SILENCE_OF_A_KILL_MAX};
use crate::chaos_fault::Fault;
use crate::table::{Table, grouped};

/// One round in one line, and one for each promise that was broken.
pub(crate) fn round(round: &Round) -> String {
    let kept = match (round.broken_promises.len(), round.holds_lost) {
        (0, 0) => "every promise kept".to_owned(),
        (0, holds) => format!("every promise kept; {holds} holds lost, which was not promised"),
        (broken, _) => format!("{broken} promises BROKEN"),
    };
    let line = format!(
        "{:<20} {:>7} orders, {:>6} without a success, whole again after {:>6}: {kept}",
        round.fault.name(),
        grouped(round.orders as u64),
        seconds(round.silence_ms),
        seconds(round.whole_after_ms),
    );
    let broken = round.broken_promises.iter().map(|promise| format!("  {promise}"));
    iter::once(line).chain(broken).collect::<Vec<_>>().join("\n")
}

/// Each fault's rounds in one row, everything that was broken, and what did not happen.
pub(crate) fn report(rounds: &[Round], left_out: &[LeftOut]) -> String {
    let mut by_fault = BTreeMap::<_, Vec<&Round>>::new();
    for round in rounds {
        by_fault.entry(round.fault).or_default().push(round);
    }
    let headings = [
        "fault",
        "rounds",
        "orders",
        "broken",
        "holds lost",
        "no success: median",
        "longest",
        "whole: median",
    ];
    let mut table = Table::new(headings);
    for (fault, rounds) in &by_fault {
        let sum = |of: fn(&Round) -> usize| grouped(rounds.iter().map(|round| of(round) as u64).sum());
        let longest = rounds.iter().map(|round| round.silence_ms).max().unwrap_or(0);
        table.row([
            fault.name(),
            rounds.len().to_string(),
            sum(|round| round.orders),
            sum(|round| round.broken_promises.len()),
            sum(|round| round.holds_lost),
            seconds(median(rounds, |round| round.silence_ms)),
            seconds(longest),
            seconds(median(rounds, |round| round.whole_after_ms)),
        ]);
    }
    let mut lines = vec![table.to_string()];
    for round in rounds {
        let broken = round.broken_promises.iter();
        lines.extend(broken.map(|promise| format!("{}: {promise}", round.fault.name())));
    }
    if let Some(median) = silence(rounds, Fault::KillMaster) {
        let (is, may_be) = (seconds(median), SILENCE_OF_A_KILL_MAX.as_secs_f64());
        lines.push(format!("A killed master is missed for {is} at the median; it may be {may_be:.2} s."));
    }
    lines.extend(left_out.iter().map(|left| format!("{} is left out: {}.", left.fault.name(), left.because)));
    if rounds.iter().all(|round| round.broken_promises.is_empty()) {
        let orders: usize = rounds.iter().map(|round| round.orders).sum();
        lines.push(format!(
            "{} rounds, {} orders: nothing oversold, no order lost, every unit accounted for.",
            rounds.len(),
            grouped(orders as u64)
        ));
    }
    lines.join("\n")
}

/// How long no request succeeded with this fault, in ms, at the median; `None` where it was not there.
pub(crate) fn silence(rounds: &[Round], fault: Fault) -> Option<u64> {
    let rounds: Vec<_> = rounds.iter().filter(|round| round.fault == fault).collect();
    (!rounds.is_empty()).then(|| median(&rounds, |round| round.silence_ms))
}

fn median(rounds: &[&Round], of: fn(&Round) -> u64) -> u64 {
    let mut all: Vec<_> = rounds.iter().map(|round| of(round)).collect();
    all.sort_unstable();
    all[all.len() / 2]
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:02} s", milliseconds / 1_000, milliseconds % 1_000 / 10)
}
