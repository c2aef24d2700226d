//! Waiting in line without JavaScript: the page of a ticket, and the way to it.

use regex::Regex;
use reqwest::Method;
use sale::{Definition, WaitingRoom};
use serde_json::json;

use crate::plain_browser::{Browser, Seen, action};
use crate::shop::{open_sale, send, units};
use crate::system::eventually;

/// After how many seconds a page loads itself again.
fn refresh(seen: &Seen) -> Option<u64> {
    let found = Regex::new(r#"http-equiv="refresh" content="(\d+)""#).unwrap();
    found.captures(&seen.html).map(|found| found[1].parse().unwrap())
}

#[tokio::test]
async fn without_javascript_a_shopper_takes_a_ticket_and_is_told_the_place() {
    // Nobody is served in the first minute.
    let room = WaitingRoom { lobby_opens_at: None, rate_per_minute: 1, turn_seconds: 60 };
    let shop = open_sale(Definition { waiting_room: Some(room), ..units(5) }).await;
    let mut first = Browser::new(&shop);
    let mut second = Browser::new(&shop);
    let without = first.reserve("language=en&sku=unit").await;
    assert_eq!(without.status, 403);
    let tickets = action(&without.html, "/tickets");
    for browser in [&mut first, &mut second] {
        let plain = browser.open(&shop.path("/plain/en")).await;
        assert_eq!(action(&plain.html, "/tickets"), tickets);
        let joined = browser.submit(&tickets, "language=en").await;
        assert_eq!((joined.status, joined.place()), (303, format!("{tickets}?language=en").as_str()));
    }
    // Sent again it is the same ticket; its page tells the place however often it is loaded, and loads itself again.
    for (browser, place) in [(&mut second, 2), (&mut first, 1)] {
        for _ in 0..2 {
            let sent = browser.submit(&tickets, "language=en").await;
            assert_eq!(sent.status, 303);
            let told = browser.open(sent.place()).await;
            let own = told.html.contains(&format!("Your place is {place}"));
            assert!(own || place == 1 && told.html.contains("It is your turn"), "{}", told.html);
            assert!(!own || told.html.contains("http-equiv=\"refresh\" content=\"10\""), "{}", told.html);
        }
    }
    let told = second.reserve("language=en&sku=unit").await;
    assert_eq!(told.status, 403);
    assert!(told.html.contains("Your place is 2"), "{}", told.html);
    assert!(told.html.contains(&format!("<a href=\"{tickets}?language=en\">")), "{}", told.html);
    // Another ticket is a later place, which a page that is loaded again does not ask for again.
    let another = second.submit(&tickets, "language=en&another=yes").await;
    assert_eq!(another.status, 303, "{}", another.html);
    for _ in 0..2 {
        let told = second.open(another.place()).await;
        assert!(told.html.contains("Your place is 3"), "{}", told.html);
    }
    let told = second.reserve("language=en&sku=unit").await;
    // The same form again is one button away.
    assert_eq!(action(&told.html, "/reservations"), shop.path("/reservations"));
}

#[tokio::test]
async fn the_page_of_a_ticket_loads_itself_again_until_the_turn_comes_and_has_the_form_then() {
    let room = WaitingRoom { lobby_opens_at: None, rate_per_minute: 600, turn_seconds: 20 };
    let shop = open_sale(Definition { waiting_room: Some(room), ..units(1) }).await;
    shop.change_queue(&json!({ "paused": true })).await;
    let tickets = shop.path("/tickets");
    let mut browser = Browser::new(&shop);
    let place = browser.submit(&tickets, "language=de").await.place().to_owned();
    // Several times in a turn, so that it does not pass unseen.
    let waiting = browser.open(&place).await;
    assert_eq!(refresh(&waiting), Some(5), "{}", waiting.html);
    assert!(waiting.html.contains("Ihr Platz ist 1") && !waiting.html.contains("<form"), "{}", waiting.html);
    assert!(waiting.headers.contains_key("set-cookie"), "the ticket is renewed");
    shop.change_queue(&json!({ "paused": false })).await;
    let turn = eventually("the turn", async || {
        let seen = browser.open(&place).await;
        seen.html.contains("Sie sind an der Reihe").then_some(seen)
    })
    .await;
    // While a form can be sent, only the end of the turn takes it away.
    let told =
        Regex::new("mindestens ([0-9]+) Sekunden").unwrap().captures(&turn.html).unwrap()[1].to_owned();
    assert_eq!(
        refresh(&turn),
        told.parse::<u64>().ok().map(|seconds| (seconds + 1).max(10)),
        "{}",
        turn.html
    );
    // A turn that stands still has no end.
    shop.change_queue(&json!({ "paused": true })).await;
    let still = browser.open(&place).await;
    action(&still.html, "/reservations");
    assert_eq!(refresh(&still), None, "{}", still.html);
    shop.change_queue(&json!({ "paused": false })).await;
    shop.merchant.change(&shop.sale, "pause").await.unwrap();
    let paused = browser.open(&place).await;
    assert!(paused.html.contains("unterbrochen") && !paused.html.contains("<form"), "{}", paused.html);
    assert_eq!(refresh(&paused), Some(5), "{}", paused.html);
    shop.merchant.change(&shop.sale, "resume").await.unwrap();
    let held = browser.submit(&action(&turn.html, "/reservations"), "language=de&sku=unit").await;
    assert_eq!(held.status, 303, "{}", held.html);
    // A script is told the same.
    let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let told = send(shop.request(Method::GET, &tickets).header("cookie", cookies.join("; "))).await;
    assert_eq!((told.status, told.body["turn"]["place"].as_u64()), (200, Some(1)), "{}", told.text);
    // Nothing is left: it waits for what an operator may do.
    let order = browser.open(held.place()).await;
    assert_eq!(browser.submit(&action(&order.html, "/order"), "language=de").await.status, 303);
    let gone = browser.open(&place).await;
    assert!(gone.html.contains("Ausverkauft") && !gone.html.contains("<form"), "{}", gone.html);
    assert_eq!(refresh(&gone), Some(60), "{}", gone.html);
    shop.merchant.change(&shop.sale, "close").await.unwrap();
    let over = browser.open(&place).await;
    assert_eq!((over.status, refresh(&over)), (410, None), "{}", over.html);
}

#[tokio::test]
async fn the_page_of_a_ticket_says_when_there_is_none_and_when_its_turn_is_over() {
    let room = WaitingRoom { lobby_opens_at: None, rate_per_minute: 1_000_000, turn_seconds: 10 };
    let shop = open_sale(Definition { waiting_room: Some(room), ..units(3) }).await;
    let tickets = shop.path("/tickets");
    let mut nobody = Browser::new(&shop);
    assert_eq!(nobody.open(&tickets).await.status, 401);
    let ann = shop.shopper("ann");
    let without = || shop.request(Method::GET, &tickets).bearer_auth(&ann.token);
    assert_eq!(send(without()).await.told(), "403 ticket-missing");
    let spoilt = without().header("cookie", "ticket=e30.e30.e30");
    assert_eq!(send(spoilt).await.told(), "403 ticket-missing");
    let page = without().header("accept", "text/html").send().await.unwrap().text().await.unwrap();
    assert_eq!(action(&page, "/tickets"), tickets);
    let mut late = Browser::new(&shop);
    let place = late.submit(&tickets, "language=en").await.place().to_owned();
    let passed = eventually("the end of the turn", async || {
        let seen = late.open(&place).await;
        seen.html.contains("Your turn is over").then_some(seen)
    })
    .await;
    assert_eq!((action(&passed.html, "/tickets"), refresh(&passed)), (tickets, None));
    assert!(passed.html.contains("name=\"another\""), "{}", passed.html);
    let plain = open_sale(units(1)).await;
    let none = plain.request(Method::GET, &plain.path("/tickets")).bearer_auth(plain.shopper("ann").token);
    assert_eq!(send(none).await.slug(), "no-waiting-room");
}

#[tokio::test]
async fn in_the_lobby_the_page_of_a_ticket_loads_itself_again_at_the_opening() {
    let opens_at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(8);
    let room = WaitingRoom { lobby_opens_at: None, rate_per_minute: 600, turn_seconds: 600 };
    let terms = Definition { opens_at: Some(opens_at), ..units(5) };
    let shop = open_sale(Definition { waiting_room: Some(room), ..terms }).await;
    let mut browser = Browser::new(&shop);
    let place = browser.submit(&shop.path("/tickets"), "language=en").await.place().to_owned();
    let lobby = browser.open(&place).await;
    assert!(lobby.html.contains("You are in the lobby"), "{}", lobby.html);
    assert!(refresh(&lobby).is_some_and(|seconds| seconds <= 9), "{}", lobby.html);
    // Whoever comes back to the sale finds the way to their ticket also where no more are given.
    shop.change_queue(&json!({ "door_closed": true })).await;
    let way = format!("href=\"{}?language=en\"", shop.path("/tickets"));
    eventually("the way to the ticket", async || {
        browser.open(&shop.path("/plain/en")).await.html.contains(&way).then_some(())
    })
    .await;
    eventually("the turn", async || {
        let seen = browser.open(&place).await;
        seen.html.contains("It is your turn").then_some(())
    })
    .await;
}

#[tokio::test]
async fn while_a_ticket_can_be_taken_the_page_does_not_load_itself_again() {
    let room = WaitingRoom { lobby_opens_at: None, rate_per_minute: 1_000_000, turn_seconds: 600 };
    let shop = open_sale(Definition { waiting_room: Some(room), limit_per_shopper: 1, ..units(1) }).await;
    let mut first = Browser::new(&shop);
    let plain = first.open(&shop.path("/plain/en")).await;
    first.submit(&action(&plain.html, "/tickets"), "language=en").await;
    let held = eventually("the turn", async || {
        let held = first.reserve("language=en&sku=unit").await;
        (held.status == 303).then(|| held.place().to_owned())
    })
    .await;
    // The gateway keeps the page for a moment.
    let reserved = eventually("that all is reserved", async || {
        let plain = Browser::new(&shop).open(&shop.path("/plain/en")).await;
        plain.html.contains("<button class=\"primary\" disabled>").then_some(plain)
    })
    .await;
    action(&reserved.html, "/tickets");
    assert!(!reserved.html.contains("http-equiv"), "{}", reserved.html);
    // Where no more are given, the page waits for what may return.
    assert_eq!(shop.change_queue(&json!({ "door_closed": true })).await.status, 200);
    eventually("that it waits", async || {
        let plain = Browser::new(&shop).open(&shop.path("/plain/en")).await;
        plain.html.contains("http-equiv=\"refresh\" content=\"10\"").then_some(())
    })
    .await;
    // Where nothing can return, a ticket would be good for nothing.
    assert_eq!(shop.change_queue(&json!({ "door_closed": false })).await.status, 200);
    let gives_tickets =
        async || Browser::new(&shop).open(&shop.path("/plain/en")).await.html.contains("/tickets\"");
    eventually("that tickets are given", async || gives_tickets().await.then_some(())).await;
    let order = action(&first.open(&held).await.html, "/order");
    assert_eq!(first.submit(&order, "language=en").await.status, 303);
    eventually("that no more are given", async || (!gives_tickets().await).then_some(())).await;
}
