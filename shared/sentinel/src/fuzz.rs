//! Whatever a server sends, nothing here panics: every answer of a corpus, and thousands of answers that
//! differ from them by random bytes, go through all that reads answers.

use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::classify::classify;
use crate::replication::{Position, Replication, field};
use crate::sentinel_answer::{endpoint_of, number_of, read_endpoint, read_instance, read_instances};
use crate::topology::read_replicas;
use crate::{Endpoint, NatMap, Value};

const ROUNDS_PER_ANSWER: usize = 20_000;

/// All that reads what a server has sent.
fn read(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let replication = Replication::read(&text);
    if let Ok(replication) = &replication {
        let Position { lineage, offset } = replication.position.clone();
        let _ = replication.continues(Some(&Position { lineage, offset: offset.wrapping_add(7) }));
    }
    let _ = (field(&text, "redis_version"), read_replicas(&text, u64::MAX));
    let _ = (text.parse::<Endpoint>(), text.parse::<NatMap>());
    match redis::parse_redis_value(bytes) {
        Ok(redis::Value::ServerError(error)) => drop(classify(&error.into())),
        Ok(value) => {
            let _ = read_endpoint(value.clone());
            let instances = read_instance(value.clone()).into_iter().chain(read_instances(value.clone()));
            for instance in instances {
                let _ = (endpoint_of(&instance), number_of(&instance, "config-epoch"));
            }
            let _ = Value::read(value);
        }
        Err(error) => drop(classify(&error)),
    }
}

#[test]
fn no_answer_that_a_server_could_send_ends_the_process() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus"));
    let mut answers = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let answer = std::fs::read(entry.unwrap().path()).unwrap();
        read(&answer);
        answers += 1;
        for _ in 0..ROUNDS_PER_ANSWER {
            let mut changed = answer.clone();
            for _ in 0..random.random_range(1..6) {
                let at = random.random_range(0..changed.len());
                match random.random_range(0..3) {
                    0 => changed[at] = random.random(),
                    1 => changed.insert(at, b"0123456789-:*$\r\n,="[random.random_range(0..18)]),
                    _ => drop(changed.remove(at)),
                }
                if changed.is_empty() {
                    break;
                }
            }
            read(&changed);
        }
    }
    assert!(answers >= 7, "the corpus is there");
}
