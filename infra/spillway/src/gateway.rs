//! The gateway: nginx with `infra/nginx/nginx.conf`, over TLS with a certificate made here.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustix::process::{Resource, getrlimit};

use crate::kept::{Ports, local};
use crate::layout::{FUNCTIONS, make_folder, template, write_private};
use crate::process::{Program, WhenOrphaned};

/// What the gateway is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door<'a> {
    pub(crate) port: u16,
    pub(crate) url: &'a str,
    pub(crate) is_tls: bool,
}

/// The certificate authority of a gateway over TLS.
pub(crate) fn authority(data: &Path) -> PathBuf {
    data.join("gateway/ca.pem")
}

pub(crate) fn gateway(data: &Path, ports: &Ports, door: Door<'_>) -> Result<Program> {
    let folder = data.join("gateway");
    make_folder(&folder.join("cache"))?;
    if door.is_tls {
        certify(&folder)?;
    }
    let configuration = folder.join("nginx.conf");
    std::fs::write(&configuration, filled(&folder, ports, door)?)
        .with_context(|| format!("cannot write {}", configuration.display()))?;
    let arguments = ["-e".into(), "stderr".into(), "-c".into(), configuration.into_os_string()].into();
    let log = data.join("logs/gateway.log");
    Ok(Program {
        path: "nginx".into(),
        arguments,
        environment: vec![],
        log,
        when_orphaned: WhenOrphaned::Terminate,
    })
}

fn filled(folder: &Path, ports: &Ports, door: Door<'_>) -> Result<String> {
    let listen = local(door.port).to_string();
    let in_folder = |name: &str| format!("\"{}\"", folder.join(name).display());
    let (listen, tls) = if door.is_tls {
        let tls = format!(
            "ssl_certificate {};\n        ssl_certificate_key {};\n        ssl_session_cache shared:tls:4m;",
            in_folder("certificate.pem"),
            in_folder("key.pem")
        );
        (format!("{listen} ssl http2"), tls)
    } else {
        (listen, String::new())
    };
    // Started as root, its workers would become a user who may not even enter this folder.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let descriptors = descriptors();
    let mut text = template("nginx/nginx.conf")?;
    for (name, value) in [
        ("user", user),
        ("dir", &folder.display().to_string()),
        ("listen", &listen),
        ("tls", &tls),
        ("url", door.url),
        ("descriptors", &descriptors.to_string()),
        ("connections", &(descriptors / 2).to_string()),
    ] {
        text = text.replace(&format!("{{{{{name}}}}}"), value);
    }
    for function in FUNCTIONS {
        let port = ports.functions.get(function).context("a function has no port")?;
        text = text.replace(&format!("{{{{{function}}}}}"), &local(*port).to_string());
    }
    Ok(text)
}

/// Descriptors that a worker may have: as many as it can use, where the system gives so many.
fn descriptors() -> u64 {
    const WANTED: u64 = 65_536;
    getrlimit(Resource::Nofile).maximum.map_or(WANTED, |most| most.min(WANTED))
}

/// Makes a certificate authority of one day's work, and a certificate for loopback. Its key is kept
/// nowhere: nobody can sign anything else with it.
fn certify(folder: &Path) -> Result<()> {
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
