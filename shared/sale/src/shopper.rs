//! Who reserves: a digest of the subject, and by which door the subject came.

use serde::{Deserialize, Serialize};

use crate::InvalidId;

/// How a shopper is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ShopperKind {
    /// By a token of the merchant's identity provider.
    Account,
    /// By a cookie that anyone can have from `POST /sessions`.
    Guest,
}

impl ShopperKind {
    /// `account` or `guest`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Guest => "guest",
        }
    }
}

/// The 16-byte digest of a subject; the subject itself is stored nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShopperId([u8; 16]);

impl ShopperId {
    /// The digest of these 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Parses what [`Display`](std::fmt::Display) writes: 26 characters of lower-case base32hex.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let bytes = data_encoding::BASE32_DNSSEC.decode(text.as_bytes()).ok();
        let digest = bytes.and_then(|bytes| bytes.try_into().ok());
        digest.map(Self).ok_or(InvalidId("not a shopper's digest"))
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::fmt::Display for ShopperId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&data_encoding::BASE32_DNSSEC.encode(&self.0))
    }
}

impl Serialize for ShopperId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ShopperId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A shopper who has shown who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shopper {
    /// The digest under which everything personal is bound.
    pub id: ShopperId,
    /// The door by which the shopper came.
    pub kind: ShopperKind,
}
