//! A system of several hosts: three gateways and two instances of each function, but for `monitor`, each at a loopback
//! address of its own, over the Redis nodes, the sentinels and the ledger of one stack. Whichever process is killed
//! while a crowd buys, no request fails that one repeat at another gateway does not cure, and afterwards the books add
//! up.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use spillway::{
    ExtraFunction, ExtraGateway, OPERATOR, Plan, Running, Rush, Signal, Spacing, Stack, any_free_port,
    signal, signal_all_of,
};

use crate::failover::master;
use crate::system::{command, eventually, private, redis};

const GATEWAYS: [[u8; 4]; 3] = [[127, 0, 0, 2], [127, 0, 0, 3], [127, 0, 0, 4]];
const INSTANCES: [[u8; 4]; 2] = [[127, 0, 0, 5], [127, 0, 0, 6]];
const FUNCTIONS: [&str; 8] = ["session", "page", "queue", "reserve", "confirm", "admin", "sweep", "monitor"];

/// How many instances of a function there are. Of two monitors the figures would count twice.
fn instances_of(name: &str) -> usize {
    if name == "monitor" { 1 } else { INSTANCES.len() }
}

/// A tenth of a crowd comes to nothing: all units are sold.
const SHOPPERS: u32 = 330;
const STOCK: u32 = 300;

struct Hosts {
    gateways: Vec<Option<ExtraGateway>>,
    functions: BTreeMap<(&'static str, usize), Option<ExtraFunction>>,
    addresses: BTreeMap<String, Vec<SocketAddr>>,
    gateway_addresses: Vec<SocketAddr>,
    /// The system as clients of the first gateway know it.
    running: Running,
    /// The same under the one origin that all functions and gateways are told.
    site: Running,
    stack: Stack,
}

impl Hosts {
    fn start(name: &str) -> Self {
        let stack = private(name);
        let site = stack.running().unwrap();
        let mut running = site.clone();
        let address = |ip: [u8; 4]| SocketAddr::from((ip, any_free_port().unwrap()));
        let gateway_addresses: Vec<_> = GATEWAYS.map(address).to_vec();
        running.url = format!("http://{}", gateway_addresses[0]);
        let addresses = FUNCTIONS.iter().map(|name| {
            let addresses: Vec<_> = INSTANCES.into_iter().take(instances_of(name)).map(address).collect();
            ((*name).to_owned(), addresses)
        });
        let addresses = addresses.collect();
        let mut hosts = Self {
            gateways: GATEWAYS.map(|_| None).into(),
            functions: BTreeMap::new(),
            addresses,
            gateway_addresses,
            running,
            site,
            stack,
        };
        for name in FUNCTIONS {
            for instance in 0..instances_of(name) {
                hosts.start_function(name, instance);
            }
        }
        for index in 0..GATEWAYS.len() {
            hosts.start_gateway(index);
        }
        hosts
    }

    fn start_function(&mut self, name: &'static str, instance: usize) {
        let quota = [("RATE_LIMIT_QUOTA".to_owned(), "1000".to_owned())];
        let address = self.addresses[name][instance];
        let function = ExtraFunction::start_at(&self.site, name, address, &quota).unwrap();
        self.functions.insert((name, instance), Some(function));
    }

    fn start_gateway(&mut self, index: usize) {
        let (name, address) = (format!("gateway-{}", index + 1), self.gateway_addresses[index]);
        let gateway = ExtraGateway::start(&self.site, &name, address, &self.addresses).unwrap();
        self.gateways[index] = Some(gateway);
    }

    /// As a power cut ends it.
    fn kill_function(&mut self, name: &'static str, instance: usize) {
        let function = self.functions.get_mut(&(name, instance)).unwrap().take().unwrap();
        signal(function.pid(), Signal::KILL);
    }

    /// With its workers, which would serve on without the process that has started them.
    fn kill_gateway(&mut self, index: usize) {
        let gateway = self.gateways[index].take().unwrap();
        signal_all_of(gateway.pid(), Signal::KILL);
    }

    fn origins(&self) -> Vec<String> {
        self.gateway_addresses.iter().map(|address| format!("http://{address}")).collect()
    }

    /// A crowd that buys through all gateways, and others who look around. The first is done with the hosts once a third
    /// of the crowd has come, the second once two thirds have.
    async fn rush(&mut self, first: impl FnOnce(&mut Self), then: impl FnOnce(&mut Self)) -> (Rush, Walk) {
        let walk = Walk::begin(&self.site, self.origins());
        let seed = rand::random();
        println!("seed {seed}");
        let plan = Plan {
            shoppers: SHOPPERS,
            rate: 100.0,
            spacing: Spacing::Poisson,
            repeat: 0.2,
            greedy: 0.05,
            confirm: 1.0,
            think_ms_max: 500,
            seed,
        };
        let (running, origins) = (self.running.clone(), self.origins());
        let incidents = Cell::new((Some(first), Some(then)));
        let hosts = std::cell::RefCell::new(&mut *self);
        let rush = Rush::run_at(&running, &origins, plan, STOCK, |arrived, _| {
            let (mut first, mut then) = incidents.take();
            if arrived > u64::from(SHOPPERS / 3)
                && let Some(act) = first.take()
            {
                act(&mut hosts.borrow_mut());
            } else if arrived > u64::from(SHOPPERS / 3 * 2)
                && let Some(act) = then.take()
            {
                act(&mut hosts.borrow_mut());
            }
            incidents.set((first, then));
        })
        .await
        .unwrap();
        let (first, then) = incidents.take();
        assert!(first.is_none() && then.is_none(), "everything has happened");
        assert_eq!(rush.broken_promises(), [""; 0]);
        assert_eq!(rush.orders_confirmed(), STOCK as usize, "all units are sold, whatever was killed");
        (rush, walk.end().await)
    }

    /// Waits until every node is there, so that the next one may die.
    async fn become_whole(&self) {
        let client = redis(&self.running);
        let replicas = async || {
            let info = command(&client, "INFO", &["replication"]).await;
            let sentinel::Value::Bytes(info) = info else { panic!("INFO answers {info:?}") };
            String::from_utf8(info).unwrap().contains("connected_slaves:2").then_some(())
        };
        eventually("both replicas", replicas).await;
    }

    /// A sentinel's process, which it tells itself.
    fn sentinel_pid(&self, index: usize) -> u32 {
        let (host, port) = self.running.sentinels[index].split_once(':').unwrap();
        let output = Command::new("redis-cli")
            .args(["-h", host, "-p", port, "--user", OPERATOR, "--no-auth-warning", "INFO", "server"])
            .env("REDISCLI_AUTH", self.running.sentinel_password(OPERATOR).unwrap())
            .output()
            .unwrap();
        let info = String::from_utf8(output.stdout).unwrap();
        info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().trim().parse().unwrap()
    }
}

/// Something that is done with the hosts.
type Act = fn(&mut Hosts);

/// Those who do not buy: they ask for what the other functions answer, at one gateway after the other.
struct Walk {
    asked: u32,
    /// Answers of a gateway in place of a function's, and missing ones.
    unanswered: Vec<String>,
    repeats_max: u32,
}

struct Walking {
    is_over: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Walk>,
}

impl Walk {
    fn begin(running: &Running, origins: Vec<String>) -> Walking {
        let is_over = Arc::new(AtomicBool::new(false));
        let (http, token, url) =
            (running.http_client().unwrap(), running.admin_token.clone(), running.url.clone());
        let ended = is_over.clone();
        let task = tokio::spawn(async move {
            let mut walk = Self { asked: 0, unanswered: Vec::new(), repeats_max: 0 };
            let requests = [
                (Method::POST, "/sessions", 201),
                (Method::GET, "/sales/nowhere/status", 404),
                (Method::GET, "/admin/sales", 200),
                (Method::GET, "/orders/nowhere", 404),
            ];
            let mut gateways = origins.iter().cycle();
            for (method, path, expected) in requests.iter().cycle() {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                walk.asked += 1;
                for (repeats, origin) in (0..).zip(gateways.by_ref()) {
                    let token = if path.starts_with("/admin") { token.as_str() } else { "" };
                    let request = http.request(method.clone(), format!("{origin}{path}"));
                    let request = request.bearer_auth(token).header("origin", &url);
                    walk.repeats_max = walk.repeats_max.max(repeats);
                    match request.send().await {
                        Ok(answer) if answer.status().as_u16() < 500 => {
                            assert_eq!(answer.status(), *expected, "{method} {path}");
                            break;
                        }
                        Ok(answer) if answer.headers().contains_key("x-request-id") => {}
                        failure => walk.unanswered.push(format!("{method} {path}: {failure:?}")),
                    }
                    // What `Retry-After` says in every such answer.
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            walk
        });
        Walking { is_over, task }
    }
}

impl Walking {
    async fn end(self) -> Walk {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// Requests of the crowd that no function has answered.
fn unanswered(rush: &Rush) -> Vec<String> {
    let failures = rush.failures().into_iter();
    failures.filter(|failure| failure.contains("(gateway)") || failure.contains("no-answer")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_s_instance_that_is_killed_under_load_is_noticed_by_nobody() {
    let mut hosts = Hosts::start("hosts-functions");
    for name in FUNCTIONS {
        let (rush, walk) =
            hosts.rush(|hosts| hosts.kill_function(name, 0), |hosts| hosts.start_function(name, 0)).await;
        assert_eq!(unanswered(&rush), [""; 0], "{name}");
        assert_eq!(walk.unanswered, [""; 0], "{name}");
        assert!(walk.asked > 20, "{name}: {}", walk.asked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_process_may_be_killed_under_load_and_one_repeat_at_another_gateway_cures_it() {
    let mut hosts = Hosts::start("hosts-others");
    let replica = |hosts: &mut Hosts| {
        let master = master(&hosts.running);
        let running = hosts.stack.running().unwrap();
        signal(running.redis.iter().find(|part| part.address != master.address).unwrap().pid, Signal::KILL);
    };
    // What the stack keeps running it starts again by itself.
    let incidents: [(&str, Act, Act); 3] = [
        ("gateway", |hosts| hosts.kill_gateway(0), |hosts| hosts.start_gateway(0)),
        ("sentinel", |hosts| signal(hosts.sentinel_pid(0), Signal::KILL), |_| {}),
        ("replica", replica, |_| {}),
    ];
    for (name, first, then) in incidents {
        let (rush, walk) = hosts.rush(first, then).await;
        hosts.become_whole().await;
        let repeats = rush.repeats_max().max(walk.repeats_max);
        assert!(repeats <= 1, "{name}: {repeats} repeats; {:?} {:?}", rush.failures(), walk.unanswered);
    }
}

/// A new master takes longer than a request may wait where the machine is busy: then its answer says when to repeat it,
/// and again. How often is printed; what counts is that everybody's patience is enough.
#[tokio::test(flavor = "multi_thread")]
async fn the_master_may_be_killed_under_load_and_repeats_after_retry_after_cure_it() {
    let mut hosts = Hosts::start("hosts-master");
    let killed = master(&hosts.running);
    let kill = |hosts: &mut Hosts| {
        let master = master(&hosts.running);
        let running = hosts.stack.running().unwrap();
        signal(running.redis.iter().find(|part| part.address == master.address).unwrap().pid, Signal::KILL);
    };
    let (rush, walk) = hosts.rush(kill, |_| {}).await;
    println!("{} repeats at most; {:?}", rush.repeats_max().max(walk.repeats_max), rush.failures());
    assert_ne!(master(&hosts.running).address, killed.address);
    assert_eq!(unanswered(&rush), [""; 0], "every gateway has passed a function's answer on");
}
