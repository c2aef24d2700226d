//! What a host on AWS makes before its Redis starts: `infra/nodes/certificate` and `infra/nodes/passwords`, against
//! secrets in files instead of Secrets Manager; and `infra/nodes/as-operator`, with which one works there.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::fake_aws::fake_aws;
use crate::nodes::{Nodes, PASSWORD};
use crate::settings::binary;
use crate::system::{empty_folder, eventually};
use crate::tidy::{read, root};

/// The secrets of a stack, each a file, and an `aws` that reads and writes them.
pub(crate) struct Vault {
    secrets: PathBuf,
    /// On which the scripts find that `aws`.
    search_path: String,
}

/// Of the command's options it knows those that the scripts use. A stage that is not the present one is a file
/// whose name ends in it.
const AWS: &str = r#"#!/usr/bin/env bash
set -euo pipefail
operation="$1 $2" && shift 2
while (($#)); do
  case $1 in
    --secret-id) id=$2 ;;
    --version-stage) stage=$2 ;;
    --secret-string) text=$(<"${2#file://}") ;;
  esac
  shift 2
done
[[ ${stage:-AWSCURRENT} == AWSCURRENT ]] || id+=.$stage
case $operation in
  "secretsmanager get-secret-value")
    [[ -e $VAULT/$id ]] || { echo "An error occurred (ResourceNotFoundException)" >&2 && exit 254; }
    cat "$VAULT/$id"
    ;;
  "secretsmanager put-secret-value") printf '%s' "$text" >"$VAULT/$id" ;;
  *) exit 64 ;;
esac
"#;

impl Vault {
    /// One with a password for every user and an authority that is not made yet, as the stack begins.
    pub(crate) fn new(folder: &Path) -> Self {
        let vault = Self { secrets: folder.join("vault"), search_path: fake_aws(&folder.join("bin"), AWS) };
        for (server, file) in [("redis", "users.acl"), ("sentinel", "sentinel-users.acl")] {
            for user in users(file) {
                vault.put_password(&format!("shop/{server}/{user}"), PASSWORD);
            }
        }
        vault.put("authority", "{}");
        vault
    }

    fn put(&self, id: &str, text: &str) {
        let path = self.secrets.join(id);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Into the secret of a user, `shop/SERVER/USER`, with `.STAGE` behind it where it is not the present one.
    pub(crate) fn put_password(&self, id: &str, password: &str) {
        self.put(id, &format!("{{\"PASSWORD\":\"{password}\"}}"));
    }

    /// Writes a host's file of passwords.
    pub(crate) fn write_passwords(&self, file: &Path) -> Output {
        self.run("10.20.0.4:6379", "passwords", &[file.to_str().unwrap()])
    }

    /// Runs a script of a host with this first master.
    fn run(&self, first_master: &str, script: &str, arguments: &[&str]) -> Output {
        Command::new(format!("{}/../infra/nodes/{script}", env!("CARGO_MANIFEST_DIR")))
            .args(arguments)
            .env("PATH", &self.search_path)
            .env("VAULT", &self.secrets)
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env("NODE_SECRETS", "shop")
            .env("NODE_AUTHORITY", "authority")
            .env("NODE_FIRST_MASTER", first_master)
            .output()
            .unwrap()
    }
}

/// Users with a password.
pub(crate) fn users(file: &str) -> Vec<String> {
    let text = read(format!("infra/redis/{file}"));
    let lines = text.lines().filter(|line| line.starts_with("user ") && line.contains("{{passwords}}"));
    lines.map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
}

pub(crate) fn fine(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn nodes_with_the_certificates_and_passwords_of_a_host_replicate_and_are_reached_by_a_function() {
    let nodes = Nodes::new("node-files");
    let folder = nodes.folder().to_owned();
    let vault = Vault::new(&folder);
    let tls = folder.join("tls");
    fine(&vault.run("127.0.0.1:6379", "certificate", &["127.0.0.1", tls.to_str().unwrap()]));
    let secrets = folder.join("secrets");
    fine(&vault.write_passwords(&secrets));
    assert_eq!(std::fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o600);
    let nodes = nodes.start_all_with(tls).await;
    let run = eventually("a look at the cluster", async || {
        let run = crate::commands::spillway_with(&nodes.settings(), &["cluster", "--from-env"]);
        (run.code == Some(0)).then_some(run)
    })
    .await;
    assert!(run.out.contains("quorum 2 of 3"), "{}{}", run.out, run.err);

    let sentinels = nodes.settings().into_iter().find(|(name, _)| *name == "REDIS_SENTINELS").unwrap().1;
    std::fs::write(folder.join("node.env"), format!("NODE_SENTINELS={sentinels}\n")).unwrap();
    std::fs::copy(&secrets, folder.join("redis-secrets")).unwrap();
    let look = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/nodes/as-operator"))
        .arg(binary("spillway"))
        .args(["cluster", "--from-env"])
        .env_clear()
        .envs([("PATH", &vault.search_path), ("NODE_FILES", &folder.display().to_string())])
        .output()
        .unwrap();
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
fn every_host_has_a_certificate_of_one_authority_which_the_first_one_makes() {
    let folder = empty_folder("node-certificates");
    let vault = Vault::new(&folder);
    let certify = |address: &str| {
        let tls = folder.join(address);
        vault.run("10.20.0.4:6379", "certificate", &[address, tls.to_str().unwrap()])
    };
    std::fs::rename(vault.secrets.join("authority"), vault.secrets.join("away")).unwrap();
    assert!(!certify("10.20.0.4").status.success() && !vault.secrets.join("authority").exists());
    std::fs::rename(vault.secrets.join("away"), vault.secrets.join("authority")).unwrap();
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
    let vault = Vault::new(&folder);
    let file = folder.join("secrets");
    let of_page = || {
        fine(&vault.write_passwords(&file));
        let text = std::fs::read_to_string(&file).unwrap();
        let passwords = text.lines().filter_map(|line| line.strip_prefix("redis page "));
        passwords.map(str::to_owned).collect::<Vec<_>>()
    };
    let (next, third) = ("the-next-password-of-page", "the-third-password-of-page");
    assert_eq!(of_page(), [PASSWORD]);
    vault.put_password("shop/redis/page.AWSPENDING", next);
    assert_eq!(of_page(), [PASSWORD, next]);
    // Secrets Manager leaves the stage of what was pending where it is.
    vault.put_password("shop/redis/page", next);
    vault.put_password("shop/redis/page.AWSPREVIOUS", PASSWORD);
    assert_eq!(of_page(), [next, PASSWORD]);
    vault.put_password("shop/redis/page.AWSPENDING", third);
    assert_eq!(of_page(), [next, third, PASSWORD]);

    // A folder in the place of a file is what cannot be read.
    for stage in [".AWSPENDING", ""] {
        let path = vault.secrets.join(format!("shop/redis/page{stage}"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let failed = vault.write_passwords(&file);
        assert!(!failed.status.success(), "a password that cannot be read is not one that is not there");
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.matches("redis page ").count(), 3, "what was stays");
        std::fs::remove_dir(&path).unwrap();
    }
    assert!(!folder.join("secrets.said").exists());
}
