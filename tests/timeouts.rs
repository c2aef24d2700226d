//! Every wait ends before that of whoever waits for it: Redis and ledger before the request, the request before the
//! function, the function before the gateway, all of them before their process is ended.

use std::time::Duration;

use edge::{BACKSTOP, REQUEST_DEADLINE, REQUEST_DEADLINE_MAX, SHUTDOWN_TIMEOUT};
use sentinel::Timings;

use crate::tidy::read;

/// The longest wait for a function's answer.
const FUNCTION: Duration = REQUEST_DEADLINE.saturating_add(BACKSTOP);

/// API Gateway gives up then, whatever is set.
const API_GATEWAY: Duration = Duration::from_secs(30);

/// What stands in this file between these two, as a length of time; the same wherever it stands.
fn length(file: &str, before: &str, after: &str) -> Duration {
    let text = read(file);
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let mut found: Vec<_> = lines.filter_map(|line| line.strip_prefix(before)?.split(after).next()).collect();
    found.dedup();
    let [length] = found[..] else { panic!("{file} says {before} {} times: {found:?}", found.len()) };
    let (number, unit) = length.split_at(length.find(|c: char| !c.is_ascii_digit()).unwrap_or(length.len()));
    let number = number.parse().unwrap();
    match unit {
        "ms" => Duration::from_millis(number),
        "s" | "" => Duration::from_secs(number),
        unit => panic!("{file}: {before} has the unit {unit}"),
    }
}

fn nginx(directive: &str) -> Duration {
    length("infra/nginx/nginx.conf", &format!("{directive} "), ";")
}

fn unit(name: &str, setting: &str) -> Duration {
    length(&format!("infra/systemd/{name}"), &format!("{setting}="), " ")
}

/// The longest that a shopper waits for the gateway: an instance that dies at the last moment at which another one is
/// asked, and that one never answers.
fn gateway() -> Duration {
    nginx("proxy_next_upstream_timeout") + nginx("proxy_connect_timeout") + nginx("proxy_read_timeout")
}

#[test]
fn two_attempts_at_redis_and_one_at_the_ledger_fit_into_a_request() {
    let Timings { discovery, connect, handshake, response, down_after, .. } = Timings::default();
    assert!(response < down_after, "a late answer of a replaced master is never believed");
    assert!(2 * (discovery + connect + handshake + response) < REQUEST_DEADLINE);
    let ledger = read("shared/ledger/src/ledger.rs");
    let attempt = ledger.split("const TIMEOUT_ATTEMPT: Duration = Duration::from_millis(").nth(1).unwrap();
    let attempt = attempt.split(')').next().unwrap().replace('_', "");
    assert!(Duration::from_millis(attempt.parse().unwrap()) < REQUEST_DEADLINE);
}

#[test]
fn a_function_answers_before_its_gateway_gives_up() {
    for directive in ["proxy_read_timeout", "proxy_send_timeout"] {
        assert!(FUNCTION < nginx(directive), "{directive}");
    }
    assert!(nginx("proxy_connect_timeout") < REQUEST_DEADLINE);
    let template = read("infra/template.yaml");
    let globals = template.split("\nGlobals:").nth(1).unwrap().split("\nResources:").next().unwrap();
    let timeout = globals.lines().find_map(|line| line.trim().strip_prefix("Timeout: ")).unwrap();
    let lambda = Duration::from_secs(timeout.parse().unwrap());
    let cdn = length("infra/cdn.yaml", "OriginReadTimeout: ", " ");
    assert!(FUNCTION < lambda && lambda < cdn && cdn < API_GATEWAY, "{lambda:?}, {cdn:?}");
}

#[test]
fn a_request_is_taken_from_an_instance_that_dies_but_never_from_one_that_is_silent() {
    let another = nginx("proxy_next_upstream_timeout");
    assert!(FUNCTION < another, "whenever an instance dies, another one is asked");
    assert!(another < nginx("proxy_read_timeout"), "silence is not answered by asking again");
}

#[test]
fn what_is_under_way_is_finished_before_its_process_is_ended() {
    assert!(REQUEST_DEADLINE_MAX + BACKSTOP < SHUTDOWN_TIMEOUT);
    let stop = unit("spillway@.service", "TimeoutStopSec");
    assert!(SHUTDOWN_TIMEOUT < stop && stop < unit("spillway@.service", "WatchdogSec"), "{stop:?}");
    let workers = length("infra/nginx/process.conf", "worker_shutdown_timeout ", ";");
    assert!(gateway() < workers && workers < unit("spillway-gateway.service", "TimeoutStopSec"));
}
