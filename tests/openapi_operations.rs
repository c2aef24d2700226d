//! The operations of `openapi.json`: who may ask, what is sent, and every answer. The bodies are named here and
//! come from the types; that this table is true, `openapi_answers.rs` checks on real answers.

use crate::openapi_operation::{Audience, Content, GET, Operation, POST, Success, json, text, with_headers};
use crate::openapi_operations_door::DOOR_OPERATIONS;

pub(crate) const SHOPPER: &[&str] = &["unauthenticated", "identity-unavailable"];
const SHOPPER_CHANGES: &[&str] = &["unauthenticated", "identity-unavailable", "origin-refused"];
const MERCHANT: &[&str] = &["unauthenticated"];
const KEY: &[&str] = &["idempotency-key-missing", "idempotency-key-reused"];
pub(crate) const BODY: &[&str] = &["body-too-large", "not-json"];
pub(crate) const STOCK: &[&str] = &["stock-unavailable", "recovering"];
const LEDGER: &[&str] = &["ledger-unavailable"];
pub(crate) const SALE: &[&str] = &["sale-not-found"];
const TICKET: &[&str] = &["ticket-missing", "not-your-turn", "ticket-expired"];
const ENDED: &[&str] = &["reservation-expired", "reservation-released", "order-cancelled"];

/// Headers of what can be kept, and asked for again by its tag.
const CACHED: &[&str] = &["Cache-Control", "ETag"];

/// The answer to who has it already.
const UNCHANGED: Success = Success {
    status: 304,
    description: "Unchanged since the `ETag` of `If-None-Match`.",
    content: Content::Nothing,
    headers: CACHED,
};

const RELEASE: Operation = Operation {
    audience: Audience::Shopper,
    successes: &[json(200, "The reservation, released now or before.", "Reservation")],
    problems: &[
        SHOPPER_CHANGES,
        SALE,
        &["reservation-not-found", "confirm-in-progress", "already-ordered"],
        &["reservation-expired", "order-cancelled"],
        STOCK,
    ],
    ..POST
};

/// A merchant's change of where a sale stands.
const CHANGE: Operation = Operation {
    audience: Audience::Merchant,
    successes: &[json(200, "The sale as it stands then; a repeat changes nothing.", "Sale")],
    problems: &[MERCHANT, SALE, &["sale-conflict"], STOCK, LEDGER],
    ..POST
};

/// Every operation.
pub(crate) fn operations() -> impl Iterator<Item = &'static Operation> {
    SHOP_OPERATIONS.iter().chain(DOOR_OPERATIONS)
}

/// In the order in which the README lists the routes.
pub(crate) const SHOP_OPERATIONS: &[Operation] = &[
    Operation {
        path: "/sales/{sale}",
        id: "findLanguage",
        summary: "Where the page is in the language that the browser likes best",
        successes: &[Success {
            status: 302,
            description: "The address of the page.",
            content: Content::Nothing,
            headers: &["Location", "Vary", "Cache-Control"],
        }],
        problems: &[SALE],
        ..GET
    },
    Operation {
        path: "/sales/{sale}/opening.ics",
        id: "getOpening",
        summary: "A reminder of the opening, for a calendar (RFC 5545)",
        successes: &[with_headers(text("The calendar.", &["text/calendar"]), CACHED), UNCHANGED],
        problems: &[SALE, STOCK, &["route-not-found"]],
        ..GET
    },
    Operation {
        path: "/sales/{sale}/status",
        id: "getStatus",
        summary: "What changes while a sale runs, the same for everybody; cacheable for a second",
        successes: &[with_headers(json(200, "The status.", "Status"), CACHED), UNCHANGED],
        problems: &[SALE, STOCK],
        ..GET
    },
    Operation {
        path: "/sales/{sale}/plain/{language}",
        id: "getPlainPage",
        summary: "The page for browsers without JavaScript, the same for everybody; cacheable for a second",
        successes: &[with_headers(text("The page.", &["text/html"]), CACHED), UNCHANGED],
        problems: &[SALE, STOCK, &["route-not-found"]],
        ..GET
    },
    Operation {
        path: "/sales/{sale}/{language}",
        id: "getPage",
        summary: "The page of a sale in this language, the same for everybody",
        successes: &[with_headers(text("The page.", &["text/html"]), CACHED), UNCHANGED],
        problems: &[SALE, STOCK, &["route-not-found"]],
        ..GET
    },
    Operation {
        path: "/assets/{file}",
        id: "getAsset",
        summary: "Style, script and icons of the page; the name has the content's hash in it",
        successes: &[
            with_headers(text("The file.", &["text/css", "text/javascript", "image/svg+xml"]), CACHED),
            UNCHANGED,
        ],
        problems: &[&["route-not-found"]],
        ..GET
    },
    Operation {
        path: "/sessions",
        id: "openSession",
        summary: "Become a guest, or go on as the same one",
        successes: &[
            with_headers(json(201, "A new guest, whom the cookie names.", "Session"), &["Set-Cookie"]),
            with_headers(json(200, "The guest whom the cookie named already.", "Session"), &["Set-Cookie?"]),
        ],
        problems: &[&["origin-refused"]],
        ..POST
    },
    Operation {
        path: "/sales/{sale}/tickets",
        id: "join",
        summary: "Take a place in the waiting room, or renew one's ticket and ask whose turn it is",
        audience: Audience::Shopper,
        body: Some("TicketProof"),
        is_body_optional: true,
        successes: &[
            with_headers(
                json(201, "A new place.", "Ticket"),
                &["RateLimit", "RateLimit-Policy", "Set-Cookie"],
            ),
            with_headers(
                json(200, "The ticket that was sent, renewed: its place stays.", "Ticket"),
                &["Set-Cookie"],
            ),
        ],
        problems: &[
            SHOPPER_CHANGES,
            SALE,
            &["no-waiting-room", "lobby-not-open", "waiting-room-closed", "ticket-expired"],
            &["sale-paused", "sale-ended", "sold-out"],
            BODY,
            STOCK,
        ],
        ..POST
    },
    Operation {
        path: "/sales/{sale}/tickets",
        id: "findTicket",
        summary: "One's own ticket, of the cookie, and whose turn it is",
        audience: Audience::Shopper,
        successes: &[with_headers(json(200, "The ticket, renewed.", "Ticket"), &["Set-Cookie"])],
        problems: &[SHOPPER, SALE, &["ticket-missing", "no-waiting-room", "sale-ended"], STOCK],
        ..GET
    },
    Operation {
        path: "/sales/{sale}/reservations",
        id: "reserve",
        summary: "Hold units; the same key gets the same hold again",
        audience: Audience::Shopper,
        has_key: true,
        body: Some("Wish"),
        successes: &[
            with_headers(
                json(201, "A new hold, with its receipt.", "Reservation"),
                &["Location", "RateLimit", "RateLimit-Policy"],
            ),
            with_headers(
                json(200, "The hold of an earlier request with this key.", "Reservation"),
                &["RateLimit?", "RateLimit-Policy"],
            ),
        ],
        problems: &[
            SHOPPER_CHANGES,
            SALE,
            &["sku-not-found", "sale-not-open", "sale-paused", "sale-ended", "sold-out", "limit-reached"],
            TICKET,
            ENDED,
            KEY,
            BODY,
            STOCK,
        ],
        ..POST
    },
    Operation {
        path: "/sales/{sale}/reservations/{id}",
        id: "findReservation",
        summary: "One's own reservation",
        audience: Audience::Shopper,
        successes: &[json(200, "The reservation.", "Reservation")],
        problems: &[SHOPPER, SALE, &["reservation-not-found"], STOCK],
        ..GET
    },
    Operation {
        method: "delete",
        path: "/sales/{sale}/reservations/{id}",
        id: "release",
        summary: "Give one's own reservation back",
        ..RELEASE
    },
    Operation {
        path: "/sales/{sale}/reservations/{id}/release",
        id: "releaseByPost",
        summary: "The same, for forms, which know no DELETE",
        ..RELEASE
    },
    Operation {
        path: "/sales/{sale}/reservations/{id}/order",
        id: "confirm",
        summary: "Make the reservation an order; a repeat gets the same order",
        audience: Audience::Shopper,
        body: Some("Proof"),
        is_body_optional: true,
        successes: &[
            with_headers(json(201, "The order.", "Order"), &["Location"]),
            json(200, "The order of an earlier request.", "Order"),
        ],
        problems: &[
            SHOPPER_CHANGES,
            SALE,
            &["reservation-not-found", "limit-reached", "unit-lost"],
            ENDED,
            BODY,
            STOCK,
            LEDGER,
        ],
        ..POST
    },
    Operation {
        path: "/orders/{id}",
        id: "findOrder",
        summary: "One's own order",
        audience: Audience::Shopper,
        successes: &[json(200, "The order.", "Order")],
        problems: &[SHOPPER, &["order-not-found"], LEDGER],
        ..GET
    },
    Operation {
        path: "/admin/sales",
        id: "listSales",
        summary: "All sales",
        audience: Audience::Merchant,
        successes: &[json(200, "All sales.", "Sales")],
        problems: &[MERCHANT, LEDGER],
        ..GET
    },
    Operation {
        path: "/admin/sales/{sale}",
        id: "showSale",
        summary: "A sale",
        audience: Audience::Merchant,
        successes: &[json(200, "The sale.", "Sale")],
        problems: &[MERCHANT, SALE, LEDGER],
        ..GET
    },
    Operation {
        method: "put",
        path: "/admin/sales/{sale}",
        id: "defineSale",
        summary: "Create a sale, or change what can change",
        audience: Audience::Merchant,
        body: Some("Definition"),
        successes: &[
            json(201, "The new sale.", "Sale"),
            json(200, "The sale as it is now; a repeat changes nothing.", "Sale"),
        ],
        problems: &[MERCHANT, SALE, &["stock-mismatch", "sale-conflict"], BODY, STOCK, LEDGER],
        ..GET
    },
    Operation { path: "/admin/sales/{sale}/open", id: "openSale", summary: "Let a sale begin now", ..CHANGE },
    Operation {
        path: "/admin/sales/{sale}/pause",
        id: "pauseSale",
        summary: "Let new reservations wait",
        ..CHANGE
    },
    Operation { path: "/admin/sales/{sale}/resume", id: "resumeSale", summary: "End the pause", ..CHANGE },
    Operation {
        path: "/admin/sales/{sale}/close",
        id: "closeSale",
        summary: "End a sale for good",
        ..CHANGE
    },
    Operation {
        path: "/admin/sales/{sale}/restore",
        id: "restoreSale",
        summary: "Have a sale built again of the ledger, whatever Redis has of it",
        successes: &[json(
            202,
            "The sale, of an epoch of its own. Its report tells when it is there again.",
            "Sale",
        )],
        problems: &[MERCHANT, SALE, &["takeover-under-way"], STOCK, LEDGER],
        ..CHANGE
    },
    Operation {
        path: "/admin/sales/{sale}/queue",
        id: "showQueue",
        summary: "The waiting room's figures",
        audience: Audience::Merchant,
        successes: &[json(200, "The figures.", "QueueReport")],
        problems: &[MERCHANT, SALE, &["no-waiting-room"], STOCK, LEDGER],
        ..GET
    },
    Operation {
        method: "patch",
        path: "/admin/sales/{sale}/queue",
        id: "changeQueue",
        summary: "Change how the waiting room serves: rate, turns, pause, door, a step by hand, who passes the line",
        audience: Audience::Merchant,
        body: Some("QueueChange"),
        successes: &[json(200, "The figures after the change; a repeat changes nothing.", "QueueReport")],
        problems: &[MERCHANT, SALE, &["no-waiting-room", "sale-conflict"], BODY, STOCK, LEDGER],
        ..GET
    },
    Operation {
        path: "/admin/sales/{sale}/report",
        id: "report",
        summary: "Available, held and sold units of each SKU, and whether they add up",
        audience: Audience::Merchant,
        successes: &[json(200, "The figures.", "Report")],
        problems: &[MERCHANT, SALE, STOCK],
        ..GET
    },
    Operation {
        path: "/admin/sales/{sale}/orders",
        id: "listOrders",
        summary: "The orders of a sale, in pages",
        audience: Audience::Merchant,
        query: Some("OrdersQuery"),
        successes: &[json(200, "A page.", "Orders")],
        problems: &[MERCHANT, SALE, LEDGER],
        ..GET
    },
    Operation {
        path: "/admin/sales/{sale}/skus/{sku}/units",
        id: "listUnits",
        summary: "Where each unit is, in pages: what Redis says, place by place, and then the ledger",
        audience: Audience::Merchant,
        query: Some("UnitsQuery"),
        successes: &[json(200, "A page.", "Units")],
        problems: &[MERCHANT, SALE, &["sku-not-found"], STOCK, LEDGER],
        ..GET
    },
    Operation {
        path: "/admin/sales/{sale}/journal",
        id: "listJournal",
        summary: "Every move of units, in pages and in order: what happened when, and a stream to follow",
        audience: Audience::Merchant,
        query: Some("JournalQuery"),
        successes: &[json(200, "A page.", "Journal")],
        problems: &[MERCHANT, SALE, LEDGER],
        ..GET
    },
    Operation {
        path: "/admin/sales/{sale}/skus/{sku}/restock",
        id: "restock",
        summary: "Add units; the same key adds them once",
        audience: Audience::Merchant,
        has_key: true,
        body: Some("Quantity"),
        successes: &[json(200, "The stock afterwards.", "Restocked")],
        problems: &[MERCHANT, SALE, &["sku-not-found"], KEY, BODY, STOCK, LEDGER],
        ..POST
    },
    Operation {
        path: "/admin/sales/{sale}/skus/{sku}/withdraw",
        id: "withdraw",
        summary: "Take available units out; the same key takes them out once",
        audience: Audience::Merchant,
        has_key: true,
        body: Some("Quantity"),
        successes: &[json(200, "The stock afterwards.", "Withdrawn")],
        problems: &[MERCHANT, SALE, &["sku-not-found"], KEY, BODY, STOCK, LEDGER],
        ..POST
    },
    Operation {
        path: "/admin/orders/{id}/cancel",
        id: "cancelOrder",
        summary: "Cancel an order, whose units are sold again",
        audience: Audience::Merchant,
        has_key: true,
        successes: &[json(200, "The order, cancelled now or before.", "Order")],
        problems: &[MERCHANT, &["order-not-found", "idempotency-key-missing"], STOCK, LEDGER],
        ..POST
    },
    Operation {
        path: "/admin/cluster",
        id: "showCluster",
        summary: "The Redis cluster, and whatever is wrong with it",
        audience: Audience::Merchant,
        successes: &[json(200, "The cluster; one in trouble is an answer, not a failure.", "Cluster")],
        problems: &[MERCHANT],
        ..GET
    },
    Operation {
        path: "/openapi.json",
        id: "getDocument",
        summary: "This document",
        successes: &[
            Success { status: 200, description: "The document.", content: Content::Object, headers: CACHED },
            UNCHANGED,
        ],
        ..GET
    },
    Operation {
        path: "/livez",
        id: "isAlive",
        summary: "Whether the process lives",
        successes: &[text("It lives.", &["text/plain"])],
        ..GET
    },
    Operation {
        path: "/readyz",
        id: "isReady",
        summary: "Whether the process reaches Redis",
        successes: &[text("It does.", &["text/plain"])],
        problems: &[STOCK],
        ..GET
    },
];
