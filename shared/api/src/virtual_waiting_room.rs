//! The door of the AWS Virtual Waiting Room: what its clients send, and what they are answered. The names are theirs; an
//! event is a sale, a request's id is a ticket, and a queue number is a place.

use sale::SaleId;
use serde::{Deserialize, Serialize};

/// Which event.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The sale.
    pub event_id: SaleId,
}

/// Which place of which event.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The sale.
    pub event_id: SaleId,
    /// The id that `/assign_queue_num` has answered, or the ticket that `/sales/{sale}/tickets` has given.
    pub request_id: String,
}

/// A place was given.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AssignedNumber {
    /// By which everything else is asked: a signed ticket, which is a secret of whoever has it.
    pub api_request_id: String,
}

/// Which place it is.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QueueNumber {
    /// When the ticket was given, in seconds since 1970; 0 for a lot, which is as good as any other.
    pub entry_time: i64,
    /// The place.
    pub queue_number: u64,
    /// The sale.
    pub event_id: SaleId,
    /// 1 while the place is to be served or is served, -1 when its turn is over.
    pub status: i8,
}

/// Up to which place is served.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServingCounter {
    /// The last place whose turn has come.
    pub serving_counter: u64,
}

/// How many wait.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WaitingNumber {
    /// Places that were given and are not served yet; before the draw the size of the lobby.
    pub waiting_num: u64,
}

/// What proves that it is the shopper's turn, to whoever has the public key. All three are JWT and end with the turn.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AccessTokens {
    /// `token_use` is `access`.
    pub access_token: String,
    /// `token_use` is `refresh`.
    pub refresh_token: String,
    /// `token_use` is `id`.
    pub id_token: String,
    /// `Bearer`
    pub token_type: &'static str,
    /// What is left of the turn, in seconds of serving time, which stands still while nobody is served.
    pub expires_in: u64,
}

/// How long a place that is served stays served.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PositionExpiry {
    /// What is left of the turn, in seconds of serving time.
    pub expires_in: u64,
}

/// The answer with 202: it is not so far.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotYet {
    /// What is waited for.
    pub message: &'static str,
}

/// A public key (RFC 7517) that verifies access tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PublicKey {
    /// `RSA`
    pub kty: &'static str,
    /// `RS256`
    pub alg: &'static str,
    /// `sig`
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// The key's thumbprint (RFC 7638), as in the header of what it has signed.
    pub kid: String,
    /// The modulus, in base64url.
    pub n: String,
    /// The exponent, in base64url.
    pub e: String,
}

/// All public keys whose tokens are good, the one that signs first.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PublicKeys {
    /// The keys.
    pub keys: Vec<PublicKey>,
}
