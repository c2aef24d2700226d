//! The function that rotates the signing keys: its steps, each also twice and after a lost answer, and what it refuses.

use std::process::Command;

use data_encoding::BASE64;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use spillway::Running;

use crate::commands::spillway_reading;
use crate::lambda_function::LambdaFunction;
use crate::settings::binary;
use crate::system::{PATIENCE, shared};
use crate::vault::{Mood, Vault, text};

const SIGNING: &str = "spillway/signing";

/// The name of a key that came so many days ago.
fn days_ago(days: i64) -> String {
    let then = Timestamp::now() - SignedDuration::from_hours(24 * days);
    then.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A secret with keys of these names, each of other bytes.
fn ring(names: &[&str]) -> String {
    let keys = (1_u8..).zip(names).map(|(byte, name)| format!("{name}:{}", BASE64.encode(&[byte; 32])));
    text(&[("SIGNING_KEYS", &keys.collect::<Vec<_>>().join(","))])
}

/// `name:key` of each key of a secret.
fn keys(secret: &str) -> Vec<String> {
    let secret: Value = serde_json::from_str(secret).unwrap();
    secret["SIGNING_KEYS"].as_str().unwrap().split(',').map(str::to_owned).collect()
}

struct Rotating {
    running: Running,
    vault: Vault,
    function: LambdaFunction,
}

impl Rotating {
    async fn start(secret: &str) -> Self {
        let running = shared();
        let vault = Vault::start(&[(SIGNING, secret.to_owned())]).await;
        let function = LambdaFunction::start_with(&running, "rotate", &vault.settings()).await;
        Self { running, vault, function }
    }

    async fn send(&self, event: Value) -> Result<(), String> {
        let answered = self.function.invoke(event).await;
        let answer = tokio::time::timeout(PATIENCE, answered).await.expect("no response").unwrap();
        answer["errorMessage"].as_str().map_or(Ok(()), |message| Err(message.to_owned()))
    }

    async fn step(&self, step: &str, version: &str) -> Result<(), String> {
        self.send(json!({ "Step": step, "SecretId": SIGNING, "ClientRequestToken": version })).await
    }

    async fn refused(&self, step: &str, version: &str) -> String {
        let before = (self.vault.current(SIGNING), self.vault.versions(SIGNING));
        let message = self.step(step, version).await.expect_err("it was done");
        assert_eq!((self.vault.current(SIGNING), self.vault.versions(SIGNING)), before);
        message
    }
}

const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

#[tokio::test]
async fn the_next_key_signs_the_one_that_signed_verifies_on_and_a_new_one_is_the_next() {
    let next = days_ago(4);
    let before = ring(&["first", &next]);
    let rotating = Rotating::start(&before).await;
    for step in STEPS {
        assert_eq!(keys(&rotating.vault.current(SIGNING)), keys(&before), "until the last step");
        rotating.step(step, "v1").await.unwrap();
    }
    let (before, after) = (keys(&before), keys(&rotating.vault.current(SIGNING)));
    assert_eq!(after[..2], [before[1].clone(), before[0].clone()]);
    let new = after[2].split(':').next().unwrap();
    assert!(*new > *days_ago(1) && *new <= *days_ago(0), "{new}");
    // Not yet the one after that.
    let message = rotating.refused("createSecret", "v2").await;
    assert!(message.contains(new) && message.contains("three days"), "{message}");
}

#[tokio::test]
async fn the_key_that_secrets_manager_has_generated_is_the_first_ring() {
    let rotating = Rotating::start(&text(&[("SIGNING_KEYS", &"x".repeat(44))])).await;
    for step in STEPS {
        rotating.step(step, "v1").await.unwrap();
    }
    let after = keys(&rotating.vault.current(SIGNING));
    assert_eq!(after[0], format!("first:{}", "x".repeat(44)), "it goes on signing");
    assert_eq!(after.len(), 2);
}

#[tokio::test]
async fn each_step_may_come_twice_and_after_a_lost_answer() {
    let rotating = Rotating::start(&ring(&["first", &days_ago(4)])).await;
    let mut created = None;
    for step in STEPS {
        rotating.vault.is(Mood::Mute);
        let lost = rotating.step(step, "v1").await;
        assert_eq!(lost.is_ok(), step == "setSecret", "{lost:?}");
        rotating.vault.is(Mood::Answering);
        for _ in 0..2 {
            rotating.step(step, "v1").await.unwrap();
        }
        assert_eq!(rotating.vault.versions(SIGNING), 2, "{step} makes one version at most");
        let now = created.get_or_insert_with(|| rotating.vault.current(SIGNING));
        assert_eq!(rotating.vault.current(SIGNING) == *now, step != "finishSecret");
    }
    // From the start, when all is done.
    for step in STEPS {
        rotating.step(step, "v1").await.unwrap();
    }
    assert_eq!((rotating.vault.versions(SIGNING), keys(&rotating.vault.current(SIGNING)).len()), (2, 3));
}

#[tokio::test]
async fn keys_that_somebody_changed_meanwhile_are_left_alone() {
    let rotating = Rotating::start(&ring(&["first", &days_ago(4)])).await;
    rotating.step("createSecret", "v1").await.unwrap();
    // A key became known to somebody, and all were replaced.
    let by_hand = ring(&["emergency"]);
    rotating.vault.put(SIGNING, &by_hand);
    let message = rotating.refused("finishSecret", "v1").await;
    assert!(message.contains("changed by somebody else") && message.contains("v1"), "{message}");
    assert_eq!(rotating.vault.current(SIGNING), by_hand);
}

#[tokio::test]
async fn the_step_that_tests_passes_alone_as_secrets_manager_tries_it() {
    let rotating = Rotating::start(&ring(&["first"])).await;
    rotating.step("testSecret", "never put").await.unwrap();
    assert_eq!(rotating.vault.versions(SIGNING), 1);
    let message = rotating.refused("finishSecret", "never put").await;
    assert!(message.contains("never put is not there"), "{message}");
}

#[tokio::test]
async fn a_secret_that_is_no_ring_is_refused_without_a_word_of_it() {
    let hidden = BASE64.encode(b"hidden");
    for (secret, told) in [
        (hidden.clone(), "is not the JSON object"),
        (text(&[("SIGNING_KEYS", "a:b"), ("ADMIN_TOKEN", &hidden)]), "is not the JSON object"),
        (json!({ "SIGNING_KEYS": [hidden.clone()] }).to_string(), "is not the JSON object"),
        (text(&[("SIGNING_KEYS", &format!("a:{hidden}"))]), "is not kid:base64"),
        (ring(&["a", "a"]), "two keys one name"),
    ] {
        let rotating = Rotating::start(&secret).await;
        for step in ["createSecret", "testSecret"] {
            let message = rotating.refused(step, "v1").await;
            assert!(message.contains(told) && !message.contains(&hidden), "{message}");
        }
        let log = std::fs::read_to_string(rotating.running.logs.join("rotate-lambda.log")).unwrap();
        assert!(!log.contains(&hidden), "{log}");
    }
    let full = Rotating::start(&ring(&["1", "2", "3", "4", "5", "6", "7", "8"])).await;
    assert!(full.refused("createSecret", "v1").await.contains("8 keys already"));
}

#[tokio::test]
async fn an_event_of_another_secret_or_another_kind_fails_and_changes_nothing() {
    let rotating = Rotating::start(&ring(&["first"])).await;
    rotating.vault.put("spillway/other", &ring(&["first"]));
    for event in [
        json!({ "Step": "createSecret", "SecretId": "spillway/other", "ClientRequestToken": "v1" }),
        json!({ "Step": "dropSecret", "SecretId": SIGNING, "ClientRequestToken": "v1" }),
        json!({ "Step": "createSecret", "SecretId": SIGNING }),
        json!({ "source": "aws.events" }),
        json!("createSecret"),
    ] {
        rotating.send(event.clone()).await.expect_err(&event.to_string());
    }
    for name in [SIGNING, "spillway/other"] {
        assert_eq!(rotating.vault.versions(name), 1);
    }
    rotating.vault.is(Mood::Denying);
    assert!(rotating.refused("createSecret", "v1").await.contains("AccessDeniedException"));
    rotating.vault.is(Mood::Answering);
    rotating.step("createSecret", "v1").await.unwrap();
}

#[test]
fn settings_that_are_missing_or_name_two_secrets_stop_it_with_all_that_is_wrong() {
    let told = |settings: &[(&str, &str)]| {
        let mut command = Command::new(binary("rotate"));
        let output = command.env_clear().envs(settings.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(78));
        String::from_utf8(output.stderr).unwrap()
    };
    let nothing = told(&[]);
    for fault in ["SECRETS is missing", "no Lambda runtime"] {
        assert!(nothing.contains(fault), "{nothing}");
    }
    let region = [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let lambda = [("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")];
    let two = told(&[&region[..], &lambda, &[("SECRETS", "a,b")]].concat());
    assert!(two.contains("SECRETS names more than the one that holds SIGNING_KEYS"), "{two}");
    let alone = told(&[&lambda[..], &[("SECRETS", "a")]].concat());
    for (name, _) in region {
        assert!(alone.contains(&format!("{name} is missing")), "{alone}");
    }
}

#[test]
fn on_hosts_of_ones_own_a_command_prints_the_ring_that_follows() {
    let rotate = |input: &str| spillway_reading(input, &["keys", "rotate"]);
    let first = rotate("");
    assert_eq!((first.code, first.out.lines().count()), (Some(0), 1), "{}", first.err);
    let too_early = rotate(&first.out);
    assert_eq!((too_early.code, too_early.out.as_str()), (Some(1), ""));
    assert!(too_early.err.contains("too young to sign: wait until"), "{}", too_early.err);
    let next = days_ago(4);
    let before = keys(&ring(&["first", &next]));
    let after = rotate(&format!("{}\n", before.join(",")));
    let after: Vec<_> = after.out.trim().split(',').collect();
    assert_eq!(after[..2], [before[1].as_str(), before[0].as_str()]);
    assert_eq!(after.len(), 3);
    for (wrong, told) in [("a:b", "is not kid:base64"), (&*"a,".repeat(9_000), "too long")] {
        let refused = rotate(wrong);
        assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
        assert!(refused.err.contains(told), "{}", refused.err);
    }
}
