//! The page and the status: the same for everybody, cacheable, and true.

use std::future::ready;
use std::time::Instant;

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use regex::Regex;
use reqwest::Method;
use sale::{Definition, Picture};
use serde_json::json;

use crate::shop::{open_sale, send, units};
use crate::system::eventually;

/// The addresses of the page's own files.
fn files_of(page: &str) -> Vec<String> {
    let file = Regex::new(r#"["'](/assets/[^"']+)["']"#).unwrap();
    file.captures_iter(page).map(|found| found[1].to_owned()).collect()
}

#[tokio::test]
async fn the_page_shows_the_sale_to_everybody_alike_and_nothing_of_it_is_taken_for_markup() {
    let terms = Definition { title: "<b>Rare</b> & \"fine\"".to_owned(), ..units(5) };
    let shop = open_sale(terms).await;
    let page = send(shop.request(Method::GET, &shop.path("/en"))).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(
        page.header("cache-control").contains("s-maxage=5, stale-while-revalidate=30, stale-if-error=86400")
    );
    assert!(!page.text.contains("<b>Rare") && page.text.contains("&#60;b&#62;Rare"), "{}", page.text);
    let ann = shop.shopper("ann");
    let hers = send(shop.request(Method::GET, &shop.path("/en")).bearer_auth(&ann.token)).await;
    assert_eq!((&hers.text, hers.header("etag")), (&page.text, page.header("etag")));
    // Without a script it leads on at once: what goes away after a time takes the text from who still reads it.
    let refresh = format!("content=\"0; url={}\"></noscript>", shop.path("/plain/en"));
    assert!(page.text.contains(&refresh), "{}", page.text);
}

#[tokio::test]
async fn a_preview_elsewhere_has_the_title_and_the_beginning_of_the_description() {
    let description = format!("Clear vinyl,\nnumbered. {}", "More of it. ".repeat(40));
    let shop = open_sale(Definition { title: "Rare & fine".to_owned(), description, ..units(5) }).await;
    for language in ["en", "ja"] {
        let page = send(shop.request(Method::GET, &shop.path(&format!("/{language}")))).await.text;
        let preview = |name: &str| {
            let tag = Regex::new(&format!(r#"<meta (?:property|name)="{name}" content="([^"]*)">"#)).unwrap();
            tag.captures(&page).unwrap_or_else(|| panic!("no {name} in {page}"))[1].to_owned()
        };
        assert_eq!(preview("og:title"), "Rare &#38; fine");
        for name in ["og:description", "description"] {
            let text = preview(name);
            assert!(text.starts_with("Clear vinyl, numbered. More of it.") && text.len() == 200, "{text}");
        }
        let address = shop.path(&format!("/{language}"));
        assert!(preview("og:url").ends_with(&address));
        assert_eq!(
            (preview("og:type"), preview("twitter:card")),
            ("website".to_owned(), "summary".to_owned())
        );
    }
}

#[tokio::test]
async fn the_page_may_load_its_own_files_and_run_its_own_script_only() {
    let shop = open_sale(units(5)).await;
    let page = send(shop.request(Method::GET, &shop.path("/en"))).await;
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(page.header(name), value, "{name}");
    }
    let inline = Regex::new(r"(?i)<style|style=|\son[a-z]+=|javascript:").unwrap();
    assert!(!inline.is_match(&page.text), "{}", page.text);
    let foreign = Regex::new(r#"(?:src|href)="https?://([^/"]+)"#).unwrap();
    let host = shop.running.url.split("//").nth(1).unwrap();
    assert!(foreign.captures_iter(&page.text).all(|found| &found[1] == host));
}

#[tokio::test]
async fn a_picture_is_let_in_from_its_own_origin_and_from_no_other() {
    let address = "https://pictures.example:8443/record.webp";
    let shop = open_sale(Definition { picture: Some(Picture::parse(address).unwrap()), ..units(5) }).await;
    for path in ["/en", "/plain/en"] {
        let page = send(shop.request(Method::GET, &shop.path(path))).await;
        assert!(
            page.text.contains(&format!("<img class=\"picture\" src=\"{address}\" alt=\"\"")),
            "{}",
            page.text
        );
        let policy = page.header("content-security-policy");
        assert!(policy.contains("img-src 'self' https://pictures.example:8443;"), "{policy}");
    }
    let own = Definition { picture: Some(Picture::parse("/pictures/record.webp").unwrap()), ..units(5) };
    let shop = open_sale(own.clone()).await;
    let page = send(shop.request(Method::GET, &shop.path("/en"))).await;
    assert!(page.header("content-security-policy").contains("img-src 'self';"));
    assert!(page.text.contains(&format!("content=\"{}/pictures/record.webp\"", shop.running.url)));
    let mut bad = serde_json::to_value(&own).unwrap();
    bad["picture"] = json!("//evil.example/a.png");
    let refused = send(shop.admin(Method::PUT, &format!("/sales/{}", shop.sale)).json(&bad)).await;
    assert_eq!(refused.told(), "400 invalid-request");
    assert_eq!(refused.body["errors"][0]["pointer"], "/picture", "{}", refused.text);
}

#[tokio::test]
async fn a_file_of_the_page_is_kept_for_ever_by_its_name_and_by_a_name_of_another_version_for_a_minute() {
    let shop = open_sale(units(5)).await;
    let page = send(shop.request(Method::GET, &shop.path("/en"))).await;
    let files = files_of(&page.text);
    assert_eq!(files.len(), 5, "{files:?}");
    for file in &files {
        let kept = send(shop.request(Method::GET, file)).await;
        assert_eq!((kept.status, kept.header("cache-control")), (200, "public, max-age=31536000, immutable"));
        let hash = file.split('.').nth(1).unwrap();
        let other = send(shop.request(Method::GET, &file.replace(hash, "0123456789abcdef"))).await;
        assert_eq!(
            (other.status, other.header("cache-control")),
            (200, "public, max-age=60, stale-if-error=86400")
        );
        assert_eq!(other.text, kept.text);
    }
    for file in ["/assets/other.js", "/assets/sale.png", "/assets/sale", "/assets/openapi.json"] {
        assert_eq!(send(shop.request(Method::GET, file)).await.told(), "404 route-not-found", "{file}");
    }
}

#[tokio::test]
async fn the_first_view_is_thirty_kilobytes_at_most_in_two_requests_before_it_can_be_read() {
    let shop = open_sale(units(5)).await;
    let page = send(shop.request(Method::GET, &shop.path("/ja"))).await;
    let mut bytes = 0;
    for path in [vec![shop.path("/ja")], files_of(&page.text)].concat() {
        // The icons of other states come when they are shown.
        if path.contains("/icon-") {
            continue;
        }
        let sent = shop.request(Method::GET, &path).header("accept-encoding", "gzip").send().await.unwrap();
        // The icon is too small to be compressed.
        let encoding = sent.headers().get("content-encoding").map(|value| value.to_str().unwrap());
        assert!(encoding == Some("gzip") || path.contains("icon"), "{path}");
        bytes += sent.bytes().await.unwrap().len();
    }
    assert!(bytes <= 30 * 1024, "{bytes} bytes");
    let blocking = Regex::new(r#"<link rel="stylesheet"|<script src="[^"]*">"#).unwrap();
    assert_eq!(blocking.find_iter(&page.text).count(), 1, "the style, and no script before the text");
}

#[tokio::test]
async fn each_language_has_its_own_address_and_the_bare_one_leads_to_the_one_that_is_wished() {
    let shop = open_sale(units(5)).await;
    let wished = async |languages: &str| {
        let request = shop.request(Method::GET, &shop.path("")).header("accept-language", languages);
        let answer = send(request).await;
        assert_eq!((answer.status, answer.header("vary")), (302, "accept-language"));
        answer.header("location").to_owned()
    };
    for tag in ["en", "de", "es", "ja", "zh-Hans"] {
        let place = wished(&format!("{tag}, en;q=0.5")).await;
        assert_eq!(place, shop.path(&format!("/{tag}")));
        let page = send(shop.request(Method::GET, &place)).await;
        assert!(page.text.contains(&format!("<html lang=\"{tag}\" dir=\"ltr\">")));
        assert_eq!(page.text.matches("hreflang=\"").count(), 11, "five links, five alternates, one default");
    }
    assert_eq!(wished("fr-CA, tlh").await, shop.path("/en"));
    // The cache between keeps them apart.
    assert_eq!(wished("de").await, shop.path("/de"));
    for (path, told) in [
        (shop.path("/EN"), "404 route-not-found"),
        (shop.path("/fr"), "404 route-not-found"),
        (shop.path("/en/more"), "404 route-not-found"),
        ("/sales/nowhere-at-all/en".to_owned(), "404 sale-not-found"),
        ("/sales/No_Such/en".to_owned(), "404 sale-not-found"),
    ] {
        assert_eq!(send(shop.request(Method::GET, &path)).await.told(), told, "{path}");
    }
}

#[tokio::test]
async fn who_has_the_page_is_told_that_it_is_unchanged_until_the_merchant_changes_it() {
    let shop = open_sale(units(5)).await;
    let page = send(shop.request(Method::GET, &shop.path("/de"))).await;
    let tag = page.header("etag").to_owned();
    let ask = || shop.request(Method::GET, &shop.path("/de")).header("if-none-match", &tag);
    let again = send(ask()).await;
    assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", tag.as_str()));
    let hold = shop.hold(&shop.shopper("ann"), "wish").await;
    assert_eq!(send(ask()).await.status, 304, "a hold changes the status, not the page: {hold}");
    let mut definition = units(5);
    let known = send(shop.admin(Method::GET, &format!("/sales/{}", shop.sale))).await.body;
    definition.opens_at = known["opens_at"].as_str().map(|at| at.parse().unwrap());
    definition.closes_at = known["closes_at"].as_str().unwrap().parse().unwrap();
    definition.title = "Another title".to_owned();
    shop.merchant.define(&shop.sale, &definition).await.unwrap();
    eventually("the new page", async || {
        let answer = send(ask()).await;
        (answer.status == 200 && answer.text.contains("Another title")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_function_itself_knows_by_the_tag_what_a_client_or_a_gateway_has() {
    let shop = open_sale(units(5)).await;
    let function = shop.running.functions.iter().find(|part| part.name == "page").unwrap();
    let ask = async |path: &str, tag: &str| {
        let url = format!("http://{}{path}", function.address);
        let answer = shop.http.get(url).header("if-none-match", tag).send().await.unwrap();
        let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), tag)
    };
    for path in [&shop.path("/en"), &shop.path("/opening.ics"), "/assets/sale.js", "/openapi.json"] {
        let (status, tag) = ask(path, "\"another\"").await;
        assert_eq!(status, 200, "{path}");
        // A gateway that compresses makes the tag a weak one.
        for known in [tag.clone(), format!("\"another\", W/{tag}"), "*".to_owned()] {
            assert_eq!(ask(path, &known).await, (304, tag.clone()), "{path} {known}");
        }
    }
}

#[tokio::test]
async fn a_calendar_is_reminded_of_the_opening_and_of_nothing_where_it_is_by_hand() {
    let opens_at: Timestamp = "2099-04-01T10:00:00Z".parse().unwrap();
    let closes_at = opens_at + jiff::SignedDuration::from_hours(1);
    let terms = Definition {
        title: "Vinyl; first, \"best\"".to_owned(),
        opens_at: Some(opens_at),
        closes_at,
        ..units(5)
    };
    let shop = open_sale(terms.clone()).await;
    let calendar = send(shop.request(Method::GET, &shop.path("/opening.ics"))).await;
    assert_eq!((calendar.status, calendar.header("content-type")), (200, "text/calendar; charset=utf-8"));
    for line in [
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n",
        "DTSTART:20990401T100000Z\r\n",
        "SUMMARY:Vinyl\\; first\\, \"best\"\r\n",
        "TRIGGER:-PT10M\r\n",
        "END:VCALENDAR\r\n",
    ] {
        assert!(calendar.text.contains(line), "{line} is not in {}", calendar.text);
    }
    // What is newer has a higher number, also where the opening moves to an earlier instant.
    let number = |calendar: &str| {
        let line = calendar.split("SEQUENCE:").nth(1).unwrap();
        line.split("\r\n").next().unwrap().parse::<u64>().unwrap()
    };
    let earlier = Definition { opens_at: Some(opens_at - jiff::SignedDuration::from_hours(1)), ..terms };
    let put = shop.admin(Method::PUT, &format!("/sales/{}", shop.sale)).json(&earlier);
    assert_eq!(send(put).await.status, 200);
    let moved = eventually("the calendar to have moved", async || {
        let moved = send(shop.request(Method::GET, &shop.path("/opening.ics"))).await.text;
        moved.contains("DTSTART:20990401T090000Z").then_some(moved)
    })
    .await;
    assert!(number(&moved) > number(&calendar.text), "{moved}");
    let by_hand = open_sale(Definition { opens_at: None, ..units(5) }).await;
    let none = send(by_hand.request(Method::GET, &by_hand.path("/opening.ics"))).await;
    assert_eq!(none.told(), "404 route-not-found");
}

#[tokio::test]
async fn the_status_tells_everybody_what_changes_and_when_to_ask_again() {
    let shop = open_sale(units(5)).await;
    let status = || shop.request(Method::GET, &shop.path("/status"));
    let first = send(status()).await;
    assert_eq!(first.header("cache-control"), "public, max-age=1, s-maxage=1, stale-while-revalidate=5");
    assert_eq!(first.told(), "200 open");
    assert_eq!(first.body["poll_after_ms"], 1_000);
    assert_eq!(
        first.body["skus"],
        json!([{"sku": "unit", "available": 5, "sold_out": false, "may_return": false}])
    );
    let server_time: Timestamp = first.field("server_time").parse().unwrap();
    assert!(Timestamp::now().duration_since(server_time).abs() < jiff::SignedDuration::from_secs(30));
    let ann = shop.shopper("ann");
    let held = shop.reserve(&ann, "wish", 5).await;
    let sku = async |sold_out: bool, may_return: bool| {
        eventually("the status", async || {
            let sku = send(status()).await.body["skus"][0].clone();
            (sku["sold_out"] == sold_out && sku["may_return"] == may_return).then_some(())
        })
        .await;
    };
    sku(true, true).await;
    shop.confirm(&ann, held.field("id")).await;
    sku(true, false).await;
    for (verb, state) in [("pause", "200 paused"), ("resume", "200 open"), ("close", "200 ended")] {
        shop.merchant.change(&shop.sale, verb).await.unwrap();
        eventually(state, async || (send(status()).await.told() == state).then_some(())).await;
    }
}

#[tokio::test]
async fn a_crowd_that_looks_at_the_status_costs_the_function_a_request_a_second() {
    let shop = open_sale(units(5)).await;
    let log = shop.running.logs.join("page.log");
    let path = format!("\"path\":\"{}\"", shop.path("/status"));
    // A thousand clients, each of which asks once, as many at a time as the test may have connections.
    let began = Instant::now();
    let clients = stream::iter(0..1_000).map(|_| send(shop.request(Method::GET, &shop.path("/status"))));
    let good = clients.buffer_unordered(50).filter(|answer| ready(answer.status == 200)).count().await;
    assert_eq!(good, 1_000);
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    let asked = std::fs::read_to_string(log).unwrap().lines().filter(|line| line.contains(&path)).count();
    // What is cached may be given while the next answer is asked for: two a second, and one at each end.
    assert!(
        (1..=2 * seconds + 2).contains(&asked),
        "{asked} of 1000 requests in {seconds} s reached the function"
    );
}

/// What a cache may give a shopper: a second, and five more while it asks for a new one.
const STATUS_AGE_MAX: jiff::SignedDuration = jiff::SignedDuration::from_secs(6);

#[tokio::test]
async fn after_a_quiet_time_nobody_is_given_an_old_status() {
    let shop = open_sale(units(5)).await;
    let status = || shop.request(Method::GET, &shop.path("/status"));
    assert_eq!(send(status()).await.status, 200);
    // The time itself is what is tested: the cached answer grows older than it may be given.
    tokio::time::sleep((STATUS_AGE_MAX + STATUS_AGE_MAX).unsigned_abs()).await;
    let server_time: Timestamp = send(status()).await.field("server_time").parse().unwrap();
    let age = Timestamp::now().duration_since(server_time);
    assert!(age <= STATUS_AGE_MAX, "the status is {age} old");
}
