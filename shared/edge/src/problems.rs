//! The table of problems: slug, status and title of everything that can be refused.

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Last part of the problem's `type`; it never changes.
    pub slug: &'static str,
    /// HTTP status.
    pub status: u16,
    /// One short sentence, the same for every occurrence.
    pub title: &'static str,
}

macro_rules! problems {
    ($($name:ident $status:literal $slug:literal $title:literal;)*) => {
        $(pub(crate) const $name: Kind = Kind { slug: $slug, status: $status, title: $title };)*

        /// Every problem that an answer can carry.
        pub const PROBLEMS: &[Kind] = &[$($name),*];
    };
}

problems! {
    INVALID_REQUEST 400 "invalid-request" "The request is not valid.";
    IDEMPOTENCY_KEY_MISSING 400 "idempotency-key-missing" "An Idempotency-Key header is required.";
    UNAUTHENTICATED 401 "unauthenticated" "Who is asking is not known.";
    ORIGIN_REFUSED 403 "origin-refused" "The request comes from another site.";
    TICKET_MISSING 403 "ticket-missing" "The sale has a waiting room.";
    NOT_YOUR_TURN 403 "not-your-turn" "Others come first.";
    TICKET_EXPIRED 403 "ticket-expired" "The ticket is good for nothing any more.";
    SALE_NOT_FOUND 404 "sale-not-found" "There is no such sale.";
    SKU_NOT_FOUND 404 "sku-not-found" "The sale has no such SKU.";
    RESERVATION_NOT_FOUND 404 "reservation-not-found" "There is no such reservation of yours.";
    ORDER_NOT_FOUND 404 "order-not-found" "There is no such order of yours.";
    ROUTE_NOT_FOUND 404 "route-not-found" "There is nothing at this address.";
    METHOD_NOT_ALLOWED 405 "method-not-allowed" "This address does not answer to this method.";
    SALE_NOT_OPEN 409 "sale-not-open" "The sale has not begun.";
    NO_WAITING_ROOM 409 "no-waiting-room" "The sale has no waiting room.";
    LOBBY_NOT_OPEN 409 "lobby-not-open" "The waiting room does not give tickets yet.";
    WAITING_ROOM_CLOSED 409 "waiting-room-closed" "The waiting room gives no more tickets.";
    SALE_PAUSED 409 "sale-paused" "The sale is paused.";
    SOLD_OUT 409 "sold-out" "Too few units are left.";
    LIMIT_REACHED 409 "limit-reached" "The limit per shopper is reached.";
    CONFIRM_IN_PROGRESS 409 "confirm-in-progress" "The reservation is being confirmed.";
    ALREADY_ORDERED 409 "already-ordered" "The reservation is an order already.";
    ORDER_CANCELLED 409 "order-cancelled" "The order was cancelled.";
    UNIT_LOST 409 "unit-lost" "The reserved units were lost, and none is left.";
    STOCK_MISMATCH 409 "stock-mismatch" "The stock of a SKU changes by restock and withdraw only.";
    SALE_CONFLICT 409 "sale-conflict" "The sale was changed at the same time.";
    TAKEOVER_UNDER_WAY 409 "takeover-under-way" "The sale is being built again already.";
    RESERVATION_EXPIRED 410 "reservation-expired" "The reservation's time is over.";
    RESERVATION_RELEASED 410 "reservation-released" "The reservation was given back.";
    POSITION_EXPIRED 410 "position-expired" "The place in the queue is good for nothing any more.";
    SALE_ENDED 410 "sale-ended" "The sale is over.";
    BODY_TOO_LARGE 413 "body-too-large" "The body is too large.";
    NOT_JSON 415 "not-json" "The body must be JSON.";
    IDEMPOTENCY_KEY_REUSED 422 "idempotency-key-reused" "The idempotency key was used for another request.";
    QUOTA_EXCEEDED 429 "quota-exceeded" "Too many requests.";
    HEADERS_TOO_LARGE 431 "headers-too-large" "The headers are too large.";
    INTERNAL 500 "internal" "Something is broken on our side.";
    STOCK_UNAVAILABLE 503 "stock-unavailable" "The stock cannot be reached for a moment.";
    LEDGER_UNAVAILABLE 503 "ledger-unavailable" "Orders cannot be written for a moment.";
    OUTCOME_UNKNOWN 503 "outcome-unknown" "It is not known whether this was done.";
    RECOVERING 503 "recovering" "The sale is being rebuilt.";
    SECRETS_UNAVAILABLE 503 "secrets-unavailable" "Our own secrets cannot be loaded for a moment.";
    IDENTITY_UNAVAILABLE 503 "identity-unavailable" "The identity provider cannot be asked for a moment.";
    OVERLOADED 503 "overloaded" "Too many requests are under way.";
}
