//! The waiting room over HTTP: tickets, what is refused, and what the merchant sees and does.

use api::QueueReport;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, RequestBuilder};
use sale::{Definition, Draw, SaleId, Seed, ShopperId, WaitingRoom};
use serde_json::{Value, json};

use crate::commands::spillway_on;
use crate::shop::{Answer, Shop, Shopper, open_sale, send, token, units};
use crate::system::eventually;

/// So many units, each turn long enough for a test.
fn room(stock: u32, rate_per_minute: u32) -> Definition {
    let room = WaitingRoom { lobby_opens_at: None, rate_per_minute, turn_seconds: 600 };
    Definition { waiting_room: Some(room), limit_per_shopper: 2, ..units(stock) }
}

impl Shop {
    pub(crate) fn join(&self, shopper: &Shopper) -> RequestBuilder {
        self.request(Method::POST, &self.path("/tickets")).bearer_auth(&shopper.token)
    }

    pub(crate) async fn turn(&self, shopper: &Shopper, ticket: &str) -> Answer {
        send(self.join(shopper).json(&json!({ "ticket": ticket }))).await
    }

    pub(crate) fn wish_with(&self, shopper: &Shopper, key: &str, ticket: &str) -> RequestBuilder {
        self.wish(shopper, key, 1).json(&json!({ "sku": "unit", "quantity": 1, "ticket": ticket }))
    }

    async fn queue(&self) -> QueueReport {
        let answer = send(self.admin(Method::GET, &format!("/sales/{}/queue", self.sale))).await;
        serde_json::from_value(answer.body).unwrap()
    }

    pub(crate) async fn change_queue(&self, change: &Value) -> Answer {
        send(self.admin(Method::PATCH, &format!("/sales/{}/queue", self.sale)).json(change)).await
    }

    /// The hold by this ticket once its turn has come.
    async fn hold_in_turn(&self, shopper: &Shopper, ticket: &str) -> Answer {
        eventually("the turn", async || {
            let answer = send(self.wish_with(shopper, "wish", ticket)).await;
            assert!(["201 held", "403 not-your-turn"].contains(&answer.told().as_str()), "{}", answer.text);
            (answer.status == 201).then_some(answer)
        })
        .await
    }
}

#[tokio::test]
async fn a_ticket_is_a_place_that_is_kept_renewed_and_used() {
    let shop = open_sale(room(5, 1_000_000)).await;
    let (ann, bob) = (shop.shopper("ann"), shop.shopper("bob"));
    let refused = shop.reserve(&ann, "wish", 1).await;
    assert_eq!(
        (refused.told().as_str(), refused.field("tickets")),
        ("403 ticket-missing", shop.path("/tickets").as_str())
    );
    let first = send(shop.join(&ann)).await;
    assert_eq!((first.status, &first.body["number"], &first.body["turn"]), (201, &json!(1), &Value::Null));
    assert_eq!(first.field("lot"), shop.shopper_id("ann").to_string());
    assert!(first.header("ratelimit").contains("r="));
    let second = send(shop.join(&bob)).await;
    assert_eq!(second.body["number"], 2);
    let renewed = shop.turn(&ann, first.field("ticket")).await;
    assert_eq!((renewed.status, &renewed.body["number"]), (200, &json!(1)), "asking again is the same place");
    let held = shop.hold_in_turn(&ann, renewed.field("ticket")).await;
    let again = send(shop.wish_with(&ann, "wish", first.field("ticket"))).await;
    assert_eq!((again.status, &again.body["id"]), (200, &held.body["id"]));
    assert_eq!(shop.confirm(&ann, held.field("id")).await.told(), "201 confirmed");
    let told = shop.turn(&bob, second.field("ticket")).await;
    assert_eq!((&told.body["turn"]["state"], &told.body["turn"]["place"]), (&json!("served"), &json!(2)));
}

#[tokio::test]
async fn the_cookie_of_a_ticket_does_as_well_and_belongs_to_its_sale() {
    let shop = open_sale(room(5, 1_000_000)).await;
    let session = send(shop.request(Method::POST, "/sessions").header("origin", &shop.running.url)).await;
    let pair = |answer: &Answer| answer.header("set-cookie").split(';').next().unwrap().to_owned();
    let guest = pair(&session);
    let with = |request: RequestBuilder, cookies: &[&str]| {
        request.header("origin", shop.running.url.clone()).header("cookie", cookies.join("; "))
    };
    let tickets = || shop.request(Method::POST, &shop.path("/tickets"));
    let joined = send(with(tickets(), &[&guest])).await;
    assert_eq!((joined.status, &joined.body["number"]), (201, &json!(1)));
    for attribute in [format!("Path=/sales/{}", shop.sale), "HttpOnly".to_owned(), "SameSite=Lax".to_owned()]
    {
        assert!(joined.header("set-cookie").contains(&attribute), "{attribute}");
    }
    let ticket = pair(&joined);
    let again = send(with(tickets(), &[&guest, &ticket])).await;
    assert_eq!((again.status, &again.body["number"]), (200, &json!(1)));
    let wish = || {
        let wish = shop.request(Method::POST, &shop.path("/reservations")).header("idempotency-key", "wish");
        wish.json(&json!({ "sku": "unit", "quantity": 1 }))
    };
    eventually("the turn", async || {
        let answer = send(with(wish(), &[&guest, &ticket])).await;
        (answer.told() == "201 held").then_some(())
    })
    .await;
    let another = send(with(tickets().json(&json!({ "another": true })), &[&guest, &ticket])).await;
    assert_eq!((another.status, &another.body["number"]), (201, &json!(2)), "a later place");
    // A cookie that is not good is none: the shopper did not choose it.
    let spoilt = format!("{ticket}x");
    let joined = send(with(tickets(), &[&guest, &spoilt])).await;
    assert_eq!((joined.status, &joined.body["number"]), (201, &json!(3)));
    let foreign = send(tickets().header("origin", "https://evil.example").header("cookie", &guest)).await;
    assert_eq!(foreign.told(), "403 origin-refused");
    assert_eq!(shop.queue().await.room.last_place, 3);
}

#[tokio::test]
async fn a_ticket_that_is_forged_anothers_of_another_sale_or_no_ticket_is_refused_and_nothing_is_consumed() {
    let shop = open_sale(room(5, 1_000_000)).await;
    let other = open_sale(room(5, 1_000_000)).await;
    let (ann, bob) = (shop.shopper("ann"), shop.shopper("bob"));
    let own = send(shop.join(&ann)).await.field("ticket").to_owned();
    let bobs = send(shop.join(&bob)).await.field("ticket").to_owned();
    let elsewhere = send(other.join(&ann)).await.field("ticket").to_owned();
    let held = shop.hold_in_turn(&bob, &bobs).await;
    let receipt = held.field("receipt").to_owned();
    let [header, _, signature] = own.split('.').collect::<Vec<_>>()[..] else { panic!("{own}") };
    let claims = json!({ "aud": "spillway-ticket", "exp": Timestamp::now().as_second() + 600, "spillway": {
        "sale": shop.sale, "shopper": shop.shopper_id("ann").to_string(), "epoch": 1, "number": 0 } });
    let claims = data_encoding::BASE64URL_NOPAD.encode(claims.to_string().as_bytes());
    let forged = format!("{header}.{claims}.{signature}");
    for (wrong, why) in [
        (forged.as_str(), "is no ticket that this shop has signed"),
        (receipt.as_str(), "is no ticket that this shop has signed"),
        ("", "is no ticket that this shop has signed"),
        (&"x".repeat(5_000), "is no ticket that this shop has signed"),
        (bobs.as_str(), "is of another shopper"),
        (elsewhere.as_str(), "is of another sale"),
    ] {
        for answer in [shop.turn(&ann, wrong).await, send(shop.wish_with(&ann, "wish", wrong)).await] {
            assert_eq!(answer.told(), "400 invalid-request");
            assert_eq!(answer.body["errors"], json!([{ "pointer": "/ticket", "detail": why }]));
        }
    }
    let both = json!({ "ticket": own, "another": true });
    for body in [json!({ "ticket": 1 }), both, json!({ "ticket": own, "number": 1 }), json!([]), json!("x")] {
        assert_eq!(send(shop.join(&ann).json(&body)).await.told(), "400 invalid-request");
    }
    assert_eq!(
        send(shop.join(&ann).body("x").header("content-type", "text/plain")).await.told(),
        "415 not-json"
    );
    let anybody = send(shop.request(Method::POST, &shop.path("/tickets"))).await;
    assert_eq!(anybody.told(), "401 unauthenticated");
    let late = Shopper { token: token(&shop.running, "late", -10) };
    assert_eq!(send(shop.join(&late)).await.told(), "401 unauthenticated");
    assert_eq!(shop.queue().await.room.last_place, 2);
    assert_eq!(shop.figures().await, "4/1/0");
    shop.hold_in_turn(&ann, &own).await;
}

#[tokio::test]
async fn whoever_comes_at_the_wrong_time_is_told_when_the_right_one_is() {
    let soon = Timestamp::now() + SignedDuration::from_hours(1);
    let mut early = room(1, 600);
    early.opens_at = Some(soon + SignedDuration::from_mins(1));
    early.closes_at = soon + SignedDuration::from_mins(2);
    early.waiting_room.as_mut().unwrap().lobby_opens_at = Some(soon);
    let shop = open_sale(early).await;
    let ann = shop.shopper("ann");
    let refused = send(shop.join(&ann)).await;
    assert_eq!(refused.told(), "409 lobby-not-open");
    assert_eq!(refused.field("opens_at").parse::<Timestamp>().unwrap().as_second(), soon.as_second());
    let nobody = send(shop.request(Method::POST, "/sales/nobody/tickets").bearer_auth(&ann.token)).await;
    assert_eq!(nobody.told(), "404 sale-not-found");
    let plain = open_sale(units(1)).await;
    assert_eq!(send(plain.join(&ann)).await.told(), "409 no-waiting-room");

    let shop = open_sale(room(1, 600)).await;
    let ann = shop.shopper("ann");
    shop.merchant.change(&shop.sale, "pause").await.unwrap();
    assert_eq!(send(shop.join(&ann)).await.told(), "409 sale-paused");
    shop.merchant.change(&shop.sale, "resume").await.unwrap();
    assert_eq!(shop.change_queue(&json!({ "door_closed": true })).await.status, 200);
    assert_eq!(send(shop.join(&ann)).await.told(), "409 waiting-room-closed");
    assert_eq!(shop.change_queue(&json!({ "door_closed": false })).await.status, 200);
    let ticket = send(shop.join(&ann)).await.field("ticket").to_owned();
    let held = shop.hold_in_turn(&ann, &ticket).await;
    assert_eq!(send(shop.join(&shop.shopper("bob"))).await.body["number"], 2, "the unit may return");
    shop.confirm(&ann, held.field("id")).await;
    let sold_out = send(shop.join(&shop.shopper("cat"))).await;
    assert_eq!((sold_out.told().as_str(), &sold_out.body["may_return"]), ("409 sold-out", &json!(false)));
    shop.merchant.change(&shop.sale, "close").await.unwrap();
    assert_eq!(send(shop.join(&shop.shopper("cat"))).await.told(), "410 sale-ended");
    assert_eq!(shop.queue().await.room.last_place, 2);
}

#[tokio::test]
async fn the_status_commits_to_the_draw_before_it_and_lets_anyone_work_it_out_after_it() {
    let opens_at = Timestamp::now() + SignedDuration::from_secs(3);
    let shop = open_sale(Definition { opens_at: Some(opens_at), ..room(5, 1_000_000) }).await;
    let status =
        async || send(shop.request(Method::GET, &shop.path("/status"))).await.body["waiting_room"].clone();
    let ann = shop.shopper("ann");
    let lot = send(shop.join(&ann)).await;
    assert_eq!((lot.status, &lot.body["number"]), (201, &Value::Null));
    assert_eq!(shop.turn(&ann, lot.field("ticket")).await.body["turn"]["state"], "lobby");
    let before = status().await;
    assert_eq!((&before["state"], &before["seed"]), (&json!("lobby"), &Value::Null));
    assert_eq!(send(shop.wish_with(&ann, "wish", lot.field("ticket"))).await.told(), "409 sale-not-open");
    let after =
        eventually("the draw", async || Some(status().await).filter(|room| room["seed"].is_string())).await;
    let seed = Seed::parse(after["seed"].as_str().unwrap()).unwrap();
    assert_eq!(seed.commitment().to_string(), before["seed_hash"].as_str().unwrap());
    let draw = Draw { lobby: after["lobby"].as_u64().unwrap(), seed };
    let place = draw.place(&shop.sale, &ShopperId::parse(lot.field("lot")).unwrap());
    shop.hold_in_turn(&ann, lot.field("ticket")).await;
    assert_eq!(shop.turn(&ann, lot.field("ticket")).await.body["turn"]["place"], place);

    // The same by the command, against the hash of before; another hash is one that was not kept.
    let verify = |hash: &str| {
        let (sale, lot) = (shop.sale.as_str(), lot.field("lot"));
        spillway_on(&shop.running, &["draw", "verify", sale, lot, "--hash", hash])
    };
    let verified = verify(before["seed_hash"].as_str().unwrap());
    assert_eq!(verified.code, Some(0), "{}", verified.err);
    let told = format!("lot {}: place {place} of", lot.field("lot"));
    assert!(verified.out.contains(&told) && verified.out.contains("that you have kept"), "{}", verified.out);
    let other = Seed::from_bytes([1; 32]).commitment().to_string();
    let refused = verify(&other);
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    assert!(refused.err.contains("is not the one that was announced"), "{}", refused.err);
}

#[tokio::test]
async fn a_merchant_runs_the_waiting_room_from_the_terminal() {
    let shop = open_sale(room(50, 1)).await;
    for shopper in shop.shoppers(4) {
        send(shop.join(&shopper)).await;
    }
    let queue = |words: &[&str]| -> Value {
        let (action, rest) = words.split_first().unwrap();
        let command = [&["queue", "--json", action, shop.sale.as_str()], rest].concat();
        let run = spillway_on(&shop.running, &command);
        assert_eq!(run.code, Some(0), "{command:?}: {}", run.err);
        serde_json::from_str(&run.out).unwrap()
    };
    // Places are served one a minute, and by hand so many more at once.
    for (places, serving) in [("2", 2), ("1", 3)] {
        queue(&["step", places]);
        let stepped = eventually("the step", async || {
            Some(queue(&["show"])["serving"].as_f64().unwrap()).filter(|now| *now >= f64::from(serving))
        })
        .await;
        assert!(stepped < f64::from(serving + 1), "{stepped} instead of {serving}");
    }
    for (words, field, told) in [
        (&["rate", "1200"][..], "rate_per_minute_set", json!(1200)),
        (&["turn", "60"], "turn_seconds", json!(60.0)),
        (&["pause"], "paused", json!(true)),
        (&["resume"], "paused", json!(false)),
        (&["close-door"], "door_closed", json!(true)),
        (&["open-door"], "door_closed", json!(false)),
        (&["bypass", "ann", "bob"], "bypass", json!(2)),
        (&["bypass", "bob", "--remove"], "bypass", json!(1)),
    ] {
        assert_eq!(queue(words)[field], told, "{words:?}");
        assert_eq!(queue(&["show"])[field], told, "{words:?}");
    }
    let words = spillway_on(&shop.running, &["queue", "show", shop.sale.as_str()]);
    assert!(
        words.out.contains("4 places were given") && words.out.contains("1 accounts may pass"),
        "{}",
        words.out
    );
    let refused = spillway_on(&shop.running, &["queue", "turn", shop.sale.as_str(), "1"]);
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
}

#[tokio::test]
async fn the_merchant_changes_the_waiting_room_while_it_runs_and_sees_what_became_of_it() {
    let shop = open_sale(room(50, 1)).await;
    let shoppers = shop.shoppers(4);
    let mut tickets = Vec::new();
    for shopper in &shoppers {
        tickets.push(send(shop.join(shopper)).await.field("ticket").to_owned());
    }
    let step = json!({ "serve_to": 3 });
    let stepped = shop.change_queue(&step).await;
    assert_eq!(stepped.status, 200, "{}", stepped.text);
    let version = |answer: &Answer| answer.body["version"].clone();
    let show = async || send(shop.admin(Method::GET, &format!("/sales/{}", shop.sale))).await;
    let before = version(&show().await);
    shop.change_queue(&step).await;
    assert_eq!(version(&show().await), before, "a repeat changes nothing");
    shop.hold_in_turn(&shoppers[2], &tickets[2]).await;
    let waits = send(shop.wish_with(&shoppers[3], "wish", &tickets[3])).await;
    assert_eq!(
        (waits.told().as_str(), &waits.body["place"], &waits.body["ahead"]),
        ("403 not-your-turn", &json!(4), &json!(0))
    );
    let changed =
        shop.change_queue(&json!({ "rate_per_minute": 1_000_000, "turn_seconds": 60, "paused": true })).await;
    assert_eq!(
        (&changed.body["paused"], &changed.body["rate_per_minute_set"]),
        (&json!(true), &json!(1_000_000))
    );
    assert_eq!(shop.change_queue(&json!({ "paused": false })).await.body["turn_seconds"], 60.0);
    shop.hold_in_turn(&shoppers[3], &tickets[3]).await;
    let queue = shop.queue().await;
    assert_eq!((queue.turns_used, queue.turns_passed, queue.room.last_place), (2, 0, 4));

    for (wrong, pointer) in [
        (json!({ "rate_per_minute": 0 }), "/rate_per_minute"),
        (json!({ "turn_seconds": 9 }), "/turn_seconds"),
        (json!({ "rate": 1 }), ""),
        (json!({ "serve_to": -1 }), "/serve_to"),
    ] {
        let refused = shop.change_queue(&wrong).await;
        assert_eq!(refused.told(), "400 invalid-request", "{wrong}");
        assert!(refused.text.contains(pointer), "{}", refused.text);
    }
    let plain = open_sale(units(1)).await;
    assert_eq!(plain.change_queue(&step).await.told(), "409 no-waiting-room");
    let nobody = SaleId::parse("nobody").unwrap();
    let unknown = send(shop.admin(Method::GET, &format!("/sales/{nobody}/queue"))).await;
    assert_eq!(unknown.told(), "404 sale-not-found");
    let closed = send(shop.request(Method::GET, &format!("/admin/sales/{}/queue", shop.sale))).await;
    assert_eq!(closed.told(), "401 unauthenticated");
}

#[tokio::test]
async fn a_seed_is_told_to_nobody_before_the_draw() {
    let shop = open_sale(Definition { opens_at: None, ..room(5, 600) }).await;
    let ann = shop.shopper("ann");
    let answers = [
        send(shop.join(&ann)).await,
        send(shop.request(Method::GET, &shop.path("/status"))).await,
        send(shop.request(Method::GET, &shop.path("/en"))).await,
        send(shop.request(Method::GET, &shop.path("/plain/en"))).await,
        send(shop.admin(Method::GET, &format!("/sales/{}", shop.sale))).await,
        send(shop.admin(Method::GET, &format!("/sales/{}/queue", shop.sale))).await,
        send(shop.admin(Method::GET, "/sales")).await,
    ];
    let record = crate::system::ledger(&shop.running).sale(&shop.sale, crate::system::soon()).await.unwrap();
    let seed = record.unwrap().sale.room.seed.unwrap().to_string();
    for answer in answers {
        assert!(answer.status < 300 && !answer.text.contains(&seed), "{}", answer.text);
    }
}
