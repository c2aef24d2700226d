//! A wrong or missing setting stops a function at its start, with one message that names all of them.

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
        ("admin", &["LISTEN", "PUBLIC_URL", "REDIS_SENTINELS", "ADMIN_TOKEN"]),
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
