//! One binary, two front doors: the Lambda runtime and plain HTTP give the same answers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::lambda_function::LambdaFunction;
use crate::shop::{Shop, Shopper, open_sale, send, units};
use crate::system::{eventually, shared};

/// What differs between two requests for the same thing.
const VOLATILE: [&str; 3] = ["server_time", "expires_in_ms", "receipt"];

/// Status, body without what differs anyway, and the headers that caches and clients obey.
type Seen = (u64, Value, Vec<(&'static str, String)>);

const HEADERS: [&str; 5] = ["content-type", "cache-control", "location", "content-security-policy", "allow"];

struct Doors {
    shop: Shop,
    function: LambdaFunction,
}

impl Doors {
    async fn of(shop: Shop, function: &str) -> Self {
        let function = LambdaFunction::start(&shop.running, function).await;
        Self { shop, function }
    }

    async fn lambda(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Seen {
        let response = self.function.request(method, path, headers, body).await;
        let header = |name: &str| response["headers"][name].as_str().unwrap_or_default().to_owned();
        let text = response["body"].as_str().unwrap_or_default();
        (
            response["statusCode"].as_u64().unwrap_or_else(|| panic!("{response}")),
            lasting(text),
            HEADERS.map(|name| (name, header(name))).to_vec(),
        )
    }

    async fn http(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Seen {
        let mut request = self.shop.request(Method::from_bytes(method.as_bytes()).unwrap(), path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = send(request.body(body.to_owned())).await;
        let headers = HEADERS.map(|name| (name, answer.header(name).to_owned())).to_vec();
        (answer.status.into(), lasting(&answer.text), headers)
    }

    async fn agree(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> u64 {
        let lambda = self.lambda(method, path, headers, body).await;
        let http = self.http(method, path, headers, body).await;
        assert_eq!(lambda, http, "{method} {path}");
        lambda.0
    }
}

fn lasting(text: &str) -> Value {
    let mut body = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    if let Value::Object(fields) = &mut body {
        fields.retain(|name, _| !VOLATILE.contains(&name.as_str()));
    }
    body
}

fn bearer(shopper: &Shopper) -> String {
    format!("Bearer {}", shopper.token)
}

#[tokio::test]
async fn reserve_gives_the_same_answers_behind_both_doors() {
    let doors = Doors::of(open_sale(units(5)).await, "reserve").await;
    let (ann, path) = (doors.shop.shopper("ann"), doors.shop.path("/reservations"));
    let bearer = bearer(&ann);
    let json = ("content-type", "application/json");
    let wish = [("authorization", bearer.as_str()), ("idempotency-key", "\"wish\""), json];
    let one = r#"{"sku":"unit","quantity":1}"#;
    let (status, held, headers) = doors.lambda("POST", &path, &wish, one).await;
    assert_eq!(status, 201);
    let reservation = format!("{path}/{}", held["id"].as_str().unwrap());
    assert!(headers.contains(&("location", reservation.clone())));
    assert_eq!(doors.agree("POST", &path, &wish, one).await, 200, "a repeat by either door");
    assert_eq!(doors.agree("GET", &reservation, &wish[..1], "").await, 200);
    assert_eq!(doors.agree("POST", &path, &wish, r#"{"sku":"unit","quantity":2}"#).await, 422);
    assert_eq!(doors.agree("POST", &path, &wish, "{").await, 400);
    assert_eq!(doors.agree("POST", &path, &wish, &"x".repeat(17_000)).await, 413);
    assert_eq!(doors.agree("POST", &path, &wish[..2], one).await, 415);
    assert_eq!(doors.agree("POST", &path, &[wish[0], json], one).await, 400);
    assert_eq!(doors.agree("POST", &path, &wish[1..], one).await, 401);
    assert_eq!(doors.agree("PUT", &path, &wish, one).await, 405);
    assert_eq!(doors.agree("DELETE", &reservation, &wish[..1], "").await, 200);
    assert_eq!(doors.agree("POST", &path, &wish, one).await, 410);
    assert_eq!(doors.shop.figures().await, "5/0/0");
}

#[tokio::test]
async fn confirm_gives_the_same_answers_behind_both_doors() {
    let doors = Doors::of(open_sale(units(5)).await, "confirm").await;
    let ann = doors.shop.shopper("ann");
    let bearer = bearer(&ann);
    let headers = [("authorization", bearer.as_str())];
    let id = doors.shop.hold(&ann, "wish").await;
    let path = doors.shop.path(&format!("/reservations/{id}/order"));
    let (status, order, _) = doors.lambda("POST", &path, &headers, "").await;
    assert_eq!(status, 201);
    assert_eq!(doors.agree("POST", &path, &headers, "").await, 200);
    assert_eq!(
        doors.agree("GET", &format!("/orders/{}", order["id"].as_str().unwrap()), &headers, "").await,
        200
    );
    assert_eq!(doors.agree("GET", "/orders/0", &headers, "").await, 404);
    assert_eq!(doors.agree("POST", &path, &[], "").await, 401);
}

#[tokio::test]
async fn page_gives_the_same_answers_behind_both_doors() {
    let doors = Doors::of(open_sale(units(5)).await, "page").await;
    for path in ["/en", "/status"] {
        assert_eq!(doors.agree("GET", &doors.shop.path(path), &[], "").await, 200);
    }
    for path in ["/assets/sale.js", "/assets/sale.css"] {
        assert_eq!(doors.agree("GET", path, &[], "").await, 200);
    }
    // A script accepts anything; who says nothing of that is told by a page.
    assert_eq!(doors.agree("GET", "/sales/nowhere/en", &[("accept", "*/*")], "").await, 404);
}

#[tokio::test]
async fn session_gives_a_cookie_behind_the_lambda_door_that_the_other_door_knows() {
    let doors = Doors::of(open_sale(units(5)).await, "session").await;
    let origin = doors.shop.running.url.clone();
    let headers = [("origin", origin.as_str())];
    let response = doors.function.request("POST", "/sessions", &headers, "").await;
    assert_eq!(response["statusCode"], 201);
    let cookie = response["cookies"][0].as_str().or(response["headers"]["set-cookie"].as_str()).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let with_cookie = [headers[0], ("cookie", cookie)];
    assert_eq!(doors.agree("POST", "/sessions", &with_cookie, "").await, 200);
    assert_eq!(doors.agree("POST", "/sessions", &[], "").await, 403);
}

#[tokio::test]
async fn admin_gives_the_same_answers_behind_both_doors() {
    let doors = Doors::of(open_sale(units(5)).await, "admin").await;
    let sale = format!("/admin/sales/{}", doors.shop.sale);
    let bearer = format!("Bearer {}", doors.shop.running.admin_token);
    let headers = [("authorization", bearer.as_str())];
    for path in [sale.clone(), format!("{sale}/report"), format!("{sale}/orders?limit=5")] {
        assert_eq!(doors.agree("GET", &path, &headers, "").await, 200);
    }
    assert_eq!(doors.agree("GET", &format!("{sale}/orders?limit=0"), &headers, "").await, 400);
    assert_eq!(doors.agree("POST", &format!("{sale}/pause"), &headers, "").await, 200);
    assert_eq!(doors.agree("GET", &sale, &[], "").await, 401);
}

#[tokio::test]
async fn sweep_works_when_a_scheduled_event_comes() {
    let running = shared();
    let log = running.logs.join("sweep-lambda.log");
    let sweep = LambdaFunction::start(&running, "sweep").await;
    let has_worked = || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("\"connected\""));
    assert!(!has_worked());
    let event = json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} });
    let mut answered = sweep.invoke(event).await;
    eventually("the work", async || has_worked().then_some(())).await;
    assert!(answered.try_recv().is_err(), "it works in steps for most of a minute");
}
