//! What several places say of the same thing, they say alike: the routes, the environment of the functions,
//! what their roles may do.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use edge::{SECRET_SETTINGS, SETTINGS};
use yaml_rust2::Yaml;

use crate::acl::{bodies, with_what_it_calls};
use crate::routes::{self, Entry, Gateway, Route, address};
use crate::settings::binary;
use crate::template::{TemplateFunction, functions_of_templates, http_events, yaml};
use crate::tidy::{files, names_of, read};

/// What is wrong with what a place says of the routes: one that it lacks, one that does not exist.
fn faults(place: &str, entries: &[Entry], routes: &BTreeSet<Route>) -> Vec<String> {
    let lacking = routes.iter().filter(|route| !entries.iter().any(|entry| entry.covers(route)));
    let mut faults: Vec<_> = lacking.map(|route| format!("{place} lacks {route:?}")).collect();
    let unknown = entries.iter().filter(|entry| !routes.iter().any(|route| entry.covers(route)));
    faults.extend(unknown.map(|entry| format!("{place} has {entry:?}, which no function answers")));
    faults
}

/// What is wrong with a gateway: an address that goes to another function, a location that no route uses.
fn gateway_faults(gateway: &Gateway, routes: &BTreeSet<Route>) -> Vec<String> {
    let (mut faults, mut used) = (Vec::new(), Vec::new());
    for route in routes {
        let location = gateway.location(&address(&route.path));
        let goes_to = location.map_or("nowhere", |location| location.upstream.as_str());
        if goes_to != route.function {
            faults.push(format!("{} sends {route:?} to {goes_to}", gateway.file));
        }
        used.extend(location);
    }
    // What no route answers goes somewhere too: `/`.
    let unused =
        gateway.locations.iter().filter(|location| location.pattern != "/" && !used.contains(location));
    faults.extend(unused.map(|location| format!("{}: no route uses {location:?}", gateway.file)));
    faults
}

#[test]
fn every_place_that_lists_the_routes_says_what_the_functions_answer() {
    let routes = routes::of_functions();
    let mut wrong = Vec::new();
    for (place, entries) in [
        ("[workspace.metadata.lambda.watch.router]", routes::of_watch()),
        ("the templates in infra/", routes::of_templates()),
        ("the table of README.md", routes::of_readme()),
        ("openapi.json", routes::of_openapi()),
    ] {
        wrong.extend(faults(place, &entries, &routes));
    }
    let gateways = routes::gateways();
    assert!(!gateways.is_empty(), "no file in infra/nginx passes requests on");
    wrong.extend(gateways.iter().flat_map(|gateway| gateway_faults(gateway, &routes)));
    assert!(wrong.is_empty(), "\n  {}", wrong.join("\n  "));
}

#[test]
fn every_throttle_of_a_route_is_of_one_that_there_is() {
    let template = yaml("infra/template.yaml");
    let throttled = template["Resources"]["Api"]["Properties"]["RouteSettings"].as_hash().unwrap();
    let routes = routes::of_templates();
    let is_there = |name: &str| {
        let (method, path) = name.split_once(' ').unwrap();
        routes.iter().any(|route| route.path == path && route.method.as_deref().unwrap_or("ANY") == method)
    };
    assert!(is_there("POST /sessions") && is_there("ANY /admin/{path+}") && !is_there("PUT /sessions"));
    let names = throttled.keys().map(|name| name.as_str().unwrap());
    let unknown: Vec<_> = names.filter(|name| !is_there(name)).collect();
    assert!(unknown.is_empty(), "a deployment would fail, for want of {unknown:?}");
}

#[test]
fn a_place_that_lacks_a_route_or_has_one_too_many_or_names_another_function_is_told() {
    let routes = routes::of_functions();
    for (place, entries) in [
        ("watch", routes::of_watch()),
        ("templates", routes::of_templates()),
        ("readme", routes::of_readme()),
        ("openapi", routes::of_openapi()),
    ] {
        for left_out in 0..entries.len() {
            let mut fewer = entries.clone();
            let entry = fewer.remove(left_out);
            assert!(!faults(place, &fewer, &routes).is_empty(), "{place} without {entry:?}");
            if let Some(function) = &entry.function {
                let other = if function == "page" { "admin" } else { "page" };
                fewer.push(Entry { function: Some(other.to_owned()), ..entry });
                assert!(!faults(place, &fewer, &routes).is_empty(), "{place}: {left_out} by {other}");
            }
        }
        let more = [&entries[..], &[Entry::new(Some("GET"), "/sales/{sale}/wishes", None)]].concat();
        assert_eq!(faults(place, &more, &routes).len(), 1, "{place}");
    }
    for gateway in routes::gateways() {
        for changed in 0..gateway.locations.len() {
            let mut locations = gateway.locations.clone();
            if locations[changed].pattern == "/" {
                continue;
            }
            "nobody".clone_into(&mut locations[changed].upstream);
            let other = Gateway { file: gateway.file.clone(), locations };
            assert!(!gateway_faults(&other, &routes).is_empty(), "{:?}", other.locations[changed]);
        }
    }
}

/// Names of settings in a text.
fn named(text: &str) -> BTreeSet<&'static str> {
    let words: BTreeSet<&str> =
        text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect();
    SETTINGS.iter().map(|setting| setting.name).filter(|name| words.contains(name)).collect()
}

/// What a function reads of its environment: what its `main` and `serve` take from the settings.
fn settings_of(function: &str) -> BTreeSet<&'static str> {
    let mut takers = BTreeMap::new();
    let edge = files("shared/edge/src", "rs").into_iter().map(read);
    for code in edge.filter(|code| code.contains("impl Settings {")) {
        bodies(code.split("#[cfg(test)]").next().unwrap(), "fn ", &mut takers);
    }
    let main = read(format!("functions/{function}/src/main.rs"));
    let mut text = main + &read("shared/edge/src/serve.rs") + &read("shared/edge/src/app.rs");
    let mut seen = BTreeSet::new();
    let is_taken = |text: &str, name: &str| {
        ["settings.", "self."].iter().any(|owner| text.contains(&format!("{owner}{name}(")))
    };
    while let Some((name, body)) =
        takers.iter().find(|(name, _)| !seen.contains(*name) && is_taken(&text, name))
    {
        seen.insert(name);
        text += body;
    }
    named(&text)
}

/// What the secrets hold that this text names as outputs of the stack of secrets.
fn held_by_secrets(text: &str) -> BTreeSet<&'static str> {
    let stack = yaml("infra/secrets.yaml");
    let outputs = text.split("Secrets.Outputs.").skip(1);
    let names = outputs.map(|rest| rest.split(|letter: char| !letter.is_alphanumeric()).next().unwrap());
    let mut held = BTreeSet::new();
    for name in names {
        let secret = &stack["Resources"][name]["Properties"];
        let generated = secret["GenerateSecretString"]["GenerateStringKey"].as_str();
        let settings = named(generated.or(secret["SecretString"].as_str()).unwrap_or_default());
        assert_eq!(settings.len(), 1, "the secret {name} holds {settings:?}");
        held.extend(settings);
    }
    held
}

/// What a function says that it lacks where it has nothing but an address to listen on.
fn missing(function: &str) -> BTreeSet<&'static str> {
    let mut command = Command::new(binary(function));
    command.env_clear().env("LISTEN", "127.0.0.1:0");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{function} starts without a setting");
    let message = String::from_utf8(output.stderr).unwrap();
    let told = message.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let told: String = told.collect::<Vec<_>>().join(" ");
    named(&told)
}

#[test]
fn each_function_is_given_the_settings_that_it_reads_and_no_other() {
    let functions = functions_of_templates();
    let names: BTreeSet<_> = functions.iter().map(|function| function.name.clone()).collect();
    assert_eq!(names, names_of("functions"), "the functions of the templates");
    for function in &functions {
        let name = &function.name;
        let in_environment: BTreeSet<_> = function.environment.keys().map(String::as_str).collect();
        let open: Vec<_> =
            SECRET_SETTINGS.iter().filter(|secret| in_environment.contains(**secret)).collect();
        assert!(open.is_empty(), "the template gives {name} secrets for everybody to read: {open:?}");
        let secrets = function.environment.get("SECRETS").map_or("", String::as_str);
        let (given, reads, required) =
            (&in_environment | &held_by_secrets(secrets), settings_of(name), missing(name));
        assert!(required.is_subset(&reads), "{name} lacks {required:?}; seen in its code are {reads:?}");
        let unread: BTreeSet<&str> = &given - &reads;
        assert!(unread.is_empty(), "the template gives {name} what it does not read: {unread:?}");
        let lacking = &required - &given;
        assert!(lacking.is_empty(), "the template does not give {name} what it needs: {lacking:?}");
        let user = function.environment.get("REDIS_USERNAME");
        let expected = reads.contains("REDIS_USERNAME").then_some(name);
        assert_eq!(user, expected, "the user of {name} at the data nodes");
        assert_eq!(given.contains("REDIS_PASSWORD"), expected.is_some(), "the password of {name}");
        let may_read =
            function.permissions.iter().filter(|(action, _)| action == "secretsmanager:GetSecretValue");
        let may_read: String = may_read.map(|(_, secret)| secret.as_str()).collect::<Vec<_>>().join(" ");
        assert_eq!(held_by_secrets(&may_read), held_by_secrets(secrets), "the secrets that {name} may read");
    }
}

/// What is wrong with how a new version of this function takes over, and is taken back where it fails.
fn takeover_faults(function: &TemplateFunction, resources: &Yaml) -> Vec<String> {
    let name = &function.name;
    let capital = name[..1].to_uppercase() + &name[1..];
    let log = format!("{capital}Log");
    let alarm = &resources["FunctionErrors"]["Properties"];
    let terms: Vec<_> = alarm["Metrics"].as_vec().into_iter().flatten().collect();
    let is_term = |term: &&&Yaml| {
        let metric = &term["MetricStat"]["Metric"];
        metric["MetricName"].as_str() == Some("Errors")
            && metric["Dimensions"][0]["Value"].as_str() == Some(capital.as_str())
    };
    let sum = terms.iter().find_map(|term| term["Expression"].as_str()).unwrap_or_default();
    let id = terms.iter().find(is_term).and_then(|term| term["Id"].as_str());
    let filter = &resources[format!("{capital}Errors").as_str()]["Properties"];
    let counted = &filter["MetricTransformations"][0]["MetricName"];
    let answered = terms.iter().find(|term| term["Id"].as_str() == Some("answered")).unwrap();
    let mut faults = Vec::new();
    for (is_so, fault) in [
        (function.properties["DeploymentPreference"].is_badvalue(), "takes over in a way of its own"),
        (id.is_some_and(|id| sum.contains(&format!("FILL({id},0)"))), "may crash without the alarm"),
        (
            filter["LogGroupName"].as_str() == Some(log.as_str())
                && filter["FilterPattern"].as_str() == Some("{ $.status >= 500 }")
                && *counted == answered["MetricStat"]["Metric"]["MetricName"],
            "may answer 5xx without the alarm",
        ),
        (
            function.properties["LoggingConfig"]["LogGroup"].as_str() == Some(log.as_str()),
            "does not log where the alarm looks",
        ),
    ] {
        if !is_so {
            faults.push(format!("{name} {fault}"));
        }
    }
    faults
}

#[test]
fn a_new_version_of_a_function_that_fails_is_taken_back_whichever_it_is() {
    let template = yaml("infra/template.yaml");
    let common = &template["Globals"]["Function"]["DeploymentPreference"];
    assert_eq!(common["Type"].as_str(), Some("Deployment"));
    assert_eq!(common["Alarms"][0].as_str(), Some("FunctionErrors"));
    let ways = template["Parameters"]["Deployment"]["AllowedValues"].as_vec().unwrap();
    assert!(ways.iter().all(|way| way.as_str().unwrap().starts_with("Canary")), "{ways:?}");
    let mut answering = functions_of_templates();
    answering.retain(|function| !http_events(function).is_empty());
    assert_eq!(answering.len(), 6, "as many serve requests");
    let faults = |resources: &Yaml| {
        answering.iter().flat_map(|function| takeover_faults(function, resources)).collect::<Vec<_>>()
    };
    assert!(faults(&template["Resources"]).is_empty(), "{:?}", faults(&template["Resources"]));
    let mut without = template["Resources"].as_hash().unwrap().clone();
    without.remove(&Yaml::String("ReserveErrors".to_owned()));
    assert_eq!(faults(&Yaml::Hash(without)), ["reserve may answer 5xx without the alarm"]);
}

#[test]
fn what_github_deploys_is_on_main_or_a_tag_and_for_an_environment_that_the_role_trusts() {
    let workflow = yaml(".github/workflows/deploy.yml");
    let job = &workflow["jobs"]["deploy"];
    let only = "github.ref == 'refs/heads/main' || startsWith(github.ref, 'refs/tags/')";
    assert_eq!(job["if"].as_str(), Some(only));
    assert_eq!(job["environment"].as_str(), Some("${{ inputs.environment }}"));
    let trust =
        &yaml("infra/deploy-role.yaml")["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"];
    let is = &trust["Statement"][0]["Condition"]["StringEquals"];
    assert_eq!(is["token.actions.githubusercontent.com:aud"].as_str(), Some("sts.amazonaws.com"));
    let texts = |list: &Yaml| {
        list.as_vec().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let environments = texts(&workflow["on"]["workflow_dispatch"]["inputs"]["environment"]["options"]);
    let trusted: Vec<_> =
        environments.iter().map(|name| format!("repo:${{Repository}}:environment:{name}")).collect();
    assert_eq!(texts(&is["token.actions.githubusercontent.com:sub"]), trusted);
    let config: toml::Table = read("samconfig.toml").parse().unwrap();
    for environment in environments {
        let stack = config[&environment]["global"]["parameters"]["stack_name"].as_str().unwrap();
        assert!(stack.starts_with("spillway"), "the role may not make roles of the stack {stack}");
    }
}

/// A call of the DynamoDB client, and the permission that it needs.
const CALLS: [(&str, &str); 9] = [
    (".get_item()", "GetItem"),
    (".batch_get_item()", "BatchGetItem"),
    (".put_item()", "PutItem"),
    (".update_item()", "UpdateItem"),
    (".delete_item()", "DeleteItem"),
    (".query()", "Query"),
    ("Put::builder()", "PutItem"),
    ("Update::builder()", "UpdateItem"),
    ("Delete::builder()", "DeleteItem"),
];

/// A call of Secrets Manager that changes a secret, and the permission that it needs.
const SECRET_CALLS: [(&str, &str); 2] =
    [("put_pending(", "PutSecretValue"), ("make_current(", "UpdateSecretVersionStage")];

#[test]
fn no_role_may_change_a_secret_but_that_of_the_function_which_does() {
    for function in functions_of_templates() {
        let name = &function.name;
        let code: String = files(format!("functions/{name}/src"), "rs").iter().map(read).collect();
        let calls = SECRET_CALLS.iter().filter(|(call, _)| code.contains(call));
        let calls: BTreeSet<_> = calls.map(|(_, action)| format!("secretsmanager:{action}")).collect();
        let at_secrets =
            function.permissions.iter().filter(|(action, _)| action.starts_with("secretsmanager:"));
        let mut allowed: BTreeSet<_> = at_secrets.clone().map(|(action, _)| action.clone()).collect();
        assert!(allowed.remove("secretsmanager:GetSecretValue"), "{name} reads no secret");
        assert_eq!(allowed, calls, "what the role of {name} may do to secrets; right: what it calls");
        for (action, secret) in at_secrets.filter(|(action, _)| calls.contains(action)) {
            assert_eq!(held_by_secrets(secret), BTreeSet::from(["SIGNING_KEYS"]), "{name}: {action}");
        }
    }
}

/// What a function asks of the ledger's table, itself or by what it calls.
fn actions_of(function: &str) -> BTreeSet<String> {
    let manifest: toml::Table = read(format!("functions/{function}/Cargo.toml")).parse().unwrap();
    if !manifest["dependencies"].as_table().unwrap().contains_key("ledger") {
        return BTreeSet::new();
    }
    let mut ledger = BTreeMap::new();
    for file in files("shared/ledger/src", "rs") {
        bodies(&read(file), "fn ", &mut ledger);
    }
    let own: String = files(format!("functions/{function}/src"), "rs").iter().map(read).collect();
    let code = with_what_it_calls(&own, &ledger);
    let needed = CALLS.iter().filter(|(call, _)| code.contains(call));
    needed.map(|(_, action)| format!("dynamodb:{action}")).collect()
}

#[test]
fn each_role_may_do_at_the_ledger_what_its_function_calls_and_nothing_else() {
    for function in functions_of_templates() {
        let name = &function.name;
        let at_ledger: Vec<_> =
            function.permissions.iter().filter(|(action, _)| action.starts_with("dynamodb:")).collect();
        let allowed: BTreeSet<String> = at_ledger.iter().map(|(action, _)| action.clone()).collect();
        assert_eq!(allowed, actions_of(name), "what the role of {name} may do; right: what it calls");
        for (action, resource) in at_ledger {
            // The stack's own table, and one that was restored to be used instead.
            let tables = ["RestoredTable", "Ledger.Arn"].map(|table| resource.matches(table).count());
            assert!([[1, 0], [0, 1]].contains(&tables), "{name}: {action} on {resource}");
            let is_index = resource.contains("/index/listing");
            assert_eq!(is_index, action == "dynamodb:Query", "{name}: {action} on {resource}");
            assert!(!resource.contains('*'), "{name}: {action} on {resource}");
        }
        for (action, resource) in &function.permissions {
            assert!(!action.contains('*'), "{name} may do {action} on {resource}");
        }
    }
}
