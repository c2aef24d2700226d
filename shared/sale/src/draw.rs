//! The draw: who of the lobby is served first. Anyone can work it out again afterwards.
//!
//! A shopper's lot is `HMAC-SHA-256(seed, sale ‖ 0 ‖ shopper)`; its first eight bytes as a number, divided by 2⁶⁴,
//! say how far behind in the lobby it is. The hash of the seed is public from the beginning, the seed from the
//! opening on, so that nobody can choose it when it is known who is in the lobby.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{InvalidId, SaleId, ShopperId};

/// Draws that a process remembers.
const DRAWS_MAX: usize = 256;

/// The secret of a draw: 32 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seed([u8; 32]);

/// The hash of a seed: SHA-256 of its 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Commitment([u8; 32]);

/// A draw that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Shoppers in the lobby, as far as a `HyperLogLog` tells.
    pub lobby: u64,
    /// The seed.
    pub seed: Seed,
}

macro_rules! hex {
    ($name:ident, $invalid:literal) => {
        impl $name {
            /// Parses 64 hexadecimal digits in lower case.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
                bytes.map(Self).ok_or(InvalidId($invalid))
            }

            /// The one of these 32 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                HEXLOWER.encode(&value.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&HEXLOWER.encode(&self.0))
            }
        }
    };
}

hex!(Seed, "a seed is 64 hexadecimal digits in lower case");
hex!(Commitment, "the hash of a seed is 64 hexadecimal digits in lower case");

impl fmt::Debug for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Seed(…)")
    }
}

impl Seed {
    /// What is told of it before the draw.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        Commitment(Sha256::digest(self.0).into())
    }

    /// How far behind in the lobby this shopper is, in parts of 2⁶⁴.
    #[must_use]
    pub fn rank(&self, sale: &SaleId, shopper: &ShopperId) -> u64 {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return u64::MAX };
        mac.update(sale.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(shopper.as_bytes());
        let lot = mac.finalize().into_bytes();
        lot.iter().take(8).fold(0, |rank, byte| rank << 8 | u64::from(*byte))
    }
}

impl Draw {
    /// The place of this shopper, 1 to `lobby`. As the size is an estimate and lots are random, two may share one.
    #[must_use]
    pub fn place(&self, sale: &SaleId, shopper: &ShopperId) -> u64 {
        let places = u128::from(self.seed.rank(sale, shopper)) * u128::from(self.lobby);
        u64::try_from(places >> 64).map_or(u64::MAX, |before| before + 1)
    }
}

/// The draws that this process knows: each is asked for once, as it does not change any more.
#[derive(Clone, Default)]
pub(crate) struct Draws(Arc<Mutex<HashMap<SaleId, Draw>>>);

impl Draws {
    pub(crate) fn get(&self, sale: &SaleId) -> Option<Draw> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(sale).copied()
    }

    pub(crate) fn learn(&self, sale: &SaleId, draw: Draw) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= DRAWS_MAX {
            known.clear();
        }
        known.insert(sale.clone(), draw);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Worked out by another program: `printf 'spring-drop\0…' | openssl dgst -sha256 -mac hmac -macopt hexkey:…`.
    #[test]
    fn a_lot_is_what_anyone_can_work_out() {
        let seed = Seed::from_bytes([7; 32]);
        let sale = SaleId::parse("spring-drop").unwrap();
        let shopper = ShopperId::from_bytes([1; 16]);
        assert_eq!(
            seed.commitment().to_string(),
            "4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0"
        );
        assert_eq!(format!("{:016x}", seed.rank(&sale, &shopper)), "12ca8c8e911c0056");
    }

    #[test]
    fn every_place_of_the_lobby_is_drawn_about_equally_often() {
        let draw = Draw { lobby: 10, seed: Seed::from_bytes([9; 32]) };
        let sale = SaleId::parse("s").unwrap();
        let mut drawn = [0_u32; 10];
        for number in 0..10_000_u128 {
            let place = draw.place(&sale, &ShopperId::from_bytes(number.to_be_bytes()));
            drawn[usize::try_from(place - 1).unwrap()] += 1;
        }
        assert!(drawn.iter().all(|times| (850..1_150).contains(times)), "{drawn:?}");
    }

    #[test]
    fn a_lobby_of_nobody_has_one_place() {
        let draw = Draw { lobby: 0, seed: Seed::from_bytes([9; 32]) };
        assert_eq!(draw.place(&SaleId::parse("s").unwrap(), &ShopperId::from_bytes([1; 16])), 1);
    }

    #[test]
    fn a_seed_does_not_get_into_a_log() {
        let seed = Seed::from_bytes([7; 32]);
        assert_eq!(format!("{seed:?}"), "Seed(…)");
        assert_eq!(Seed::parse(&seed.to_string()), Ok(seed));
        assert!(Seed::parse("07").is_err() && Seed::parse(&"Z".repeat(64)).is_err());
    }
}
