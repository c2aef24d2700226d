//! Redis nodes and sentinels without anything above them, started by `infra/redis/start` as systemd would:
//! for tests in which a server comes back sooner, or with less, than a supervisor would let it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use spillway::any_free_port;

use crate::system::{empty_folder, eventually};

/// Any will do: who reaches these servers is this test.
pub(crate) const PASSWORD: &str = "0123456789-0123456789";

/// Three of each, on loopback. Dropping it ends them.
pub(crate) struct Nodes {
    folder: PathBuf,
    host: &'static str,
    /// Folder of certificates; without it nothing is encrypted.
    tls: Option<PathBuf>,
    redis_ports: [u16; 3],
    sentinel_ports: [u16; 3],
    running: Vec<(String, Child)>,
}

impl Nodes {
    /// Chooses addresses in an empty folder of this name. Nothing runs yet.
    pub(crate) fn new(name: &str) -> Self {
        let folder = empty_folder(name);
        let mut ports = BTreeSet::new();
        while ports.len() < 6 {
            ports.insert(any_free_port().unwrap());
        }
        let ports: Vec<_> = ports.into_iter().collect();
        let nodes = Self {
            redis_ports: ports[..3].try_into().unwrap(),
            sentinel_ports: ports[3..].try_into().unwrap(),
            folder,
            host: "127.0.0.1",
            tls: None,
            running: Vec::new(),
        };
        nodes.write_secrets();
        nodes
    }

    /// Has them speak TLS only, with a certificate that is made out to a name.
    fn encrypt(&mut self) {
        let folder = self.folder.join("tls");
        std::fs::create_dir_all(&folder).unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        // Else both certificates would have the same name, and vouch for themselves.
        authority.distinguished_name.push(DnType::CommonName, "The tests");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let named = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = named.signed_by(&key, &authority).unwrap();
        for (name, text) in
            [("ca", authority.pem()), ("certificate", certificate.pem()), ("key", key.serialize_pem())]
        {
            std::fs::write(folder.join(format!("{name}.pem")), text).unwrap();
        }
        (self.host, self.tls) = ("localhost", Some(folder));
    }

    fn write_secrets(&self) {
        use std::os::unix::fs::PermissionsExt;
        let mut text = String::new();
        for (server, file) in [("redis", "users.acl"), ("sentinel", "sentinel-users.acl")] {
            let path = format!("{}/../infra/redis/{file}", env!("CARGO_MANIFEST_DIR"));
            for line in std::fs::read_to_string(path).unwrap().lines() {
                let user = line.strip_prefix("user ").and_then(|rest| rest.split(' ').next());
                if let Some(user) = user {
                    writeln!(text, "{server} {user} {PASSWORD}").unwrap();
                }
            }
        }
        let path = self.folder.join("secrets");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The settings of a function that reaches these servers as their operator.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let sentinels = self.sentinel_ports.map(|port| format!("{}:{port}", self.host)).join(",");
        let mut settings = vec![
            ("REDIS_SENTINELS", sentinels),
            ("REDIS_MASTER_NAME", "spillway".to_owned()),
            ("REDIS_USERNAME", "operator".to_owned()),
            ("REDIS_PASSWORD", PASSWORD.to_owned()),
            ("SENTINEL_USERNAME", "operator".to_owned()),
            ("SENTINEL_PASSWORD", PASSWORD.to_owned()),
        ];
        if let Some(folder) = &self.tls {
            let authority = std::fs::read_to_string(folder.join("ca.pem")).unwrap();
            settings.extend([("REDIS_CA", authority.clone()), ("SENTINEL_CA", authority)]);
        }
        settings
    }

    /// Sentinels, then nodes, until the master has both replicas and every sentinel knows them.
    pub(crate) async fn start(name: &str) -> Self {
        Self::new(name).start_all().await
    }

    /// The same, encrypted.
    pub(crate) async fn start_with_tls(name: &str) -> Self {
        let mut nodes = Self::new(name);
        nodes.encrypt();
        nodes.start_all().await
    }

    /// The same with certificates that were made for 127.0.0.1.
    pub(crate) async fn start_all_with(mut self, tls: PathBuf) -> Self {
        self.tls = Some(tls);
        self.start_all().await
    }

    /// Where their data and passwords are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    async fn start_all(self) -> Self {
        let mut nodes = self;
        for index in 0..3 {
            nodes.start_sentinel(index);
        }
        for index in 0..3 {
            nodes.start_redis(index);
        }
        eventually("that every sentinel knows both replicas", async || {
            for index in 0..3 {
                // Else they look every ten seconds, and first before there are any.
                nodes.ask_sentinel(index, &["DEBUG", "INFO-PERIOD", "500"]);
            }
            let known = |index| nodes.ask_sentinel(index, &["REPLICAS", "spillway"]);
            (0..3).all(|index| known(index).matches("runid").count() == 2).then_some(())
        })
        .await;
        nodes
    }

    pub(crate) fn start_redis(&mut self, index: usize) {
        let sentinels = self.sentinel_ports.map(|port| format!("{}:{port}", self.host)).join(",");
        let own = ("SPILLWAY_SENTINELS", sentinels);
        self.start_server("node", format!("redis-{}", index + 1), self.redis_ports[index], own);
    }

    pub(crate) fn start_sentinel(&mut self, index: usize) {
        let own = ("SPILLWAY_FIRST_MASTER", format!("{}:{}", self.host, self.redis_ports[0]));
        self.start_server("sentinel", format!("sentinel-{}", index + 1), self.sentinel_ports[index], own);
    }

    fn start_server(&mut self, kind: &str, name: String, port: u16, own: (&str, String)) {
        let log = File::options().create(true).append(true).open(self.log_path(&name)).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/redis/start");
        let child = Command::new(script)
            .arg(kind)
            .env("SPILLWAY_HOST", self.host)
            .env("SPILLWAY_BIND", "127.0.0.1")
            .env("SPILLWAY_PORT", port.to_string())
            .env("SPILLWAY_DATA", self.folder.join(&name))
            .env("SPILLWAY_SECRETS", self.folder.join("secrets"))
            .env(own.0, own.1)
            .envs(self.tls.as_ref().map(|folder| ("SPILLWAY_TLS", folder)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running.push((name, child));
    }

    /// As a power cut ends it.
    pub(crate) fn kill(&mut self, name: &str) {
        let at = self.running.iter().position(|(running, _)| running == name).unwrap();
        let (_, mut child) = self.running.remove(at);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// A server's own folder.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Takes a server's data away.
    pub(crate) fn empty(&self, name: &str) {
        std::fs::remove_dir_all(self.data(name)).unwrap();
    }

    /// Where a node listens.
    pub(crate) fn port(&self, index: usize) -> u16 {
        self.redis_ports[index]
    }

    /// What a server has said.
    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.log_path(name)).unwrap_or_default()
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// A node's answer to a command; empty where there is none.
    pub(crate) fn ask(&self, index: usize, command: &[&str]) -> String {
        self.ask_port(self.redis_ports[index], ("operator", PASSWORD), command)
    }

    /// Whether a node lets `reserve` in with this password, and its sentinel `function`.
    pub(crate) fn let_in(&self, index: usize, password: &str) -> bool {
        let doors = [(self.redis_ports[index], "reserve"), (self.sentinel_ports[index], "function")];
        doors.into_iter().all(|(port, user)| self.ask_port(port, (user, password), &["PING"]) == "PONG")
    }

    /// A sentinel's answer; empty where there is none.
    pub(crate) fn ask_sentinel(&self, index: usize, question: &[&str]) -> String {
        let command = [&["SENTINEL"], question].concat();
        self.ask_port(self.sentinel_ports[index], ("operator", PASSWORD), &command)
    }

    fn ask_port(&self, port: u16, (user, password): (&str, &str), command: &[&str]) -> String {
        let mut client = Command::new("redis-cli");
        client.args(["-e", "-h", self.host, "-p", &port.to_string(), "--user", user, "--no-auth-warning"]);
        if let Some(folder) = &self.tls {
            client.arg("--tls").arg("--cacert").arg(folder.join("ca.pem"));
        }
        let output = client.args(command).env("REDISCLI_AUTH", password).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        if output.status.success() { text.trim().to_owned() } else { String::new() }
    }

    /// Which node the first sentinel takes for the master.
    pub(crate) fn master(&self) -> Option<usize> {
        let answer = self.ask_sentinel(0, &["GET-MASTER-ADDR-BY-NAME", "spillway"]);
        let port = answer.lines().nth(1)?.parse::<u16>().ok()?;
        self.redis_ports.iter().position(|known| *known == port)
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for (_, child) in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
