//! What goes wrong on the wire, and callers who go away.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use sentinel::testkit::{Answer, FakeServer, as_master};
use sentinel::{Call, Client, Durability, Error, Idempotency, Next, Value};
use tokio::task::JoinSet;

use crate::calls::{call, client_of, config_naming, fake_master, ms, one, within};

fn is_script(words: &[String]) -> bool {
    words[0].starts_with("EVAL")
}

/// A fake master that answers scripts with this as long as the flag is up, and takes the flag down.
async fn answering_once(answer: Answer) -> (FakeServer, Arc<AtomicBool>) {
    let flag = Arc::new(AtomicBool::new(false));
    let is_up = flag.clone();
    let server = FakeServer::start(move |words| {
        let is_due = is_script(words) && is_up.swap(false, Ordering::SeqCst);
        if is_due { answer.clone() } else { as_master(words) }
    });
    (server.await.unwrap(), flag)
}

/// Polls a future so often at most, then drops it: a caller that goes away where it then stands.
async fn polled<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Case 31.
#[tokio::test]
async fn a_caller_who_goes_away_at_any_point_takes_nothing_along() {
    let (master, is_closing) = answering_once(Answer::Close).await;
    let (mut config, _sentinels) = config_naming(&master.endpoint()).await;
    (config.timings.backoff_min, config.timings.backoff_max) = (ms(1), ms(2));
    let client = Client::new(config).unwrap();
    let replicas = Durability::Replicas { count: 1, timeout: ms(50) };
    let call = |durability| Call { durability, ..call(Idempotency::Idempotent, ms(5_000)) };
    let mut dropped = 0;
    // More often than there are places for calls in flight.
    while dropped < 300 {
        for durability in [Durability::Master, replicas] {
            let mut polls = 0;
            loop {
                // Its connection breaks under it, so it also waits and connects anew.
                is_closing.store(true, Ordering::SeqCst);
                let told = polled(one(&client, call(durability)), polls).await;
                is_closing.store(false, Ordering::SeqCst);
                one(&client, call(durability)).await.unwrap();
                let Some(told) = told else {
                    (polls, dropped) = (polls + 1, dropped + 1);
                    continue;
                };
                told.unwrap();
                break;
            }
        }
    }
    let mut callers = JoinSet::new();
    for _ in 0..256 {
        let client = client.clone();
        let call = call(replicas);
        callers.spawn(async move { one(&client, call).await });
    }
    assert!(callers.join_all().await.iter().all(Result::is_ok), "all places are free");
}

/// Case 31.
#[tokio::test]
async fn a_caller_who_goes_away_does_not_take_the_answers_of_others_along() {
    let master = fake_master().await;
    let (client, _sentinels) = client_of(&master.endpoint()).await;
    let replicas = Durability::Replicas { count: 1, timeout: ms(50) };
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut callers = JoinSet::new();
    for number in 0..2_000_u64 {
        let (client, polls) = (client.clone(), (seed.wrapping_mul(number + 1) >> 3) % 7);
        let polls = usize::try_from(polls).unwrap();
        callers.spawn(async move {
            let call = Call { durability: replicas, ..call(Idempotency::Idempotent, ms(5_000)) };
            // Every second caller goes away somewhere.
            let polls = if number % 2 == 0 { polls } else { usize::MAX };
            polled(one(&client, call), polls).await
        });
    }
    let told: Vec<_> = callers.join_all().await.into_iter().flatten().collect();
    assert!(told.len() >= 1_000);
    assert!(told.iter().all(Result::is_ok), "{:?}", told.iter().find(|told| told.is_err()));
}

/// Case 32.
#[tokio::test]
async fn a_call_without_the_time_for_an_attempt_is_not_sent() {
    let master = fake_master().await;
    let (client, _sentinels) = client_of(&master.endpoint()).await;
    client.warm_up(within(ms(2_000))).await.unwrap();
    let told = one(&client, call(Idempotency::NonIdempotent, ms(1))).await;
    assert!(matches!(told, Err(Error::DeadlineExceeded)), "{told:?}");
    let replicas = Durability::Replicas { count: 1, timeout: ms(190) };
    let call = Call { durability: replicas, ..call(Idempotency::NonIdempotent, ms(150)) };
    let told = one(&client, call).await;
    assert!(matches!(told, Err(Error::DeadlineExceeded)), "{told:?}");
    assert_eq!(master.count("EVALSHA"), 0);
}

/// Case 32.
#[tokio::test]
async fn a_wait_that_outlasts_the_time_for_an_answer_is_refused_at_once() {
    let master = fake_master().await;
    let (client, _sentinels) = client_of(&master.endpoint()).await;
    client.warm_up(within(ms(2_000))).await.unwrap();
    let response = client.config().timings.response;
    let replicas = Durability::Replicas { count: 1, timeout: response };
    let begun_at = Instant::now();
    let call = Call { durability: replicas, ..call(Idempotency::NonIdempotent, ms(2_000)) };
    one(&client, call).await.unwrap_err();
    assert!(begun_at.elapsed() < response, "{:?}", begun_at.elapsed());
    assert_eq!(master.count("EVALSHA"), 0);
}

/// Case 32.
#[tokio::test]
async fn a_call_that_waited_behind_another_and_was_not_sent_is_not_in_doubt() {
    let (master, is_silent) = answering_once(Answer::Silence).await;
    let (client, _sentinels) = client_of(&master.endpoint()).await;
    client.warm_up(within(ms(2_000))).await.unwrap();
    is_silent.store(true, Ordering::SeqCst);
    let replicas = Durability::Replicas { count: 1, timeout: ms(50) };
    let call = |timeout| Call { durability: replicas, ..call(Idempotency::NonIdempotent, timeout) };
    // The second has less time than the first, behind which it waits.
    let (first, second) = tokio::join!(one(&client, call(ms(2_000))), one(&client, call(ms(150))));
    assert!(matches!(first, Err(Error::Ambiguous(_))), "{first:?}");
    assert_eq!(master.count("EVALSHA"), 1);
    assert_eq!(second.unwrap_err().next(), Next::NotDone);
}

/// Case 35.
#[tokio::test]
async fn a_slow_moment_costs_a_look_and_no_reconnect() {
    let slow = Answer::After(ms(300), Box::new(Answer::Int(1)));
    let (master, is_slow) = answering_once(slow).await;
    let (client, _sentinels) = client_of(&master.endpoint()).await;
    one(&client, call(Idempotency::Idempotent, ms(2_000))).await.unwrap();
    is_slow.store(true, Ordering::SeqCst);
    let mut callers = JoinSet::new();
    for _ in 0..16 {
        let client = client.clone();
        callers.spawn(async move { one(&client, call(Idempotency::Idempotent, ms(2_000))).await });
    }
    assert!(callers.join_all().await.iter().all(Result::is_ok));
    assert_eq!((master.connections(), client.status().generation), (1, 1));
}

/// Case 36.
#[tokio::test]
async fn garbage_ends_the_connection_and_leaves_the_call_in_doubt() {
    let (master, is_garbage) = answering_once(Answer::Raw(b"?!\x00\xff\r\n".to_vec())).await;
    let (client, _sentinels) = client_of(&master.endpoint()).await;
    one(&client, call(Idempotency::NonIdempotent, ms(2_000))).await.unwrap();
    is_garbage.store(true, Ordering::SeqCst);
    let begun_at = Instant::now();
    let told = one(&client, call(Idempotency::NonIdempotent, ms(2_000))).await;
    assert!(matches!(told, Err(Error::Ambiguous(_))), "{told:?}");
    assert!(begun_at.elapsed() < Duration::from_secs(1));
    one(&client, call(Idempotency::NonIdempotent, ms(2_000))).await.unwrap();
    assert_eq!(master.connections(), 2);
}

/// Case 36.
#[tokio::test]
async fn an_answer_too_many_is_given_to_nobody() {
    let (master, is_double) = answering_once(Answer::Raw(b":1\r\n:77\r\n".to_vec())).await;
    let (client, _sentinels) = client_of(&master.endpoint()).await;
    one(&client, call(Idempotency::Idempotent, ms(2_000))).await.unwrap();
    is_double.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let reply = one(&client, call(Idempotency::Idempotent, ms(2_000))).await.unwrap();
        assert_eq!(reply.value, Value::Int(1));
    }
}
