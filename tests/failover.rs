//! What happens to a sale when Redis dies, or forgets.

use spillway::{Part, Plan, Running, Rush, Signal, Spacing, Stack, StackOptions, signal};

use crate::shop::{open_sale_in, units};
use crate::system::{command, empty_folder, eventually, private, redis, stores, stores_again};

/// The process that is master now.
pub(crate) fn master(running: &Running) -> Part {
    let client = redis(running);
    let address = tokio::task::block_in_place(|| {
        tokio::runtime::Handle::current().block_on(async {
            command(&client, "PING", &[]).await;
            client.status().master.unwrap().to_string()
        })
    });
    running.redis.iter().find(|part| part.address == address).unwrap().clone()
}

fn plan() -> Plan {
    let seed = rand::random();
    println!("seed {seed}");
    Plan {
        shoppers: 2_400,
        rate: 300.0,
        spacing: Spacing::Poisson,
        repeat: 0.2,
        greedy: 0.05,
        confirm: 1.0,
        think_ms_max: 2_000,
        seed,
    }
}

/// A rush in which this happens to the master once a third of the crowd has come.
pub(crate) async fn rush_through(stack: &Stack, incident: impl Fn(&Part)) -> Rush {
    let running = stack.running().unwrap();
    let has_happened = std::cell::Cell::new(false);
    let rush = Rush::run(&running, plan(), 1_000, |arrived, _| {
        if arrived > 800 && !has_happened.replace(true) {
            incident(&master(&running));
        }
    })
    .await
    .unwrap();
    assert!(has_happened.get());
    rush
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_master_in_a_rush_oversells_nothing_and_loses_no_acknowledged_hold_or_order() {
    let stack = private("failover-kill");
    let rush = rush_through(&stack, |master| signal(master.pid, Signal::KILL)).await;
    assert_eq!(rush.broken_promises(), [""; 0]);
    assert_eq!(rush.orders_confirmed(), 1_000, "all units are sold, although the master died");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_freezes_and_comes_back_in_a_rush_is_never_believed() {
    let stack = private("failover-freeze");
    let rush = rush_through(&stack, |master| {
        signal(master.pid, Signal::STOP);
        let pid = master.pid;
        // Back after the sentinels have replaced it, while the rush goes on.
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_secs(4));
            signal(pid, Signal::CONT);
        });
    })
    .await;
    assert_eq!(rush.broken_promises(), [""; 0]);
    assert_eq!(rush.orders_confirmed(), 1_000);
}

#[tokio::test]
async fn a_hold_is_not_acknowledged_while_no_replica_follows() {
    let stack = private("failover-no-replicas");
    let shop = open_sale_in(stack.running().unwrap(), units(5)).await;
    let ann = shop.shopper("ann");
    let client = redis(&shop.running);
    let master = command(&client, "PING", &[]).await;
    assert_eq!(master, sentinel::Value::Bytes(b"PONG".to_vec()));
    let master = client.status().master.unwrap().to_string();
    let replicas: Vec<_> = shop.running.redis.iter().filter(|part| part.address != master).collect();
    for replica in &replicas {
        signal(replica.pid, Signal::STOP);
    }
    let refused = shop.reserve(&ann, "wish", 1).await;
    for replica in &replicas {
        signal(replica.pid, Signal::CONT);
    }
    let told = refused.told();
    assert!(["503 outcome-unknown", "503 stock-unavailable"].contains(&told.as_str()), "{told}");
    let repeated = async || Some(shop.reserve(&ann, "wish", 1).await).filter(|answer| answer.status < 500);
    assert!([200, 201].contains(&eventually("the hold", repeated).await.status));
    assert_eq!(shop.figures().await, "4/1/0", "the same wish is one hold");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long; `cargo spillway test --all` runs it"]
async fn killing_five_masters_in_a_row_oversells_nothing_and_loses_no_acknowledged_hold_or_order() {
    let stack = private("failover-again-and-again");
    let running = stack.running().unwrap();
    let kills = std::cell::Cell::new(0);
    let plan = Plan { shoppers: 18_000, ..plan() };
    let rush = Rush::run(&running, plan, 8_000, |arrived, _| {
        // One every ten seconds: long enough for the killed one to come back as a replica.
        if kills.get() < 5 && arrived > 3_000 * (kills.get() + 1) {
            kills.set(kills.get() + 1);
            signal(master(&stack.running().unwrap()).pid, Signal::KILL);
        }
    })
    .await
    .unwrap();
    assert_eq!((kills.get(), rush.broken_promises()), (5, vec![]));
    assert_eq!(rush.orders_confirmed(), 8_000);
}

#[tokio::test]
async fn a_function_that_dies_is_started_again_and_nothing_is_lost() {
    let stack = private("failover-function");
    let shop = open_sale_in(stack.running().unwrap(), units(5)).await;
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "wish").await;
    let pid_of =
        |name: &str| stack.running().unwrap().functions.iter().find(|part| part.name == name).unwrap().pid;
    for name in ["reserve", "confirm"] {
        let killed = pid_of(name);
        signal(killed, Signal::KILL);
        eventually("the restart", async || (pid_of(name) != killed).then_some(())).await;
    }
    let confirmed = async || Some(shop.confirm(&ann, &id).await).filter(|answer| answer.status < 500);
    assert_eq!(eventually("the confirm", confirmed).await.told(), "201 confirmed");
    assert_eq!(shop.figures().await, "4/0/1");
}

#[test]
fn a_system_that_was_stopped_before_anything_was_sold_starts_again() {
    drop(stores("stopped-empty"));
    drop(stores_again("stopped-empty"));
}

#[test]
fn a_port_in_use_is_said_in_one_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    // Ports that an earlier run has kept may be another test's by now: the folder is empty.
    let options = StackOptions { port: Some(port), ..StackOptions::all_in(empty_folder("port")) };
    let Err(error) = Stack::start(options, Box::new(|_| {})) else { panic!("the port is taken") };
    let expected = format!("port {port}, which the gateway needs, is in use by another process");
    assert_eq!(error.to_string(), expected);
}
