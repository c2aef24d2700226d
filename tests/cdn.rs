//! What the CDN lets through: every request that a function answers, with every cookie that one reads, and every answer
//! that a page of another site may read.

use std::collections::BTreeSet;

use regex::Regex;
use yaml_rust2::Yaml;

use crate::routes::{Route, address, of_functions};
use crate::template::yaml;
use crate::tidy::{files, read};

const FILE: &str = "infra/cdn.yaml";

/// Routes of `queue` whose answers are the same for all who ask for the same event.
const COUNTERS_AND_KEYS: [&str; 4] =
    ["/serving_num", "/waiting_num", "/public_key", "/.well-known/jwks.json"];

/// What a behaviour says, itself or by what is merged into it.
fn field<'a>(behaviour: &'a Yaml, name: &str) -> &'a Yaml {
    if behaviour[name].is_badvalue() { &behaviour["<<"][name] } else { &behaviour[name] }
}

fn texts(list: &Yaml) -> BTreeSet<&str> {
    list.as_vec().into_iter().flatten().filter_map(Yaml::as_str).collect()
}

/// The first behaviour whose pattern fits this path, else the default one.
fn behaviour<'a>(distribution: &'a Yaml, path: &str) -> &'a Yaml {
    let fits = |behaviour: &&Yaml| {
        let pattern = field(behaviour, "PathPattern").as_str().unwrap();
        let pattern = regex::escape(pattern).replace("\\*", ".*");
        Regex::new(&format!("^{pattern}$")).unwrap().is_match(path)
    };
    let special = distribution["CacheBehaviors"].as_vec().unwrap().iter().find(fits);
    special.unwrap_or(&distribution["DefaultCacheBehavior"])
}

/// What is wrong with how this route is passed on.
fn fault(distribution: &Yaml, route: &Route) -> Option<String> {
    let behaviour = behaviour(distribution, &address(&route.path));
    if !texts(field(behaviour, "AllowedMethods")).contains(route.method.as_str()) {
        return Some(format!("{route:?} is refused"));
    }
    let is_same_for_all = route.function == "page" || COUNTERS_AND_KEYS.contains(&route.path.as_str());
    let is_personal = !field(behaviour, "OriginRequestPolicyId").is_badvalue();
    (!is_same_for_all && !is_personal).then(|| format!("{route:?} comes without cookies and headers"))
}

#[test]
fn every_request_that_a_function_answers_passes_the_cdn_with_all_that_it_needs() {
    let template = yaml(FILE);
    let distribution = &template["Resources"]["Distribution"]["Properties"]["DistributionConfig"];
    let routes = of_functions();
    assert!(routes.iter().any(|route| route.path.ends_with("/tickets")));
    let faults: Vec<_> = routes.iter().filter_map(|route| fault(distribution, route)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let refused = Route {
        path: "/sales/{sale}/wishes".to_owned(),
        method: "POST".to_owned(),
        function: "queue".to_owned(),
    };
    assert!(fault(distribution, &refused).is_some(), "what is the same for all takes no POST");
}

/// What is kept for all is asked for once, whoever's page asks: it must be open to all of them. For the rest the API sees
/// the origin, and answers it.
#[test]
fn pages_of_other_sites_may_read_the_status_and_all_that_functions_answer_but_pages() {
    let template = yaml(FILE);
    let resources = &template["Resources"];
    let cors = &resources["OpenHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]["CorsConfig"];
    assert!(texts(&cors["AccessControlAllowOrigins"]["Items"]).contains("*"));
    let headers = &resources["Personal"]["Properties"]["OriginRequestPolicyConfig"]["HeadersConfig"];
    assert_eq!(headers["HeaderBehavior"].as_str(), Some("allExcept"));
    assert_eq!(texts(&headers["Headers"]), BTreeSet::from(["host"]), "origin is passed on");
    let distribution = &resources["Distribution"]["Properties"]["DistributionConfig"];
    let is_for_scripts = |route: &Route| route.function != "page" || route.path.ends_with("/status");
    let routes: Vec<_> = of_functions().into_iter().filter(is_for_scripts).collect();
    assert!(routes.iter().any(|route| route.path == "/sales/{sale}/status"));
    for route in routes {
        let behaviour = behaviour(distribution, &address(&route.path));
        let is_open = field(behaviour, "ResponseHeadersPolicyId").as_str() == Some("OpenHeaders");
        let is_personal = field(behaviour, "OriginRequestPolicyId").as_str() == Some("Personal");
        assert!(is_open || is_personal, "no other site may read {route:?}");
    }
}

#[test]
fn every_cookie_that_a_function_reads_passes_the_cdn() {
    let template = yaml(FILE);
    let policy = &template["Resources"]["Personal"]["Properties"]["OriginRequestPolicyConfig"];
    let passed = texts(&policy["CookiesConfig"]["Cookies"]);
    let code: String = files("shared/edge/src", "rs").iter().map(read).collect();
    let name = Regex::new("\"(__(?:Host|Secure)-[a-z-]+)\"").unwrap();
    let known: BTreeSet<_> = name.captures_iter(&code).map(|found| found.get(1).unwrap().as_str()).collect();
    assert_eq!(known.len(), 2, "{known:?}");
    assert_eq!(passed, known);
}
