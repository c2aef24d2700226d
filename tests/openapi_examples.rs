//! The examples in `openapi.json`: one purchase, told in the answers that it gets. They are checked against the
//! schemas, like real answers.

use serde_json::{Value, json};

use crate::openapi_operation::Operation;

/// The body that this operation is sent.
pub(crate) fn request(schema: &str) -> Value {
    match schema {
        "Proof" => json!({ "receipt": "eyJhbGciOiJIUzI1NiIsImtpZCI6ImZpcnN0In0.e30.c2lnbmF0dXJl" }),
        "TicketProof" => json!({ "ticket": "eyJhbGciOiJIUzI1NiIsImtpZCI6ImZpcnN0In0.e30.c2lnbmF0dXJl" }),
        "Event" => json!({ "event_id": "spring-drop" }),
        "Position" => json!({
            "event_id": "spring-drop", "request_id": "eyJhbGciOiJIUzI1NiIsImtpZCI6ImZpcnN0In0.e30.c2lnbmF0dXJl"
        }),
        "QueueChange" => json!({ "rate_per_minute": 1200, "door_closed": true }),
        "Wish" => json!({ "sku": "standard", "quantity": 2 }),
        "Quantity" => json!({ "quantity": 50 }),
        "Definition" => definition(),
        _ => panic!("no example of {schema}"),
    }
}

/// The body of this operation's answer.
pub(crate) fn answer(operation: &Operation, schema: &str) -> Value {
    let mut answer = plain(schema);
    match operation.id {
        // A receipt comes with what a replica has just acknowledged.
        "findReservation" => answer["receipt"] = Value::Null,
        "findTicket" => {
            answer["turn"] = json!({ "state": "waiting", "place": 812, "ahead": 340, "left_ms": null });
        }
        "release" => {
            answer["receipt"] = Value::Null;
            answer["state"] = json!("released");
        }
        "cancelOrder" => {
            answer["state"] = json!("cancelled");
            answer["cancelled_at"] = json!("2027-03-02T08:15:30.25Z");
        }
        "pauseSale" => answer["paused"] = json!(true),
        "closeSale" => answer["closed"] = json!(true),
        _ => {}
    }
    answer
}

fn plain(schema: &str) -> Value {
    match schema {
        "Status" => json!({
            "sale": "spring-drop", "state": "open", "server_time": "2027-03-01T10:00:02.125Z",
            "opens_at": "2027-03-01T10:00:00Z", "closes_at": "2027-03-01T12:00:00Z",
            "waiting_room": room(),
            "skus": [{ "sku": "standard", "available": 4821, "sold_out": false, "may_return": true }],
            "poll_after_ms": 1000
        }),
        "Ticket" => json!({
            "sale": "spring-drop", "ticket": "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6ImEifQ.e30.c2lnbmF0dXJl",
            "expires_at": "2027-03-02T10:00:02.125Z", "lot": "c5h66p35cpjmgqbaddm6qrb1ec", "number": 712, "turn": null,
            "server_time": "2027-03-01T10:00:02.125Z"
        }),
        "QueueReport" => {
            let mut report = room();
            for (name, value) in [
                ("sale", json!("spring-drop")),
                ("paused", json!(false)),
                ("rate_per_minute_set", json!(600)),
                ("pace", json!(1.0)),
                ("turns_used", json!(59)),
                ("turns_passed", json!(7)),
                ("waits", json!({ "p50_seconds": 64.0, "p90_seconds": 107.6, "p99_seconds": 128.0 })),
                ("bypass", json!(12)),
                ("bypassed", json!(3)),
            ] {
                report[name] = value;
            }
            report
        }
        "Session" => json!({ "expires_at": "2027-03-02T09:58:00.5Z" }),
        "Reservation" => json!({
            "id": "c5h66p35cpjmgqbaddm6qrb1ec", "sale": "spring-drop", "sku": "standard", "quantity": 2,
            "units": [17, 18], "state": "held", "expires_at": "2027-03-01T10:05:02.125Z",
            "expires_in_ms": 300_000, "server_time": "2027-03-01T10:00:02.125Z", "price_minor": 4990,
            "total_minor": 9980, "currency": "EUR",
            "receipt": "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6ImEifQ.e30.c2lnbmF0dXJl", "order_id": null
        }),
        "Order" => order(),
        "Orders" => json!({ "orders": [order()], "next_cursor": "MXx8" }),
        "Journal" => json!({
            "entries": [{
                "id": "1803895202125-0", "at": "2027-03-01T10:00:02.125Z", "epoch": 1, "number": 180,
                "sku": "standard", "change": "held", "from": "available", "to": "held", "quantity": 2,
                "units": [17, 18], "reservation_id": "c5h66p35cpjmgqbaddm6qrb1ec"
            }],
            "next_cursor": "2"
        }),
        "Sale" => sale(),
        "Sales" => json!({ "sales": [sale()] }),
        "Report" => json!({
            "sale": "spring-drop", "state": "open", "server_time": "2027-03-01T10:00:02.125Z", "epoch": 1,
            "conserved": true, "unsettled": 3,
            "skus": [{
                "sku": "standard", "stock": 5000, "available": 4821, "held": 120, "sold": 59, "quarantined": 0,
                "withdrawn": 0, "changes": 412, "conserved": true
            }]
        }),
        "Units" => json!({
            "units": [{
                "first": 17, "last": 17, "place": "held", "reservation_id": "c5h66p35cpjmgqbaddm6qrb1ec",
                "expires_at": "2027-03-01T10:05:02.125Z", "order_id": null
            }],
            "next_cursor": "held.512"
        }),
        "Restocked" => json!({ "sku": "standard", "stock": 5050, "restocked": 50 }),
        "Withdrawn" => json!({ "sku": "standard", "stock": 4950, "withdrawn": 50 }),
        "Cluster" => cluster(),
        "AssignedNumber" => {
            json!({ "api_request_id": "eyJhbGciOiJIUzI1NiIsImtpZCI6ImZpcnN0In0.e30.c2lnbmF0dXJl" })
        }
        "QueueNumber" => json!({
            "entry_time": 1_803_895_202, "queue_number": 712, "event_id": "spring-drop", "status": 1
        }),
        "ServingCounter" => json!({ "serving_counter": 186 }),
        "WaitingNumber" => json!({ "waiting_num": 12_374 }),
        "AccessTokens" => {
            let token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImZpcnN0In0.e30.c2lnbmF0dXJl";
            json!({
                "access_token": token, "refresh_token": token, "id_token": token, "token_type": "Bearer",
                "expires_in": 114
            })
        }
        "PositionExpiry" => json!({ "expires_in": 114 }),
        "NotYet" => json!({ "message": "Others come first." }),
        "PublicKey" => public_key(),
        "PublicKeys" => json!({ "keys": [public_key()] }),
        _ => panic!("no example of {schema}"),
    }
}

fn public_key() -> Value {
    json!({
        "kty": "RSA", "alg": "RS256", "use": "sig", "kid": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRX",
        "e": "AQAB"
    })
}

fn room() -> Value {
    json!({
        "state": "serving", "lobby_opens_at": "2027-03-01T09:00:00Z", "door_closed": false, "lobby": 11_840,
        "seed_hash": "4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0",
        "seed": "0707070707070707070707070707070707070707070707070707070707070707", "last_place": 12_560,
        "serving": 186.25, "serving_limit": 5007.0, "rate_per_minute": 600.0, "turn_seconds": 120.0
    })
}

fn definition() -> Value {
    json!({
        "title": "Spring drop", "description": "Five thousand, once.", "currency": "EUR",
        "opens_at": "2027-03-01T10:00:00Z", "closes_at": "2027-03-01T12:00:00Z", "hold_seconds": 300,
        "limit_per_shopper": 2, "shoppers": ["account", "guest"],
        "waiting_room": { "lobby_opens_at": "2027-03-01T09:00:00Z", "rate_per_minute": 600, "turn_seconds": 120 },
        "skus": [{ "sku": "standard", "title": "Standard", "price_minor": 4990, "stock": 5000 }]
    })
}

fn sale() -> Value {
    let mut sale = definition();
    for (name, value) in [
        ("sale", json!("spring-drop")),
        ("version", json!(1)),
        ("epoch", json!(1)),
        ("paused", json!(false)),
        ("closed", json!(false)),
    ] {
        sale[name] = value;
    }
    sale
}

fn order() -> Value {
    json!({
        "id": "64o3gchp6orj4d9l6oqj2e1h68", "sale": "spring-drop",
        "reservation_id": "c5h66p35cpjmgqbaddm6qrb1ec", "sku": "standard", "quantity": 2, "units": [17, 18],
        "state": "confirmed", "price_minor": 4990, "total_minor": 9980, "currency": "EUR",
        "confirmed_at": "2027-03-01T10:01:40.5Z", "cancelled_at": null
    })
}

fn cluster() -> Value {
    let sentinel = |address: &str| {
        json!({
            "address": address, "silence": null, "master": "10.0.1.10:6379", "config_epoch": 4,
            "flags": "master", "quorum": 2, "sentinels": 3, "replicas": 2, "has_quorum": true, "is_tilted": false
        })
    };
    let replica = |address: &str, lag_seconds: u64| json!({ "address": address, "is_online": true, "lag_bytes": 14, "lag_seconds": lag_seconds });
    json!({
        "faults": ["Replica 10.0.3.10:6379 is 7 s behind."],
        "master": {
            "address": "10.0.1.10:6379", "config_epoch": 4, "lineage": "8f3c1d0e5b7a49628f3c1d0e5b7a49628f3c1d0e",
            "offset": 918_273_645, "replicas": [replica("10.0.2.10:6379", 0), replica("10.0.3.10:6379", 7)],
            "memory_bytes": 52_428_800, "memory_bytes_max": 1_073_741_824, "clients": 812, "clients_max": 10_000
        },
        "sentinels": [sentinel("10.0.1.10:26379"), sentinel("10.0.2.10:26379"), sentinel("10.0.3.10:26379")]
    })
}
