//! The page in a real browser: each file of `tests/browser` runs against the shared system, one after the other. Its
//! pictures of every state are in `target/browser`.

use std::path::PathBuf;
use std::time::Duration;

use api::WaitingRoomStatus;
use jiff::SignedDuration;
use sale::{Commitment, Draw, RoomState, SaleId, Seed, ShopperId};
use serde::Deserialize;
use spillway::browser;
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::system::shared;
use crate::tidy::{read, root};

/// Browsers at the same time would take the processors from each other, and from the other tests.
static BROWSER: Mutex<()> = Mutex::const_new(());

const FILE_TIMEOUT: Duration = Duration::from_mins(6);
const INSTALL_TIMEOUT: Duration = Duration::from_mins(5);

fn folder() -> PathBuf {
    root().join("tests/browser")
}

async fn run(command: &mut Command, timeout: Duration) {
    let child = command.current_dir(folder()).kill_on_drop(true).output();
    let output = tokio::time::timeout(timeout, child).await.expect("it takes too long").unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// What `package-lock.json` names, unless it is there.
async fn install() {
    let lock = |path: &str| std::fs::metadata(folder().join(path)).and_then(|file| file.modified()).ok();
    if lock("node_modules/.package-lock.json") < lock("package-lock.json") {
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]), INSTALL_TIMEOUT)
            .await;
    }
}

async fn pass(file: &str) {
    let _browser = BROWSER.lock().await;
    install().await;
    let running = shared();
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter=spec", file]);
    command.env("SHOP_URL", &running.url).env("SHOP_ADMIN_TOKEN", &running.admin_token);
    command.env("CHROMIUM", browser().expect("no browser: `cargo spillway test` installs one"));
    run(command.env("SCREENSHOTS", root().join("target/browser")), FILE_TIMEOUT).await;
}

#[derive(Deserialize)]
struct DrawVector {
    sale: SaleId,
    seed: Seed,
    seed_hash: Commitment,
    lot: ShopperId,
    lobby: u64,
    place: u64,
}

/// Of `serving.json`.
#[derive(Deserialize)]
struct ServingExample {
    serving: f64,
    rate_per_minute: f64,
    serving_limit: f64,
    elapsed_ms: i64,
    serving_after: f64,
}

/// What the status says of the serving number, where that is all that it says.
fn room(example: &ServingExample) -> WaitingRoomStatus {
    WaitingRoomStatus {
        state: RoomState::Serving,
        lobby_opens_at: None,
        door_closed: false,
        lobby: 0,
        seed_hash: Seed::from_bytes([0; 32]).commitment(),
        seed: None,
        last_place: 0,
        serving: example.serving,
        serving_limit: example.serving_limit,
        rate_per_minute: example.rate_per_minute,
        turn_seconds: 60.0,
    }
}

#[tokio::test]
async fn the_page_works_places_out_as_the_shop_does() {
    let vectors: Vec<DrawVector> = serde_json::from_str(&read("tests/browser/draw.json")).unwrap();
    assert!(!vectors.is_empty());
    for vector in vectors {
        let draw = Draw { lobby: vector.lobby, seed: vector.seed };
        assert_eq!(draw.place(&vector.sale, &vector.lot), vector.place);
        assert_eq!(vector.seed.commitment(), vector.seed_hash);
    }
    let examples: Vec<ServingExample> = serde_json::from_str(&read("tests/browser/serving.json")).unwrap();
    for example in examples {
        let after = room(&example).serving_after(SignedDuration::from_millis(example.elapsed_ms));
        assert!((after - example.serving_after).abs() < 1e-9, "{after} and not {}", example.serving_after);
    }
    pass("rules.test.mjs").await;
}

#[tokio::test]
async fn in_a_browser_a_shopper_buys_by_touch_by_keyboard_and_in_each_language() {
    pass("journey.test.mjs").await;
}

#[tokio::test]
async fn in_a_browser_a_slip_or_a_lost_answer_loses_nothing() {
    pass("slips.test.mjs").await;
}

#[tokio::test]
async fn in_a_browser_the_shops_clock_counts_and_not_the_browsers() {
    pass("clock.test.mjs").await;
}

#[tokio::test]
async fn in_a_browser_every_state_can_be_read_by_everybody_and_no_false_status_is_believed() {
    pass("states.test.mjs").await;
}

#[tokio::test]
async fn in_a_browser_what_a_shopper_brings_about_can_be_read_by_everybody() {
    pass("readable.test.mjs").await;
}

#[tokio::test]
async fn in_a_browser_two_shoppers_pass_through_the_waiting_room_in_the_order_of_the_draw() {
    pass("line.test.mjs").await;
}
