//! The ledger's table as docs/self-hosted.md and the template make it is the one that `shared/ledger` makes where nothing
//! else does, and the document lets functions do there what the template lets them do.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use yaml_rust2::Yaml;

use crate::system::{ask_emulator, shared};
use crate::template::{functions_of_templates, yaml};
use crate::tidy::read;

/// What functions rely on.
const PARTS: [&str; 3] = ["AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"];

fn documented() -> Value {
    let document = read("docs/self-hosted.md");
    let (_, rest) = document.split_once("aws dynamodb create-table --cli-input-json '").unwrap();
    serde_json::from_str(rest.split_once('\'').unwrap().0).unwrap()
}

/// The parts of a table, in an order of their own, and of an index no more than what it is asked for.
fn parts(table: &Value) -> Vec<Value> {
    let part = |name: &str| {
        let mut listed = table[name].as_array().unwrap().clone();
        for index in listed.iter_mut().filter(|each| each.get("IndexName").is_some()) {
            *index = json!([index["IndexName"], index["KeySchema"], index["Projection"]]);
        }
        listed.sort_by_key(Value::to_string);
        Value::Array(listed)
    };
    PARTS.map(part).into()
}

fn as_json(value: &Yaml) -> Value {
    match value {
        Yaml::Hash(fields) => {
            fields.iter().map(|(name, value)| (name.as_str().unwrap().to_owned(), as_json(value))).collect()
        }
        Yaml::Array(values) => values.iter().map(as_json).collect(),
        Yaml::Boolean(value) => json!(value),
        other => json!(other.as_str()),
    }
}

#[tokio::test]
async fn the_table_that_the_document_and_the_template_make_is_the_one_that_functions_use() {
    let running = shared();
    let describe = async |name: &str| {
        let described = ask_emulator(&running, "DescribeTable", &json!({ "TableName": name })).await;
        described["Table"].clone()
    };
    let used = parts(&describe(&running.ledger_table).await);

    let documented = documented();
    assert_eq!(parts(&documented), used, "docs/self-hosted.md");
    let template = as_json(&yaml("infra/template.yaml")["Resources"]["Ledger"]["Properties"]);
    assert_eq!(parts(&template), used, "infra/template.yaml");
    for part in ["BillingMode", "DeletionProtectionEnabled"] {
        assert_eq!(documented[part], template[part], "{part}");
    }
    let name = format!("LEDGER_TABLE={}\n", documented["TableName"].as_str().unwrap());
    assert!(read("infra/systemd/functions.env").contains(&name), "{name}");

    // And the ledger takes it.
    let mut another = documented.clone();
    another["TableName"] = "of-the-document".into();
    ask_emulator(&running, "CreateTable", &another).await;
    assert_eq!(parts(&describe("of-the-document").await), used);
}

#[test]
fn the_document_lets_functions_do_with_the_table_what_the_template_lets_them_do() {
    let mut given: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for function in functions_of_templates() {
        let mut actions: Vec<_> =
            function.permissions.iter().filter_map(|(action, _)| action.strip_prefix("dynamodb:")).collect();
        actions.dedup();
        if !actions.is_empty() {
            given.insert(function.name, actions.into_iter().map(str::to_owned).collect());
        }
    }
    let document = read("docs/self-hosted.md");
    let (_, rest) = document.split_once("| function | actions of `dynamodb` |\n|---|---|\n").unwrap();
    let rows = rest.lines().take_while(|line| line.starts_with('|'));
    let told: BTreeMap<String, Vec<String>> = rows
        .map(|row| {
            let mut names = row.split('`').skip(1).step_by(2).map(str::to_owned);
            (names.next().unwrap(), names.collect())
        })
        .collect();
    assert_eq!(told, given);
}
