//! A new key for the setting `ACCESS_TOKEN_KEYS`.

use anyhow::{Context, Result};
use data_encoding::BASE64;
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::rand_core::OsRng;

/// As the clients of the AWS Virtual Waiting Room know it.
const MODULUS_BITS: usize = 2_048;

/// An RSA key in base64 of its PKCS#1 DER. It takes a second or so to find one.
pub(crate) fn new_access_token_key() -> Result<String> {
    let key = RsaPrivateKey::new(&mut OsRng, MODULUS_BITS).context("no RSA key could be made")?;
    Ok(BASE64.encode(key.to_pkcs1_der()?.as_bytes()))
}
