//! A master that is back while the sentinels promote a replica: the other replica still acknowledges what it writes, and
//! the next master will never have it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use sentinel::testkit::{Answer, FakeSentinel, FakeServer, Passage, Proxy, as_master};
use sentinel::{Call, Client, Config, Durability, Endpoint, Error, Idempotency};

use crate::calls::{ms, one, within};

/// A call that one replica is to acknowledge.
fn durable(timeout_ms: u64) -> Call {
    Call {
        deadline: within(ms(timeout_ms)),
        idempotency: Idempotency::Idempotent,
        durability: Durability::Replicas { count: 1, timeout: ms(100) },
    }
}

/// A master to whose WAIT this answers, its three sentinels, and a client.
async fn client_of(
    acknowledge: impl Fn(&FakeSentinel) -> i64 + Send + Sync + 'static,
) -> (Client, FakeServer, Arc<OnceLock<FakeSentinel>>, Vec<FakeSentinel>) {
    let leader = Arc::new(OnceLock::<FakeSentinel>::new());
    let asked = leader.clone();
    let master = FakeServer::start(move |words| match (words[0].as_str(), asked.get()) {
        ("WAIT", Some(leader)) => Answer::Int(acknowledge(leader)),
        _ => as_master(words),
    });
    let master = master.await.unwrap();
    let naming = async || FakeSentinel::naming(&master.endpoint(), 1).await.unwrap();
    let (others, leads) = (vec![naming().await, naming().await], naming().await);
    let all = others.iter().chain([&leads]).map(|sentinel| sentinel.server().endpoint()).collect();
    leader.set(leads).unwrap();
    (Client::new(Config::new(all, "spillway")).unwrap(), master, leader, others)
}

#[tokio::test]
async fn a_master_that_is_being_replaced_is_waited_for() {
    let (client, _master, leader, _others) = client_of(|_| 1).await;
    let leader = leader.get().unwrap();
    let promoted = Endpoint { host: "127.0.0.1".to_owned(), port: 1 };
    leader.learn(|knowledge| knowledge.replaces = knowledge.master.clone());
    for named in [None, Some(promoted)] {
        // The one that leads names the promoted replica first; the others do not know yet.
        leader.learn(|knowledge| knowledge.master = named.or(knowledge.master.take()));
        let refused = one(&client, durable(400)).await;
        let is_told = matches!(&refused, Err(Error::Unavailable(told)) if told.contains("are replacing"));
        assert!(is_told, "{refused:?}");
    }
    leader.learn(|knowledge| knowledge.master = knowledge.replaces.take());
    assert_eq!(one(&client, durable(5_000)).await.unwrap().replicas, 1);
}

#[tokio::test]
async fn the_first_acknowledgement_after_a_doubt_is_believed_only_if_no_replica_was_promoted_meanwhile() {
    let waits = AtomicU64::new(0);
    let acknowledge = move |leader: &FakeSentinel| match waits.fetch_add(1, Ordering::Relaxed) {
        1 => 0,
        2 => {
            // While it waits for its replica, the sentinels choose the other one.
            leader.learn(|knowledge| knowledge.replaces = knowledge.master.clone());
            1
        }
        _ => 1,
    };
    let (client, _master, leader, _others) = client_of(acknowledge).await;
    assert_eq!(one(&client, durable(2_000)).await.unwrap().replicas, 1);
    // A connection that was confirmed just now is not doubted.
    tokio::time::sleep(ms(250)).await;
    assert_eq!(one(&client, durable(2_000)).await.unwrap().replicas, 0, "no replica acknowledges: a doubt");
    assert_eq!(one(&client, durable(2_000)).await.unwrap().replicas, 0, "one does, too late");
    assert!(one(&client, durable(400)).await.is_err(), "until the sentinels are done with it");
    leader.get().unwrap().learn(|knowledge| knowledge.replaces = None);
    assert_eq!(one(&client, durable(5_000)).await.unwrap().replicas, 1);
    assert_eq!(client.status().generation, 1, "on the same connection");
}

#[tokio::test]
async fn after_a_pause_in_which_the_master_may_have_been_away_an_acknowledgement_is_believed_only_if_it_is_not_replaced()
 {
    let (client, _master, leader, _others) = client_of(|_| 1).await;
    let leader = leader.get().unwrap();
    assert_eq!(one(&client, durable(2_000)).await.unwrap().replicas, 1);
    leader.learn(|knowledge| knowledge.replaces = knowledge.master.clone());
    tokio::time::sleep(ms(1_100)).await;
    assert_eq!(one(&client, durable(2_000)).await.unwrap().replicas, 0);
    leader.learn(|knowledge| knowledge.replaces = None);
    assert_eq!(one(&client, durable(5_000)).await.unwrap().replicas, 1);
    assert_eq!(client.status().generation, 1, "on the same connection");
}

/// On a busy machine, the one that leads may be the last to answer.
#[tokio::test]
async fn after_a_doubt_the_sentinel_that_answers_last_is_heard_too() {
    let (quick, master, leader, others) = client_of(|_| 1).await;
    let leader = leader.get().unwrap();
    let door = Proxy::start(&leader.server().endpoint()).await.unwrap();
    let mut config = quick.config().clone();
    config.sentinels = others.iter().map(|sentinel| sentinel.server().endpoint()).collect();
    config.sentinels.push(door.endpoint());
    let client = Client::new(config).unwrap();
    assert_eq!(one(&client, durable(2_000)).await.unwrap().replicas, 1);
    // There and back, and once more to connect.
    door.set(Passage::Delayed(ms(30)));
    leader.learn(|knowledge| knowledge.replaces = Some(master.endpoint()));
    tokio::time::sleep(ms(1_100)).await;
    assert_eq!(one(&client, durable(2_000)).await.unwrap().replicas, 0);
}

#[tokio::test]
async fn while_a_sentinel_may_yet_take_the_master_for_down_each_acknowledgement_is_held_against_what_it_does()
{
    let (client, _master, leader, others) = client_of(|_| 1).await;
    let leader = leader.get().unwrap();
    // They have not heard that the master is back, and will not for up to a second.
    for sentinel in others.iter().take(1).chain([leader]) {
        sentinel.learn(|knowledge| (knowledge.unanswered_ms, knowledge.quorum) = (1_400, 2));
    }
    for _ in 0..3 {
        assert_eq!(one(&client, durable(2_000)).await.unwrap().replicas, 1);
    }
    leader.learn(|knowledge| knowledge.replaces = knowledge.master.clone());
    assert_eq!(one(&client, durable(2_000)).await.unwrap().replicas, 0);
    // One alone replaces nobody, however long it hears nothing.
    leader.learn(|knowledge| (knowledge.replaces, knowledge.unanswered_ms) = (None, 0));
    assert_eq!(one(&client, durable(5_000)).await.unwrap().replicas, 1);
    assert_eq!(client.status().generation, 1, "on the same connection");
    let asked = others[0].server().count("SENTINEL");
    assert_eq!(one(&client, durable(2_000)).await.unwrap().replicas, 1);
    assert_eq!(others[0].server().count("SENTINEL"), asked, "the doubt is over");
}
