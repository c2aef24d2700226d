//! How often servers are tried that are not there, or do not want.

use std::time::Duration;

use sentinel::testkit::{Answer, FakeServer, as_master};
use sentinel::{Error, Idempotency};

use crate::calls::{call, client_of, closed_port, ms, one};

/// Case 28. Twice as long between two attempts each time: six of them in a second.
#[tokio::test]
async fn a_master_that_turns_connections_away_is_tried_less_and_less_often() {
    let master = FakeServer::start(|_| Answer::Close).await.unwrap();
    let (client, _sentinels) = client_of(&master.endpoint()).await;
    let told = one(&client, call(Idempotency::NonIdempotent, ms(1_000))).await.unwrap_err();
    assert!(matches!(told, Error::Unavailable(_)), "{told}");
    assert!((2..=8).contains(&master.connections()), "{} attempts", master.connections());
}

/// Case 39. Between two questions at least the shortest pause, and all of them on one connection.
#[tokio::test]
async fn sentinels_of_a_master_that_is_gone_are_asked_at_a_pace_and_on_connections_that_are_kept() {
    const CALLERS: usize = 32;
    let (client, sentinels) = client_of(&closed_port().await).await;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let client = client.clone();
        callers.spawn(async move { one(&client, call(Idempotency::NonIdempotent, ms(1_000))).await });
    }
    for told in callers.join_all().await {
        assert!(matches!(told, Err(Error::Unavailable(_))), "{told:?}");
    }
    let shortest = client.config().timings.backoff_min.as_millis();
    let most = usize::try_from(Duration::from_secs(1).as_millis() / shortest).unwrap();
    for sentinel in &sentinels {
        let asked =
            sentinel.server().asked().iter().filter(|words| words[1].starts_with("get-master")).count();
        assert!((2..=most).contains(&asked), "{asked} questions");
        assert!(sentinel.server().connections() <= 3, "{} connections", sentinel.server().connections());
    }
}

#[tokio::test]
async fn a_server_that_is_no_master_is_not_used_whoever_names_it() {
    let replica = FakeServer::start(|words| match as_master(words) {
        Answer::List(role) => Answer::List(
            [Answer::Text("slave".to_owned())].into_iter().chain(role.into_iter().skip(1)).collect(),
        ),
        answer => answer,
    })
    .await
    .unwrap();
    let (client, _sentinels) = client_of(&replica.endpoint()).await;
    let told = one(&client, call(Idempotency::Idempotent, ms(500))).await.unwrap_err();
    assert!(matches!(told, Error::Unavailable(_)) && told.to_string().contains("slave"), "{told}");
    assert_eq!(replica.count("EVALSHA"), 0);
}
