//! The gateway of several hosts: the files of `infra/nginx` as they are, with addresses and certificate of this
//! machine.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use spillway::{Running, any_free_port, certify};

use crate::shop::{open_sale_in, send, units};
use crate::system::{empty_folder, eventually, shared};
use crate::tidy::files;

/// What the files say of the hosts of an example.
const FUNCTION_PORTS: [(&str, u16); 6] = [
    ("session", 9001),
    ("page", 9002),
    ("reserve", 9003),
    ("confirm", 9004),
    ("admin", 9005),
    ("queue", 9008),
];

/// A gateway over the functions of the shared system and, at each of them, a second instance that is not there.
struct Gateway {
    /// The shared system behind this door.
    running: Running,
    child: Child,
}

impl Gateway {
    /// Starts it when the text of each file has been through this, and returns when it answers.
    async fn start(name: &str, change: impl Fn(String) -> String) -> Self {
        let mut running = shared();
        let folder = empty_folder(name);
        certify(&folder).unwrap();
        let (port, other_port) = (any_free_port().unwrap(), any_free_port().unwrap());
        for path in files("infra/nginx", "conf") {
            let text = change(crate::tidy::read(&path))
                .replace("listen 443 ", &format!("listen 127.0.0.1:{port} "))
                .replace("listen [::]:443 ", &format!("listen 127.0.0.1:{other_port} "))
                .replace("/etc/spillway/tls", folder.to_str().unwrap());
            let text = FUNCTION_PORTS.iter().fold(text, |text, (function, port)| {
                let part = running.functions.iter().find(|part| part.name == *function).unwrap();
                text.replace(&format!("10.0.0.11:{port} "), &format!("{} ", part.address))
                    .replace(&format!("10.0.0.12:{port} "), "127.0.0.1:1 ")
            });
            assert!(!text.contains("10.0.0.1"), "{} names other hosts", path.display());
            std::fs::write(folder.join(path.file_name().unwrap()), text).unwrap();
        }
        let log = File::create(folder.join("log")).unwrap();
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-p"]).arg(folder.join("")).arg("-c").arg(folder.join("nginx.conf"));
        // Workers of root would become a user who may not enter this folder.
        if std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
            command.args(["-g", "user root;"]);
        }
        let child = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
        (running.url, running.ca) = (format!("https://localhost:{port}"), Some(folder.join("ca.pem")));
        let gateway = Self { running, child };
        let http = gateway.running.http_client().unwrap();
        let url = format!("{}/assets/sale.css", gateway.running.url);
        let answers = async || http.get(&url).send().await.is_ok().then_some(());
        eventually("the gateway's first answer", answers).await;
        gateway
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        spillway::signal(self.child.id(), spillway::Signal::TERM);
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_gateway_of_several_hosts_sells_over_tls_although_half_of_the_instances_are_away() {
    let gateway = Gateway::start("gateway-hosts", |text| text).await;
    let shop = open_sale_in(gateway.running.clone(), units(20)).await;
    let ann = shop.shopper("ann");
    for number in 0..10 {
        let id = shop.hold(&ann, &number.to_string()).await;
        assert_eq!(shop.confirm(&ann, &id).await.told(), "201 confirmed");
        let status = send(shop.request(Method::GET, &shop.path("/status"))).await;
        assert_eq!(status.status, 200, "{}", status.text);
        assert!(status.header("strict-transport-security").starts_with("max-age="));
    }
    assert_eq!(shop.figures().await, "10/0/10");
    let long = "a".repeat(20_000);
    let refused = send(shop.request(Method::GET, &format!("/{long}"))).await;
    assert_eq!(refused.field("type"), "https://shop.example/problems/invalid-request");
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_so_and_one_that_asks_now_and_then_is_not() {
    // The numbers are for a crowd that no test could be sure to make.
    let lowered = |text: String| text.replace("rate=200r/s", "rate=1r/m").replace("burst=400", "burst=5");
    let gateway = Gateway::start("gateway-limits", lowered).await;
    let http = gateway.running.http_client().unwrap();
    let asset = format!("{}/assets/sale.css", gateway.running.url);
    let ask = async || send(http.get(&asset)).await;
    let refused =
        eventually("a refusal", async || Some(ask().await).filter(|answer| answer.status != 200)).await;
    assert_eq!(refused.told(), "429 quota-exceeded");
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!((refused.header("retry-after"), &refused.body["retry_after_seconds"]), ("1", &1.into()));
    assert_eq!(refused.header("refresh"), "");
    for (request, refresh) in [(http.get(&asset), "10"), (http.post(&asset), "")] {
        let refused = request.header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
        let told = refused.headers().get("refresh").map_or("", |refresh| refresh.to_str().unwrap());
        assert_eq!((refused.status().as_u16(), told), (429, refresh), "for a browser that opens an address");
    }
    let usual = Gateway::start("gateway-usual", |text| text).await;
    let http = usual.running.http_client().unwrap();
    for _ in 0..50 {
        assert_eq!(send(http.get(format!("{}/assets/sale.css", usual.running.url))).await.status, 200);
    }
}
