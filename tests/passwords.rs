//! Passwords of Redis are changed as docs/operations.md has it: every host knows the next ones before they become the
//! present ones. After each host nobody is refused, and replicas and sentinels go on.

use crate::node_host::{Host, fine, users};
use crate::nodes::{Nodes, PASSWORD};
use crate::replaced_host::{is_whole, move_master};
use crate::system::eventually;

const NEXT: &str = "abcdefghij-abcdefghij";

/// All users' but the operator's, who looks on.
fn put_all(host: &Host, stage: &str, password: &str) {
    for (server, file) in [("redis", "users.acl"), ("sentinel", "sentinel-users.acl")] {
        for user in users(file).iter().filter(|user| *user != "operator") {
            host.put_password(&format!("shop/{server}/{user}{stage}"), password);
        }
    }
}

/// Has every host, one after the other, start again with what the secrets say now, while functions use this password.
async fn restart_all(mut nodes: Nodes, host: &Host, used: &str) -> Nodes {
    for index in 0..3 {
        move_master(&nodes, index).await;
        fine(&host.write_passwords(&nodes.folder().join("secrets")));
        for kind in ["redis", "sentinel"] {
            nodes.kill(&format!("{kind}-{}", index + 1));
        }
        nodes.start_sentinel(index);
        nodes.start_redis(index);
        eventually("that the cluster is whole", async || is_whole(&nodes).then_some(())).await;
        assert!((0..3).all(|host| nodes.let_in(host, used)), "somebody is refused after host {index}");
    }
    nodes
}

/// What a node tells its master, to be let in.
fn presented(nodes: &Nodes, index: usize) -> String {
    nodes.ask(index, &["CONFIG", "GET", "masterauth"]).lines().nth(1).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_changed_while_everybody_goes_on() {
    let nodes = Nodes::start("passwords").await;
    let host = Host::new(nodes.folder());
    eventually("that the cluster is whole", async || is_whole(&nodes).then_some(())).await;
    put_all(&host, ".AWSPENDING", NEXT);
    let nodes = restart_all(nodes, &host, PASSWORD).await;
    assert!((0..3).all(|host| nodes.let_in(host, NEXT)), "the next ones may become the present ones");
    assert!((0..3).all(|host| presented(&nodes, host) == PASSWORD), "hosts use the present ones");

    put_all(&host, "", NEXT);
    put_all(&host, ".AWSPREVIOUS", PASSWORD);
    let nodes = restart_all(nodes, &host, NEXT).await;
    assert!((0..3).all(|host| presented(&nodes, host) == NEXT));
    assert!((0..3).all(|host| nodes.let_in(host, PASSWORD)), "who has not followed yet is let in");
}
