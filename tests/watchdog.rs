//! What systemd hears of a function: that it is ready, that it still answers, that it stops. The socket on which
//! systemd would listen is the test's own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use spillway::{ExtraFunction, Signal, signal};

use crate::shop::{open_sale, units};
use crate::system::{PATIENCE, eventually, shared};

/// After so long without a sign systemd would start the function again. It gives four in this time.
const WATCHDOG: Duration = Duration::from_millis(800);
const SILENCE: Duration = Duration::from_secs(3);

struct Systemd {
    path: PathBuf,
    heard: Receiver<String>,
}

impl Systemd {
    fn new() -> Self {
        // Such a path may have 107 bytes, fewer than a checkout's own path may need.
        let path = std::env::temp_dir().join(format!("spillway-{:016x}", rand::random::<u64>()));
        let socket = UnixDatagram::bind(&path).unwrap();
        let (tell, heard) = channel();
        std::thread::spawn(move || {
            let mut message = [0; 1_024];
            while let Ok(length) = socket.recv(&mut message) {
                let text = String::from_utf8(message[..length].to_vec()).unwrap();
                if tell.send(text.trim().to_owned()).is_err() {
                    return;
                }
            }
        });
        Self { path, heard }
    }

    /// What it tells a service that it starts.
    fn settings(&self) -> [(String, String); 2] {
        [
            ("NOTIFY_SOCKET".to_owned(), self.path.to_str().unwrap().to_owned()),
            ("WATCHDOG_USEC".to_owned(), WATCHDOG.as_micros().to_string()),
        ]
    }

    fn next(&self) -> String {
        self.heard.recv_timeout(PATIENCE).unwrap()
    }

    /// Listens until it hears this.
    fn hears(&self, state: &str) {
        while self.next() != state {}
    }

    /// Forgets everything that was sent until now.
    fn forgets(&self) {
        UnixDatagram::unbound().unwrap().send_to(b"until now", &self.path).unwrap();
        self.hears("until now");
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether the process is stopped, as the system tells it after its name.
fn is_stopped(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    state.rsplit(") ").next().unwrap().starts_with('T')
}

#[tokio::test]
async fn a_function_that_listens_is_ready_and_gives_signs_of_life_until_it_hangs() {
    let systemd = Systemd::new();
    let function = ExtraFunction::start(&shared(), "session", &systemd.settings()).unwrap();
    assert_eq!(systemd.next(), "READY=1");
    assert_eq!([systemd.next(), systemd.next()], ["WATCHDOG=1", "WATCHDOG=1"]);

    signal(function.pid(), Signal::STOP);
    eventually("the stop", async || is_stopped(function.pid()).then_some(())).await;
    systemd.forgets();
    let sign = systemd.heard.recv_timeout(SILENCE);
    signal(function.pid(), Signal::CONT);
    assert!(sign.is_err(), "one that is stopped gives no sign");
    assert_eq!(systemd.next(), "WATCHDOG=1");
}

#[tokio::test]
async fn a_function_that_is_asked_to_stop_says_so_answers_what_it_has_taken_and_takes_no_more() {
    let systemd = Systemd::new();
    let shop = open_sale(units(5)).await;
    let function = ExtraFunction::start(&shop.running, "reserve", &systemd.settings()).unwrap();
    let address = function.origin.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let wish = r#"{"sku":"unit","quantity":1}"#;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nidempotency-key: wish\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        shop.path("/reservations"),
        shop.shopper("ann").token,
        wish.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // It asks for the body: from now on the request is under way.
    let mut interim = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut interim).unwrap();
    assert!(interim.starts_with(b"HTTP/1.1 100"));

    signal(function.pid(), Signal::TERM);
    systemd.hears("STOPPING=1");
    eventually("the closed door", async || TcpStream::connect(address).is_err().then_some(())).await;
    stream.write_all(wish.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(shop.figures().await, "4/1/0");
}
