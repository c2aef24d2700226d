//! The routes as each place says them: the functions, the router of `cargo lambda watch`, the templates, the
//! gateways, the README, `openapi.json`. Only reads; `contract.rs` holds them against each other.

use std::collections::BTreeSet;

use regex::Regex;

use crate::template::{functions_of_templates, http_events};
use crate::tidy::{files, names_of, read};

/// Where the probes are answered for the outside: the function without which nothing is sold.
const PROBED: &str = "reserve";

/// One request that is answered, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) path: String,
    pub(crate) method: String,
    pub(crate) function: String,
}

/// What a place says: a path, and the method and function where it names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) method: Option<String>,
    pub(crate) function: Option<String>,
}

impl Entry {
    pub(crate) fn new(method: Option<&str>, path: &str, function: Option<&str>) -> Self {
        let owned = |text: &str| text.to_owned();
        Self { path: path.to_owned(), method: method.map(owned), function: function.map(owned) }
    }

    /// Whether it says this route; a last segment like `{path+}` or `{*path}` stands for all that may follow.
    pub(crate) fn covers(&self, route: &Route) -> bool {
        let greedy = self.path.find('{').filter(|_| self.path.ends_with("+}") || self.path.contains("{*"));
        let is_path = match greedy {
            Some(at) => route.path.len() > at && route.path.starts_with(&self.path[..at]),
            None => route.path == self.path,
        };
        is_path
            && self.method.as_ref().is_none_or(|method| *method == route.method)
            && self.function.as_ref().is_none_or(|function| *function == route.function)
    }
}

/// What the functions answer, and the probes.
pub(crate) fn of_functions() -> BTreeSet<Route> {
    let mut routes = BTreeSet::new();
    for function in names_of("functions") {
        let code = read(format!("functions/{function}/src/main.rs"));
        add_declared(&code, &function, &mut routes);
    }
    add_declared(&read("shared/edge/src/serve.rs"), PROBED, &mut routes);
    routes
}

/// `.route("/path", get(show).put(define))`.
fn add_declared(code: &str, function: &str, routes: &mut BTreeSet<Route>) {
    let method = Regex::new(r"\b(get|put|post|delete|patch)\(").unwrap();
    for declared in code.split(".route(\"").skip(1) {
        let (path, rest) = declared.split_once('"').unwrap();
        for found in method.captures_iter(arguments(rest)) {
            let (path, method) = (path.to_owned(), found[1].to_uppercase());
            routes.insert(Route { path, method, function: function.to_owned() });
        }
    }
}

/// The text up to the parenthesis that closes the call.
fn arguments(text: &str) -> &str {
    let mut depth = 1;
    let end = text.find(|letter| {
        depth += match letter {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    &text[..end.unwrap()]
}

/// `[workspace.metadata.lambda.watch.router]`: a function, or one for each method.
pub(crate) fn of_watch() -> Vec<Entry> {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let router = manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].as_table().unwrap();
    let mut entries = Vec::new();
    for (path, target) in router {
        match target {
            toml::Value::Array(targets) => entries.extend(
                targets
                    .iter()
                    .map(|target| Entry::new(target["method"].as_str(), path, target["function"].as_str())),
            ),
            function => entries.push(Entry::new(None, path, function.as_str())),
        }
    }
    entries
}

/// The events of the functions in `infra/*.yaml`.
pub(crate) fn of_templates() -> Vec<Entry> {
    functions_of_templates().iter().flat_map(http_events).collect()
}

/// The rows of the README's table: methods and paths in back quotes.
pub(crate) fn of_readme() -> Vec<Entry> {
    let readme = read("README.md");
    let mut entries = Vec::new();
    for row in readme.lines().filter(|line| line.starts_with("| `")) {
        let requests = row.trim_start_matches('|').split('|').next().unwrap();
        let mut methods: Vec<&str> = Vec::new();
        for quoted in requests.split('`').skip(1).step_by(2) {
            match quoted.split_once(' ') {
                Some((method, path)) => entries.push(Entry::new(Some(method), path, None)),
                None if quoted.starts_with('/') => {
                    entries.extend(methods.drain(..).map(|method| Entry::new(Some(method), quoted, None)));
                }
                None => methods.push(quoted),
            }
        }
    }
    entries
}

/// The operations of `openapi.json`.
pub(crate) fn of_openapi() -> Vec<Entry> {
    let document: serde_json::Value =
        serde_json::from_str(&read("functions/page/assets/openapi.json")).unwrap();
    let mut entries = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().filter(|name| *name != "parameters") {
            entries.push(Entry::new(Some(&method.to_uppercase()), path, None));
        }
    }
    entries
}

/// One gateway's locations.
pub(crate) struct Gateway {
    pub(crate) file: String,
    pub(crate) locations: Vec<Location>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    /// `=`, `~`, `^~` or nothing.
    pub(crate) modifier: String,
    pub(crate) pattern: String,
    /// The upstream that it passes requests on to.
    pub(crate) upstream: String,
}

/// Every configuration that passes requests on to functions.
pub(crate) fn gateways() -> Vec<Gateway> {
    let all = files("infra/nginx", "conf")
        .into_iter()
        .map(|path| Gateway { locations: locations(&read(&path)), file: path.display().to_string() });
    all.filter(|gateway| !gateway.locations.is_empty()).collect()
}

fn locations(text: &str) -> Vec<Location> {
    let code: String =
        text.lines().map(|line| line.split(" #").next().unwrap()).collect::<Vec<_>>().join("\n");
    let head = Regex::new(r"(?m)^\s*location\s+(?:(=|~\*?|\^~)\s+)?(\S+)\s*\{([^}]*)\}").unwrap();
    let pass = Regex::new(r"proxy_pass\s+https?://([A-Za-z0-9_-]+)").unwrap();
    let found = head.captures_iter(&code).filter_map(|location| {
        let upstream = pass.captures(&location[3])?[1].to_owned();
        let modifier = location.get(1).map_or("", |modifier| modifier.as_str()).to_owned();
        Some(Location { modifier, pattern: location[2].to_owned(), upstream })
    });
    found.collect()
}

impl Gateway {
    /// The location that nginx takes for this address.
    pub(crate) fn location(&self, address: &str) -> Option<&Location> {
        let with = |modifiers: &'static [&str]| {
            self.locations.iter().filter(move |location| modifiers.contains(&location.modifier.as_str()))
        };
        if let Some(exact) = with(&["="]).find(|location| location.pattern == address) {
            return Some(exact);
        }
        let prefix = with(&["", "^~"])
            .filter(|location| address.starts_with(&location.pattern))
            .max_by_key(|location| location.pattern.len());
        let is_final = prefix.is_some_and(|location| location.modifier == "^~");
        let regex = with(&["~"]).find(|location| Regex::new(&location.pattern).unwrap().is_match(address));
        regex.filter(|_| !is_final).or(prefix)
    }
}

/// An address of this path.
pub(crate) fn address(path: &str) -> String {
    let id = "c5h66p35cpjmgqbaddm6qrb1ec";
    [("{sale}", "spring-drop"), ("{id}", id), ("{sku}", "standard"), ("{file}", "sale.css")]
        .iter()
        .fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
}
