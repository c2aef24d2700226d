//! Calls, and set-ups that several cases begin with.

use std::time::{Duration, Instant};

use sentinel::testkit::{Cluster, ClusterOptions, FakeSentinel, FakeServer, Member, Plan, Proxy, as_master};
use sentinel::{
    Call, Client, Config, Deadline, Durability, Endpoint, Error, Idempotency, Invocation, Reply, Script,
};

/// For whatever must happen, on a busy host.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

static ONE: Script = Script::new("#!lua\nreturn 1");

pub(crate) const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) async fn cluster() -> Cluster {
    Cluster::start(ClusterOptions::default()).await.unwrap()
}

/// The master's number, and a client that is connected to it.
pub(crate) async fn connected(cluster: &Cluster) -> (usize, Client) {
    let client = Client::new(cluster.config()).unwrap();
    client.warm_up(within(ms(2_000))).await.unwrap();
    (cluster.master().await.unwrap(), client)
}

/// A deadline this long from now.
pub(crate) fn within(timeout: Duration) -> Deadline {
    Deadline::after(timeout)
}

/// A write that may be sent twice.
pub(crate) fn idempotent() -> Plan {
    Plan { idempotency: Idempotency::Idempotent, ..Plan::default() }
}

/// For whoever counts acknowledgements: on a busy host, or after a failover, a replica takes its time.
pub(crate) fn patient(mut config: Config) -> (Client, Plan) {
    (config.timings.response, config.timings.down_after) = (ms(5_000), ms(6_000));
    let durability = Durability::Replicas { count: 1, timeout: ms(4_000) };
    (Client::new(config).unwrap(), Plan { durability, timeout: ms(15_000), ..Plan::default() })
}

/// A call that only the master answers.
pub(crate) fn call(idempotency: Idempotency, timeout: Duration) -> Call {
    Call { deadline: within(timeout), idempotency, durability: Durability::Master }
}

/// Runs a script that answers 1, as a fake master does, too.
pub(crate) async fn one(client: &Client, call: Call) -> Result<Reply, Error> {
    client.invoke(&Invocation::new(&ONE), call).await
}

/// A client of fake sentinels, each of which names this master under the epoch 1.
pub(crate) async fn client_of(master: &Endpoint) -> (Client, Vec<FakeSentinel>) {
    let (config, sentinels) = config_naming(master).await;
    (Client::new(config).unwrap(), sentinels)
}

/// The configuration of a client of fake sentinels that name this master.
pub(crate) async fn config_naming(master: &Endpoint) -> (Config, Vec<FakeSentinel>) {
    let mut sentinels = Vec::new();
    for _ in 0..3 {
        sentinels.push(FakeSentinel::naming(master, 1).await.unwrap());
    }
    (
        Config::new(sentinels.iter().map(|sentinel| sentinel.server().endpoint()).collect(), "spillway"),
        sentinels,
    )
}

/// A fake master that does as a real one would.
pub(crate) async fn fake_master() -> FakeServer {
    FakeServer::start(as_master).await.unwrap()
}

/// A port on which nothing listens: connections are refused.
pub(crate) async fn closed_port() -> Endpoint {
    let proxy = Proxy::start(&Endpoint { host: "127.0.0.1".to_owned(), port: 1 }).await.unwrap();
    proxy.endpoint()
}

/// Connections that a member has accepted so far, without the one that this question takes.
pub(crate) async fn connections(cluster: &Cluster, member: Member) -> u64 {
    let count = cluster.field(member, "stats", "total_connections_received").await.unwrap();
    // Each question is a connection of its own, and is counted before it is answered.
    count.parse::<u64>().unwrap() - 1
}

/// Waits until this gives something, and gives it.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < give_up, "{what} did not happen within {PATIENCE:?}");
        tokio::time::sleep(ms(10)).await;
    }
}
