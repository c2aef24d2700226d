//! Ids in a path. One that cannot exist is answered like one that does not exist.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use sale::{OrderId, ReservationId, SaleId, Sku};
use serde::de::DeserializeOwned;

use crate::Problem;

/// `/sales/{sale}/…`
#[derive(Debug, Clone)]
pub struct SalePath(pub SaleId);

/// `/sales/{sale}/reservations/{id}…`
#[derive(Debug, Clone)]
pub struct ReservationPath(pub SaleId, pub ReservationId);

/// `/orders/{id}…`
#[derive(Debug, Clone, Copy)]
pub struct OrderPath(pub OrderId);

/// `/admin/sales/{sale}/skus/{sku}/…`
#[derive(Debug, Clone)]
pub struct SkuPath(pub SaleId, pub Sku);

async fn segments<T: DeserializeOwned + Send, S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
    not_found: fn() -> Problem,
) -> Result<T, Problem> {
    Path::<T>::from_request_parts(parts, state).await.map(|Path(path)| path).map_err(|_| not_found())
}

impl<S: Send + Sync> FromRequestParts<S> for SalePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let sale: String = segments(parts, state, Problem::sale_not_found).await?;
        Ok(Self(SaleId::parse(&sale).map_err(|_| Problem::sale_not_found())?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ReservationPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (sale, id): (String, String) = segments(parts, state, Problem::reservation_not_found).await?;
        let sale = SaleId::parse(&sale).map_err(|_| Problem::sale_not_found())?;
        Ok(Self(sale, ReservationId::parse(&id).map_err(|_| Problem::reservation_not_found())?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OrderPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id: String = segments(parts, state, Problem::order_not_found).await?;
        Ok(Self(OrderId::parse(&id).map_err(|_| Problem::order_not_found())?))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SkuPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let (sale, sku): (String, String) = segments(parts, state, Problem::sku_not_found).await?;
        let sale = SaleId::parse(&sale).map_err(|_| Problem::sale_not_found())?;
        Ok(Self(sale, Sku::parse(&sku).map_err(|_| Problem::sku_not_found())?))
    }
}
