//! A Redis host on AWS as a folder. What its `UserData` (`infra/redis-node.yaml`) and `infra/nodes` do to a host they do
//! to this folder: it stands before each absolute path in them. They get the environment that cloud-init gives them, and
//! instead of what only a real host has a script that notes how it was called.

use std::fs::{read_to_string, write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::fake_aws::fake_aws;
use crate::nodes::PASSWORD;
use crate::template::yaml;
use crate::tidy::{read, root};

/// What the template tells a host.
const TOLD: [(&str, &str); 12] = [
    ("AWS::Region", "eu-west-1"),
    ("AWS::StackName", "shop-Nodes-Node1"),
    ("Files", "arn:aws:lambda:eu-west-1:123456789012:layer:files:1"),
    ("Address", "10.20.0.4"),
    ("FirstMaster", "10.20.0.4:6379"),
    ("Sentinels", "10.20.0.4:26379,10.20.16.4:26379,10.20.32.4:26379"),
    ("Volume", "vol-0123"),
    ("VolumeGiB", "20"),
    ("Log", "shop-nodes"),
    ("SecretsPrefix", "shop"),
    ("Authority", "authority"),
    ("AlarmTopic", "arn:aws:sns:eu-west-1:123456789012:alarms"),
];

/// Folders of a host that stand in its scripts. `/usr`, and what else lies in `/dev`, is this machine's.
const FOLDERS: [&str; 6] = ["/dev/disk/", "/etc/", "/opt/", "/proc/", "/root/", "/var/"];

const FOLDERS_OF_AN_IMAGE: [&str; 10] = [
    "dev/disk/by-id",
    "etc/logrotate.d",
    "etc/sysctl.d",
    "etc/systemd/system",
    "opt/aws/bin",
    "proc",
    "root",
    "var/lib/cloud/data",
    "var/lib/cloud/instance/scripts",
    "var/log",
];

/// Secrets are files in `vault`; a stage that is not the present one is a file whose name ends in it. Of the commands'
/// options it knows those that the scripts use. Without a region the real one does nothing, either.
const AWS: &str = r#"#!/usr/bin/env bash
set -euo pipefail
: "${AWS_DEFAULT_REGION:?}"
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
    [[ -e HOST/vault/$id ]] || { echo "An error occurred (ResourceNotFoundException)" >&2 && exit 254; }
    cat "HOST/vault/$id"
    ;;
  "secretsmanager put-secret-value") printf '%s' "$text" >"HOST/vault/$id" ;;
  "lambda get-layer-version-by-arn")
    printf 'https://layers.example/files?versionId=1\t%s\n' "$(openssl dgst -sha256 -binary HOST/files.zip | base64)"
    ;;
  "ec2 describe-volumes") [[ ! -e HOST/DEVICE ]] || echo attached ;;
  "ec2 attach-volume") cp HOST/volume HOST/DEVICE ;;
  *) exit 64 ;;
esac
"#;

const DEVICE: &str = "dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123";

/// What a host has and a test has not. The volume is a file, empty when it is new; how large it is, each look at it takes
/// from a line of another one, which is how it becomes larger.
const STAND_IN: &str = r#"#!/usr/bin/env bash
set -euo pipefail
name=${0##*/}
printf '%s\n' "$name $*" >>HOST/calls
case $name in
  dnf)
    mkdir -p HOST/opt/aws/amazon-cloudwatch-agent/{bin,etc}
    ln -s HOST/stand-in HOST/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl
    ;;
  curl) cp HOST/files.zip "${*: -2:1}" ;;
  id) exit 1 ;;
  blkid) [[ -s $1 ]] || exit 2 ;;
  mkfs.xfs) echo xfs >"$2" ;;
  blockdev)
    [[ $1 == --getsize64 && -e $2 ]]
    echo $(($(head -n 1 HOST/volume-gib) * 1024 ** 3))
    tail -n 1 HOST/volume-gib >HOST/volume-gib.new
    mv HOST/volume-gib.new HOST/volume-gib
    ;;
  xfs_growfs) [[ -e HOST/mounted && $1 == HOST/var/lib/spillway ]] ;;
  mountpoint) [[ -e HOST/mounted ]] ;;
  mount)
    grep -q "^HOST/DEVICE $1 xfs " HOST/etc/fstab && grep -q xfs HOST/DEVICE
    touch HOST/mounted
    ;;
  *-server) [[ $* != --version ]] || echo "Valkey server v=8.0.6 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64" ;;
  *-cli)
    [[ $REDISCLI_AUTH == PASSWORD && -r HOST/etc/spillway/tls/ca.pem ]]
    case $* in
      *" INFO replication") cat HOST/replication ;;
      *" SENTINEL get-master-addr-by-name spillway") printf '10.20.16.4\n6379\n' ;;
      *) exit 64 ;;
    esac
    ;;
esac
"#;

/// Found by the search path, before this machine's own.
const STOOD_IN_FOR: [&str; 17] = [
    "blkid",
    "blockdev",
    "chown",
    "curl",
    "dnf",
    "id",
    "mkfs.xfs",
    "mount",
    "mountpoint",
    "redis-cli",
    "redis-server",
    "sysctl",
    "systemctl",
    "useradd",
    "valkey-cli",
    "valkey-server",
    "xfs_growfs",
];

pub(crate) struct Host {
    root: PathBuf,
    search_path: String,
}

impl Host {
    /// One in this folder that is new, with a new volume, a password for every user in the vault, and an authority that
    /// is not made yet, as the stack begins.
    pub(crate) fn new(folder: &Path) -> Self {
        let mut host = Self { root: folder.join("host"), search_path: String::new() };
        for folder in FOLDERS_OF_AN_IMAGE {
            std::fs::create_dir_all(host.path(folder)).unwrap();
        }
        host.put("etc/fstab", "");
        host.put("proc/meminfo", "MemTotal:        8000000 kB\nMemFree:         7000000 kB\n");
        host.put("var/lib/cloud/data/instance-id", "i-0123\n");
        host.put("volume", "");
        host.put("volume-gib", "20\n");
        host.search_path = fake_aws(&host.path("bin"), &host.script(AWS));
        host.put("stand-in", &host.script(STAND_IN));
        std::fs::set_permissions(host.path("stand-in"), PermissionsExt::from_mode(0o755)).unwrap();
        let names = STOOD_IN_FOR.map(|name| format!("bin/{name}"));
        for name in names.iter().map(String::as_str).chain(["opt/aws/bin/cfn-signal"]) {
            symlink(host.path("stand-in"), host.path(name)).unwrap();
        }
        host.place_files(&root().join("infra/nodes"), "files");
        for (server, file) in [("redis", "users.acl"), ("sentinel", "sentinel-users.acl")] {
            for user in users(file) {
                host.put_password(&format!("shop/{server}/{user}"), PASSWORD);
            }
        }
        host.put("vault/authority", "{}");
        host
    }

    /// Where a file of the host lies in truth.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        read_to_string(self.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    pub(crate) fn put(&self, file: &str, text: &str) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write(path, text).unwrap();
    }

    /// Into the secret of a user, `shop/SERVER/USER`, with `.STAGE` behind it where it is not the present one.
    pub(crate) fn put_password(&self, id: &str, password: &str) {
        self.put(&format!("vault/{id}"), &format!("{{\"PASSWORD\":\"{password}\"}}"));
    }

    fn script(&self, text: &str) -> String {
        text.replace("DEVICE", DEVICE)
            .replace("HOST", self.root.to_str().unwrap())
            .replace("PASSWORD", PASSWORD)
    }

    /// The text with this host's folder before each path of a host.
    fn placed(&self, text: &str) -> String {
        let mut placed = String::new();
        for (at, character) in text.char_indices() {
            let is_path = FOLDERS.iter().any(|folder| text[at..].starts_with(folder));
            if is_path && !text[..at].ends_with(char::is_alphanumeric) {
                placed += self.root.to_str().unwrap();
            }
            placed.push(character);
        }
        placed
    }

    fn place_files(&self, from: &Path, to: &str) {
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let to = format!("{to}/{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                self.place_files(&path, &to);
            } else {
                let text = read_to_string(path).unwrap();
                self.put(&to, &if text.starts_with("#!") { self.placed(&text) } else { text });
            }
        }
    }

    /// The first of what this host is told and what any is told counts.
    fn user_data(&self, told: &[(&str, &str)]) -> String {
        let template = yaml("infra/redis-node.yaml");
        let data =
            &template["Resources"]["Template"]["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"];
        let mut text = self.placed(data.as_str().unwrap());
        for (name, value) in told.iter().chain(&TOLD) {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        assert!(!text.contains("${"), "a host is told more:\n{text}");
        text
    }

    /// Boots the host, to the end of its `UserData`.
    pub(crate) fn boot(&self, told: &[(&str, &str)]) -> Output {
        // The archive says nothing of who may run what.
        let files = self.path("files/.");
        let pack = ["-m", "zipfile", "-c", self.path("files.zip").to_str().unwrap(), files.to_str().unwrap()]
            .map(ToOwned::to_owned);
        assert!(Command::new("python3").args(pack).status().unwrap().success());
        let script = "var/lib/cloud/instance/scripts/part-001";
        self.put(script, &self.user_data(told));
        self.command(script).output().unwrap()
    }

    /// Runs a script on a host that is told this and has not been booted.
    pub(crate) fn run(&self, told: &[(&str, &str)], script: &str, arguments: &[&str]) -> Output {
        let text = self.user_data(told);
        let (_, rest) = text.split_once("node.env <<'END'\n").unwrap();
        self.put("etc/spillway/node.env", rest.split_once("END\n").unwrap().0);
        self.command(&format!("files/{script}")).args(arguments).output().unwrap()
    }

    /// With the environment that a script has which cloud-init runs, or systemd: hardly any.
    pub(crate) fn command(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        command.arg(self.path(script)).env_clear().env("PATH", &self.search_path);
        command
    }

    /// Writes a host's file of passwords.
    pub(crate) fn write_passwords(&self, file: &Path) -> Output {
        self.run(&[], "passwords", &[file.to_str().unwrap()])
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
