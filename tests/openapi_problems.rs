//! The problems in `openapi.json`: one schema for each row of the table, of the members that such a problem has.

use axum::response::IntoResponse;
use edge::{FieldFault, PROBLEMS, Problem};
use sale::{OrderId, ReservationId, SaleId};
use serde_json::{Map, Value, json};

/// Members besides those of every problem, by slug; one with `?` at its end may be absent.
const MEMBERS: &[(&str, &[&str])] = &[
    // The gateway refuses what it cannot read, and does not know where the fault is.
    ("invalid-request", &["errors?"]),
    ("sale-not-open", &["opens_at", "server_time", "retry_after_seconds?"]),
    ("ticket-missing", &["tickets"]),
    ("not-your-turn", &["place", "ahead", "retry_after_seconds"]),
    ("lobby-not-open", &["opens_at", "server_time", "retry_after_seconds"]),
    ("sale-paused", &["retry_after_seconds"]),
    ("sold-out", &["may_return"]),
    ("limit-reached", &["limit_per_shopper?", "reservation?"]),
    ("confirm-in-progress", &["retry_after_seconds"]),
    ("already-ordered", &["order"]),
    ("sale-conflict", &["retry_after_seconds"]),
    // The gateway limits addresses, and has no policy to name.
    ("quota-exceeded", &["retry_after_seconds", "violated_policies?"]),
];

const OF_EVERY: [&str; 4] = ["type", "title", "status", "detail"];

/// The name of the schema of this slug: `sold-out` is `SoldOutProblem`.
pub(crate) fn name(slug: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    slug.split('-').map(word).collect::<String>() + "Problem"
}

/// Schemas by name, with the members as the type of all problems has them.
pub(crate) fn schemas(all: &Value) -> Map<String, Value> {
    let mut schemas = Map::new();
    for row in PROBLEMS {
        let own = MEMBERS.iter().find(|(slug, _)| *slug == row.slug).map_or(&[][..], |(_, members)| members);
        let retry: &[&str] = if row.status == 503 { &["retry_after_seconds"] } else { &[] };
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for member in OF_EVERY.iter().chain(own).chain(retry) {
            let name = member.trim_end_matches('?');
            let schema = &all["properties"][name];
            assert!(schema.is_object(), "no problem has a member {name}");
            // What may be absent is absent then, and never null; only the beginning of a sale may be unknown.
            let schema = if name == "opens_at" { schema.clone() } else { without_null(schema) };
            properties.insert(name.to_owned(), schema);
            if !member.ends_with('?') {
                required.push(name);
            }
        }
        properties["type"]["pattern"] = json!(format!("/problems/{}$", row.slug));
        properties["type"]["format"] = json!("uri");
        properties["title"]["const"] = json!(row.title);
        properties["status"]["const"] = json!(row.status);
        let schema = json!({
            "type": "object", "description": row.title, "properties": properties, "required": required
        });
        schemas.insert(name(row.slug), schema);
    }
    schemas
}

fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(types) = schema["type"].as_array() {
        schema["type"] = types.iter().find(|kind| *kind != "null").unwrap().clone();
    }
    schema
}

/// Problems as functions answer them, by slug.
pub(crate) async fn examples() -> Map<String, Value> {
    let (sale, time) = (SaleId::parse("spring-drop").unwrap(), "2027-03-01T09:00:00Z".parse().unwrap());
    let reservation = ReservationId::parse("c5h66p35cpjmgqbaddm6qrb1ec").unwrap();
    let order = OrderId::parse("64o3gchp6orj4d9l6oqj2e1h68").unwrap();
    let opens_at = "2027-03-01T10:00:00Z".parse().unwrap();
    let problems = [
        Problem::invalid_request(&[FieldFault::new("/quantity", "must be 1 to 10")]),
        Problem::idempotency_key_missing(),
        Problem::unauthenticated("The token's time is over. Sign in again."),
        Problem::origin_refused(),
        Problem::sale_not_found(),
        Problem::sku_not_found(),
        Problem::reservation_not_found(),
        Problem::order_not_found(),
        Problem::route_not_found(),
        Problem::sale_not_open(Some(opens_at), time),
        Problem::sale_paused(),
        Problem::ticket_missing(&sale),
        Problem::not_your_turn(812, 40),
        Problem::turn_passed(),
        Problem::no_waiting_room(),
        Problem::lobby_not_open(opens_at, time),
        Problem::waiting_room_closed(),
        Problem::sold_out(true),
        Problem::limit_reached(Some(2), &sale, Some(&reservation)),
        Problem::confirm_in_progress(),
        Problem::already_ordered(&order),
        Problem::order_cancelled(),
        Problem::unit_lost(),
        Problem::stock_mismatch(),
        Problem::sale_conflict(),
        Problem::takeover_under_way(),
        Problem::reservation_expired(),
        Problem::reservation_released(),
        Problem::sale_ended(),
        Problem::idempotency_key_reused(),
        Problem::quota_exceeded(std::time::Duration::from_secs(7)),
        Problem::internal(),
        Problem::stock_unavailable(),
        Problem::ledger_unavailable(),
        Problem::outcome_unknown(),
        Problem::position_expired(),
        Problem::recovering(),
        Problem::secrets_unavailable(),
        Problem::identity_unavailable(),
    ];
    let mut examples = Map::new();
    for problem in problems {
        examples.insert(problem.slug().to_owned(), body(problem).await);
    }
    examples
}

/// Its body, at a shop's address and with advice that is not drawn by lot.
async fn body(problem: Problem) -> Value {
    let slug = problem.slug();
    let bytes = axum::body::to_bytes(problem.into_response().into_body(), 10_000).await.unwrap();
    let mut body: Value = serde_json::from_slice(&bytes).unwrap();
    body["type"] = json!(format!("https://shop.example/problems/{slug}"));
    let is_drawn = !["quota-exceeded", "sale-not-open", "lobby-not-open"].contains(&slug);
    if is_drawn && body["retry_after_seconds"].is_u64() {
        body["retry_after_seconds"] = json!(1);
    }
    body
}
