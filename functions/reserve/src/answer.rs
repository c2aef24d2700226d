//! A reservation as an answer shows it.

use api::ReservationAnswer;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use edge::{Problem, Receipts};
use jiff::Timestamp;
use sale::{Reservation, ReservationState};

/// The reservation with this status; a new one says where it is. With `receipts` it is proven by one.
pub(crate) fn answer(
    status: StatusCode,
    reservation: Reservation,
    now: Timestamp,
    receipts: Option<&Receipts>,
) -> Result<Response, Problem> {
    let location = format!("/sales/{}/reservations/{}", reservation.sale, reservation.id);
    let has_order = matches!(reservation.state, ReservationState::Ordered | ReservationState::Cancelled);
    let receipts = receipts.filter(|_| reservation.state.is_live());
    let receipt = receipts.map(|receipts| receipts.sign(reservation.receipt())).transpose()?;
    let left_ms = reservation.expires_at.as_millisecond() - now.as_millisecond();
    let body = ReservationAnswer {
        quantity: reservation.quantity(),
        total_minor: reservation.total_minor(),
        order_id: has_order.then(|| reservation.order_id()),
        expires_in_ms: left_ms.max(0),
        server_time: now,
        receipt,
        id: reservation.id,
        sale: reservation.sale,
        sku: reservation.sku,
        units: reservation.units,
        state: reservation.state,
        expires_at: reservation.expires_at,
        price_minor: reservation.price_minor,
        currency: reservation.currency,
    };
    let mut response = (status, axum::Json(body)).into_response();
    if status == StatusCode::CREATED
        && let Ok(location) = location.parse()
    {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}
