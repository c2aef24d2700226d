//! Settings that cannot work are told as such, at once, and are not tried again and again.

use sentinel::testkit::{Answer, Cluster, ClusterOptions, FakeServer, Member, as_master};
use sentinel::{Client, Config, Credentials, Error, Idempotency, Script};

use crate::calls::{call, client_of, cluster, connections, ms, one};

/// A cluster with passwords on all of it.
async fn locked() -> Cluster {
    let options = ClusterOptions {
        node_password: Some("node-secret".to_owned()),
        sentinel_password: Some("sentinel-secret".to_owned()),
        ..ClusterOptions::default()
    };
    Cluster::start(options).await.unwrap()
}

fn credentials(username: Option<&str>, password: &str) -> Credentials {
    Credentials { username: username.map(str::to_owned), password: password.to_owned() }
}

/// What one call is told that has all the time it needs, and that no member was asked again and again.
async fn told_once(cluster: &Cluster, config: Config) -> Error {
    let mut before = Vec::new();
    for member in cluster.members() {
        before.push((member, connections(cluster, member).await));
    }
    let client = Client::new(config).unwrap();
    let told = one(&client, call(Idempotency::Idempotent, ms(2_000))).await.unwrap_err();
    for (member, accepted) in before {
        let opened = connections(cluster, member).await - accepted - 1;
        assert!(opened <= 1, "{member} was tried {opened} times");
    }
    told
}

/// Case 9.
#[tokio::test]
async fn a_plain_redis_in_place_of_a_sentinel_is_a_wrong_setting() {
    let cluster = cluster().await;
    let mut config = cluster.config();
    config.sentinels = (0..3).map(|index| cluster.node(index)).collect();
    let told = told_once(&cluster, config).await;
    assert!(matches!(told, Error::Config(_)), "{told}");
}

/// Case 10.
#[tokio::test]
async fn the_right_passwords_let_in() {
    let cluster = locked().await;
    let client = Client::new(cluster.config()).unwrap();
    one(&client, call(Idempotency::Idempotent, ms(2_000))).await.unwrap();
}

/// Case 10.
#[tokio::test]
async fn a_wrong_password_is_a_wrong_setting_and_is_tried_once() {
    let cluster = locked().await;
    let mut config = cluster.config();
    config.sentinel_credentials = Some(credentials(None, "wrong"));
    let told = told_once(&cluster, config).await;
    assert!(matches!(told, Error::Config(_)), "at the sentinels: {told}");
    let mut config = cluster.config();
    config.credentials = Some(credentials(None, "wrong"));
    let told = told_once(&cluster, config).await;
    assert!(matches!(told, Error::Config(_)), "at the master: {told}");
}

/// Case 10.
#[tokio::test]
async fn a_user_who_may_not_ask_for_the_role_is_a_wrong_setting() {
    let cluster = locked().await;
    let master = Member::Node(cluster.master().await.unwrap());
    let rules = ["ACL", "SETUSER", "limited", "on", ">limited", "~*", "+@all", "-role"];
    cluster.command(master, &rules).await.unwrap();
    let mut config = cluster.config();
    config.credentials = Some(credentials(Some("limited"), "limited"));
    let told = told_once(&cluster, config).await;
    assert!(matches!(told, Error::Config(_)) && told.to_string().contains("'role'"), "{told}");
}

/// Case 11.
#[tokio::test]
async fn a_missing_password_is_told_when_connecting() {
    let cluster = locked().await;
    let mut config = cluster.config();
    config.credentials = None;
    let told = told_once(&cluster, config).await;
    assert!(matches!(told, Error::Config(_)) && told.to_string().contains("NOAUTH"), "{told}");
}

/// Case 27.
#[test]
#[should_panic(expected = "#!lua")]
fn a_script_that_a_demoted_master_would_run_is_refused() {
    let _ = Script::new("return 1");
}

#[tokio::test]
async fn a_server_before_version_7_is_refused_when_connecting() {
    let master = FakeServer::start(|words| match as_master(words) {
        Answer::Text(info) => Answer::Text(info.replace("7.0.15", "6.2.14")),
        answer => answer,
    })
    .await
    .unwrap();
    let (client, _sentinels) = client_of(&master.endpoint()).await;
    let told = one(&client, call(Idempotency::Idempotent, ms(2_000))).await.unwrap_err();
    assert!(matches!(told, Error::Config(_)) && told.to_string().contains("6.2.14"), "{told}");
    assert_eq!(
        (master.connections(), master.count("EVALSHA")),
        (1, 0),
        "it was tried once, and asked nothing"
    );
}
