//! Who may do what on a Redis node and on a sentinel: `infra/redis/users.acl` against what the functions'
//! scripts call, and against real servers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sentinel::{Call, Durability, Idempotency};

use crate::system::{command, redis, redis_as, shared, soon};
use crate::tidy::{SHARED_BY_SCRIPTS, files, names_of, read};

/// What the connection itself sends to a data node.
const OF_THE_CONNECTION: [&str; 6] = ["EVAL", "EVALSHA", "INFO", "PING", "ROLE", "WAIT"];

/// What is needed to look at a node.
const OF_THE_MONITOR: [&str; 3] = ["INFO", "PING", "ROLE"];

/// Users of the data nodes who are no function.
const OTHERS: [&str; 4] = ["default", "operator", "replica", "sentinel"];

/// Users and their rules, as `infra/redis/start` reads them.
fn users(file: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut name = String::new();
    for line in read(format!("infra/redis/{file}")).lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace().peekable();
        if words.next_if_eq(&"user").is_some() {
            words.next().unwrap().clone_into(&mut name);
        }
        users.entry(name.clone()).or_default().extend(words.map(str::to_owned));
    }
    users
}

/// The users of the data nodes who are functions.
fn functions() -> BTreeMap<String, BTreeSet<String>> {
    let mut functions = users("users.acl");
    functions.retain(|name, _| !OTHERS.contains(&name.as_str()) && !name.is_empty());
    functions
}

/// What stands between these two, wherever it does.
fn between<'a>(text: &'a str, head: &'a str, tail: char) -> impl Iterator<Item = &'a str> {
    text.split(head).skip(1).filter_map(move |rest| rest.split(tail).next())
}

/// Functions of a source, of Lua or of Rust, by name; of one line or until the next begins.
pub(crate) fn bodies(text: &str, head: &str, into: &mut BTreeMap<String, String>) {
    for part in text.split(head).skip(1) {
        let name = part.split(['(', '<']).next().unwrap();
        *into.entry(name.to_owned()).or_default() += part;
    }
}

/// This code and that of every function that it calls, directly or not.
pub(crate) fn with_what_it_calls(code: &str, functions: &BTreeMap<String, String>) -> String {
    let mut text = code.to_owned();
    let mut seen = BTreeSet::new();
    while let Some((name, body)) =
        functions.iter().find(|(name, _)| !seen.contains(*name) && calls(&text, name))
    {
        seen.insert(name);
        text += body;
    }
    text
}

/// Whether a function of this name is called, by itself or on the ledger, but not one of something else.
fn calls(text: &str, name: &str) -> bool {
    text.match_indices(&format!("{name}(")).any(|(at, _)| {
        let before = &text[..at];
        let is_other = |last: char| last.is_alphanumeric() || last == '_' || last == '.';
        let of_ledger = before.strip_suffix('.').map(str::trim_end);
        of_ledger.is_some_and(|before| before.ends_with("self") || before.ends_with("ledger"))
            || !before.ends_with(is_other)
    })
}

fn without_comments(script: &str) -> String {
    script
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .fold(String::new(), |text, line| text + line + "\n")
}

/// The commands that each method of `Stock` has the server run: those of its script.
fn commands_of_methods() -> BTreeMap<String, BTreeSet<String>> {
    let mut shared = BTreeMap::new();
    let mut scripts = files("shared/sale/src", "lua");
    for stem in SHARED_BY_SCRIPTS {
        let file = format!("shared/sale/src/{stem}.lua");
        bodies(&without_comments(&read(&file)), "\nlocal function ", &mut shared);
        scripts.retain(|script| !script.ends_with(&file));
    }
    let mut methods = BTreeMap::new();
    for script in scripts {
        let code = with_what_it_calls(&without_comments(&read(&script)), &shared);
        let commands: BTreeSet<_> = between(&code, "redis.call('", '\'').map(str::to_owned).collect();
        assert!(commands.contains("HMGET"), "{} does not load its sale", script.display());
        let code = read(script.with_extension("rs"));
        for method in between(&code, "pub async fn ", '(') {
            methods.insert(method.to_owned(), commands.clone());
        }
    }
    methods
}

/// Methods of `Stock` that a function calls, itself or by the ledger.
fn methods_of(function: &str, known: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut ledger = BTreeMap::new();
    for file in files("shared/ledger/src", "rs") {
        bodies(&read(file), "fn ", &mut ledger);
    }
    let own: String = files(format!("functions/{function}/src"), "rs").iter().map(read).collect();
    let text: String = with_what_it_calls(&own, &ledger).split_whitespace().collect();
    between(&text, "stock.", '(').filter(|method| known(method)).map(str::to_owned).collect()
}

#[test]
fn each_function_has_a_user_who_may_run_what_its_scripts_call_and_nothing_else() {
    let commands = commands_of_methods();
    let mut users = functions();
    for function in names_of("functions") {
        let methods = methods_of(&function, |method| commands.contains_key(method));
        let Some(rules) = users.remove(&function) else {
            assert!(methods.is_empty(), "users.acl has no user {function}, who calls {methods:?}");
            continue;
        };
        let mut expected: BTreeSet<String> =
            methods.iter().flat_map(|method| &commands[method]).cloned().collect();
        if methods.is_empty() {
            expected.extend(OF_THE_MONITOR.map(str::to_owned));
        } else {
            expected.extend(OF_THE_CONNECTION.map(str::to_owned));
        }
        let allowed = rules.iter().filter_map(|rule| rule.strip_prefix('+')).map(str::to_uppercase).collect();
        assert_eq!(expected, allowed, "commands of {function}, who calls {methods:?}; right: users.acl");
        let others: BTreeSet<&str> =
            rules.iter().map(String::as_str).filter(|rule| !rule.starts_with('+')).collect();
        let seed = if methods.contains("open") { "~spillway" } else { "%R~spillway" };
        let keys = if methods.is_empty() { &[][..] } else { &["~{*}*", seed] };
        assert_eq!(
            others,
            ["on", "{{passwords}}"].iter().chain(keys).copied().collect(),
            "keys of {function}"
        );
    }
    users.remove("monitor");
    assert!(users.is_empty(), "no function is called {:?}", users.keys());
}

/// What Redis says to these commands on a connection of their own; it answers all at once.
fn told(address: &str, commands: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(4))).unwrap();
    stream.write_all(format!("{commands}\r\n").as_bytes()).unwrap();
    let mut answer = [0; 4_096];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_function_may_run_a_command_that_is_not_its_own_or_touch_a_key_of_no_sale() {
    let running = shared();
    let operator = redis(&running);
    command(&operator, "SET", &["foreign", "untouched"]).await;
    for (function, rules) in functions() {
        let client = redis_as(&running, &function);
        // Who builds a lost sale again looks for what is left of it.
        let scan = (!rules.contains("+scan")).then_some("SCAN 0");
        let call =
            Call { deadline: soon(), idempotency: Idempotency::Idempotent, durability: Durability::Master };
        for refused in [
            "FLUSHALL",
            "KEYS *",
            "CONFIG GET *",
            "ACL LIST",
            "SCRIPT FLUSH",
            "FUNCTION FLUSH",
            "REPLICAOF NO ONE",
            "CLIENT KILL TYPE normal",
            "SHUTDOWN NOSAVE",
            "MONITOR",
            "PSYNC ? -1",
            "PUBLISH __sentinel__:hello x",
            "SELECT 1",
            "GET foreign",
            "SET foreign taken",
            "SET {sale taken",
            "SET spillwayer taken",
        ]
        .into_iter()
        .chain(scan)
        {
            let words: Vec<_> = refused.split(' ').map(str::as_bytes).collect();
            let name = std::str::from_utf8(words[0]).unwrap();
            let error = client.command(name, &words[1..], call).await.unwrap_err().to_string();
            assert!(error.contains("NOPERM"), "{function}: {refused}: {error}");
        }
        for script in ["return redis.call('FLUSHALL')", "return redis.call('SET', 'foreign', 'taken')"] {
            let args = [script.as_bytes(), b"0"];
            let refused = client.command("EVAL", &args, call).await;
            assert!(refused.is_err(), "{function} runs {script}: {refused:?}");
        }
    }
    let value = command(&operator, "GET", &["foreign"]).await;
    assert_eq!(value, sentinel::Value::Bytes(b"untouched".to_vec()));
    command(&operator, "DEL", &["foreign"]).await;
}

#[test]
fn a_function_that_does_not_use_redis_cannot_reach_it() {
    assert!(shared().connection("session").is_err());
}

#[test]
fn who_gives_no_password_or_a_wrong_one_is_told_nothing() {
    let running = shared();
    let sentinels = running.sentinels.iter().map(|address| (address, "function"));
    for (address, user) in running.redis.iter().map(|node| (&node.address, "reserve")).chain(sentinels) {
        assert!(told(address, "PING").starts_with("-NOAUTH"), "{address}");
        assert!(told(address, "INFO").starts_with("-NOAUTH"), "{address}");
        assert!(told(address, "AUTH secret").starts_with("-WRONGPASS"), "{address}");
        assert!(told(address, &format!("AUTH {user} secret")).starts_with("-WRONGPASS"), "{address}");
    }
}

#[test]
fn a_function_may_ask_a_sentinel_and_not_tell_it_anything() {
    let running = shared();
    let password = running.sentinel_password("function").unwrap();
    let as_function = |command: &str| {
        let answer = told(&running.sentinels[0], &format!("AUTH function {password}\r\n{command}"));
        answer.strip_prefix("+OK\r\n").unwrap().to_owned()
    };
    for command in ["GET-MASTER-ADDR-BY-NAME", "MASTER", "SENTINELS", "REPLICAS"] {
        let answer = as_function(&format!("SENTINEL {command} spillway"));
        assert!(answer.starts_with('*'), "{command}: {answer}");
    }
    for command in [
        "SENTINEL FAILOVER spillway",
        "SENTINEL RESET *",
        "SENTINEL REMOVE spillway",
        "SENTINEL SET spillway quorum 1",
        "SENTINEL MONITOR other 127.0.0.1 1 1",
        "SENTINEL CONFIG GET *",
        "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 1 0 *",
        "PUBLISH __sentinel__:hello x",
        "ACL LIST",
        "SHUTDOWN",
    ] {
        let answer = as_function(command);
        assert!(answer.starts_with("-NOPERM"), "{command}: {answer}");
    }
}
