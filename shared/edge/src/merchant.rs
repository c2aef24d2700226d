//! The merchant: one token, compared without telling how much of it was right.

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Problem;
use crate::bearer::token;

/// Recognises the merchant.
#[derive(Clone)]
pub struct Merchant {
    digest: [u8; 32],
}

impl Merchant {
    pub(crate) fn new(token: &str) -> Self {
        Self { digest: Sha256::digest(token.as_bytes()).into() }
    }

    /// Refuses whoever is not the merchant.
    pub fn identify(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let token = token(headers)?
            .ok_or_else(|| Problem::unauthenticated("Send the merchant's token as a bearer token."))?;
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if bool::from(digest.ct_eq(&self.digest)) {
            Ok(())
        } else {
            Err(Problem::unauthenticated("This is not the merchant's token."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_merchants_own_token_opens_the_merchants_door() {
        let merchant = Merchant::new("correct horse battery staple 1234");
        let open = |value: Option<&str>| {
            let headers = value.and_then(|value| Some(("authorization".parse().ok()?, value.parse().ok()?)));
            merchant.identify(&headers.into_iter().collect()).is_ok()
        };
        assert!(open(Some("Bearer correct horse battery staple 1234")));
        for value in [None, Some("Bearer x"), Some("Basic eDp4"), Some("Bearer"), Some("Bearer ")] {
            assert!(!open(value), "{value:?}");
        }
    }
}
