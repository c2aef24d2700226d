//! Signed receipts: the proof of a hold that the shopper keeps.

use sale::Receipt;
use serde::{Deserialize, Serialize};

use crate::Problem;
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
    /// The receipt as a signed token, valid until the hold expires.
    pub fn sign(&self, receipt: Receipt) -> Result<String, Problem> {
        let claims =
            Claims { aud: Purpose::Receipt.audience(), exp: receipt.expires_at.as_second(), receipt };
        self.0.sign(&claims).map_err(|error| Problem::internal().caused_by(&error))
    }

    /// The receipt that this token proves, while it is valid.
    #[must_use]
    pub fn verify(&self, token: &str) -> Option<Receipt> {
        self.0.verify::<Claims>(Purpose::Receipt, token).ok().map(|claims| claims.receipt)
    }
}
