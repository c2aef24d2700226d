//! The names of things: sale, SKU, reservation, order. Parsed once; from then on the type is the proof.

use std::fmt;

use data_encoding::BASE32_DNSSEC;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A text that is not a valid id of the kind it was parsed as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidId(pub(crate) &'static str);

pub(crate) const NAME_LENGTH_MAX: usize = 32;

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let is_first = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= NAME_LENGTH_MAX
        && bytes.next().is_some_and(is_first)
        && bytes.all(|b| is_first(b) || b == b'-')
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $invalid:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses 1 to 32 of `a-z`, `0-9` and `-`, not beginning with `-`.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                if is_name(text) { Ok(Self(text.to_owned())) } else { Err(InvalidId($invalid)) }
            }

            /// The name as it was parsed.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The public name of a sale, such as `spring-drop`.
    SaleId,
    "a sale is named by 1 to 32 lower-case letters, digits and hyphens"
);
name!(
    /// A variant of a sale with its own stock, such as `standard`.
    Sku,
    "a SKU is named by 1 to 32 lower-case letters, digits and hyphens"
);

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident, $invalid:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 16]);

        impl $name {
            /// Parses 26 characters of lower-case base32hex.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let invalid = InvalidId($invalid);
                if text.len() != 26 {
                    return Err(invalid);
                }
                let bytes = BASE32_DNSSEC.decode(text.as_bytes()).map_err(|_| invalid.clone())?;
                let id = Self(bytes.try_into().map_err(|_| invalid.clone())?);
                // The decoder accepts upper case too: one id has one spelling.
                if id.to_string() == text { Ok(id) } else { Err(invalid) }
            }

            /// The id of these 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes, as Redis keeps them.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&BASE32_DNSSEC.encode(&self.0))
            }
        }
    };
}

opaque_id!(
    /// A reservation, derived from sale, shopper and idempotency key by [`IdSecret`](crate::IdSecret).
    ReservationId,
    "not a reservation id"
);
opaque_id!(
    /// An order, derived from its reservation: a repeated confirm can only meet its own order.
    OrderId,
    "not an order id"
);

impl ReservationId {
    /// The id of the order that this reservation can become.
    #[must_use]
    pub fn order(&self) -> OrderId {
        let digest = Sha256::new().chain_update(b"order\0").chain_update(self.0).finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        OrderId(id)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_lower_case_and_plain() {
        for name in ["demo", "a", "2026-spring", &"x".repeat(32)] {
            assert!(SaleId::parse(name).is_ok(), "{name}");
        }
        for name in ["", "-a", "Demo", "a b", "a/b", "ä", "a\0", "a_b", &"x".repeat(33)] {
            assert!(SaleId::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn an_opaque_id_has_one_spelling() {
        let id = ReservationId::from_bytes([0xa7; 16]);
        assert_eq!(ReservationId::parse(&id.to_string()), Ok(id));
        assert!(ReservationId::parse(&id.to_string().to_uppercase()).is_err());
        assert!(ReservationId::parse(&"v".repeat(26)).is_err(), "trailing bits");
        assert!(ReservationId::parse(&"0".repeat(10_000)).is_err());
    }
}
