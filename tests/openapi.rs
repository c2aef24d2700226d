//! `openapi.json`: made of the types, true of the answers, served to everybody.

use std::collections::BTreeSet;

use edge::PROBLEMS;
use regex::Regex;
use reqwest::{Method, RequestBuilder};
use sale::{Definition, IdempotencyKey, OrderId, ReservationId, SaleId, Sku, WaitingRoom};
use serde_json::{Value, json};

use crate::openapi_answers::{Contract, DOCUMENT, checked_in, operation};
use crate::openapi_document::document;
use crate::openapi_operation::Content;
use crate::openapi_operations::operations;
use crate::openapi_problems;
use crate::shop::{Answer, Shop, new_sale_id, open_sale, send, units};
use crate::system::eventually;
use crate::tidy::{read, root};

#[tokio::test]
async fn the_document_is_what_the_types_and_the_table_of_operations_make() {
    // A member in a line, for whoever compares versions, and no indentation, which would be half of it: the emulated runtime
    // of `cargo lambda watch` takes no answer of more than half a mebibyte.
    let pretty = serde_json::to_string_pretty(&document().await).unwrap();
    let made: String = pretty.lines().flat_map(|line| [line.trim_start(), "\n"]).collect();
    if made != read(DOCUMENT) {
        let place = "target/openapi.json";
        std::fs::write(root().join(place), &made).unwrap();
        panic!("{DOCUMENT} is not what the types say; run `cp {place} {DOCUMENT}`, and build again");
    }
}

#[tokio::test]
async fn every_example_is_one_that_its_schema_allows() {
    let document = document().await;
    let contract = Contract::new(document.clone());
    for (slug, problem) in openapi_problems::examples().await {
        assert_eq!(contract.fault(&openapi_problems::name(&slug), &problem), None, "{problem}");
    }
    for operation in operations() {
        let described = &document["paths"][operation.path][operation.method];
        if let Some(body) = operation.body {
            let example = &described["requestBody"]["content"]["application/json"]["example"];
            assert_eq!(contract.fault(body, example), None, "{}", operation.id);
        }
        for success in operation.successes {
            let Content::Json(schema) = success.content else { continue };
            let response = &described["responses"][success.status.to_string()];
            let example = &response["content"]["application/json"]["example"];
            assert_eq!(contract.fault(schema, example), None, "{} {}", operation.id, success.status);
        }
    }
}

#[test]
fn every_problem_is_an_answer_of_some_operation() {
    let told: BTreeSet<_> = operations().flat_map(|operation| operation.slugs()).collect();
    let known: BTreeSet<_> = PROBLEMS.iter().map(|row| row.slug).collect();
    let untold: Vec<_> = known.symmetric_difference(&told).collect();
    assert_eq!(untold, [&"method-not-allowed"], "no operation is asked with another's method");
}

#[tokio::test]
async fn the_patterns_of_ids_match_what_parses_and_nothing_else() {
    let document = document().await;
    let pattern = |schema: &Value| Regex::new(schema["pattern"].as_str().unwrap()).unwrap();
    let of = |name: &str| pattern(&document["components"]["schemas"][name]);
    let [sale, sku, reservation, order] = ["SaleId", "Sku", "ReservationId", "OrderId"].map(of);
    let key = pattern(&document["components"]["parameters"]["IdempotencyKey"]["schema"]);
    let longest = "x".repeat(32);
    for name in ["demo", "a", "7", "2026-spring", "a-", &longest, "", "-a", "Demo", "a b", "ä", "a_b", "a/b"]
    {
        assert_eq!(sale.is_match(name), SaleId::parse(name).is_ok(), "{name}");
        assert_eq!(sku.is_match(name), Sku::parse(name).is_ok(), "{name}");
    }
    assert!(!sale.is_match(&"x".repeat(33)));
    for last in ('0'..='9').chain('a'..='z').chain('A'..='V') {
        for length in [24, 25, 26] {
            let id = "0v".repeat(20)[..length].to_owned() + &last.to_string();
            assert_eq!(reservation.is_match(&id), ReservationId::parse(&id).is_ok(), "{id}");
            assert_eq!(order.is_match(&id), OrderId::parse(&id).is_ok(), "{id}");
        }
    }
    for byte in ' '..='\u{ff}' {
        let bare = format!("k{byte}");
        let parses = IdempotencyKey::parse(&bare).is_ok() && byte != '"' && byte != '\\';
        assert_eq!(key.is_match(&bare), parses, "{bare}");
        assert_eq!(key.is_match(&format!("\"{bare}\"")), parses, "{bare} in quotes");
    }
    for (length, is_good) in [(1, true), (128, true), (129, false), (0, false)] {
        assert_eq!(key.is_match(&"k".repeat(length)), is_good, "{length}");
    }
}

#[tokio::test]
async fn what_the_document_allows_in_a_body_is_accepted_and_what_it_forbids_is_refused() {
    let shop = open_sale(units(50)).await;
    let ann = shop.shopper("ann");
    for (number, wish) in [
        json!({ "sku": "unit", "quantity": 1 }),
        json!({ "sku": "unit", "quantity": 9 }),
        json!({ "sku": "unit", "quantity": 0 }),
        json!({ "sku": "unit", "quantity": 11 }),
        json!({ "sku": "unit", "quantity": 1.5 }),
        json!({ "sku": "Unit", "quantity": 1 }),
        json!({ "sku": "unit" }),
        json!({ "sku": "unit", "quantity": 1, "colour": "red" }),
        json!([]),
    ]
    .into_iter()
    .enumerate()
    {
        let request = shop.wish(&ann, &number.to_string(), 1).json(&wish);
        let is_refused = send(request).await.status == 400;
        assert_eq!(checked_in().fault("Wish", &wish).is_some(), is_refused, "{wish}");
    }
    let path = format!("/sales/{}", shop.sale);
    let good = serde_json::to_value(units(50)).unwrap();
    for (member, value) in [
        ("title", json!("t".repeat(200))),
        ("title", json!("")),
        ("title", json!("t".repeat(201))),
        ("description", json!("d".repeat(4_001))),
        ("currency", json!("euro")),
        ("closes_at", json!("tomorrow")),
        ("hold_seconds", json!(10)),
        ("hold_seconds", json!(9)),
        ("hold_seconds", json!(3_601)),
        ("limit_per_shopper", json!(0)),
        ("limit_per_shopper", json!(11)),
        ("shoppers", json!([])),
        ("shoppers", json!(["guest", "guest"])),
        ("shoppers", json!(["robot"])),
        ("skus", json!([])),
        (
            "skus",
            json!([{ "sku": "unit", "title": "Unit", "price_minor": 100_000_000_001_u64, "stock": 50 }]),
        ),
        ("skus", json!([{ "sku": "unit", "title": "Unit", "price_minor": 1, "stock": 10_000_001 }])),
        ("skus", json!([{ "sku": "unit", "title": "Unit", "price_minor": 1, "stock": 50, "colour": "red" }])),
        ("colour", json!("red")),
    ] {
        let mut definition = good.clone();
        definition[member] = value;
        let is_refused = send(shop.admin(Method::PUT, &path).json(&definition)).await.status == 400;
        assert_eq!(checked_in().fault("Definition", &definition).is_some(), is_refused, "{definition}");
    }
}

#[tokio::test]
async fn the_document_is_served_with_a_tag_and_not_sent_again_to_who_has_it() {
    let shop = open_sale(units(1)).await;
    let ask = || shop.request(Method::GET, "/openapi.json");
    let first = send(ask()).await;
    assert_eq!(first.status, 200);
    assert!(first.text == read(DOCUMENT), "the function page was built with another document");
    assert_eq!(first.headers["cache-control"], "public, max-age=300, stale-if-error=86400");
    let tag = first.headers["etag"].to_str().unwrap();
    for known in [tag.to_owned(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let again = send(ask().header("if-none-match", &known)).await;
        assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", tag), "{known}");
    }
    assert_eq!(send(ask().header("if-none-match", "\"other\"")).await.status, 200);
    let ann = shop.shopper("ann");
    assert_eq!(send(ask().bearer_auth(&ann.token)).await.header("etag"), tag, "the same for everybody");
}

/// What was answered: operations with their statuses.
#[derive(Default)]
struct Seen(BTreeSet<(&'static str, u16)>);

impl Seen {
    /// Sends a request, whose answer [`send`] holds against the document.
    async fn send(&mut self, request: RequestBuilder) -> Answer {
        let built = request.try_clone().unwrap().build().unwrap();
        let answer = send(request).await;
        let operation = operation(built.method().as_str(), built.url().path()).unwrap();
        self.0.insert((operation.id, answer.status));
        answer
    }
}

#[tokio::test]
async fn each_operation_is_met_with_each_success_and_with_a_problem_as_the_document_has_them() {
    let shop = open_sale(Definition { opens_at: None, ..units(20) }).await;
    let mut seen = Seen::default();
    merchant_requests(&shop, &mut seen).await;
    shopper_requests(&shop, &mut seen).await;
    public_requests(&shop, &mut seen).await;
    queue_requests(&mut seen).await;
    lobby_requests(&mut seen).await;
    // For these the gateway answers, which is no longer the function's to refuse.
    let kept = ["getDocument", "getPublicKey", "getPublicKeys"];
    for operation in operations().filter(|operation| !kept.contains(&operation.id)) {
        let path = ["sale", "sku", "id", "file"]
            .iter()
            .fold(operation.path.to_owned(), |path, name| path.replace(&format!("{{{name}}}"), "x"));
        let method = Method::from_bytes(operation.method.to_uppercase().as_bytes()).unwrap();
        // Too much for a function, and not yet for the gateway before it.
        let refused = seen.send(shop.request(method, &path).header("x-long", "x".repeat(9_000))).await;
        assert_eq!(refused.told(), "431 headers-too-large", "{}", operation.id);
    }
    let expected: BTreeSet<_> = operations()
        .flat_map(|operation| operation.successes.iter().map(|success| (operation.id, success.status)))
        .collect();
    let unmet: Vec<_> = expected.difference(&seen.0).collect();
    assert!(unmet.is_empty(), "nobody met {unmet:?}");
}

async fn merchant_requests(shop: &Shop, seen: &mut Seen) {
    let path = |rest: &str| format!("/sales/{}{rest}", shop.sale);
    let terms = Definition { opens_at: None, ..units(20) };
    let other = format!("/sales/{}", new_sale_id());
    for status in [201, 200] {
        let put = shop.admin(Method::PUT, &other).json(&terms);
        assert_eq!(seen.send(put).await.status, status);
    }
    for verb in ["/open", "/pause", "/resume"] {
        seen.send(shop.admin(Method::POST, &path(verb))).await;
    }
    seen.send(shop.admin(Method::POST, &format!("{other}/close"))).await;
    for rest in
        ["", "/report", "/orders?limit=5", "/journal", "/skus/unit/units", "/skus/unit/units?cursor=ledger.1"]
    {
        seen.send(shop.admin(Method::GET, &path(rest))).await;
    }
    seen.send(shop.admin(Method::GET, "/sales")).await;
    seen.send(shop.admin(Method::GET, "/cluster")).await;
    for verb in ["restock", "withdraw"] {
        let change = shop.admin(Method::POST, &path(&format!("/skus/unit/{verb}")));
        let change = || change.try_clone().unwrap().json(&json!({ "quantity": 3 }));
        assert_eq!(seen.send(change()).await.told(), "400 idempotency-key-missing");
        seen.send(change().header("idempotency-key", verb)).await;
    }
    assert_eq!(seen.send(shop.request(Method::GET, "/admin/cluster")).await.status, 401);
    let restored = new_sale_id();
    shop.merchant.define(&restored, &units(1)).await.unwrap();
    let restore = || shop.admin(Method::POST, &format!("/sales/{restored}/restore"));
    assert_eq!(seen.send(restore()).await.status, 202);
    assert_eq!(seen.send(restore()).await.told(), "409 takeover-under-way");
}

async fn shopper_requests(shop: &Shop, seen: &mut Seen) {
    let ann = shop.shopper("ann");
    let as_ann = |method: Method, path: String| shop.request(method, &path).bearer_auth(&ann.token);
    let hold = seen.send(shop.wish(&ann, "kept", 2)).await;
    assert_eq!(seen.send(shop.wish(&ann, "kept", 2)).await.told(), "200 held");
    let reservation = shop.path(&format!("/reservations/{}", hold.field("id")));
    seen.send(as_ann(Method::GET, reservation.clone())).await;
    let order = seen.send(as_ann(Method::POST, format!("{reservation}/order"))).await;
    assert_eq!(seen.send(as_ann(Method::POST, format!("{reservation}/order"))).await.told(), "200 confirmed");
    seen.send(as_ann(Method::GET, format!("/orders/{}", order.field("id")))).await;
    assert_eq!(seen.send(as_ann(Method::DELETE, reservation)).await.told(), "409 already-ordered");
    let form = shop.hold(&ann, "returned-by-a-form").await;
    seen.send(as_ann(Method::POST, shop.path(&format!("/reservations/{form}/release")))).await;
    let other = shop.hold(&ann, "returned").await;
    seen.send(as_ann(Method::DELETE, shop.path(&format!("/reservations/{other}")))).await;
    let cancel = shop.admin(Method::POST, &format!("/orders/{}/cancel", order.field("id")));
    seen.send(cancel.header("idempotency-key", "cancel")).await;
}

async fn queue_requests(seen: &mut Seen) {
    let room = WaitingRoom { lobby_opens_at: None, rate_per_minute: 600, turn_seconds: 60 };
    let shop = open_sale(Definition { waiting_room: Some(room), ..units(20) }).await;
    let ann = shop.shopper("ann");
    let joined = seen.send(shop.join(&ann)).await;
    let renewed = shop.join(&ann).json(&json!({ "ticket": joined.field("ticket") }));
    assert_eq!(seen.send(renewed).await.status, 200);
    let cookie = joined.header("set-cookie").split(';').next().unwrap();
    let own = shop.request(Method::GET, &shop.path("/tickets")).bearer_auth(&ann.token);
    assert_eq!(seen.send(own.header("cookie", cookie)).await.status, 200);
    assert_eq!(seen.send(shop.wish(&ann, "wish", 1)).await.told(), "403 ticket-missing");
    seen.send(shop.request(Method::GET, &shop.path("/status"))).await;
    let first = shop.assigned().await;
    let assign = shop.request(Method::POST, "/assign_queue_num");
    seen.send(assign.json(&json!({ "event_id": shop.sale }))).await;
    eventually("the turn", async || {
        let answer = seen.send(shop.generate(&first)).await;
        (answer.status == 200).then_some(())
    })
    .await;
    for path in ["/queue_num", "/queue_pos_expiry"] {
        assert_eq!(seen.send(shop.position(path, &first)).await.status, 200);
    }
    for path in ["/serving_num", "/waiting_num", "/public_key", "/.well-known/jwks.json"] {
        assert_eq!(seen.send(shop.counter(path)).await.status, 200);
    }
    let queue = format!("/sales/{}/queue", shop.sale);
    seen.send(shop.admin(Method::GET, &queue)).await;
    seen.send(shop.admin(Method::PATCH, &queue).json(&json!({ "paused": true }))).await;
}

/// Before the draw a client of the AWS Virtual Waiting Room is told nothing but that.
async fn lobby_requests(seen: &mut Seen) {
    let (now, hour) = (jiff::Timestamp::now(), jiff::SignedDuration::from_hours(1));
    let room = WaitingRoom { lobby_opens_at: Some(now), rate_per_minute: 600, turn_seconds: 60 };
    let terms = Definition { opens_at: Some(now + hour), closes_at: now + hour * 2, ..units(20) };
    let shop = open_sale(Definition { waiting_room: Some(room), ..terms }).await;
    let request = shop.assigned().await;
    for path in ["/queue_num", "/queue_pos_expiry"] {
        assert_eq!(seen.send(shop.position(path, &request)).await.status, 202);
    }
    assert_eq!(seen.send(shop.generate(&request)).await.status, 202);
}

async fn public_requests(shop: &Shop, seen: &mut Seen) {
    let get = |path: &str| shop.request(Method::GET, path);
    for path in ["/livez", "/readyz"] {
        assert_eq!(seen.send(get(path)).await.status, 200, "{path}");
    }
    assert_eq!(seen.send(get(&shop.path(""))).await.status, 302);
    let (page, plain, reminder) = (shop.path("/en"), shop.path("/plain/en"), shop.path("/opening.ics"));
    for path in [&page, &plain, &shop.path("/status"), &reminder, "/assets/sale.css", "/openapi.json"] {
        let first = seen.send(get(path)).await;
        assert_eq!(first.status, 200, "{path}");
        // The status may be made anew in between.
        eventually("the answer of who has it", async || {
            let tag = seen.send(get(path)).await;
            let again = seen.send(get(path).header("if-none-match", tag.header("etag"))).await;
            (again.status == 304).then_some(())
        })
        .await;
    }
    let sessions = || shop.request(Method::POST, "/sessions").header("origin", &shop.running.url);
    let session = seen.send(sessions()).await;
    let cookie = session.header("set-cookie").split(';').next().unwrap();
    assert_eq!(seen.send(sessions().header("cookie", cookie)).await.status, 200);
    assert_eq!(seen.send(shop.request(Method::POST, "/sessions")).await.told(), "403 origin-refused");
}
