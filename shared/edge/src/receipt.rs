//! Signed receipts: the proof of a hold that the shopper keeps.

use sale::{Receipt, ReservationId, SaleId, ShopperId};
use serde::{Deserialize, Serialize};

use crate::Problem;
use crate::fields::invalid_fields;
use crate::signing::{KeyRing, Purpose};

/// Signs receipts.
#[derive(Clone)]
pub struct Receipts(pub(crate) KeyRing);

#[derive(Clone, Serialize, Deserialize)]
struct Claims {
    aud: String,
    exp: i64,
    #[serde(rename = "spillway")]
    receipt: Receipt,
}

impl Receipts {
    /// The receipt as a signed token, which names the end of the hold.
    pub fn sign(&self, receipt: Receipt) -> Result<String, Problem> {
        let claims =
            Claims { aud: Purpose::Receipt.audience(), exp: receipt.expires_at.as_second(), receipt };
        self.0.sign(&claims).map_err(|error| Problem::internal().caused_by(&error))
    }

    /// The receipt that this token is, of this very reservation. Whether its time is over, Redis's clock says.
    pub fn verify(
        &self,
        token: &str,
        sale: &SaleId,
        reservation: &ReservationId,
        shopper: &ShopperId,
    ) -> Result<Receipt, Problem> {
        let refused = |why| invalid_fields("/receipt", why);
        let claims = self.0.verify::<Claims>(Purpose::Receipt, token);
        let receipt = claims.map_err(|_| refused("is no receipt that this shop has signed"))?.receipt;
        if receipt.reservation != *reservation || receipt.sale != *sale || receipt.shopper != *shopper {
            return Err(refused("is of another reservation"));
        }
        Ok(receipt)
    }
}
