//! The gateway: nginx with `infra/nginx/nginx.conf`, over TLS with a certificate made here.
//!
//! The file is taken as it is. What differs from one gateway to the next lies in three files beside it, of which
//! `site.conf` is the one for several hosts with other addresses, so that what runs here is what runs there.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustix::process::{Resource, getrlimit};

use crate::layout::{make_folder, template, write_private};
use crate::process::{Process, Program, WhenOrphaned, await_start};
use crate::running::Running;

/// The addresses of every instance of each function.
pub(crate) type Instances = BTreeMap<String, Vec<SocketAddr>>;

/// What the gateway is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) url: &'a str,
    pub(crate) is_tls: bool,
}

/// The certificate authority of a gateway over TLS.
pub(crate) fn authority(data: &Path) -> PathBuf {
    data.join("gateway/ca.pem")
}

/// A gateway of this name, whose files lie in a folder of this name.
pub(crate) fn gateway(data: &Path, name: &str, door: Door<'_>, instances: &Instances) -> Result<Program> {
    let folder = data.join(name);
    make_folder(&folder.join("cache"))?;
    if door.is_tls {
        certify(&folder)?;
    }
    let files = [
        ("nginx.conf", template("nginx/nginx.conf")?),
        ("process.conf", process_conf()),
        ("site.conf", site_conf(&template("nginx/site.conf")?, door.url, instances)?),
        ("door.conf", door_conf(door)),
    ];
    for (file, text) in files {
        let path = folder.join(file);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let configuration = folder.join("nginx.conf").into_os_string();
    // A prefix is put before a name as it is.
    let prefix = folder.join("").into_os_string();
    Ok(Program {
        path: "nginx".into(),
        arguments: ["-e".into(), "stderr".into(), "-p".into(), prefix, "-c".into(), configuration].into(),
        environment: vec![],
        log: data.join(format!("logs/{name}.log")),
        when_orphaned: WhenOrphaned::Terminate,
    })
}

fn process_conf() -> String {
    // Started as root, its workers would become a user who may not even enter this folder.
    let user = if rustix::process::geteuid().is_root() { "user root;\n" } else { "" };
    let descriptors = descriptors();
    format!(
        "{user}worker_processes 2;\nworker_rlimit_nofile {descriptors};\n\
         events {{ worker_connections {}; multi_accept on; }}\n",
        descriptors / 2
    )
}

fn door_conf(door: Door<'_>) -> String {
    let address = door.address;
    if door.is_tls {
        format!(
            "listen {address} ssl http2 backlog=4096;\nssl_certificate certificate.pem;\n\
             ssl_certificate_key key.pem;\nssl_session_cache shared:tls:4m;\n"
        )
    } else {
        format!("listen {address} backlog=4096;\n")
    }
}

/// The file for several hosts with these instances and this origin in place of its own.
fn site_conf(hosts: &str, url: &str, instances: &Instances) -> Result<String> {
    let mut text = String::new();
    // Instances of the function whose block is being read, until they are written.
    let mut due: &[SocketAddr] = &[];
    for line in hosts.lines() {
        if let Some(name) = line.strip_prefix("upstream ").and_then(|rest| rest.strip_suffix(" {")) {
            due = instances.get(name).with_context(|| format!("the function {name} has no address"))?;
            ensure!(!due.is_empty(), "the function {name} has no address");
            writeln!(text, "{line}")?;
        } else if let Some(server) = line.trim().strip_prefix("server ") {
            let (_, parameters) = server.split_once(' ').unwrap_or((server, ";"));
            for address in std::mem::take(&mut due) {
                writeln!(text, "    server {address} {parameters}")?;
            }
        } else if line.trim().starts_with("default ") {
            writeln!(text, "    default {url};")?;
        } else {
            writeln!(text, "{line}")?;
        }
    }
    Ok(text)
}

/// One more gateway beside that of the system; dropping it ends it.
#[derive(Debug)]
pub struct ExtraGateway {
    /// The origin that it serves, over plain HTTP.
    pub origin: String,
    process: Process,
}

impl ExtraGateway {
    /// Starts it at this address over these instances of each function, and returns when it listens. Problems
    /// name the system's origin, as every gateway of a site names the same.
    pub fn start(
        running: &Running,
        name: &str,
        address: SocketAddr,
        instances: &BTreeMap<String, Vec<SocketAddr>>,
    ) -> Result<Self> {
        let data = running.logs.parent().context("the logs lie in no folder")?;
        let door = Door { address, url: &running.url, is_tls: false };
        let mut process = gateway(data, name, door, instances)?.start()?;
        await_start(vec![(name.to_owned(), &mut process)], || TcpStream::connect(address).is_ok())?;
        Ok(Self { origin: format!("http://{address}"), process })
    }

    /// The process that has started the others of this gateway.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// Descriptors that a worker may have: as many as it can use, where the system gives so many.
fn descriptors() -> u64 {
    const WANTED: u64 = 65_536;
    getrlimit(Resource::Nofile).maximum.map_or(WANTED, |most| most.min(WANTED))
}

/// Makes a certificate authority of one day's work, and a certificate for loopback. Its key is kept
/// nowhere: nobody can sign anything else with it.
pub fn certify(folder: &Path) -> Result<()> {
    if folder.join("certificate.pem").exists() {
        return Ok(());
    }
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.distinguished_name.push(DnType::CommonName, "Spillway on this machine");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    write_private(&folder.join("key.pem"), &key.serialize_pem())?;
    write_private(&folder.join("ca.pem"), &authority.pem())?;
    write_private(&folder.join("certificate.pem"), &certificate.pem())
}
