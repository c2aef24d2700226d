//! The client's process stands still, or its connection is dead without a word: the first call afterwards.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sentinel::testkit::{Cluster, History, Member, Outcome, Plan, Proxy};
use sentinel::{Client, Config};

use crate::calls::{cluster, config_naming, ms, patient};

const ROLE: &str = "client-of=";

/// A client in a process of its own: this test binary, in which only [`the_client`] runs.
struct Frozen {
    child: Child,
    orders: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Frozen {
    fn start(cluster: &Cluster, idle_before_probe: Duration) -> Self {
        let mut words = vec![idle_before_probe.as_millis().to_string()];
        words.extend((0..3).map(|index| cluster.sentinel(index).to_string()));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "pauses::the_client", "--ignored", "--nocapture"])
            .arg(format!("{ROLE}{}", words.join(",")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, told) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, orders, told }
    }

    /// Has it make one call; what it was told.
    fn write(&mut self) -> String {
        writeln!(self.orders, "write").unwrap();
        loop {
            let mut line = String::new();
            assert_ne!(self.told.read_line(&mut line).unwrap(), 0, "the client has ended");
            if let Some((_, told)) = line.split_once("told: ") {
                return told.trim().to_owned();
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop((self.child.kill(), self.child.wait()));
    }
}

/// The other process of the cases of a freeze: makes a call for each line that comes in.
#[tokio::test]
#[ignore = "no case: a part of others"]
async fn the_client() {
    let Some(words) = std::env::args().find_map(|word| word.strip_prefix(ROLE).map(str::to_owned)) else {
        return;
    };
    let mut words = words.split(',');
    let idle_before_probe = ms(words.next().unwrap().parse().unwrap());
    let mut config = Config::new(words.map(|sentinel| sentinel.parse().unwrap()).collect(), "spillway");
    config.timings.idle_before_probe = idle_before_probe;
    let client = Client::new(config).unwrap();
    let history = History::new();
    while std::io::stdin().lock().read_line(&mut String::new()).unwrap() > 0 {
        let told = history.write(&client, Plan::default()).await;
        println!("told: {}", told.map_or_else(|error| error.to_string(), |_| "acknowledged".to_owned()));
    }
}

/// Freezes a client for so long, twice what makes it doubt its connection, while this happens. Its first
/// call afterwards is acknowledged, although it must not be sent twice.
async fn freeze(cluster: &Cluster, pause: Duration, incident: impl AsyncFnOnce()) {
    let mut client = Frozen::start(cluster, pause / 2);
    assert_eq!(client.write(), "acknowledged");
    client.signal(Signal::STOP);
    let begun_at = Instant::now();
    incident().await;
    tokio::time::sleep(pause.saturating_sub(begun_at.elapsed())).await;
    client.signal(Signal::CONT);
    assert_eq!(client.write(), "acknowledged", "the first call after the pause");
}

/// Case 29.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_call_after_a_freeze_succeeds_although_the_server_closed_the_connection() {
    let cluster = cluster().await;
    let master = cluster.master().await.unwrap();
    freeze(&cluster, ms(1_000), async || {
        cluster.command(Member::Node(master), &["CLIENT", "KILL", "TYPE", "normal"]).await.unwrap();
    })
    .await;
}

/// Case 29.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: run by cargo spillway test --all"]
async fn the_first_call_after_ten_seconds_of_freeze_succeeds_although_the_server_closed_the_connection() {
    let cluster = cluster().await;
    let master = cluster.master().await.unwrap();
    freeze(&cluster, ms(10_000), async || {
        cluster.command(Member::Node(master), &["CLIENT", "KILL", "TYPE", "normal"]).await.unwrap();
    })
    .await;
}

/// Case 29.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow: run by cargo spillway test --all"]
async fn the_first_call_after_a_freeze_succeeds_although_the_master_was_replaced() {
    let cluster = cluster().await;
    let master = cluster.master().await.unwrap();
    freeze(&cluster, ms(10_000), async || {
        cluster.kill(Member::Node(master)).unwrap();
        cluster.master_after(master).await.unwrap();
    })
    .await;
}

/// Case 30.
#[tokio::test]
async fn a_peer_that_went_away_without_a_word_costs_a_probe_and_no_call() {
    let cluster = cluster().await;
    let door = Proxy::start(&cluster.node(cluster.master().await.unwrap())).await.unwrap();
    let (mut config, _sentinels) = config_naming(&door.endpoint()).await;
    config.timings.idle_before_probe = ms(100);
    let idle = config.timings.idle_before_probe;
    let (client, plan) = patient(config);
    let history = History::new();
    history.write(&client, plan).await.unwrap();
    door.mute_present();
    tokio::time::sleep(idle).await;
    history.write(&client, plan).await.unwrap();
    assert_eq!((door.connections(), client.status().generation), (2, 2));
    let tally = history.check(&cluster).await.unwrap();
    assert_eq!(tally.count(Outcome::Acknowledged), 2);
}
