//! A wrong or missing setting stops a function at its start, with one message that names all of them. What API Gateway
//! calls goes on instead, and refuses every request: `secrets.rs`.

use std::path::PathBuf;
use std::process::{Command, Output};

use edge::SETTINGS;

/// Where a function was built.
pub(crate) fn binary(function: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join(function)
}

fn start(function: &str, settings: &[(&str, &str)]) -> Output {
    Command::new(binary(function)).env_clear().envs(settings.iter().copied()).output().unwrap()
}

#[test]
fn without_settings_each_function_names_all_that_it_lacks_and_ends() {
    for (function, needed) in [
        ("session", &["LISTEN", "PUBLIC_URL", "SIGNING_KEYS"][..]),
        ("page", &["LISTEN", "PUBLIC_URL", "REDIS_SENTINELS", "REDIS_MASTER_NAME"]),
        (
            "reserve",
            &["LISTEN", "PUBLIC_URL", "REDIS_SENTINELS", "ID_SECRET", "SHOPPER_SECRET", "SIGNING_KEYS"],
        ),
        (
            "confirm",
            &["LISTEN", "PUBLIC_URL", "REDIS_SENTINELS", "ID_SECRET", "SHOPPER_SECRET", "SIGNING_KEYS"],
        ),
        ("admin", &["LISTEN", "PUBLIC_URL", "REDIS_SENTINELS", "ADMIN_TOKEN", "ID_SECRET"]),
        ("sweep", &["LISTEN", "PUBLIC_URL", "REDIS_SENTINELS"]),
    ] {
        let output = start(function, &[]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{function}: {message}");
        for name in needed {
            assert_eq!(
                message.matches(&format!("\n  {name} is missing")).count(),
                1,
                "{function}: {message}"
            );
        }
    }
}

#[test]
fn wrong_settings_are_named_with_what_they_should_be() {
    let output = start(
        "reserve",
        &[
            ("LISTEN", "nowhere"),
            ("PUBLIC_URL", "http://shop.example"),
            ("REDIS_SENTINELS", "a,b"),
            ("REDIS_DOWN_AFTER_MS", "250"),
            ("SHOPPER_SECRET", "c2hvcnQ="),
            ("RATE_LIMIT_QUOTA", "-1"),
        ],
    );
    let no_key = start("queue", &[("ACCESS_TOKEN_KEYS", "c2hvcnQ=")]);
    let message = String::from_utf8(no_key.stderr).unwrap();
    assert!(
        message.contains("\n  ACCESS_TOKEN_KEYS has a part that is not base64 of an RSA key"),
        "{message}"
    );
    let message = String::from_utf8(output.stderr).unwrap();
    for name in [
        "LISTEN",
        "PUBLIC_URL",
        "REDIS_SENTINELS",
        "REDIS_DOWN_AFTER_MS",
        "SHOPPER_SECRET",
        "RATE_LIMIT_QUOTA",
    ] {
        let meaning = SETTINGS.iter().find(|setting| setting.name == name).unwrap().meaning;
        assert!(
            message.contains(&format!("\n  {name} ")) && message.contains(meaning),
            "{name} in {message}"
        );
    }
}

/// A door, and what whoever asks AWS needs.
const DOOR_AND_AWS: [(&str, &str); 4] = [
    ("LISTEN", "127.0.0.1:0"),
    ("AWS_REGION", "eu-west-1"),
    ("AWS_ACCESS_KEY_ID", "a"),
    ("AWS_SECRET_ACCESS_KEY", "b"),
];

#[test]
fn with_secrets_elsewhere_whatever_can_be_known_is_checked_without_asking_for_them() {
    let mut settings = DOOR_AND_AWS.to_vec();
    settings.extend([
        ("SECRETS", "spillway/signing, arn:aws:s3:::bucket"),
        ("SECRETS_FRESH_SECONDS", "0"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://10.0.0.1"),
        ("SIGNING_KEYS", "malformed, and here"),
        ("RATE_LIMIT_QUOTA", "x"),
    ]);
    let output = start("reserve", &settings);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{message}");
    for fault in [
        "SECRETS has an entry arn:aws:s3:::bucket that is no ARN of a secret",
        "SECRETS_FRESH_SECONDS is not a number",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER is neither https nor plain http on loopback",
        "SIGNING_KEYS is not kid:base64",
        "RATE_LIMIT_QUOTA is not a number",
        "PUBLIC_URL is missing",
        "REDIS_SENTINELS is missing",
    ] {
        assert_eq!(message.matches(fault).count(), 1, "{fault} in {message}");
    }
    for secret in ["ID_SECRET", "SHOPPER_SECRET"] {
        assert!(!message.contains(&format!("\n  {secret} ")), "{secret} may be among the secrets: {message}");
    }
}

#[test]
fn shoppers_tokens_are_verified_in_one_way_which_is_named_whole() {
    for (settings, faults) in [
        (&[][..], &["SHOPPER_SECRET is missing"][..]),
        (
            &[("SHOPPER_JWKS_URL", "http://keys.example"), ("SHOPPER_SECRET", "x")],
            &[
                "SHOPPER_SECRET is there, although SHOPPER_JWKS_URL is",
                "SHOPPER_JWKS_URL is neither",
                "SHOPPER_ISSUER is missing",
                "SHOPPER_AUDIENCE is missing",
            ],
        ),
        (&[("SHOPPER_JWKS_URL", "https://keys.example")], &["SHOPPER_AUDIENCE is missing"]),
    ] {
        let output = start("confirm", settings);
        let message = String::from_utf8(output.stderr).unwrap();
        for fault in faults {
            assert!(message.contains(fault), "{fault} in {message}");
        }
    }
}
