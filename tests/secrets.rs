//! Secrets in AWS Secrets Manager: loaded at the first request, fetched again, rotated, and what happens when
//! they cannot be had.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use futures_util::future::join_all;
use reqwest::RequestBuilder;
use serde_json::json;
use spillway::{ExtraFunction, Running};

use crate::lambda_function::LambdaFunction;
use crate::shop::{Answer, Shop, Shopper, open_sale, open_sale_in, send, units};
use crate::system::{command, eventually, private, redis, shared};
use crate::vault::{Mood, Vault, text};

const REDIS: &str = "spillway/redis";
const SIGNING: &str = "spillway/signing";
const IDENTITY: &str = "spillway/identity";

/// The secrets of a function that is this user of Redis, as the template cuts them.
fn secrets(running: &Running, user: &str) -> [(&'static str, String); 3] {
    let redis = running.redis_password(user).unwrap_or("");
    let sentinel = running.sentinel_password("function").unwrap();
    [
        (REDIS, text(&[("REDIS_PASSWORD", redis), ("SENTINEL_PASSWORD", sentinel)])),
        (SIGNING, text(&[("SIGNING_KEYS", &running.signing_keys)])),
        (IDENTITY, text(&[("ID_SECRET", &running.id_secret), ("SHOPPER_SECRET", &running.shopper_secret)])),
    ]
}

fn start(running: &Running, name: &str, vault: &Vault, more: &[(&str, &str)]) -> ExtraFunction {
    let mut settings = vault.settings();
    // Some tests ask more often in ten seconds than a shopper may.
    settings.push(("RATE_LIMIT_QUOTA".to_owned(), "1000".to_owned()));
    settings.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    ExtraFunction::start(running, name, &settings).unwrap()
}

fn wish(shop: &Shop, function: &ExtraFunction, shopper: &Shopper, key: &str) -> RequestBuilder {
    let url = format!("{}{}", function.origin, shop.path("/reservations"));
    let wish = shop.http.post(url).bearer_auth(&shopper.token).header("idempotency-key", key);
    wish.json(&json!({ "sku": "unit", "quantity": 1 }))
}

async fn get(shop: &Shop, function: &ExtraFunction, path: &str) -> Answer {
    send(shop.http.get(format!("{}{path}", function.origin))).await
}

fn log(running: &Running, name: &str, function: &ExtraFunction) -> String {
    let port = function.origin.rsplit(':').next().unwrap();
    std::fs::read_to_string(running.logs.join(format!("{name}-{port}.log"))).unwrap()
}

fn key_ring(ids: &[(&str, u8)]) -> String {
    let ring: Vec<_> = ids.iter().map(|(id, byte)| format!("{id}:{}", BASE64.encode(&[*byte; 32]))).collect();
    text(&[("SIGNING_KEYS", &ring.join(","))])
}

#[tokio::test]
async fn the_first_request_loads_the_secrets_and_the_start_and_livez_do_not() {
    let shop = open_sale(units(5)).await;
    let vault = Vault::start(&secrets(&shop.running, "reserve")).await;
    let function = start(&shop.running, "reserve", &vault, &[]);
    assert_eq!(get(&shop, &function, "/livez").await.status, 200);
    assert_eq!(vault.asked(REDIS), 0);
    assert_eq!(get(&shop, &function, "/readyz").await.status, 200);
    assert_eq!(send(wish(&shop, &function, &shop.shopper("ann"), "k")).await.told(), "201 held");
    for name in [REDIS, SIGNING, IDENTITY] {
        assert_eq!(vault.asked(name), 1, "{name}");
    }
    let line = log(&shop.running, "reserve", &function);
    assert!(line.contains("\"route\":\"/sales/{sale}/reservations\""), "the log knows the route: {line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_wait_for_the_secrets_fetch_them_once_and_are_all_served() {
    let shop = open_sale(units(50)).await;
    let vault = Vault::start(&secrets(&shop.running, "reserve")).await;
    vault.is(Mood::Holding);
    let function = start(&shop.running, "reserve", &vault, &[]);
    let wishes: Vec<_> = shop.shoppers(50).iter().map(|who| wish(&shop, &function, who, "k")).collect();
    let sent = tokio::spawn(join_all(wishes.into_iter().map(send)));
    eventually("a fetch", async || (vault.asked(REDIS) > 0).then_some(())).await;
    vault.let_go(150);
    let told: Vec<_> = sent.await.unwrap().iter().map(Answer::told).collect();
    assert_eq!(told, vec!["201 held"; 50]);
    assert_eq!((vault.asked(REDIS), vault.asked(SIGNING), vault.asked(IDENTITY)), (1, 1, 1));
}

#[tokio::test]
async fn a_request_that_waits_for_the_secrets_is_answered_by_its_deadline() {
    let shop = open_sale(units(5)).await;
    let vault = Vault::start(&secrets(&shop.running, "reserve")).await;
    vault.is(Mood::Holding);
    let function = start(&shop.running, "reserve", &vault, &[("REQUEST_DEADLINE_MS", "500")]);
    let answer = send(wish(&shop, &function, &shop.shopper("ann"), "k")).await;
    assert_eq!(answer.told(), "503 secrets-unavailable");
    vault.is(Mood::Answering);
    let served = async || {
        let answer = send(wish(&shop, &function, &shop.shopper("ann"), "k")).await;
        (answer.told() == "201 held").then_some(())
    };
    eventually("that the next request is served", served).await;
}

#[tokio::test]
async fn without_secrets_every_request_is_told_to_come_back_and_the_log_names_all_that_is_wrong_at_once() {
    let shop = open_sale(units(5)).await;
    let vault = Vault::start(&[
        (REDIS, text(&[("REDIS_PASSWORD", "p1-hidden"), ("REDIS_PASWORD", "p2-hidden")])),
        (SIGNING, text(&[("SIGNING_KEYS", "k:dG9vLXNob3J0LWhpZGRlbg=="), ("RUST_LOG", "p3-hidden")])),
        (IDENTITY, "\"p4-hidden\"".to_owned()),
        ("twice", text(&[("REDIS_PASSWORD", "p5-hidden")])),
    ])
    .await;
    let mut settings = vault.settings();
    settings[0].1.push_str(", missing");
    // One secret setting is left where it was.
    settings.retain(|(name, _)| name != "SENTINEL_PASSWORD");
    vault.put("twice", &text(&[("REDIS_PASSWORD", "p5-hidden"), ("SENTINEL_PASSWORD", "p6-hidden")]));
    let function = ExtraFunction::start(&shop.running, "reserve", &settings).unwrap();
    assert_eq!(get(&shop, &function, "/livez").await.status, 200);
    for path in ["/readyz", "/nothing", "/sales/x/reservations/y"] {
        let answer = get(&shop, &function, path).await;
        assert_eq!(answer.told(), "503 secrets-unavailable", "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(!answer.header("retry-after").is_empty());
    }
    let log = log(&shop.running, "reserve", &function);
    let messages: Vec<_> = log.lines().filter(|line| line.contains("secrets cannot be loaded")).collect();
    assert_eq!(messages.len(), 1, "{log}");
    for fault in [
        "the secret spillway/redis holds REDIS_PASWORD, which is no secret setting",
        "the secret spillway/signing holds RUST_LOG, which is no secret setting",
        "the secret spillway/identity is no JSON object of settings and texts",
        "the secret twice holds REDIS_PASSWORD, which is given twice",
        "the secret twice holds SENTINEL_PASSWORD, which is in the environment, too",
        "the secret missing cannot be had: ResourceNotFoundException: no such secret",
        "SIGNING_KEYS is not kid:base64",
    ] {
        assert_eq!(messages[0].matches(fault).count(), 1, "{fault} in {}", messages[0]);
    }
    assert!(!messages[0].contains("ID_SECRET is missing"), "it may be in what could not be read");
    assert!(!log.contains("hidden") && !log.contains("dG9vLXNob3J0"), "no value is told: {log}");
}

#[tokio::test]
async fn what_is_missing_when_all_secrets_are_there_is_named() {
    let shop = open_sale(units(5)).await;
    let vault = Vault::start(&[(SIGNING, key_ring(&[("a", 1)]))]).await;
    let function = start(&shop.running, "reserve", &vault, &[]);
    assert_eq!(get(&shop, &function, "/readyz").await.told(), "503 secrets-unavailable");
    let log = log(&shop.running, "reserve", &function);
    for name in ["ID_SECRET", "SHOPPER_SECRET", "REDIS_PASSWORD", "SENTINEL_PASSWORD"] {
        assert_eq!(log.matches(&format!("{name} is missing")).count(), 1, "{name} in {log}");
    }
}

#[tokio::test]
async fn secrets_manager_that_fails_at_first_is_asked_again_and_the_function_recovers() {
    let shop = open_sale(units(5)).await;
    let vault = Vault::start(&secrets(&shop.running, "reserve")).await;
    for mood in [Mood::Denying, Mood::Broken] {
        vault.is(mood);
        let before = vault.asked(REDIS);
        let function = start(&shop.running, "reserve", &vault, &[]);
        for _ in 0..20 {
            assert_eq!(get(&shop, &function, "/readyz").await.told(), "503 secrets-unavailable");
        }
        assert!(vault.asked(REDIS) - before <= 2, "a failure is no storm");
        let cause = if mood == Mood::Denying { "AccessDeniedException: not for you" } else { "status 500" };
        assert!(log(&shop.running, "reserve", &function).contains(cause));
        vault.is(Mood::Answering);
        let ready = async || (get(&shop, &function, "/readyz").await.status == 200).then_some(());
        eventually("that it is ready", ready).await;
    }
}

/// A guest's session by this function: its status, its cookie.
async fn session(shop: &Shop, function: &ExtraFunction, cookie: &str) -> (u16, String) {
    let request = shop.http.post(format!("{}/sessions", function.origin));
    let answer = send(request.header("origin", &shop.running.url).header("cookie", cookie)).await;
    (answer.status, answer.header("set-cookie").split(';').next().unwrap().to_owned())
}

/// The `kid` of a cookie's token.
fn signed_by(cookie: &str) -> String {
    let header = cookie.split_once('=').unwrap().1.split('.').next().unwrap();
    let header: serde_json::Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn signing_keys_are_rotated_while_guests_keep_their_sessions() {
    let shop = open_sale(units(5)).await;
    let vault = Vault::start(&[(SIGNING, key_ring(&[("old", 1)]))]).await;
    let function = start(&shop.running, "session", &vault, &[("SECRETS_FRESH_SECONDS", "1")]);
    let (status, old) = session(&shop, &function, "").await;
    assert_eq!((status, signed_by(&old)), (201, "old".to_owned()));
    vault.put(SIGNING, &key_ring(&[("new", 2), ("old", 1)]));
    let rotated = async || {
        let (_, cookie) = session(&shop, &function, "").await;
        (signed_by(&cookie) == "new").then_some(cookie)
    };
    let new = eventually("a session with the new key", rotated).await;
    assert_eq!(session(&shop, &function, &old).await.0, 200, "the old key verifies");
    vault.put(SIGNING, &key_ring(&[("new", 2)]));
    let retired = async || (session(&shop, &function, &old).await.0 == 201).then_some(());
    eventually("that the old key is gone", retired).await;
    assert_eq!(session(&shop, &function, &new).await.0, 200);
}

#[tokio::test]
async fn a_rotation_of_signing_keys_keeps_the_connection_to_redis() {
    let shop = open_sale(units(50)).await;
    let vault = Vault::start(&secrets(&shop.running, "reserve")).await;
    let function = start(&shop.running, "reserve", &vault, &[("SECRETS_FRESH_SECONDS", "1")]);
    assert_eq!(send(wish(&shop, &function, &shop.shopper("ann"), "k")).await.told(), "201 held");
    vault.put(SIGNING, &key_ring(&[("new", 2)]));
    let log = || log(&shop.running, "reserve", &function);
    let reloaded = async || {
        let again = send(wish(&shop, &function, &shop.shopper("ann"), "k")).await;
        assert_eq!(again.told(), "200 held", "all the while");
        (log().matches("\"secrets loaded\"").count() == 2).then_some(())
    };
    eventually("that the new keys are in use", reloaded).await;
    assert_eq!(send(wish(&shop, &function, &shop.shopper("ben"), "k")).await.told(), "201 held");
    assert_eq!(log().matches("\"connected\"").count(), 1, "{}", log());
}

#[tokio::test]
async fn while_secrets_manager_is_down_or_holds_nonsense_the_secrets_that_are_known_stay_in_use() {
    let shop = open_sale(units(50)).await;
    let vault = Vault::start(&secrets(&shop.running, "reserve")).await;
    let function = start(&shop.running, "reserve", &vault, &[("SECRETS_FRESH_SECONDS", "1")]);
    assert_eq!(send(wish(&shop, &function, &shop.shopper("ann"), "k")).await.told(), "201 held");
    for (mood, signing) in [(Mood::Denying, key_ring(&[("a", 1)])), (Mood::Answering, "{}".to_owned())] {
        vault.put(SIGNING, &signing);
        vault.is(mood);
        let failures =
            || log(&shop.running, "reserve", &function).matches("secrets cannot be loaded").count();
        let before = failures();
        let failed = async || {
            let again = send(wish(&shop, &function, &shop.shopper("ann"), "k")).await;
            assert_eq!(again.told(), "200 held", "all the while");
            (failures() > before).then_some(())
        };
        eventually("a refresh that failed", failed).await;
        assert_eq!(send(wish(&shop, &function, &shop.shopper("ann"), "k")).await.told(), "200 held");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_of_redis_is_found_without_a_restart_and_a_wrong_one_is_no_storm() {
    let stack = private("secrets-password");
    let shop = open_sale_in(stack.running().unwrap(), units(50)).await;
    let vault = Vault::start(&secrets(&shop.running, "reserve")).await;
    // The age of the secrets alone would not have them fetched within this test.
    let function = start(&shop.running, "reserve", &vault, &[("SECRETS_FRESH_SECONDS", "3600")]);
    let ann = shop.shopper("ann");
    assert_eq!(send(wish(&shop, &function, &ann, "k")).await.told(), "201 held");
    let operator = redis(&shop.running);
    command(&operator, "ACL", &["SETUSER", "reserve", "resetpass", ">changed"]).await;
    command(&operator, "CLIENT", &["KILL", "USER", "reserve"]).await;
    let refused = async || {
        let answer = send(wish(&shop, &function, &ann, "k")).await;
        (answer.told() == "503 stock-unavailable").then_some(())
    };
    eventually("a refusal", refused).await;
    let before = vault.asked(REDIS);
    let began = std::time::Instant::now();
    for _ in 0..200 {
        assert_eq!(send(wish(&shop, &function, &ann, "k")).await.told(), "503 stock-unavailable");
    }
    let allowed = 2 + began.elapsed().as_secs() / 5;
    let asked = u64::try_from(vault.asked(REDIS) - before).unwrap();
    assert!(asked <= allowed, "{asked} fetches, {allowed} are no storm");
    let sentinel = shop.running.sentinel_password("function").unwrap();
    vault.put(REDIS, &text(&[("REDIS_PASSWORD", "changed"), ("SENTINEL_PASSWORD", sentinel)]));
    let served = async || (send(wish(&shop, &function, &ann, "k")).await.told() == "200 held").then_some(());
    eventually("that the new password is in use", served).await;
    assert_eq!(log(&shop.running, "reserve", &function).matches("\"secrets loaded\"").count(), 2);
}

#[tokio::test]
async fn under_the_lambda_runtime_the_first_event_loads_the_secrets_and_without_them_it_is_a_problem() {
    let shop = open_sale(units(5)).await;
    let vault = Vault::start(&secrets(&shop.running, "reserve")).await;
    vault.is(Mood::Denying);
    let function = LambdaFunction::start_with(&shop.running, "reserve", &vault.settings()).await;
    let token = format!("Bearer {}", shop.shopper("ann").token);
    let headers =
        [("authorization", token.as_str()), ("idempotency-key", "k"), ("content-type", "application/json")];
    let body = r#"{"sku":"unit","quantity":1}"#;
    let ask = async || function.request("POST", &shop.path("/reservations"), &headers, body).await;
    let told = ask().await;
    assert_eq!(told["statusCode"], 503);
    assert!(told["body"].as_str().unwrap().contains("/problems/secrets-unavailable"));
    vault.is(Mood::Answering);
    let held = async || (ask().await["statusCode"] == 201).then_some(());
    eventually("that it is served", held).await;
}

#[tokio::test]
async fn under_the_lambda_runtime_a_function_with_wrong_settings_names_them_once_and_refuses_every_request() {
    let running = shared();
    let wrong = [("PUBLIC_URL", "http://shop.example"), ("REQUEST_DEADLINE_MS", "0")];
    let wrong = wrong.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let log = running.logs.join("queue-lambda.log");
    let function = LambdaFunction::start_with(&running, "queue", &wrong).await;
    for (method, path) in [("POST", "/sales/x/tickets"), ("POST", "/nothing"), ("GET", "/livez")] {
        let told = function.request(method, path, &[], "").await;
        assert_eq!(told["statusCode"], 503, "{path}");
        assert_eq!(told["headers"]["content-type"], "application/problem+json", "{path}");
        assert!(told["headers"]["retry-after"].is_string(), "{told}");
        assert!(told["body"].as_str().unwrap().contains("/problems/secrets-unavailable"), "{told}");
    }
    let log = std::fs::read_to_string(log).unwrap();
    let message = log.lines().find(|line| line.contains("every request is refused")).unwrap();
    for (name, _) in wrong {
        assert!(message.contains(&format!("{name} is n")), "{name} in {message}");
        assert_eq!(log.matches(&format!("{name} is n")).count(), 1, "{log}");
    }
}

#[tokio::test]
async fn a_scheduled_event_without_secrets_fails_and_the_next_one_with_them_works() {
    let running = shared();
    let password = running.redis_password("monitor").unwrap();
    let sentinel = running.sentinel_password("function").unwrap();
    let secret = text(&[("REDIS_PASSWORD", password), ("SENTINEL_PASSWORD", sentinel)]);
    let vault = Vault::start(&[(REDIS, secret)]).await;
    vault.is(Mood::Denying);
    let log = running.logs.join("monitor-lambda.log");
    let function = LambdaFunction::start_with(&running, "monitor", &vault.settings()).await;
    let event = || json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} });
    let failed = function.invoke(event()).await.await.unwrap();
    assert!(failed["errorMessage"].as_str().unwrap().contains("secrets cannot be loaded"), "{failed}");
    vault.is(Mood::Answering);
    let works = async || {
        let mut answered = function.invoke(event()).await;
        let looked = async || {
            let has_failed = answered.try_recv().is_ok();
            let has_looked = std::fs::read_to_string(&log).unwrap().contains("\"MasterReachable\":1");
            (has_failed || has_looked).then_some(has_looked)
        };
        eventually("an end or a look", looked).await.then_some(())
    };
    eventually("that it looks at the cluster", works).await;
}
