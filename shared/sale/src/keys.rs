//! Idempotency keys, and the secret that turns them and a shopper's subject into opaque ids.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{ReservationId, SaleId, ShopperId, ShopperKind};

/// The client's own name for one wish: 1 to 128 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// A text that cannot be an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 1 to 128 visible ASCII characters")]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// Parses a key, without the quotes that the header may carry.
    pub fn parse(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidIdempotencyKey) }
    }

    /// The key as it was parsed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a merchant's change of stock: one key is one change within one sale.
    #[must_use]
    pub fn change(&self, sale: &SaleId) -> ChangeId {
        use sha2::Digest;
        let digest =
            Sha256::new().chain_update(sale.as_str()).chain_update(b"\0").chain_update(&self.0).finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        ChangeId(id)
    }
}

/// One merchant's change of stock (restock or withdrawal), derived from sale and idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChangeId([u8; 16]);

impl ChangeId {
    /// The id of these 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The secret behind opaque ids. It never rotates: a repeat must find its first answer.
#[derive(Clone)]
pub struct IdSecret(Hmac<Sha256>);

/// A secret of fewer than 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id secret has at least 32 bytes")]
pub struct InvalidSecret;

impl IdSecret {
    /// Takes a secret of at least 32 bytes.
    pub fn new(secret: &[u8]) -> Result<Self, InvalidSecret> {
        if secret.len() < 32 {
            return Err(InvalidSecret);
        }
        Hmac::new_from_slice(secret).map(Self).map_err(|_| InvalidSecret)
    }

    /// The digest under which a subject is stored; an account and a guest never share one.
    #[must_use]
    pub fn shopper(&self, kind: ShopperKind, subject: &str) -> ShopperId {
        ShopperId::from_bytes(self.digest(&[b"shopper", kind.as_str().as_bytes(), subject.as_bytes()]))
    }

    /// The reservation that this shopper's key means in this sale.
    #[must_use]
    pub fn reservation(&self, sale: &SaleId, shopper: &ShopperId, key: &IdempotencyKey) -> ReservationId {
        ReservationId::from_bytes(self.digest(&[
            b"reservation",
            sale.as_str().as_bytes(),
            shopper.as_bytes(),
            key.0.as_bytes(),
        ]))
    }

    /// HMAC over length-prefixed parts, so that no two lists of parts collide.
    fn digest(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        id
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_id_depends_on_sale_shopper_and_key_and_nothing_else() {
        let secret = IdSecret::new(&[7; 32]).unwrap();
        let (a, b) = (SaleId::parse("a").unwrap(), SaleId::parse("b").unwrap());
        let (key, other) = (IdempotencyKey::parse("k").unwrap(), IdempotencyKey::parse("l").unwrap());
        let ann = secret.shopper(ShopperKind::Account, "ann");
        let guest_ann = secret.shopper(ShopperKind::Guest, "ann");
        assert_ne!(ann, guest_ann);
        let id = secret.reservation(&a, &ann, &key);
        assert_eq!(id, secret.reservation(&a, &ann, &key));
        assert_ne!(id, secret.reservation(&b, &ann, &key));
        assert_ne!(id, secret.reservation(&a, &guest_ann, &key));
        assert_ne!(id, secret.reservation(&a, &ann, &other));
    }

    #[test]
    fn a_key_is_visible_ascii_and_bounded() {
        assert!(IdempotencyKey::parse(&"k".repeat(128)).is_ok());
        for text in ["", "a b", "ä", "a\n", &"k".repeat(129)] {
            assert_eq!(IdempotencyKey::parse(text), Err(InvalidIdempotencyKey), "{text}");
        }
    }
}
