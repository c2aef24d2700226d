//! Where each unit of a SKU is, page by page: first what Redis says, then what the ledger says.

use std::sync::Arc;

use api::{UnitRange, Units, UnitsQuery};
use axum::extract::State;
use edge::{Problem, Query, SkuPath, Within, invalid_fields};
use sale::{UnitPlace, UnitRun, UnitsOutcome};

use crate::{App, problem};

/// Serials that one page reads in the ledger, each by its key.
const LEDGER_PAGE: u32 = 1_000;

/// Where a page begins: in a place of Redis, or at a serial in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cursor {
    Stock(UnitPlace, u32),
    Ledger(u32),
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    SkuPath(sale, sku): SkuPath,
    Within(deadline): Within,
    Query(page): Query<UnitsQuery>,
) -> Result<axum::Json<Units>, Problem> {
    let cursor = page.cursor.as_deref().map_or(Some(Cursor::FIRST), Cursor::parse);
    let cursor = cursor.ok_or_else(|| invalid_fields("query:cursor", "not a cursor of this list"))?;
    let (units, next) = match cursor {
        Cursor::Stock(place, from) => match app.stock.units(&sale, &sku, place, from, deadline).await? {
            UnitsOutcome::Page { units, next } => {
                let units = units.into_iter().map(|run| in_stock(place, run)).collect();
                (units, Some(next.map_or_else(|| Cursor::after(place), |from| Cursor::Stock(place, from))))
            }
            UnitsOutcome::SkuNotFound => return Err(Problem::sku_not_found()),
            UnitsOutcome::SaleNotFound => return Err(Problem::sale_not_found()),
        },
        Cursor::Ledger(first) => {
            let record = app.ledger.sale(&sale, deadline).await.map_err(problem)?;
            let record = record.ok_or_else(Problem::sale_not_found)?;
            let top = record.top(&sku).ok_or_else(Problem::sku_not_found)?;
            let last = top.min(first.saturating_add(LEDGER_PAGE - 1));
            let orders = app.ledger.orders_of_units(&sale, &sku, first..=last, deadline).await;
            let orders = orders.map_err(problem)?;
            let serials = orders.iter().flat_map(|order| order.units.iter().map(move |unit| (*unit, order)));
            let units = serials.filter(|(serial, _)| (first..=last).contains(serial));
            let units = units.map(|(serial, order)| UnitRange {
                first: serial,
                last: serial,
                place: None,
                reservation_id: Some(order.reservation),
                expires_at: None,
                order_id: Some(order.id),
            });
            (units.collect(), (last < top).then(|| Cursor::Ledger(last + 1)))
        }
    };
    Ok(axum::Json(Units { units, next_cursor: next.map(Cursor::encode) }))
}

fn in_stock(place: UnitPlace, UnitRun { first, last, hold }: UnitRun) -> UnitRange {
    let (reservation_id, expires_at) = hold.unzip();
    UnitRange { first, last, place: Some(place), reservation_id, expires_at, order_id: None }
}

impl Cursor {
    const FIRST: Self = Self::Stock(UnitPlace::ALL[0], 0);

    /// Behind the last page of a place.
    fn after(place: UnitPlace) -> Self {
        let next = UnitPlace::ALL.iter().skip_while(|known| **known != place).nth(1);
        next.map_or(Self::Ledger(1), |next| Self::Stock(*next, 0))
    }

    fn encode(self) -> String {
        match self {
            Self::Stock(place, from) => format!("{}.{from}", place.as_str()),
            Self::Ledger(first) => format!("ledger.{first}"),
        }
    }

    /// What [`Cursor::encode`] gave.
    fn parse(text: &str) -> Option<Self> {
        let (place, from) = text.split_once('.')?;
        let from: u32 = from.parse().ok().filter(|from| *from <= sale::STOCK_MAX)?;
        if place == "ledger" {
            return (from > 0).then_some(Self::Ledger(from));
        }
        let place = UnitPlace::ALL.into_iter().find(|known| known.as_str() == place)?;
        from.is_multiple_of(8).then_some(Self::Stock(place, from))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_go_through_every_place_and_then_the_ledger() {
        let mut seen = vec![Cursor::FIRST];
        while let Cursor::Stock(place, _) = *seen.last().unwrap() {
            seen.push(Cursor::after(place));
        }
        assert_eq!(seen.len(), UnitPlace::ALL.len() + 1);
        for cursor in seen {
            assert_eq!(Cursor::parse(&cursor.encode()), Some(cursor));
        }
    }

    #[test]
    fn a_cursor_that_no_page_gave_out_is_refused() {
        for text in
            ["", "fresh", "fresh.", "fresh.x", "fresh.-8", "sold.7", "ledger.0", "nowhere.0", "sold.99999999"]
        {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
