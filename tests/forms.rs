//! Buying without JavaScript: forms, redirects and pages, over the same rules.

use regex::Regex;
use reqwest::Method;
use sale::Definition;
use spillway::{ExtraFunction, LedgerFault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::crash::Caught;
use crate::plain_browser::{Browser, action};
use crate::shop::{open_sale, send, units};

#[tokio::test]
async fn a_shopper_without_javascript_buys_by_forms_alone() {
    let shop = open_sale(units(5)).await;
    let mut browser = Browser::new(&shop);
    let plain = browser.open(&shop.path("/plain/de")).await;
    assert!(plain.html.contains("<html lang=\"de\"") && plain.html.contains("19.99 EUR"));
    let held = browser.submit(&action(&plain.html, "/reservations"), "language=de&sku=unit&quantity=2").await;
    assert_eq!(held.status, 303, "{}", held.html);
    assert!(held.place().ends_with("?language=de"));
    let hold = browser.open(held.place()).await;
    assert!(
        hold.html.contains("2 × <bdi>unit</bdi>, 39.98 EUR") && hold.html.contains("Jetzt bestellen"),
        "{}",
        hold.html
    );
    assert_eq!(hold.headers["cache-control"], "no-store");
    // What is given back is asked for once: the form is behind a question.
    let (before, question) = hold.html.split_once("<details>").expect(&hold.html);
    let (question, after) = question.split_once("</details>").unwrap();
    assert!(question.contains("Reservierung zurückgeben?") && question.contains("/release\""), "{question}");
    assert!(!before.contains("/release\"") && !after.contains("/release\""), "{}", hold.html);
    assert_eq!(shop.figures().await, "3/2/0");
    let ordered = browser.submit(&action(&hold.html, "/order"), "language=de").await;
    assert_eq!(ordered.status, 303, "{}", ordered.html);
    let order = browser.open(ordered.place()).await;
    let id = ordered.place().trim_start_matches("/orders/").split('?').next().unwrap();
    assert!(order.html.contains(id) && order.html.contains("Bestellt"), "{}", order.html);
    // The way back to the reservation shows the order.
    assert!(browser.open(held.place()).await.html.contains(id));
    assert_eq!(shop.figures().await, "3/0/2");
}

#[tokio::test]
async fn a_form_that_is_sent_twice_is_one_hold_and_after_its_end_another_one() {
    let shop = open_sale(units(5)).await;
    let mut browser = Browser::new(&shop);
    let wish = "language=en&sku=unit&quantity=1";
    let first = browser.reserve(wish).await;
    assert_eq!(browser.reserve(wish).await.place(), first.place());
    assert_eq!(shop.figures().await, "4/1/0");
    let hold = browser.open(first.place()).await;
    let released = browser.submit(&action(&hold.html, "/release"), "language=en").await;
    assert_eq!((released.status, released.place()), (303, shop.path("/plain/en").as_str()));
    let gone = browser.open(first.place()).await;
    assert!(gone.html.contains("was given back"), "{}", gone.html);
    let second = browser.reserve(wish).await;
    assert!(second.status == 303 && second.place() != first.place());
    let hold = browser.open(second.place()).await;
    let order = browser.submit(&action(&hold.html, "/order"), "").await;
    assert_eq!(order.status, 303);
    // What is ordered is no longer held: the next wish is a new one.
    let third = browser.reserve(wish).await;
    assert!(third.status == 303 && third.place() != second.place());
    assert_eq!(shop.figures().await, "3/1/1");
}

#[tokio::test]
async fn however_many_holds_have_ended_the_next_form_holds_anew() {
    let shop = open_sale(Definition { limit_per_shopper: 1, ..units(1) }).await;
    let mut browser = Browser::new(&shop);
    let wish = "language=en&sku=unit&quantity=1";
    let ended = Regex::new(r#"name="ended" value="(\d+)""#).unwrap();
    for round in 0..22 {
        let mut held = browser.reserve(wish).await;
        let mut rounds = 0;
        while held.status == 429 {
            let form = format!("{wish}&ended={}", &ended.captures(&held.html).expect(&held.html)[1]);
            held = browser.reserve(&form).await;
            // What is sent twice is one hold here, too.
            assert!(held.status == 429 || browser.reserve(&form).await.place() == held.place());
            rounds += 1;
        }
        assert_eq!((held.status, rounds), (303, round / 10), "{}", held.html);
        let hold = browser.open(held.place()).await;
        assert_eq!(browser.submit(&action(&hold.html, "/release"), "language=en").await.status, 303);
    }
    assert_eq!(shop.figures().await, "1/0/0");
}

#[tokio::test]
async fn who_reached_the_limit_is_led_to_what_they_have() {
    let shop = open_sale(Definition { limit_per_shopper: 2, ..units(5) }).await;
    let mut browser = Browser::new(&shop);
    let held = browser.reserve("language=en&sku=unit&quantity=2").await;
    let refused = browser.reserve("language=en&sku=unit&quantity=1").await;
    assert_eq!(refused.status, 409, "{}", refused.html);
    assert!(refused.html.contains(&format!("<a href=\"{}\">", held.place())), "{}", refused.html);
}

#[tokio::test]
async fn a_confirm_that_broke_off_goes_on_from_its_page() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "wish").await;
    Caught::at(LedgerFault::CaughtBeforeCommit, &shop, &ann, &id).await.crash();
    let page = shop.request(Method::GET, &shop.path(&format!("/reservations/{id}")));
    let page = page.bearer_auth(&ann.token).header("accept", "text/html").send().await.unwrap();
    let place = action(&page.text().await.unwrap(), "/order");
    let form = shop.request(Method::POST, &place).bearer_auth(&ann.token);
    let form = form.header("content-type", "application/x-www-form-urlencoded").body("language=en");
    let answer = form.send().await.unwrap();
    assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
    assert_eq!(shop.figures().await, "4/0/1");
}

#[tokio::test]
async fn two_forms_of_a_new_visitor_at_once_hold_nothing_until_one_is_followed() {
    let shop = open_sale(units(5)).await;
    let mut browser = Browser::new(&shop);
    let path = shop.path("/reservations");
    for _ in 0..2 {
        browser.cookies.clear();
        let asked = browser.ask(Method::POST, &path, Some("sku=unit")).await;
        assert_eq!((asked.status, asked.place()), (307, format!("/sessions?next={path}").as_str()));
    }
    assert_eq!(shop.figures().await, "5/0/0");
    let followed = browser.reserve("sku=unit").await;
    assert_eq!(followed.status, 303);
    // Who keeps no cookie is not sent round for ever.
    browser.cookies.clear();
    let lost = browser.ask(Method::POST, &format!("{path}?session=new"), Some("sku=unit")).await;
    assert_eq!((lost.status, shop.figures().await.as_str()), (401, "4/1/0"));
}

#[tokio::test]
async fn what_a_form_is_refused_is_a_page_with_the_same_status_and_changes_nothing() {
    let shop = open_sale(Definition { limit_per_shopper: 1, ..units(5) }).await;
    let mut browser = Browser::new(&shop);
    assert_eq!(browser.reserve("sku=unit&quantity=1").await.status, 303);
    for (form, status, words) in [
        ("sku=unit&quantity=2", 409, "as many as one person may have"),
        ("sku=other", 404, "nothing of this name"),
        ("sku=No%20Such", 404, "nothing of this name"),
        ("quantity=1", 400, "did not understand that"),
        ("sku=unit&quantity=0", 400, "did not understand that"),
        ("sku=unit&quantity=many", 400, "did not understand that"),
        ("sku=unit&ended=-1", 400, "did not understand that"),
        ("sku=unit&price=1", 400, "did not understand that"),
        ("sku=unit&sku=unit", 400, "did not understand that"),
    ] {
        let refused = browser.reserve(&format!("{form}&language=en")).await;
        assert_eq!(refused.status, status, "{form}: {}", refused.html);
        assert_eq!(refused.headers["content-type"], "text/html; charset=utf-8");
        assert!(refused.html.contains(words), "{form}: {}", refused.html);
        let policy = refused.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src"));
    }
    let long = format!("sku=unit&language={}", "x".repeat(5_000));
    assert_eq!(browser.reserve(&long).await.status, 400);
    assert_eq!(shop.figures().await, "4/1/0");
    let mut stranger = Browser::new(&shop);
    let foreign = stranger.open(browser.reserve("sku=unit&quantity=1").await.place()).await;
    assert_eq!(foreign.status, 401);
    let missing = browser.open(&shop.path("/reservations/c5h66p35cpjmgqbaddm6qrb1ec")).await;
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let shop = open_sale(units(5)).await;
    let mut browser = Browser::new(&shop);
    let held = browser.reserve("sku=unit").await;
    let cookie = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).next().unwrap();
    let id = held.place().rsplit('/').next().unwrap().split('?').next().unwrap();
    for path in [
        "/reservations".to_owned(),
        format!("/reservations/{id}/order"),
        format!("/reservations/{id}/release"),
    ] {
        for origin in ["https://evil.example", "null"] {
            for cookie in [cookie.as_str(), ""] {
                let request = shop.request(Method::POST, &shop.path(&path)).header("origin", origin);
                let request = request.header("content-type", "application/x-www-form-urlencoded");
                let answer =
                    request.header("cookie", cookie).body("sku=unit&quantity=2").send().await.unwrap();
                // Without a cookie it is sent to where a session would be made, which refuses it.
                let status = if cookie.is_empty() { 307 } else { 403 };
                assert_eq!(answer.status(), status, "{path} {origin}");
                assert!(answer.headers().get("set-cookie").is_none());
            }
        }
    }
    let session = shop.request(Method::POST, "/sessions?next=/sales/x/reservations").header("origin", "null");
    let session = session.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert_eq!(session.status(), 403);
    assert!(session.headers().get("set-cookie").is_none());
    assert_eq!(shop.figures().await, "4/1/0");
}

#[tokio::test]
async fn a_session_leads_a_form_back_to_this_site_only() {
    let shop = open_sale(units(5)).await;
    let mut browser = Browser::new(&shop);
    let own = browser.ask(Method::POST, "/sessions?next=/sales/x/tickets", Some("")).await;
    assert_eq!((own.status, own.place()), (307, "/sales/x/tickets?session=new"));
    for next in ["//evil.example/sales/", "https://evil.example/", "/sales//evil.example", "/admin/sales"] {
        let seen = browser.ask(Method::POST, &format!("/sessions?next={next}"), Some("")).await;
        assert_eq!((seen.status, seen.place()), (200, ""), "{next}");
    }
}

#[tokio::test]
async fn a_person_is_told_by_a_page_what_a_script_is_told_by_a_problem() {
    let shop = open_sale(units(5)).await;
    let mut browser = Browser::new(&shop);
    let nowhere = browser.open("/sales/nowhere/plain/de").await;
    assert_eq!(nowhere.status, 404);
    assert!(nowhere.html.contains("<html lang=\"de\"") && !nowhere.html.contains("http-equiv"));
    assert_eq!(send(shop.request(Method::GET, "/sales/nowhere/plain/de")).await.told(), "404 sale-not-found");
    // Nobody listens there.
    let settings = [("REDIS_SENTINELS".to_owned(), "127.0.0.1:1".to_owned())];
    let page = ExtraFunction::start(&shop.running, "page", &settings).unwrap();
    let address = page.origin.trim_start_matches("http://");
    // A CDN that keeps the page leaves out what its readers accept.
    for accepted in ["accept: text/html,*/*;q=0.8\r\n", ""] {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let path = shop.path("/plain/en");
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{accepted}\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\r\nretry-after: "), "{answer}");
        assert!(answer.contains("<meta http-equiv=\"refresh\" content=\"10\">"), "{answer}");
        let asks_again = answer.to_lowercase().contains("\r\nrefresh: 10\r\n");
        assert_eq!(
            asks_again,
            !accepted.is_empty(),
            "a browser is told what is not of the page alone: {answer}"
        );
    }
}
