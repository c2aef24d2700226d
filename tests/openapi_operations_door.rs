//! The operations of the door of the AWS Virtual Waiting Room, as `openapi_operations.rs` has all others.

use crate::openapi_operation::{Audience, GET, Operation, POST, json, with_headers};
use crate::openapi_operations::{BODY, SALE, SHOPPER, STOCK};

/// Where the door is closed.
const DOOR: &[&str] = &["route-not-found"];

pub(crate) const DOOR_OPERATIONS: &[Operation] = &[
    Operation {
        path: "/assign_queue_num",
        id: "assignQueueNumber",
        summary: "As in the AWS Virtual Waiting Room: take a number; who says nothing of themselves is a new guest",
        audience: Audience::Anybody,
        body: Some("Event"),
        successes: &[with_headers(
            json(200, "By which the number and the turn are asked.", "AssignedNumber"),
            &["RateLimit", "RateLimit-Policy"],
        )],
        problems: &[
            SHOPPER,
            SALE,
            &["no-waiting-room", "lobby-not-open", "waiting-room-closed"],
            &["sale-paused", "sale-ended", "sold-out"],
            BODY,
            STOCK,
            DOOR,
        ],
        ..POST
    },
    Operation {
        path: "/queue_num",
        id: "getQueueNumber",
        summary: "As in the AWS Virtual Waiting Room: the number of a request, the same each time",
        query: Some("Position"),
        successes: &[json(200, "The number.", "QueueNumber"), json(202, "The draw is to come.", "NotYet")],
        problems: &[SALE, &["no-waiting-room", "position-expired"], STOCK, DOOR],
        ..GET
    },
    Operation {
        path: "/serving_num",
        id: "getServingNumber",
        summary: "As in the AWS Virtual Waiting Room: up to which number is served; cacheable for a second",
        query: Some("Event"),
        successes: &[with_headers(json(200, "The number.", "ServingCounter"), &["Cache-Control"])],
        problems: &[SALE, &["no-waiting-room"], STOCK, DOOR],
        ..GET
    },
    Operation {
        path: "/waiting_num",
        id: "getWaitingNumber",
        summary: "As in the AWS Virtual Waiting Room: how many wait; cacheable for a second",
        query: Some("Event"),
        successes: &[with_headers(json(200, "How many.", "WaitingNumber"), &["Cache-Control"])],
        problems: &[SALE, &["no-waiting-room"], STOCK, DOOR],
        ..GET
    },
    Operation {
        path: "/generate_token",
        id: "generateToken",
        summary: "As in the AWS Virtual Waiting Room: tokens that prove the turn, while it lasts",
        body: Some("Position"),
        successes: &[json(200, "The tokens.", "AccessTokens"), json(202, "Not yet.", "NotYet")],
        problems: &[SALE, &["no-waiting-room", "position-expired"], BODY, STOCK, DOOR],
        ..POST
    },
    Operation {
        path: "/queue_pos_expiry",
        id: "getPositionExpiry",
        summary: "As in the AWS Virtual Waiting Room: how long the turn lasts",
        query: Some("Position"),
        successes: &[json(200, "What is left of it.", "PositionExpiry"), json(202, "Not yet.", "NotYet")],
        problems: &[SALE, &["no-waiting-room", "position-expired"], STOCK, DOOR],
        ..GET
    },
    Operation {
        path: "/public_key",
        id: "getPublicKey",
        summary: "As in the AWS Virtual Waiting Room: the key that verifies new tokens, the same for all events",
        successes: &[with_headers(json(200, "The key.", "PublicKey"), &["Cache-Control"])],
        problems: &[DOOR],
        ..GET
    },
    Operation {
        path: "/.well-known/jwks.json",
        id: "getPublicKeys",
        summary: "The keys that verify tokens",
        successes: &[with_headers(json(200, "The keys.", "PublicKeys"), &["Cache-Control"])],
        problems: &[DOOR],
        ..GET
    },
];
