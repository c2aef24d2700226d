//! What a Redis node is to be when it comes up: the rules of `infra/redis/start`.

use std::process::Command;

use crate::commands::spillway_with;
use crate::nodes::Nodes;
use crate::system::eventually;

/// Writes so many keys, until both replicas have them.
async fn fill(nodes: &Nodes, keys: usize) {
    let script = format!("for i = 1, {keys} do redis.call('SET', '{{sale}}:' .. i, i) end return 'done'");
    let filled = async || (nodes.ask(0, &["EVAL", &script, "0"]) == "done").then_some(());
    eventually("the writes", filled).await;
    let known = async || (0..3).all(|index| size(nodes, index) == keys.to_string()).then_some(());
    eventually("that both replicas have them", known).await;
}

fn size(nodes: &Nodes, index: usize) -> String {
    nodes.ask(index, &["DBSIZE"])
}

fn is_replica(nodes: &Nodes, index: usize) -> bool {
    nodes.ask(index, &["ROLE"]).starts_with("slave")
}

#[tokio::test]
async fn a_master_that_was_emptied_and_restarts_at_once_waits_until_another_one_is_master() {
    let mut nodes = Nodes::start("start-emptied").await;
    fill(&nodes, 100).await;
    nodes.kill("redis-1");
    nodes.empty("redis-1");
    nodes.start_redis(0);
    eventually("a failover", async || nodes.master().filter(|master| *master != 0)).await;
    let all = async || (0..3).all(|index| size(&nodes, index) == "100").then_some(());
    eventually("that every node has every key", all).await;
    assert!(is_replica(&nodes, 0), "{}", nodes.log("redis-1"));
    assert!(
        nodes.log("redis-1").contains("waiting: the sentinels name this node as master, but it has no data")
    );
}

#[tokio::test]
async fn a_node_that_comes_back_while_another_one_is_master_follows_it() {
    let mut nodes = Nodes::start("start-replaced").await;
    fill(&nodes, 10).await;
    nodes.kill("redis-1");
    let master = eventually("a failover", async || nodes.master().filter(|master| *master != 0)).await;
    let added = async || (nodes.ask(master, &["SET", "{sale}:more", "1"]) == "OK").then_some(());
    eventually("a write", added).await;
    nodes.start_redis(0);
    eventually("what was written meanwhile", async || (size(&nodes, 0) == "11").then_some(())).await;
    assert!(is_replica(&nodes, 0), "{}", nodes.log("redis-1"));
    let config = std::fs::read_to_string(nodes.data("redis-1").join("redis.conf")).unwrap();
    assert!(config.contains("replicaof 127.0.0.1"), "it never was a master again, not even for a moment");
}

#[tokio::test]
async fn a_master_that_restarts_before_it_is_missed_goes_on_with_its_data() {
    let mut nodes = Nodes::start("start-fast").await;
    fill(&nodes, 10).await;
    nodes.kill("redis-1");
    nodes.start_redis(0);
    let back = async || (size(&nodes, 0) == "10").then_some(());
    eventually("the same data", back).await;
    let all = async || (0..3).all(|index| size(&nodes, index) == "10").then_some(());
    eventually("that nobody has lost anything", all).await;
}

#[tokio::test]
async fn no_two_nodes_write_their_files_anew_at_the_same_size() {
    let nodes = Nodes::start("start-rewrites").await;
    let size = |index| {
        let answer = nodes.ask(index, &["CONFIG", "GET", "auto-aof-rewrite-min-size"]);
        answer.lines().last().and_then(|bytes| bytes.parse::<u64>().ok()).expect("bytes")
    };
    let sizes = [size(0), size(1), size(2)];
    assert!(sizes.iter().all(|bytes| (64 << 20..128 << 20).contains(bytes)), "{sizes:?}");
    assert!(sizes[0] != sizes[1] && sizes[1] != sizes[2] && sizes[2] != sizes[0], "{sizes:?}");
}

#[tokio::test]
async fn a_node_that_reaches_no_sentinels_waits_for_most_of_them_and_does_not_guess() {
    let mut nodes = Nodes::new("start-alone");
    nodes.start_redis(0);
    let waiting = "waiting: most of the sentinels do not answer, or do not agree who is master";
    eventually("that it waits", async || nodes.log("redis-1").contains(waiting).then_some(())).await;
    nodes.start_sentinel(0);
    let serves =
        async || (nodes.ask_sentinel(0, &["MASTER", "spillway"]).contains("num-slaves")).then_some(());
    eventually("one sentinel", serves).await;
    assert_eq!(nodes.ask(0, &["PING"]), "", "one of three is not most of them");
    nodes.start_sentinel(1);
    eventually("the start", async || (nodes.ask(0, &["PING"]) == "PONG").then_some(())).await;
    assert_eq!(nodes.log("redis-1").matches("waiting").count(), 1, "it says so once");
}

/// Processes that were told to keep their data in this folder.
#[cfg(target_os = "linux")]
fn processes_of(data: &std::path::Path) -> usize {
    let told = format!("SPILLWAY_DATA={}", data.display());
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let environment = std::fs::read(entry.ok()?.path().join("environ")).ok()?;
        environment.split(|byte| *byte == 0).any(|variable| variable == told.as_bytes()).then_some(())
    });
    processes.count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_node_that_is_ended_while_it_waits_leaves_nothing_behind() {
    let mut nodes = Nodes::new("start-ended");
    nodes.start_redis(0);
    eventually("that it waits", async || nodes.log("redis-1").contains("waiting").then_some(())).await;
    nodes.kill("redis-1");
    let data = nodes.data("redis-1");
    eventually("that nothing is left", async || (processes_of(&data) == 0).then_some(())).await;
}

#[tokio::test]
async fn nodes_and_sentinels_with_certificates_and_names_speak_tls_only_and_fail_over() {
    let mut nodes = Nodes::start_with_tls("start-tls").await;
    fill(&nodes, 10).await;
    assert!(nodes.ask(0, &["ROLE"]).contains("\nlocalhost\n"), "replicas are known by their names");
    nodes.kill("redis-1");
    let master = eventually("a failover", async || nodes.master().filter(|master| *master != 0)).await;
    assert!(nodes.ask_sentinel(0, &["GET-MASTER-ADDR-BY-NAME", "spillway"]).starts_with("localhost\n"));
    nodes.start_redis(0);
    let follows =
        async || nodes.ask(master, &["INFO", "replication"]).contains("connected_slaves:2").then_some(());
    eventually("that the old master follows", follows).await;
    // Another failover, through TLS, by a command that is told what a function would be told.
    for (command, said) in [("failover", "none was lost"), ("cluster", "quorum 2 of 3")] {
        let settings = nodes.settings();
        let run = eventually(command, async || {
            let run = spillway_with(&settings, &[command, "--from-env"]);
            (run.code == Some(0)).then_some(run)
        })
        .await;
        assert!(run.out.contains(said) && run.out.contains("localhost:"), "{}{}", run.out, run.err);
    }
    assert_ne!(nodes.master(), Some(master));
    let plain =
        Command::new("redis-cli").args(["-p", &nodes.port(master).to_string(), "PING"]).output().unwrap();
    assert!(!plain.status.success(), "{plain:?}");
}

#[tokio::test]
async fn a_sentinel_that_restarts_remembers_who_is_master() {
    let mut nodes = Nodes::start("start-sentinel").await;
    let id = nodes.ask_sentinel(0, &["MYID"]);
    nodes.kill("redis-1");
    let master = eventually("a failover", async || nodes.master().filter(|master| *master != 0)).await;
    nodes.kill("sentinel-1");
    nodes.start_sentinel(0);
    eventually("its answer", async || nodes.master().filter(|now| *now == master)).await;
    assert_eq!(nodes.ask_sentinel(0, &["MYID"]), id);
    assert!(nodes.ask_sentinel(0, &["CKQUORUM", "spillway"]).starts_with("OK 3 usable Sentinels"));
}

#[test]
fn what_the_start_script_was_not_told_or_told_wrongly_it_names_at_once() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/redis/start");
    let settings = [
        ("SPILLWAY_HOST", "127.0.0.1"),
        ("SPILLWAY_PORT", "x"),
        ("SPILLWAY_TSL", "/nowhere"),
        ("SPILLWAY_SENTINELS", "a,b:1"),
        ("SPILLWAY_SECRETS", "/nonexistent"),
    ];
    let output = Command::new(script).arg("node").envs(settings).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{message}");
    for fault in [
        "SPILLWAY_BIND is missing",
        "SPILLWAY_DATA is missing",
        "SPILLWAY_PORT is not a number",
        "SPILLWAY_TSL is not known",
        "a is not host:port",
        "SPILLWAY_SECRETS cannot be read",
    ] {
        assert_eq!(message.matches(&format!("\n  {fault}")).count(), 1, "{fault}: {message}");
    }
    assert!(!message.contains("b:1"));
}
