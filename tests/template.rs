//! The functions as the templates in `infra/` have them: events, environment, permissions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use yaml_rust2::{Yaml, YamlLoader};

use crate::routes::Entry;
use crate::tidy::{files, read};

/// A function of a template.
pub(crate) struct TemplateFunction {
    /// The name of its binary.
    pub(crate) name: String,
    /// Names of its environment variables, with the values that stand there.
    pub(crate) environment: BTreeMap<String, String>,
    /// What its role may do, and with what.
    pub(crate) permissions: BTreeSet<(String, String)>,
    pub(crate) properties: Yaml,
}

/// A document of YAML. Tags such as `!Ref` fall away: what they stand before remains.
pub(crate) fn yaml(path: impl AsRef<Path>) -> Yaml {
    let path = path.as_ref();
    let documents = YamlLoader::load_from_str(&read(path));
    documents.unwrap_or_else(|error| panic!("{}: {error}", path.display())).remove(0)
}

/// Every function of every template.
pub(crate) fn functions_of_templates() -> Vec<TemplateFunction> {
    let mut functions = Vec::new();
    for path in files("infra", "yaml") {
        let template = yaml(path);
        let globals = variables(&template["Globals"]["Function"]);
        let Some(resources) = template["Resources"].as_hash() else { continue };
        for (name, resource) in resources {
            if resource["Type"].as_str() == Some("AWS::Serverless::Function") {
                functions.push(read_function(name.as_str().unwrap(), resource, &globals));
            }
        }
    }
    functions
}

fn read_function(id: &str, resource: &Yaml, globals: &BTreeMap<String, String>) -> TemplateFunction {
    let properties = resource["Properties"].clone();
    let name = resource["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap().to_owned();
    assert_eq!(id.to_lowercase(), name, "a resource is named like its function");
    assert!(properties["Role"].is_badvalue(), "{name} shares a role: SAM makes one for each function");
    let mut environment = globals.clone();
    environment.extend(variables(&properties));
    let mut permissions = BTreeSet::new();
    add_permissions(&properties["Policies"], &mut permissions);
    TemplateFunction { name, environment, permissions, properties }
}

fn variables(function: &Yaml) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    add_variables(&function["Environment"]["Variables"], &mut variables);
    variables
}

/// With what is merged in by `<<`.
fn add_variables(block: &Yaml, into: &mut BTreeMap<String, String>) {
    for (name, value) in block.as_hash().into_iter().flatten() {
        match name.as_str().unwrap() {
            "<<" => add_variables(value, into),
            name => {
                into.insert(name.to_owned(), text(value));
            }
        }
    }
}

/// Statements, wherever they stand.
fn add_permissions(policies: &Yaml, into: &mut BTreeSet<(String, String)>) {
    for policy in policies.as_vec().into_iter().flatten() {
        add_permissions(policy, into);
    }
    let Some(fields) = policies.as_hash() else { return };
    if policies["Action"].is_badvalue() {
        fields.values().for_each(|inner| add_permissions(inner, into));
        return;
    }
    for action in list(&policies["Action"]) {
        into.extend(list(&policies["Resource"]).into_iter().map(|resource| (action.clone(), resource)));
    }
}

/// One, or several in a list.
fn list(value: &Yaml) -> Vec<String> {
    value.as_vec().map_or_else(|| vec![text(value)], |values| values.iter().map(text).collect())
}

fn text(value: &Yaml) -> String {
    value.as_str().map_or_else(|| format!("{value:?}"), str::to_owned)
}

/// What an HTTP API passes on to this function.
pub(crate) fn http_events(function: &TemplateFunction) -> Vec<Entry> {
    let events = function.properties["Events"].as_hash().into_iter().flatten();
    let http = events.filter(|(_, event)| event["Type"].as_str() == Some("HttpApi"));
    http.map(|(_, event)| {
        let (method, path) = (&event["Properties"]["Method"], &event["Properties"]["Path"]);
        let method = method.as_str().map(str::to_uppercase).filter(|method| method != "ANY");
        Entry::new(method.as_deref(), path.as_str().unwrap(), Some(&function.name))
    })
    .collect()
}
