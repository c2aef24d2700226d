//! The units of `infra/systemd`, as systemd itself reads them, and the files with settings beside them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use edge::SETTINGS;

use crate::tidy::{names_of, read};

/// Out of ten: what a unit may do to its host, as `systemd-analyze security` counts it. One that says nothing is at 9.6.
const EXPOSURE_MAX: &str = "20";

/// A folder with the units, in which the programs are those of this checkout.
fn units(name: &str) -> PathBuf {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tests")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let tests = std::env::current_exe().unwrap();
    let binaries = tests.parent().unwrap().parent().unwrap();
    let infra = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra")).canonicalize().unwrap();
    for entry in std::fs::read_dir(infra.join("systemd")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text
            .replace("/opt/spillway/bin", binaries.to_str().unwrap())
            .replace("/opt/spillway/redis", infra.join("redis").to_str().unwrap());
        std::fs::write(folder.join(path.file_name().unwrap()), text).unwrap();
    }
    folder.canonicalize().unwrap()
}

fn systemd_analyze(folder: &Path, arguments: &[&str]) -> Output {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .current_dir(folder)
        .env("SYSTEMD_UNIT_PATH", format!("{}:", folder.display()))
        .output();
    output.expect("systemd-analyze is missing: apt-get install systemd")
}

/// The units that a host may have, each function as an instance of its template.
fn instances() -> Vec<String> {
    let functions = names_of("functions").into_iter().map(|name| format!("spillway@{name}.service"));
    let others = ["spillway-gateway.service", "spillway-redis.service", "spillway-sentinel.service"];
    functions.chain(others.map(str::to_owned)).chain(["spillway.target".to_owned()]).collect()
}

#[test]
fn systemd_understands_every_unit_and_finds_everything_that_they_name() {
    let folder = units("systemd-verify");
    for unit in instances() {
        let path = folder.join(&unit);
        let output = systemd_analyze(&folder, &["verify", "--man=no", path.to_str().unwrap()]);
        let said = String::from_utf8(output.stderr).unwrap();
        // Units of this host are read on the way; what is said of them is not meant for us.
        let faults: Vec<_> = said.lines().filter(|line| line.contains("spillway")).collect();
        assert!(faults.is_empty() && output.status.success(), "{unit}: {said}");
    }
}

#[test]
fn a_unit_may_do_little_to_its_host() {
    let folder = units("systemd-security");
    for unit in ["spillway@", "spillway-gateway", "spillway-redis", "spillway-sentinel"] {
        let unit = format!("{unit}.service");
        let threshold = format!("--threshold={EXPOSURE_MAX}");
        let output =
            systemd_analyze(&folder, &["security", "--offline=true", &threshold, "--no-pager", &unit]);
        let table = String::from_utf8_lossy(&output.stdout);
        assert!(table.contains("Overall exposure level"), "{unit}: {output:?}");
        assert!(output.status.success(), "{unit}: {table}");
    }
}

#[test]
fn the_examples_of_settings_name_what_functions_read_and_no_secret() {
    for file in ["functions.env", "reserve.env"] {
        for line in read(format!("infra/systemd/{file}")).lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.split_once('=') else { continue };
            let is_known = name.starts_with("AWS_") || SETTINGS.iter().any(|setting| setting.name == name);
            assert!(is_known, "{file}: no function reads {name}");
            let is_secret = ["PASSWORD", "SECRET", "KEYS", "TOKEN"].iter().any(|word| name.contains(word));
            assert!(!is_secret || (value.is_empty() && file != "functions.env"), "{file}: {line}");
        }
    }
}
