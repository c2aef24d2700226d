//! Units: where each unit of a SKU is, for whoever audits a sale.

use jiff::Timestamp;
use sentinel::{Deadline, Script};
use serde::{Deserialize, Serialize};

use crate::script::script;
use crate::{ReservationId, SaleId, Sku, Stock, StockError};

static UNITS: Script = script!("units.lua");

/// Reservations or list entries on one page: the script reads each.
const ENTRIES_MAX: u32 = 512;
/// Serials of a bitmap on one page.
const SERIALS_MAX: u32 = 8_192;

/// A place in Redis where units are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UnitPlace {
    /// Never issued.
    Fresh,
    /// Available again.
    Returned,
    /// In holds.
    Held,
    /// In confirms that are not finished.
    Confirming,
    /// Marked as sold.
    Sold,
    /// Kept back by a takeover.
    Quarantined,
    /// Out of the stock.
    Withdrawn,
}

/// Units of consecutive serials in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitRun {
    /// The first serial.
    pub first: u32,
    /// The last serial.
    pub last: u32,
    /// Whose they are, and when that hold expires.
    pub hold: Option<(ReservationId, Timestamp)>,
}

/// A page of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitsOutcome {
    /// The units, and where the place's next page begins if there may be one.
    Page {
        /// The units.
        units: Vec<UnitRun>,
        /// To be passed as `from`.
        next: Option<u32>,
    },
    /// The sale has no such SKU.
    SkuNotFound,
    /// No such sale.
    SaleNotFound,
}

impl UnitPlace {
    /// All places, in the order in which they are read.
    pub const ALL: [Self; 7] = [
        Self::Fresh,
        Self::Returned,
        Self::Held,
        Self::Confirming,
        Self::Sold,
        Self::Quarantined,
        Self::Withdrawn,
    ];

    /// Its word in the script.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Returned => "returned",
            Self::Held => "held",
            Self::Confirming => "confirming",
            Self::Sold => "sold",
            Self::Quarantined => "quarantined",
            Self::Withdrawn => "withdrawn",
        }
    }

    const fn page(self) -> u32 {
        match self {
            Self::Sold | Self::Quarantined => SERIALS_MAX,
            _ => ENTRIES_MAX,
        }
    }
}

impl Stock {
    /// A page of the units in one place, from 0 on. Pages are read one after the other: of a sale that goes on, a
    /// unit may be seen in two places, or in none.
    pub async fn units(
        &self,
        sale: &SaleId,
        sku: &Sku,
        place: UnitPlace,
        from: u32,
        deadline: Deadline,
    ) -> Result<UnitsOutcome, StockError> {
        let script = self
            .invocation(&UNITS, sale)
            .arg(sku.as_str())
            .arg(place.as_str())
            .arg(from.to_string())
            .arg(place.page().to_string());
        let mut answer = self.look(script, deadline).await?;
        match answer.word.as_str() {
            "UNITS" => {
                let next = Some(answer.fields.number()?).filter(|next| *next > 0);
                let mut units = Vec::new();
                while !answer.fields.is_empty() {
                    let (first, last) = (answer.fields.number()?, answer.fields.number()?);
                    let id = answer.fields.optional_digest()?.map(ReservationId::from_bytes);
                    let expires_at = answer.fields.timestamp()?;
                    units.push(UnitRun { first, last, hold: id.map(|id| (id, expires_at)) });
                }
                Ok(UnitsOutcome::Page { units, next })
            }
            "SKU_NOT_FOUND" => Ok(UnitsOutcome::SkuNotFound),
            "SALE_NOT_FOUND" => Ok(UnitsOutcome::SaleNotFound),
            _ => Err(StockError::unknown_word(answer.word)),
        }
    }
}
