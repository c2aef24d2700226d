//! Who is asking: an account by its bearer token, or a guest by the cookie.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use sale::{Deadline, IdSecret, IdempotencyKey, ReservationId, SaleId, Shopper, ShopperKind};

use crate::bearer::Bearer;
use crate::guest::new_subject;
use crate::{Guests, Problem};

/// Recognises shoppers, and names what is theirs.
#[derive(Clone)]
pub struct Shoppers {
    pub(crate) bearer: Bearer,
    pub(crate) guests: Guests,
    pub(crate) ids: IdSecret,
}

impl Shoppers {
    /// Who is asking. A bearer token goes before the cookie; a request with a cookie alone that changes
    /// something must come from the site's own pages. The deadline is for a provider whose keys are not known
    /// yet.
    pub async fn identify(
        &self,
        method: &Method,
        headers: &HeaderMap,
        deadline: Deadline,
    ) -> Result<Shopper, Problem> {
        if let Some(subject) = self.bearer.subject(headers, deadline).await? {
            return Ok(self.shopper(ShopperKind::Account, &subject));
        }
        if let Some(subject) = self.guests.subject(headers) {
            self.guests.origin.check(method, headers)?;
            return Ok(self.shopper(ShopperKind::Guest, &subject));
        }
        Err(Problem::unauthenticated(if self.guests.has_cookie(headers) {
            "The guest's cookie is not valid any more. POST /sessions gives a new one."
        } else {
            "Send a bearer token, or the cookie of POST /sessions where the sale takes guests."
        }))
    }

    /// Who is asking, or a guest whom nobody will know again where nothing says so: a page of another site that asks on
    /// behalf of a browser has no cookie here.
    pub async fn identify_or_new(
        &self,
        method: &Method,
        headers: &HeaderMap,
        deadline: Deadline,
    ) -> Result<Shopper, Problem> {
        if headers.contains_key(AUTHORIZATION) || self.guests.is_of_own_page(method, headers) {
            return self.identify(method, headers, deadline).await;
        }
        Ok(self.shopper(ShopperKind::Guest, &new_subject()?))
    }

    /// The reservation that this shopper's key means in this sale.
    #[must_use]
    pub fn reservation(&self, sale: &SaleId, shopper: &Shopper, key: &IdempotencyKey) -> ReservationId {
        self.ids.reservation(sale, &shopper.id, key)
    }

    fn shopper(&self, kind: ShopperKind, subject: &str) -> Shopper {
        Shopper { id: self.ids.shopper(kind, subject), kind }
    }
}
