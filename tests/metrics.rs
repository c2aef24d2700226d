//! The log lines that `infra/observability.yaml` and `infra/template.yaml` count: their patterns against what the
//! functions write.

use std::path::Path;

use serde_json::Value;
use spillway::{Signal, signal};

use crate::shop::{open_sale, open_sale_in, units};
use crate::system::{eventually, private};
use crate::tidy::read;

/// A filter's terms, each with a field, an operator and what it is compared with.
struct Pattern(Vec<(String, String, Value)>);

impl Pattern {
    /// The one pattern of this file that has this in it.
    fn with(file: &str, part: &str) -> Self {
        let template = read(file);
        let mut found = template.lines().filter(|line| line.contains("FilterPattern") && line.contains(part));
        let line = found.next().unwrap_or_else(|| panic!("{file} has no pattern with {part}"));
        assert_eq!(found.next(), None, "{file} has several patterns with {part}");
        let quote = if line.contains("'{") { '\'' } else { '"' };
        let inner = line.split(quote).find(|text| text.starts_with("{ $.")).unwrap();
        let terms = inner.trim_matches(['{', '}']).split("&&").map(|term| {
            let mut words = term.trim().splitn(3, ' ');
            let mut word = || words.next().unwrap();
            let field = word().strip_prefix("$.").unwrap().to_owned();
            (field, word().to_owned(), serde_json::from_str(word().trim()).unwrap())
        });
        Self(terms.collect())
    }

    fn matches(&self, line: &Value) -> bool {
        self.0.iter().all(|(field, operator, value)| match operator.as_str() {
            "=" => &line[field] == value,
            ">=" => line[field].as_i64().zip(value.as_i64()).is_some_and(|(left, right)| left >= right),
            _ => panic!("{operator} is not known here"),
        })
    }

    /// Lines of a function's log that it matches.
    fn found_in(&self, log: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        lines.filter(|line| self.matches(line)).collect()
    }
}

#[tokio::test]
async fn reservations_and_those_told_that_it_is_sold_out_are_counted_from_the_log_of_reserve() {
    let shop = open_sale(units(1)).await;
    assert_eq!(shop.reserve(&shop.shopper("ann"), "wish", 1).await.status, 201);
    assert_eq!(shop.reserve(&shop.shopper("bob"), "wish", 1).await.status, 409);
    let log = shop.running.logs.join("reserve.log");
    let path = format!("/sales/{}/reservations", shop.sale);
    for (part, count) in [("$.route", 2), ("sold-out", 1)] {
        let pattern = Pattern::with("infra/observability.yaml", part);
        eventually("the lines", async || {
            let found = pattern.found_in(&log);
            (found.iter().filter(|line| line["path"] == path).count() == count).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_step_of_the_sweep_tells_how_many_sales_it_could_not_sweep_and_an_answer_of_5xx_is_counted() {
    let stack = private("metrics");
    let shop = open_sale_in(stack.running().unwrap(), units(1)).await;
    let log = shop.running.logs.join("sweep.log");
    let steps = Pattern::with("infra/observability.yaml", "$.unswept");
    let told = |unswept: u64| {
        steps.found_in(&log).iter().any(|line| line["sales"] == 1 && line["unswept"] == unswept)
    };
    eventually("a step over all sales", async || told(0).then_some(())).await;
    assert!(!told(1));
    for node in &shop.running.redis {
        signal(node.pid, Signal::STOP);
    }
    eventually("a step that could not", async || told(1).then_some(())).await;
    assert_eq!(shop.reserve(&shop.shopper("ann"), "wish", 1).await.status, 503);
    for node in &shop.running.redis {
        signal(node.pid, Signal::CONT);
    }
    let failures = Pattern::with("infra/template.yaml", "$.status");
    let reserve = shop.running.logs.join("reserve.log");
    eventually("the line", async || {
        failures.found_in(&reserve).iter().any(|line| line["status"] == 503).then_some(())
    })
    .await;
}
