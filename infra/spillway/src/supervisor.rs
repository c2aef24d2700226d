//! Starts the parts of a stack in their order, and restarts what dies.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::ask::{Pace, has_met_all, is_ready, let_go_of_lineage, replicas, serves, set_pace};
use crate::clocks::{Clocks, OF_FUNCTIONS};
use crate::emulator::Emulator;
use crate::functions::{self, environment_file, function};
use crate::gateway::{Door, authority, gateway};
use crate::kept::{Ports, Secrets, local, require_free};
use crate::layout::{FUNCTIONS, MASTER_NAME, make_folder, write_private};
use crate::nodes::Nodes;
use crate::parts::Parts;
use crate::process::{Process, Program, await_start};
use crate::running::{OPERATOR, Part, Running};
use crate::stack_options::{Say, StackOptions};

/// A node comes back later than the sentinels need to replace it (`down-after` and two seconds): after a
/// crash another one goes on sooner than this one would have loaded its data.
const REDIS_RESTART_DELAY: Duration = Duration::from_millis(4_500);
/// At the very first start the first node is the master. A replica that comes too early tries again only
/// after a second.
const HEAD_START: Duration = Duration::from_millis(500);

const RESTART_DELAY: Duration = Duration::from_millis(200);
const RESTART_DELAY_MAX: Duration = Duration::from_secs(10);

/// A part that lived this long died of something new.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// Which part of the stack a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sentinel(usize),
    Redis(usize),
    Function(&'static str),
    Gateway,
}

impl Kind {
    fn name(self) -> String {
        match self {
            Self::Sentinel(index) => format!("sentinel-{}", index + 1),
            Self::Redis(index) => format!("redis-{}", index + 1),
            Self::Function(name) => name.to_owned(),
            Self::Gateway => "gateway".to_owned(),
        }
    }

    fn restart_delay(self, deaths: u32) -> Duration {
        match self {
            Self::Redis(_) => REDIS_RESTART_DELAY,
            _ => (RESTART_DELAY * 2_u32.saturating_pow(deaths.min(8))).min(RESTART_DELAY_MAX),
        }
    }
}

/// A part that should run.
struct Child {
    kind: Kind,
    process: Option<Process>,
    started_at: Instant,
    restart_at: Option<Instant>,
    deaths: u32,
}

/// Everything that runs, in the order of its start.
pub(crate) struct Supervisor {
    data: PathBuf,
    ports: Ports,
    nodes: Nodes,
    parts: Parts,
    port: u16,
    is_tls: bool,
    settings: Vec<(String, String)>,
    clocks: Option<Clocks>,
    children: Vec<Child>,
    emulator: Emulator,
    running: Arc<Mutex<Running>>,
    say: Say,
}

impl Supervisor {
    pub(crate) fn start(options: &StackOptions, say: Say) -> Result<Self> {
        let data = options.data.clone();
        make_folder(&data.join("logs"))?;
        let (ports, secrets) = (Ports::keep(&data)?, Secrets::keep(&data)?);
        let port = options.port.unwrap_or(ports.gateway);
        require_door_free(options.parts, port)?;
        let scheme = if options.is_tls { "https" } else { "http" };
        let url = format!("{scheme}://{}", local(port));
        let nodes = Nodes::prepare(&data, &ports, &secrets, options)?;
        let running = running(options, &url, &ports, secrets, &data);
        write_private(&running.functions_env, &environment_file(&running))?;
        let mut supervisor = Self {
            emulator: Emulator::start(&data, local(ports.dynamodb))?,
            settings: options.settings.clone(),
            clocks: options.clocks.clone(),
            data,
            ports,
            nodes,
            parts: options.parts,
            port,
            is_tls: options.is_tls,
            children: Vec::new(),
            running: Arc::new(Mutex::new(running)),
            say,
        };
        supervisor.start_all().inspect_err(|_| supervisor.stop())?;
        Ok(supervisor)
    }

    /// What runs, shared with whoever asks.
    pub(crate) fn running(&self) -> Arc<Mutex<Running>> {
        self.running.clone()
    }

    fn start_all(&mut self) -> Result<()> {
        self.start_redis()?;
        if self.parts.have_functions() {
            self.start_functions()?;
        }
        if self.parts.have_gateway() {
            self.start_gateway()?;
        }
        Ok(())
    }

    fn start_redis(&mut self) -> Result<()> {
        let noted = self.noted()?;
        let password = noted.redis_password(OPERATOR)?.to_owned();
        let sentinel_password = noted.sentinel_password(OPERATOR)?.to_owned();
        // Sentinels first: what a data node is to be, they say.
        (self.say)("starting three sentinels, a Redis master and two replicas");
        for index in 0..3 {
            self.add(Kind::Sentinel(index))?;
        }
        let sentinels = self.ports.sentinels.map(local);
        self.await_part(|| sentinels.iter().all(|sentinel| serves(*sentinel, &sentinel_password)))?;
        set_pace(&sentinels, &sentinel_password, Pace::HASTY);
        let nodes = self.ports.redis.map(local);
        self.add(Kind::Redis(0))?;
        let until = Instant::now() + HEAD_START;
        self.await_part(|| serves(nodes[0], &password) || Instant::now() > until)?;
        self.add(Kind::Redis(1))?;
        self.add(Kind::Redis(2))?;
        self.await_part(|| nodes.iter().all(|node| serves(*node, &password)))?;
        self.await_part(|| nodes.iter().any(|node| replicas(*node, &password) == 2))?;
        // From now on a master that dies is replaced.
        self.await_part(|| sentinels.iter().all(|sentinel| has_met_all(*sentinel, &sentinel_password)))?;
        set_pace(&sentinels, &sentinel_password, Pace::USUAL);
        Ok(())
    }

    fn start_functions(&mut self) -> Result<()> {
        (self.say)("starting the functions");
        for name in FUNCTIONS {
            self.add(Kind::Function(name))?;
        }
        let functions: Vec<_> = self.ports.functions.values().map(|port| local(*port)).collect();
        for address in functions {
            self.await_part(|| is_ready(address))?;
        }
        Ok(())
    }

    fn start_gateway(&mut self) -> Result<()> {
        (self.say)("starting the gateway");
        self.add(Kind::Gateway)?;
        let address = local(self.port);
        self.await_part(|| std::net::TcpStream::connect(address).is_ok())
    }

    fn add(&mut self, kind: Kind) -> Result<()> {
        let process = self.program(kind)?.start()?;
        self.note_pid(&kind.name(), process.pid());
        let started_at = Instant::now();
        self.children.push(Child { kind, process: Some(process), started_at, restart_at: None, deaths: 0 });
        Ok(())
    }

    fn program(&self, kind: Kind) -> Result<Program> {
        match kind {
            Kind::Sentinel(index) => Ok(self.nodes.sentinel(index)),
            Kind::Redis(index) => Ok(self.nodes.redis(index)),
            Kind::Function(name) => {
                let port = self.ports.functions.get(name).context("a function has no port")?;
                let door = functions::Door::Http(local(*port));
                let mut program = function(&self.noted()?, name, &door, &self.settings)?;
                let clock = self.clocks.iter().flat_map(|clocks| clocks.environment(OF_FUNCTIONS));
                program.environment.extend(clock);
                Ok(program)
            }
            Kind::Gateway => {
                let address = local(self.port);
                let door = Door { address, url: &self.noted()?.url, is_tls: self.is_tls };
                let instances =
                    self.ports.functions.iter().map(|(name, port)| (name.clone(), vec![local(*port)]));
                gateway(&self.data, "gateway", door, &instances.collect())
            }
        }
    }

    fn await_part(&mut self, holds: impl Fn() -> bool) -> Result<()> {
        let children = self.children.iter_mut();
        await_start(children.filter_map(|c| Some((c.kind.name(), c.process.as_mut()?))).collect(), holds)
    }

    fn noted(&self) -> Result<Running> {
        Ok(self.running.lock().map_err(|_| anyhow!("the supervisor has panicked"))?.clone())
    }

    /// Looks once at every part: restarts what has died when its time has come.
    pub(crate) fn watch(&mut self) {
        let mut children = std::mem::take(&mut self.children);
        for child in &mut children {
            if let Some(process) = &mut child.process {
                process.bound_log();
                let Some(status) = process.ended() else { continue };
                child.process = None;
                child.deaths = if child.started_at.elapsed() > HEALTHY_AFTER { 0 } else { child.deaths + 1 };
                let delay = child.kind.restart_delay(child.deaths);
                child.restart_at = Some(Instant::now() + delay);
                (self.say)(&format!("{} ended ({status}); it starts again in {delay:?}", child.kind.name()));
            } else if child.restart_at.is_some_and(|at| Instant::now() >= at) {
                self.restart(child);
            }
        }
        self.children = children;
    }

    fn restart(&self, child: &mut Child) {
        let name = child.kind.name();
        match self.program(child.kind).and_then(|program| program.start()) {
            Ok(process) => {
                self.note_pid(&name, process.pid());
                child.process = Some(process);
                child.started_at = Instant::now();
                (self.say)(&format!("{name} runs again"));
            }
            Err(error) => {
                child.restart_at = Some(Instant::now() + RESTART_DELAY_MAX);
                (self.say)(&format!("{name} cannot be started: {error:#}"));
            }
        }
    }

    fn note_pid(&self, name: &str, pid: u32) {
        if let Ok(mut running) = self.running.lock() {
            let Running { redis, functions, .. } = &mut *running;
            for part in redis.iter_mut().chain(functions).filter(|part| part.name == name) {
                part.pid = pid;
            }
        }
    }

    /// Stops everything, what shoppers see first, the data nodes last. Nothing of them is lost then, which is noted.
    pub(crate) fn stop(&mut self) {
        let (nodes, others): (Vec<_>, Vec<_>) =
            self.children.drain(..).partition(|child| matches!(child.kind, Kind::Redis(_)));
        others.into_iter().rev().for_each(drop);
        if let Ok(noted) = self.noted()
            && let Ok(password) = noted.redis_password(OPERATOR)
        {
            let_go_of_lineage(&self.ports.redis.map(local), password);
        }
        nodes.into_iter().for_each(drop);
        self.emulator.stop();
    }
}

/// Where another gateway is to answer, it may do so already.
pub(crate) fn require_door_free(parts: Parts, port: u16) -> Result<()> {
    match parts {
        Parts::All => require_free("the gateway", port),
        Parts::AllButGateway => Ok(()),
        // It would end without a word.
        Parts::Stores => require_free("`cargo lambda watch`", port),
    }
}

fn running(
    options: &StackOptions,
    url: &str,
    ports: &Ports,
    secrets: Secrets,
    data: &std::path::Path,
) -> Running {
    let part = |name: String, address: SocketAddr| Part { name, address: address.to_string(), pid: 0 };
    let redis = ports.redis.map(|port| SocketAddr::from((options.nodes_reached_at, port)));
    let functions = ports.functions.iter().filter(|_| options.parts.have_functions());
    Running {
        parts: options.parts,
        url: url.to_owned(),
        admin_token: secrets.admin_token,
        shopper_secret: secrets.shopper_secret,
        id_secret: secrets.id_secret,
        signing_keys: secrets.signing_keys,
        access_token_keys: secrets.access_token_keys,
        redis_passwords: secrets.redis_passwords,
        sentinel_passwords: secrets.sentinel_passwords,
        master_name: MASTER_NAME.to_owned(),
        sentinels: ports.sentinels.map(|port| local(port).to_string()).to_vec(),
        redis: (1..).zip(redis).map(|(number, address)| part(format!("redis-{number}"), address)).collect(),
        dynamodb_url: format!("http://{}", local(ports.dynamodb)),
        ledger_table: "spillway".to_owned(),
        functions: functions.map(|(name, port)| part(name.clone(), local(*port))).collect(),
        functions_env: data.join("functions.env"),
        ca: options.is_tls.then(|| authority(data)),
        logs: data.join("logs"),
        supervisor_pid: std::process::id(),
    }
}
