//! A Redis host is replaced by a new one at the same address, as docs/operations.md has it: each of the three
//! in turn, with its node, its sentinel and both their disks, while writes go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sentinel::{Call, Client, Config, Credentials, Deadline, Durability, Idempotency, Invocation, Script};

use crate::commands::spillway_with;
use crate::nodes::Nodes;
use crate::system::eventually;

static ADD: Script = Script::new("#!lua\nreturn redis.call('SADD', KEYS[1], ARGV[1])");

const KEY: &str = "{sale}:written";

fn client(nodes: &Nodes) -> Client {
    let settings = nodes.settings();
    let setting = |name: &str| settings.iter().find(|(known, _)| *known == name).unwrap().1.clone();
    let sentinels = setting("REDIS_SENTINELS").split(',').map(|part| part.parse().unwrap()).collect();
    let mut config = Config::new(sentinels, setting("REDIS_MASTER_NAME"));
    let credentials =
        Credentials { username: Some(setting("REDIS_USERNAME")), password: setting("REDIS_PASSWORD") };
    (config.credentials, config.sentinel_credentials) = (Some(credentials.clone()), Some(credentials));
    Client::new(config).unwrap()
}

/// Writes one number after the other; those that a replica has acknowledged.
async fn write(client: Client, is_over: Arc<AtomicBool>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let call = Call {
            deadline: Deadline::after(Duration::from_secs(5)),
            idempotency: Idempotency::Idempotent,
            durability: Durability::Replicas { count: 1, timeout: Duration::from_millis(100) },
        };
        let number = number.to_string();
        let written = client.invoke(&Invocation::new(&ADD).key(KEY).arg(number.clone()), call).await;
        if written.is_ok_and(|reply| reply.replicas >= 1) {
            acknowledged.push(number);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    acknowledged
}

/// Moves the master away from this node, without loss.
pub(crate) async fn move_master(nodes: &Nodes, index: usize) {
    eventually("a planned failover", async || {
        if nodes.master() != Some(index) {
            return Some(());
        }
        let run = spillway_with(&nodes.settings(), &["failover", "--from-env"]);
        assert!(!run.err.contains("are lost"), "{}", run.err);
        None
    })
    .await;
}

/// Whether everything is as it must be before the next host is touched.
pub(crate) fn is_whole(nodes: &Nodes) -> bool {
    spillway_with(&nodes.settings(), &["cluster", "--from-env"]).code == Some(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_is_replaced_by_an_empty_one_and_nothing_acknowledged_is_lost() {
    let mut nodes = Nodes::start("replaced-host").await;
    let is_over = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn(write(client(&nodes), is_over.clone()));
    for index in 0..3 {
        eventually("that the cluster is whole", async || is_whole(&nodes).then_some(())).await;
        move_master(&nodes, index).await;
        for kind in ["redis", "sentinel"] {
            let name = format!("{kind}-{}", index + 1);
            nodes.kill(&name);
            nodes.empty(&name);
        }
        nodes.start_sentinel(index);
        nodes.start_redis(index);
    }
    eventually("that the cluster is whole", async || is_whole(&nodes).then_some(())).await;
    is_over.store(true, Ordering::Relaxed);
    let acknowledged = writing.await.unwrap();
    let master = nodes.master().unwrap();
    let written = nodes.ask(master, &["SMEMBERS", KEY]);
    let written: std::collections::HashSet<&str> = written.lines().collect();
    let lost: Vec<_> = acknowledged.iter().filter(|number| !written.contains(number.as_str())).collect();
    assert!(lost.is_empty(), "{lost:?} of {} are lost", acknowledged.len());
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
}
