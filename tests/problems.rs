//! Every row of the table of problems, as a client meets it.

use std::collections::BTreeSet;

use edge::PROBLEMS;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use ledger::CONFIRM_DEADLINE;
use reqwest::{Method, RequestBuilder};
use sale::{Definition, Reservation, ReservationId, WaitingRoom};
use serde_json::{Value, json};
use spillway::{ExtraFunction, LedgerFault};
use tokio::net::TcpListener;

use crate::crash::confirm_over;
use crate::openapi_operation::{Audience, Operation};
use crate::openapi_operations::SHOP_OPERATIONS;
use crate::provider::{IdentityProvider, Signer};
use crate::settle::reservation;
use crate::shop::{Answer, open_sale, open_sale_in, send, units};
use crate::system::{command, eventually, ledger, private, redis, soon, stock};
use crate::tidy::{files, read};
use crate::vault::Vault;

/// The problems that were met, each checked against its row.
#[derive(Default)]
struct Met(BTreeSet<String>);

impl Met {
    fn add(&mut self, answer: &Answer) {
        let slug = answer.slug().to_owned();
        let row = PROBLEMS.iter().find(|row| row.slug == slug);
        let row = row.unwrap_or_else(|| panic!("no row for {} {}", answer.status, answer.text));
        assert_eq!((answer.status, answer.field("title")), (row.status, row.title));
        assert_eq!(answer.body["status"], row.status);
        assert!(answer.field("type").starts_with("http://127.0.0.1:"), "an absolute type");
        assert!(answer.field("detail").ends_with(['.', '!']) || slug == "invalid-request", "{}", answer.text);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.header("cache-control"), "no-store");
        let retry_after = answer.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        if [429, 503].contains(&row.status) {
            assert!(retry_after.is_some(), "{slug} says when to come back");
        }
        let in_body = answer.body.get("retry_after_seconds").map(ToString::to_string);
        assert_eq!(retry_after, in_body, "gateways rewrite headers");
        self.0.insert(slug);
    }
}

#[tokio::test]
async fn every_row_of_the_problem_table_is_met_by_somebody() {
    let mut met = Met::default();
    whatever_a_request_can_get_wrong(&mut met).await;
    whatever_a_sale_can_refuse(&mut met).await;
    whatever_a_waiting_room_can_refuse(&mut met).await;
    whatever_a_reservation_can_have_become(&mut met).await;
    whatever_a_merchant_can_collide_with(&mut met).await;
    whatever_can_fail_beneath(&mut met).await;
    whatever_can_fail_beside(&mut met).await;
    let missing: Vec<_> = PROBLEMS.iter().map(|row| row.slug).filter(|slug| !met.0.contains(*slug)).collect();
    assert_eq!(missing, [""; 0], "rows that nobody met");
}

#[test]
fn every_problem_that_a_shopper_can_meet_has_words_in_every_language() {
    let asked = SHOP_OPERATIONS.iter().filter(|operation| operation.audience != Audience::Merchant);
    let mut met: BTreeSet<_> = asked.flat_map(Operation::slugs).collect();
    // What an address is told that a person mistypes, or opens although only forms are sent there.
    met.extend(["route-not-found", "method-not-allowed"]);
    for file in files("shared/languages/texts", "json") {
        let texts: Value = serde_json::from_str(&read(&file)).unwrap();
        let texts = texts["script"]["problem"].as_object().unwrap();
        let missing: Vec<_> = met.iter().filter(|slug| !texts.contains_key(**slug)).collect();
        assert!(missing.is_empty(), "{} has no words for {missing:?}", file.display());
        let of_page = ["offline", "unknown"];
        let stale: Vec<_> = texts
            .keys()
            .filter(|slug| !of_page.contains(&slug.as_str()) && !met.contains(slug.as_str()))
            .collect();
        assert!(stale.is_empty(), "{} has words for {stale:?}, which nobody meets", file.display());
    }
}

async fn whatever_a_waiting_room_can_refuse(met: &mut Met) {
    let room = WaitingRoom { lobby_opens_at: None, rate_per_minute: 1_000_000, turn_seconds: 10 };
    let terms = Definition { waiting_room: Some(room.clone()), ..units(5) };
    let shop = open_sale(terms.clone()).await;
    let ann = shop.shopper("ann");
    met.add(&shop.reserve(&ann, "wish", 1).await);
    let ticket = send(shop.join(&ann)).await;
    let wish = async || send(shop.wish_with(&ann, "wish", ticket.field("ticket"))).await;
    let held = eventually("the turn", async || {
        let answer = wish().await;
        if answer.status == 403 {
            met.add(&answer);
        }
        (answer.status == 201).then_some(answer)
    })
    .await;
    shop.release(&ann, held.field("id")).await;
    met.add(&send(shop.wish_with(&ann, "again", ticket.field("ticket"))).await);
    met.add(&send(shop.generate(ticket.field("ticket"))).await);
    shop.change_queue(&json!({ "rate_per_minute": 1, "door_closed": false })).await;
    let behind = send(shop.join(&ann)).await;
    met.add(&send(shop.wish_with(&ann, "later", behind.field("ticket"))).await);
    shop.change_queue(&json!({ "door_closed": true })).await;
    met.add(&send(shop.join(&ann)).await);
    let plain = open_sale(units(5)).await;
    met.add(&send(plain.join(&ann)).await);
    let lobby_opens_at = Some(Timestamp::now() + SignedDuration::from_mins(30));
    let early =
        Definition { opens_at: None, waiting_room: Some(WaitingRoom { lobby_opens_at, ..room }), ..terms };
    met.add(&send(open_sale(early).await.join(&ann)).await);
}

async fn whatever_a_request_can_get_wrong(met: &mut Met) {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let bare = || shop.request(Method::POST, &shop.path("/reservations")).bearer_auth(&ann.token);
    let with_key = || bare().header("idempotency-key", "k");
    let json = "application/json";
    met.add(&send(with_key().header("content-type", json).body("{")).await);
    met.add(&send(bare().json(&json!({ "sku": "unit", "quantity": 1 }))).await);
    met.add(&send(with_key().header("content-type", json).body("x".repeat(20_000))).await);
    met.add(&send(with_key().body("sku=unit")).await);
    met.add(&send(with_key().header("x-long", "x".repeat(9_000)).json(&json!({}))).await);
    met.add(&send(shop.request(Method::GET, "/orders/00000000000000000000000000")).await);
    met.add(&send(shop.request(Method::POST, "/sessions")).await);
    met.add(&send(shop.request(Method::GET, "/sales/nowhere/en")).await);
    met.add(&send(with_key().json(&json!({ "sku": "other", "quantity": 1 }))).await);
    met.add(&shop.find(&ann, "0").await);
    met.add(&shop.order(&ann, "0").await);
    met.add(&send(shop.request(Method::GET, "/nothing")).await);
    let wrong_method = send(shop.request(Method::PATCH, &shop.path("/status"))).await;
    assert!(!wrong_method.header("allow").is_empty());
    met.add(&wrong_method);
    let settings = [("RATE_LIMIT_QUOTA".to_owned(), "1".to_owned())];
    let strict = ExtraFunction::start(&shop.running, "reserve", &settings).unwrap();
    let url = format!("{}{}", strict.origin, shop.path("/reservations"));
    let wish =
        |key: &str| shop.http.post(&url).bearer_auth(&ann.token).header("idempotency-key", key.to_owned());
    let wish = |key: &str| wish(key).json(&json!({ "sku": "unit", "quantity": 1 }));
    send(wish("a")).await;
    met.add(&send(wish("b")).await);
}

async fn whatever_a_sale_can_refuse(met: &mut Met) {
    let early = open_sale(Definition { opens_at: None, ..units(5) }).await;
    met.add(&early.reserve(&early.shopper("ann"), "k", 1).await);
    let shop = open_sale(Definition { limit_per_shopper: 1, ..units(1) }).await;
    let (ann, ben) = (shop.shopper("ann"), shop.shopper("ben"));
    shop.hold(&ann, "k").await;
    met.add(&shop.reserve(&ann, "another", 1).await);
    met.add(&shop.reserve(&ben, "k", 1).await);
    shop.merchant.change(&shop.sale, "pause").await.unwrap();
    met.add(&shop.reserve(&ben, "k", 1).await);
    shop.merchant.change(&shop.sale, "close").await.unwrap();
    met.add(&shop.reserve(&ben, "k", 1).await);
}

async fn whatever_a_reservation_can_have_become(met: &mut Met) {
    let shop = open_sale(units(20)).await;
    let ann = shop.shopper("ann");
    let released = shop.hold(&ann, "released").await;
    met.add(&shop.reserve(&ann, "released", 2).await);
    shop.release(&ann, &released).await;
    met.add(&shop.confirm(&ann, &released).await);
    let ordered = shop.hold(&ann, "ordered").await;
    let order = shop.confirm(&ann, &ordered).await;
    met.add(&shop.release(&ann, &ordered).await);
    shop.cancel(order.field("id")).await;
    met.add(&shop.confirm(&ann, &ordered).await);
    let confirming = shop.hold(&ann, "confirming").await;
    let (id, shopper) = (ReservationId::parse(&confirming).unwrap(), shop.shopper_id("ann"));
    stock(&shop.running).begin(&shop.sale, &id, &shopper, None, CONFIRM_DEADLINE, soon()).await.unwrap();
    met.add(&shop.release(&ann, &confirming).await);

    let short = open_sale(Definition { hold_seconds: 10, ..units(1) }).await;
    let cem = short.shopper("cem");
    let id = short.hold(&cem, "k").await;
    let expired = async || (short.find(&cem, &id).await.told() == "200 expired").then_some(());
    eventually("the expiry", expired).await;
    met.add(&short.confirm(&cem, &id).await);

    let last = open_sale(units(1)).await;
    let ben = last.shopper("ben");
    let id = last.hold(&ben, "k").await;
    let thief = Reservation { sale: last.sale.clone(), ..reservation(1) };
    ledger(&last.running).record(&thief, Timestamp::now(), soon()).await.unwrap();
    met.add(&last.confirm(&ben, &id).await);
}

async fn whatever_a_merchant_can_collide_with(met: &mut Met) {
    let shop = open_sale(units(5)).await;
    let path = format!("/sales/{}", shop.sale);
    let terms = Definition { opens_at: None, ..units(6) };
    met.add(&send(shop.admin(Method::PUT, &path).json(&terms)).await);
    let pause = || send(shop.admin(Method::POST, &format!("{path}/pause")));
    let resume = || send(shop.admin(Method::POST, &format!("{path}/resume")));
    let conflict = eventually("a conflict", async || {
        let (a, b, c) = tokio::join!(pause(), resume(), pause());
        [a, b, c].into_iter().find(|answer| answer.status == 409)
    })
    .await;
    met.add(&conflict);
    let restore = || send(shop.admin(Method::POST, &format!("{path}/restore")));
    assert_eq!(restore().await.status, 202);
    met.add(&restore().await);
}

async fn whatever_can_fail_beneath(met: &mut Met) {
    let stack = private("problems");
    let shop = open_sale_in(stack.running().unwrap(), units(5)).await;
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "k").await;
    for fault in [LedgerFault::CaughtBeforeCommit, LedgerFault::Throttled] {
        let (_relay, function) = confirm_over(&shop, fault).await;
        met.add(&send(shop.confirm_at(&function.origin, &ann, &id)).await);
    }

    // Sentinels that take a connection and say nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = [
        ("REDIS_SENTINELS".to_owned(), silent.local_addr().unwrap().to_string()),
        ("MAX_IN_FLIGHT".to_owned(), "1".to_owned()),
        ("REQUEST_DEADLINE_MS".to_owned(), "1500".to_owned()),
    ];
    let cut_off = ExtraFunction::start(&shop.running, "reserve", &settings).unwrap();
    let url = format!("{}{}", cut_off.origin, shop.path("/reservations"));
    let wish = || -> RequestBuilder {
        let wish = shop.http.post(&url).bearer_auth(&ann.token).header("idempotency-key", "k");
        wish.json(&json!({ "sku": "unit", "quantity": 1 }))
    };
    let (one, other) = tokio::join!(send(wish()), send(wish()));
    met.add(&one);
    met.add(&other);

    let redis = redis(&shop.running);
    // The figures of a SKU are made wrong behind the scripts' back.
    command(&redis, "HINCRBY", &[&format!("{{{}}}:sku:unit", shop.sale), "stock", "1"]).await;
    met.add(&shop.reserve(&ann, "another", 1).await);
    command(&redis, "FLUSHALL", &[]).await;
    met.add(&shop.reserve(&ann, "another", 1).await);
}

async fn whatever_can_fail_beside(met: &mut Met) {
    let shop = open_sale(units(5)).await;
    let vault = Vault::start(&[("secret", "{}".to_owned())]).await;
    let without_secrets = ExtraFunction::start(&shop.running, "reserve", &vault.settings()).unwrap();
    met.add(&send(shop.http.get(format!("{}/readyz", without_secrets.origin))).await);

    let signer = Signer::new("key", Algorithm::EdDSA);
    let provider = IdentityProvider::start(&[]).await;
    let without_keys = ExtraFunction::start(&shop.running, "reserve", &provider.settings()).unwrap();
    let path = shop.path("/reservations/00000000000000000000000000");
    let found = shop.http.get(format!("{}{path}", without_keys.origin)).bearer_auth(signer.token("ann"));
    met.add(&send(found).await);
}
