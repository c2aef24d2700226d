//! A guest's session.

use jiff::Timestamp;
use serde::Serialize;

/// A guest's session; who it is says the cookie beside it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Session {
    /// How long the cookie is good for.
    #[cfg_attr(feature = "schema", schemars(with = "sale::Time"))]
    pub expires_at: Timestamp,
}
