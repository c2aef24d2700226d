//! Durable calls that meet on one connection share one acknowledgement, and none waits for another's sake.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use sentinel::{Call, Client, Deadline, Durability, Idempotency, Invocation, Script, Value};
use tokio::task::JoinSet;

use crate::system::{command, private, redis};

/// Writes on a repeat, too: WAIT proves only what was written.
static ADD: Script = Script::new("#!lua\nreturn redis.call('HINCRBY', KEYS[1], ARGV[1], 1)");

const KEY: &str = "test:group";

const ATTEMPTS_MAX: u32 = 5;

/// Adds a member, durably; the replicas that know it.
async fn add(client: &Client, member: String) -> u64 {
    let call = Call {
        deadline: Deadline::after(Duration::from_secs(10)),
        idempotency: Idempotency::Idempotent,
        durability: Durability::Replicas { count: 1, timeout: Duration::from_millis(100) },
    };
    client.invoke(&Invocation::new(&ADD).key(KEY).arg(member), call).await.unwrap().replicas
}

/// The same, until a replica knows it: on a busy host one may now and then not acknowledge in time.
async fn add_until_known(client: &Client, member: String) {
    for _ in 0..ATTEMPTS_MAX {
        if add(client, member.clone()).await >= 1 {
            return;
        }
    }
    panic!("{ATTEMPTS_MAX} times no replica has acknowledged {member}");
}

async fn members(client: &Client) -> Value {
    command(client, "HLEN", &[KEY]).await
}

/// How often WAIT was called since the start of the master.
async fn waits(client: &Client) -> u64 {
    let Value::Bytes(stats) = command(client, "INFO", &["commandstats"]).await else {
        panic!("no statistics")
    };
    let stats = String::from_utf8(stats).unwrap();
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_wait:calls="));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn durable_calls_share_a_wait_when_they_meet_and_only_then() {
    let stack = private("group");
    let client = redis(&stack.running().unwrap());
    add(&client, "first".to_owned()).await;

    let before = waits(&client).await;
    // On a busy host a replica may now and then not acknowledge in time.
    let mut acknowledged = 0;
    for number in 0..50 {
        acknowledged += usize::from(add(&client, format!("alone-{number}")).await >= 1);
    }
    assert!(acknowledged > 40, "{acknowledged} of 50");
    assert_eq!(waits(&client).await - before, 50, "a call alone is a batch of its own");

    let before = waits(&client).await;
    let mut calling = JoinSet::new();
    for task in 0..64 {
        let client = client.clone();
        calling.spawn(async move {
            let mut acknowledged = 0;
            for number in 0..50 {
                acknowledged += usize::from(add(&client, format!("{task}-{number}")).await >= 1);
            }
            acknowledged
        });
    }
    let acknowledged: usize = calling.join_all().await.into_iter().sum();
    assert!(acknowledged > 64 * 40, "{acknowledged} of {}", 64 * 50);
    let shared = waits(&client).await - before;
    assert!(shared < 64 * 50 / 4, "{shared} WAITs for {} calls", 64 * 50);
    assert_eq!(members(&client).await, Value::Int(1 + 50 + 64 * 50), "each was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_leave_at_any_moment_take_nobody_with_them() {
    let stack = private("group-leaving");
    let client = redis(&stack.running().unwrap());
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut stayed: i64 = 0;
    for round in 0..200 {
        let mut staying = JoinSet::new();
        let mut leaving = Vec::new();
        for task in 0..32 {
            let (client, member) = (client.clone(), format!("{round}-{task}"));
            if random.random() {
                stayed += 1;
                staying.spawn(async move { add_until_known(&client, member).await });
            } else {
                let patience = Duration::from_micros(random.random_range(0..400));
                leaving.push(tokio::spawn(tokio::time::timeout(patience, async move {
                    add(&client, member).await;
                })));
            }
        }
        staying.join_all().await;
        for left in leaving {
            let _ = left.await.unwrap();
        }
    }
    let Value::Int(members) = members(&client).await else { panic!("no count") };
    assert!(members >= stayed, "{members} members, {stayed} callers stayed");
    assert!(add(&client, "last".to_owned()).await >= 1, "the connection goes on");
}
