//! What `infra/observability.yaml` asks of the monitor's figures, against what the monitor writes; and what the runbook
//! says of every alarm.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;
use spillway::ExtraFunction;
use yaml_rust2::Yaml;

use crate::cluster::published;
use crate::system::{eventually, shared};
use crate::template::yaml;
use crate::tidy::{files, read};

/// The monitor's.
const NAMESPACE: &str = "Spillway";

/// A figure's dimensions, each with its value.
type Dimensions = BTreeMap<String, String>;

fn text(value: &Yaml) -> String {
    value.as_str().unwrap().to_owned()
}

/// Adds the figures that are watched anywhere in this part of a template.
fn add_watched(part: &Yaml, found: &mut Vec<(String, Dimensions)>) {
    part.as_vec().into_iter().flatten().for_each(|part| add_watched(part, found));
    let Some(fields) = part.as_hash() else { return };
    if part["Namespace"].as_str() == Some(NAMESPACE) {
        let dimensions = part["Dimensions"].as_vec().into_iter().flatten();
        let dimensions = dimensions.map(|dimension| (text(&dimension["Name"]), text(&dimension["Value"])));
        found.push((text(&part["MetricName"]), dimensions.collect()));
    }
    fields.values().for_each(|part| add_watched(part, found));
}

/// The figures that the dashboard shows.
fn shown(dashboard: &Yaml) -> Vec<(String, Dimensions)> {
    let body = dashboard["Properties"]["DashboardBody"].as_str().unwrap().replace("${Monitor}", "Monitor");
    let body = Regex::new(r"\$\{[^}]+\}").unwrap().replace_all(&body, "0").into_owned();
    let body: Value = serde_json::from_str(&body).unwrap();
    let widgets = body["widgets"].as_array().unwrap().iter();
    let metrics = widgets.flat_map(|widget| widget["properties"]["metrics"].as_array().unwrap());
    let of_monitor = metrics.filter(|metric| metric[0] == NAMESPACE);
    of_monitor
        .map(|metric| {
            // Name space, name, then names and values of dimensions; how it is drawn is no text.
            let words = metric.as_array().unwrap().iter().filter_map(Value::as_str);
            let words: Vec<_> = words.map(str::to_owned).collect();
            let dimensions = words[2..].chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
            (words[1].clone(), dimensions.collect())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_that_alarms_and_dashboard_ask_for_is_one_that_the_monitor_of_their_stack_writes() {
    let running = shared();
    // Lambda gives it the name by which the template refers to it.
    let named = [("AWS_LAMBDA_FUNCTION_NAME".to_owned(), "Monitor".to_owned())];
    let monitor = ExtraFunction::start(&running, "monitor", &named).unwrap();
    let log = format!("monitor-{}.log", monitor.origin.rsplit(':').next().unwrap());
    let line = eventually("a line of figures", async || published(&running, &log)).await;
    let declared = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(declared["Namespace"], NAMESPACE);
    let written: BTreeSet<_> = declared["Metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|metric| metric["Name"].as_str().unwrap())
        .collect();
    let names = declared["Dimensions"][0].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    let dimensions: Dimensions =
        names.map(|name| (name.to_owned(), line[name].as_str().unwrap().to_owned())).collect();

    let resources = &yaml("infra/observability.yaml")["Resources"];
    let mut asked = shown(&resources["Dashboard"]);
    assert!(!asked.is_empty(), "the dashboard shows none");
    add_watched(resources, &mut asked);
    assert!(asked.iter().any(|(name, _)| name == "MasterReachable"));
    for (name, of_stack) in &asked {
        assert!(written.contains(name.as_str()), "nobody writes {name}");
        assert_eq!(of_stack, &dimensions, "{name}");
    }
    let passed = &yaml("infra/template.yaml")["Resources"]["Observability"]["Properties"]["Parameters"];
    assert_eq!(passed["Monitor"].as_str(), Some("Monitor"), "they are told their own stack's");
}

#[test]
fn the_runbook_says_of_every_alarm_what_to_do_and_of_none_that_there_is_not() {
    let mut alarms = Vec::new();
    for path in files("infra", "yaml") {
        let template = yaml(path);
        let resources = template["Resources"].as_hash().into_iter().flatten();
        let of_alarms = resources.filter(|(_, it)| it["Type"].as_str() == Some("AWS::CloudWatch::Alarm"));
        alarms.extend(of_alarms.map(|(name, _)| text(name)));
    }
    let document = read("docs/operations.md");
    let (_, table) = document.split_once("\n| alarm |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').nth(1).unwrap());
    let mut explained: Vec<_> =
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    alarms.sort();
    explained.sort();
    assert_eq!(explained, alarms);
}
