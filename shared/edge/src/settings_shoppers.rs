//! Who shoppers are: tokens with the provider's secret, or tokens that its public keys verify. One of them
//! and not both: a way in that nobody thinks of any more is one too many.

use std::sync::Arc;

use fetch::Address;
use sale::IdSecret;

use crate::Shoppers;
use crate::bearer::{Bearer, Expected};
use crate::provider::Provider;
use crate::settings::{
    ID_SECRET, SHOPPER_AUDIENCE, SHOPPER_ISSUER, SHOPPER_JWKS_URL, SHOPPER_SECRET, Settings,
};

impl Settings {
    /// Who shoppers are.
    pub fn shoppers(&mut self) -> Option<Shoppers> {
        let bearer = self.bearer();
        let ids = self.ids();
        let guests = self.guests();
        Some(Shoppers { bearer: bearer?, ids: ids?, guests: guests? })
    }

    /// By what a subject is digested.
    pub fn ids(&mut self) -> Option<IdSecret> {
        self.secret(ID_SECRET).and_then(|secret| IdSecret::new(&secret).ok())
    }

    fn bearer(&mut self) -> Option<Bearer> {
        let text = |settings: &Self, name: &str| settings.variables.get(name).cloned();
        let expected =
            Expected { issuer: text(self, SHOPPER_ISSUER), audience: text(self, SHOPPER_AUDIENCE) };
        let Some(url) = text(self, SHOPPER_JWKS_URL) else {
            return self.secret(SHOPPER_SECRET).map(|secret| Bearer::of_secret(&secret, &expected));
        };
        if self.variables.contains_key(SHOPPER_SECRET) {
            self.fault::<()>(SHOPPER_SECRET, "is there, although SHOPPER_JWKS_URL is");
        }
        let required = [SHOPPER_ISSUER, SHOPPER_AUDIENCE].map(|name| self.required(name));
        let Some(address) = Address::parse(&url) else {
            return self.fault(SHOPPER_JWKS_URL, "is neither https nor plain http on loopback");
        };
        required.into_iter().collect::<Option<Vec<_>>>()?;
        let provider = self.kept.provider.get_or_insert_with(|| Arc::new(Provider::new(address))).clone();
        Some(Bearer::of_provider(provider, &expected))
    }
}
