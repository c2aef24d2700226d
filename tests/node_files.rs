//! What a host on AWS makes before its Redis starts: `infra/nodes/certificate` and `infra/nodes/passwords`, against
//! secrets in files instead of Secrets Manager; and `infra/nodes/as-operator`, with which one works there.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use regex::Regex;

use crate::node_host::{Host, fine};
use crate::nodes::{Nodes, PASSWORD};
use crate::settings::binary;
use crate::system::{empty_folder, eventually};
use crate::tidy::{read, root};

#[tokio::test]
async fn nodes_with_the_certificates_and_passwords_of_a_host_replicate_and_are_reached_by_a_function() {
    let nodes = Nodes::new("node-files");
    let host = Host::new(nodes.folder());
    let tls = host.path("etc/spillway/tls");
    let told = [("FirstMaster", "127.0.0.1:6379")];
    fine(&host.run(&told, "certificate", &["127.0.0.1", tls.to_str().unwrap()]));
    let secrets = nodes.folder().join("secrets");
    fine(&host.write_passwords(&secrets));
    assert_eq!(std::fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o600);
    let nodes = nodes.start_all_with(tls).await;
    let run = eventually("a look at the cluster", async || {
        let run = crate::commands::spillway_with(&nodes.settings(), &["cluster", "--from-env"]);
        (run.code == Some(0)).then_some(run)
    })
    .await;
    assert!(run.out.contains("quorum 2 of 3"), "{}{}", run.out, run.err);

    let sentinels = nodes.settings().into_iter().find(|(name, _)| *name == "REDIS_SENTINELS").unwrap().1;
    std::fs::copy(&secrets, host.path("etc/spillway/redis-secrets")).unwrap();
    let spillway = binary("spillway");
    let command = [spillway.to_str().unwrap(), "cluster", "--from-env"];
    let look = host.run(&[("Sentinels", &sentinels)], "as-operator", &command);
    fine(&look);
    assert!(String::from_utf8_lossy(&look.stdout).contains("quorum 2 of 3"), "{look:?}");
}

/// A host unpacks them from an archive, which does not say so.
#[test]
fn every_script_of_a_host_is_made_executable_by_boot() {
    let boot = read("infra/nodes/boot");
    let made = boot.lines().find(|line| line.trim_start().starts_with("chmod +x ")).unwrap();
    for folder in ["", "redis/"] {
        for entry in std::fs::read_dir(root().join("infra/nodes").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let script = format!("{folder}{}", path.file_name().unwrap().to_str().unwrap());
            let is_script = path.is_file() && std::fs::read_to_string(&path).unwrap().starts_with("#!");
            let is_executable = script == "boot" || made.contains(&format!("\"$here/{script}\""));
            assert!(!is_script || is_executable, "nobody may run {script}");
        }
    }
}

#[test]
fn a_host_that_takes_all_the_time_that_boot_allows_is_still_waited_for() {
    let numbers = |pattern: &str, text: &str| {
        let found = Regex::new(pattern).unwrap();
        found.captures_iter(text).map(|found| found[1].parse::<u64>().unwrap()).collect::<Vec<_>>()
    };
    let waits = numbers(r"(?m)^\s*within (\d+) ", &read("infra/nodes/boot"));
    assert!(waits.len() > 1, "{waits:?}");
    let patience = numbers(r"(?:Timeout|PauseTime): PT(\d+)M", &read("infra/redis-node.yaml"));
    assert_eq!(patience.len(), 2, "at the first start, and at each other one");
    // What boot installs before it waits takes its time, too.
    let needed = waits.iter().sum::<u64>() / 60 + 5;
    assert!(patience.iter().all(|minutes| *minutes >= needed), "{patience:?} and not {needed}");
}

#[test]
fn every_host_has_a_certificate_of_one_authority_which_the_first_one_makes() {
    let folder = empty_folder("node-certificates");
    let host = Host::new(&folder);
    let certify = |address: &str| {
        let tls = folder.join(address);
        host.run(&[], "certificate", &[address, tls.to_str().unwrap()])
    };
    let (authority, away) = (host.path("vault/authority"), host.path("vault/away"));
    std::fs::rename(&authority, &away).unwrap();
    assert!(!certify("10.20.0.4").status.success() && !authority.exists());
    std::fs::rename(&away, &authority).unwrap();
    let early = certify("10.20.16.4");
    let said = String::from_utf8_lossy(&early.stderr);
    assert!(!early.status.success() && said.contains("this is not the first node"), "{said}");
    for address in ["10.20.0.4", "10.20.16.4", "10.20.0.4"] {
        fine(&certify(address));
        let file = |name: &str| folder.join(address).join(name).to_str().unwrap().to_owned();
        let (authority, certificate) = (file("ca.pem"), file("certificate.pem"));
        assert_eq!(
            std::fs::read_to_string(&authority).unwrap(),
            std::fs::read_to_string(folder.join("10.20.0.4/ca.pem")).unwrap(),
            "there is one authority"
        );
        let verified = |ip: &str| {
            let arguments = ["verify", "-CAfile", &authority, "-verify_ip", ip, &certificate];
            Command::new("openssl").args(arguments).output().unwrap().status.success()
        };
        assert!(verified(address) && !verified("10.20.32.4"), "{address}");
        assert!(!std::fs::read_to_string(&authority).unwrap().contains("PRIVATE"), "the key stays secret");
    }
}

#[test]
fn the_password_to_come_and_the_one_before_are_valid_beside_the_present_one_which_a_host_uses() {
    let folder = empty_folder("node-passwords");
    let host = Host::new(&folder);
    let file = folder.join("secrets");
    let of_page = || {
        fine(&host.write_passwords(&file));
        let text = std::fs::read_to_string(&file).unwrap();
        let passwords = text.lines().filter_map(|line| line.strip_prefix("redis page "));
        passwords.map(str::to_owned).collect::<Vec<_>>()
    };
    let (next, third) = ("the-next-password-of-page", "the-third-password-of-page");
    assert_eq!(of_page(), [PASSWORD]);
    host.put_password("shop/redis/page.AWSPENDING", next);
    assert_eq!(of_page(), [PASSWORD, next]);
    // Secrets Manager leaves the stage of what was pending where it is.
    host.put_password("shop/redis/page", next);
    host.put_password("shop/redis/page.AWSPREVIOUS", PASSWORD);
    assert_eq!(of_page(), [next, PASSWORD]);
    host.put_password("shop/redis/page.AWSPENDING", third);
    assert_eq!(of_page(), [next, third, PASSWORD]);

    // A folder in the place of a file is what cannot be read.
    for stage in [".AWSPENDING", ""] {
        let path = host.path(&format!("vault/shop/redis/page{stage}"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let failed = host.write_passwords(&file);
        assert!(!failed.status.success(), "a password that cannot be read is not one that is not there");
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.matches("redis page ").count(), 3, "what was stays");
        std::fs::remove_dir(&path).unwrap();
    }
    assert!(!folder.join("secrets.said").exists());
}
