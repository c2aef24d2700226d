//! A Redis host on AWS comes up: its `UserData` and `infra/nodes/boot` run to their end, with what they need of a host
//! stood in for by [`crate::node_host`].

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use crate::node_host::{Host, fine};
use crate::nodes::PASSWORD;
use crate::system::empty_folder;
use crate::template::yaml;

/// How the host called something, in the order in which it did.
fn calls(host: &Host) -> Vec<String> {
    host.read("calls").lines().map(str::to_owned).collect()
}

fn place_of(calls: &[String], call: &str) -> usize {
    calls.iter().position(|each| each.starts_with(call)).unwrap_or_else(|| panic!("no {call} in {calls:#?}"))
}

fn is_called(calls: &[String], call: &str) -> bool {
    calls.iter().any(|each| each.starts_with(call))
}

/// The last thing a host says is whether it is up; the stack waits for that.
fn signal(host: &Host) -> String {
    let called = calls(host).pop().unwrap();
    let code = called.strip_prefix("cfn-signal --exit-code ").unwrap();
    let (code, rest) = code.split_once(' ').unwrap();
    assert_eq!(rest, "--stack shop-Nodes-Node1 --resource Group --region eu-west-1");
    code.to_owned()
}

/// Starts a server of the host as its unit does.
fn start(host: &Host, kind: &str, folder: &str) -> Output {
    let unit = host.read(&format!("etc/systemd/system/spillway-{folder}.service"));
    let line = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    assert_eq!(line("ExecStart="), format!("/opt/spillway/redis/start {kind}"));
    let credential = line("LoadCredential=secrets:/");
    let state = host.path("var/lib").display().to_string();
    let credentials = host.path("credentials").display().to_string();
    host.put("credentials/secrets", &host.read(credential));
    std::fs::set_permissions(host.path("credentials/secrets"), PermissionsExt::from_mode(0o400)).unwrap();
    let own = line("Environment=").replace("%S", &state).replace("%d", &credentials);
    let file = host.read(line("EnvironmentFile=/"));
    let settings = file.lines().chain(own.split(' ')).map(|line| line.split_once('=').unwrap());
    host.command("opt/spillway/redis/start").arg(kind).envs(settings).output().unwrap()
}

#[test]
fn the_first_host_of_a_cluster_comes_up_from_nothing_but_its_user_data() {
    let host = Host::new(&empty_folder("node-boot-first"));
    // The other two sentinels are not there yet.
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = own.local_addr().unwrap().port();
    let sentinels = format!("127.0.0.1:{port},127.0.0.2:{port},127.0.0.3:{port}");
    let told = [("Address", "127.0.0.1"), ("FirstMaster", "127.0.0.1:6379"), ("Sentinels", &sentinels)];
    fine(&host.boot(&told));
    assert_eq!(signal(&host), "0");

    let calls = calls(&host);
    let device = host.path("dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123");
    let (device, volume) = (device.display(), host.path("var/lib/spillway"));
    let volume = volume.display();
    let in_order = [
        "dnf install --assumeyes --quiet valkey amazon-cloudwatch-agent",
        "useradd --system",
        &format!("mkfs.xfs -q {device}"),
        &format!("mount {volume}"),
        &format!("xfs_growfs {volume}"),
        &format!("chown -R redis:redis {volume}"),
        &format!("chown -R redis:redis {}", host.path("etc/spillway/tls").display()),
        "systemctl daemon-reload",
        "systemctl enable --quiet --now spillway-sentinel.service spillway-redis.service",
        "amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c file:",
    ];
    let places = in_order.map(|call| place_of(&calls, call));
    assert!(places.is_sorted(), "{calls:#?}");
    assert_eq!(host.read("etc/fstab"), format!("{device} {volume} xfs noatime,nofail 0 2\n"));
    for unit in ["spillway-redis", "spillway-sentinel"] {
        assert!(host.path(&format!("etc/systemd/system/{unit}.service.d/node.conf")).exists());
    }
    let agent = host.read("opt/aws/amazon-cloudwatch-agent/etc/spillway.json");
    assert!(
        agent.contains("127.0.0.1/redis") && agent.contains("shop-nodes") && !agent.contains("{{"),
        "{agent}"
    );
    let settings = host.read("etc/spillway/redis.env");
    assert!(settings.contains("SPILLWAY_MAXMEMORY=4000000kb\n"), "half of the memory: {settings}");
    assert!(settings.contains("\nAWS_DEFAULT_REGION=eu-west-1\n"), "notify needs it: {settings}");
    for secret in ["redis-secrets", "redis.env", "tls/key.pem"] {
        let mode =
            std::fs::metadata(host.path(&format!("etc/spillway/{secret}"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
}

#[test]
fn a_host_that_is_replaced_keeps_and_grows_what_is_on_its_volume_and_its_servers_start() {
    let host = Host::new(&empty_folder("node-boot-replaced"));
    host.put("volume", "xfs, and what the node has written");
    // It is being made larger.
    host.put("volume-gib", "20\n64\n");
    host.put("replication", "role:slave\r\nmaster_link_status:up\r\n");
    // Another host has made the authority.
    let other = host.path("other");
    fine(&host.run(&[], "certificate", &["10.20.0.4", other.to_str().unwrap()]));
    fine(&host.boot(&[("Address", "10.20.32.4"), ("VolumeGiB", "64")]));
    assert_eq!(signal(&host), "0");
    let calls = calls(&host);
    assert!(!is_called(&calls, "mkfs"), "{calls:#?}");
    assert!(
        calls.iter().rposition(|call| call.starts_with("blockdev")) < Some(place_of(&calls, "xfs_growfs"))
    );
    assert_eq!(host.read("volume-gib"), "64\n", "it waits for the size that it is told");

    fine(&start(&host, "node", "redis"));
    let node = host.read("var/lib/spillway/redis/redis.conf");
    for line in ["replicaof 10.20.16.4 6379", "replica-announce-ip \"10.20.32.4\"", "tls-port 6379"] {
        assert!(node.contains(line), "{line}: {node}");
    }
    assert!(node.contains(&format!("masterauth \"{PASSWORD}\"")), "{node}");
    fine(&start(&host, "sentinel", "sentinel"));
    let sentinel = host.read("var/lib/spillway/sentinel/sentinel.conf");
    assert!(sentinel.contains("sentinel monitor spillway 10.20.0.4 6379 2"), "{sentinel}");
}

/// Packages come without a version, and a layer by a link that names the version of an object.
#[test]
fn the_network_lets_a_host_fetch_its_packages_and_its_files() {
    let policy =
        &yaml("infra/network.yaml")["Resources"]["ToS3"]["Properties"]["PolicyDocument"]["Statement"];
    let [statement] = &policy.as_vec().unwrap()[..] else { panic!("{policy:?}") };
    assert_eq!((statement["Effect"].as_str(), statement["Resource"].as_str()), (Some("Allow"), Some("*")));
    let actions: Vec<_> =
        statement["Action"].as_vec().unwrap().iter().map(|each| each.as_str().unwrap()).collect();
    assert_eq!(actions, ["s3:GetObject", "s3:GetObjectVersion"]);
}

#[test]
fn a_host_that_cannot_be_made_says_so_instead_of_letting_the_stack_wait() {
    let host = Host::new(&empty_folder("node-boot-failed"));
    std::fs::remove_file(host.path("vault/authority")).unwrap();
    assert!(!host.boot(&[]).status.success());
    assert_ne!(signal(&host), "0");
    assert!(!is_called(&calls(&host), "systemctl enable"), "nothing was started");
}
