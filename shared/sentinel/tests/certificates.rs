//! TLS to nodes and sentinels: which certificate is accepted, and what is told of one that is not.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sentinel::testkit::{Cluster, ClusterOptions, History, Member, Plan};
use sentinel::{Client, Config, Endpoint, Error, Idempotency, NatMap, Tls};

use crate::calls::{call, cluster, ms, one};

/// The name in the certificate. Its address is not in it.
const NAME: &str = "localhost";

/// An authority, as PEM, and a server's certificate with its key in this cluster's folder.
fn certify(cluster: &Cluster) -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![NAME.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let folder = cluster.folder(Member::Node(0));
    for (file, text) in [
        ("ca.pem", authority.pem()),
        ("certificate.pem", certificate.pem()),
        ("key.pem", key.serialize_pem()),
    ] {
        std::fs::write(folder.join(file), text).unwrap();
    }
    authority.pem()
}

/// A node that speaks TLS at a second port, and the authority that signed its certificate.
async fn speaking_tls() -> (Cluster, u16, String) {
    let cluster = cluster().await;
    let authority = certify(&cluster);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = |name: &str| cluster.folder(Member::Node(0)).join(name).display().to_string();
    let (certificate, key, ca, port_text) =
        (file("certificate.pem"), file("key.pem"), file("ca.pem"), port.to_string());
    let words = [
        "CONFIG",
        "SET",
        "tls-cert-file",
        &certificate,
        "tls-key-file",
        &key,
        "tls-ca-cert-file",
        &ca,
        "tls-auth-clients",
        "no",
        "tls-port",
        &port_text,
    ];
    cluster.command(Member::Node(0), &words).await.unwrap();
    (cluster, port, authority)
}

/// A client that dials this instead of what the sentinels name.
fn dialling(cluster: &Cluster, host: &str, port: u16, authority: &str) -> Config {
    let mut config = cluster.config();
    config.tls = Some(Tls::new(authority.as_bytes()).unwrap());
    let endpoint = Endpoint { host: host.to_owned(), port };
    let others = (1..3).map(|index| (cluster.node(index), cluster.node(index)));
    config.nat_map = NatMap::new(
        others
            .chain([(cluster.node(0), endpoint)])
            .chain((0..3).map(|index| (cluster.sentinel(index), cluster.sentinel(index)))),
    );
    config
}

async fn told(config: Config) -> Error {
    let client = Client::new(config).unwrap();
    one(&client, call(Idempotency::Idempotent, ms(1_000))).await.unwrap_err()
}

/// Case 12.
#[tokio::test]
async fn a_certificate_for_the_name_that_is_dialled_is_accepted() {
    let (cluster, port, authority) = speaking_tls().await;
    let client = Client::new(dialling(&cluster, NAME, port, &authority)).unwrap();
    let history = History::new();
    for _ in 0..20 {
        history.write(&client, Plan::default()).await.unwrap();
    }
    history.check(&cluster).await.unwrap();
}

/// Case 12.
#[tokio::test]
async fn a_certificate_for_another_name_is_a_wrong_setting_that_says_what_to_do() {
    let (cluster, port, authority) = speaking_tls().await;
    let error = told(dialling(&cluster, "127.0.0.1", port, &authority)).await;
    assert!(matches!(error, Error::Config(_)), "{error}");
    assert!(error.to_string().contains("announce-hostnames"), "{error}");
}

#[tokio::test]
async fn a_certificate_of_another_authority_and_a_plain_port_are_wrong_settings() {
    let (cluster, port, _) = speaking_tls().await;
    let other = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let error = told(dialling(&cluster, NAME, port, &other)).await;
    assert!(matches!(error, Error::Config(_)) && error.to_string().contains("`tls`"), "{error}");
    let plain = cluster.node(0).port;
    let error = told(dialling(&cluster, NAME, plain, &other)).await;
    assert!(error.next() != sentinel::Next::OutcomeUnknown, "{error}");
}

/// Case 12.
#[tokio::test]
async fn sentinels_that_announce_host_names_are_followed_by_name() {
    let names = ["sentinel resolve-hostnames yes", "sentinel announce-hostnames yes"];
    let options =
        ClusterOptions { sentinel_lines: names.map(str::to_owned).to_vec(), ..ClusterOptions::default() };
    let cluster = Cluster::start(options).await.unwrap();
    let port = cluster.node(0).port.to_string();
    for index in 0..3 {
        let sentinel = Member::Sentinel(index);
        cluster.command(sentinel, &["SENTINEL", "REMOVE", "spillway"]).await.unwrap();
        let monitor = ["SENTINEL", "MONITOR", "spillway", NAME, &port, "2"];
        cluster.command(sentinel, &monitor).await.unwrap();
    }
    let client = Client::new(cluster.config()).unwrap();
    one(&client, call(Idempotency::Idempotent, ms(2_000))).await.unwrap();
    assert_eq!(client.status().master.unwrap().host, NAME);
}
