//! The one home of environment variables. Whatever is missing or wrong is told at once.

#![allow(clippy::disallowed_methods)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use sale::{RateLimit, Stock};
use sentinel::{Agreement, Client, Config, Credentials, Endpoint, NatMap, Tls};

use crate::deadline::{REQUEST_DEADLINE, REQUEST_DEADLINE_MAX};
use crate::origin::PublicOrigin;
use crate::provider::Provider;
use crate::signing::KeyRing;
use crate::{AccessKeys, Guests, Merchant, Receipts, Tickets};

/// A setting, for documentation and for the tests that compare it with the templates.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Name of the environment variable.
    pub name: &'static str,
    /// What it is and should be.
    pub meaning: &'static str,
}

macro_rules! settings {
    ($($name:ident $meaning:literal;)*) => {
        $(pub(crate) const $name: &str = stringify!($name);)*

        /// Every setting that a function reads.
        pub const SETTINGS: &[Setting] = &[$(Setting { name: $name, meaning: $meaning }),*];
    };
}

settings! {
    LISTEN "address for plain HTTP, such as 127.0.0.1:9001; absent under the Lambda runtime";
    PUBLIC_URL "origin that shoppers see: https, or plain http on loopback";
    REDIS_SENTINELS "host:port of each sentinel, comma-separated";
    REDIS_MASTER_NAME "the name under which the sentinels know the master";
    REDIS_USERNAME "ACL user of the data nodes, optional";
    REDIS_PASSWORD "password of the data nodes, optional";
    SENTINEL_USERNAME "ACL user of the sentinels, optional";
    SENTINEL_PASSWORD "password of the sentinels, optional";
    REDIS_CA "PEM of the authorities that sign the data nodes' certificates; absent: no TLS";
    SENTINEL_CA "PEM of the authorities that sign the sentinels' certificates; absent: no TLS";
    REDIS_NAT_MAP "named=dialled,… as host:port: what to dial for what the sentinels name; optional";
    SENTINEL_AGREEMENT "newest (default): without a majority the newest answer counts; majority: only a majority counts";
    REDIS_RECONNECT_SPREAD_MS "longest random wait before connecting to a new master, default 0; with TLS as many as there are processes";
    REDIS_DOWN_AFTER_MS "down-after-milliseconds of the sentinels, default 1500; more than 250";
    CLOCK_SKEW_MS "allowance between the clocks of two Redis nodes, default 500";
    ID_SECRET "at least 32 bytes in base64; never changes";
    SHOPPER_SECRET "HS256 secret of the merchant's identity provider, at least 32 bytes in base64; or SHOPPER_JWKS_URL";
    SHOPPER_JWKS_URL "address of that provider's public keys: https, or plain http on loopback; or SHOPPER_SECRET";
    SHOPPER_ISSUER "the `iss` that shoppers' tokens must have; required with SHOPPER_JWKS_URL, else optional";
    SHOPPER_AUDIENCE "the `aud` that shoppers' tokens must have; required with SHOPPER_JWKS_URL, else optional";
    SIGNING_KEYS "kid:base64,… of at least 32 bytes each, 8 at most; the first signs, all verify, the last is the next to sign";
    ACCESS_TOKEN_KEYS "RSA keys in base64 of PKCS#1 DER, comma-separated, 4 at most; the first signs access tokens, all are published; absent: the door of the AWS Virtual Waiting Room is closed";
    ADMIN_TOKEN "the merchant's token, at least 32 characters";
    SECRETS "names or ARNs of 1 to 8 secrets in AWS Secrets Manager, comma-separated, which hold the secret settings as JSON; optional";
    SECRETS_FRESH_SECONDS "how long they are used before they are fetched again, 1 to 3600, default 60";
    LEDGER_TABLE "name of the DynamoDB table, default spillway";
    REQUEST_DEADLINE_MS "deadline of a request, 500 to 10000, default 4000";
    MAX_IN_FLIGHT "requests under way in one process, default 2048";
    RATE_LIMIT_QUOTA "requests of one shopper in one window, default 10";
    RATE_LIMIT_WINDOW_SECONDS "length of that window, default 10";
    RUST_LOG "what is logged, default info";
}

/// The settings that `SECRETS` may hold.
pub const SECRET_SETTINGS: &[&str] = &[
    ID_SECRET,
    SHOPPER_SECRET,
    SIGNING_KEYS,
    ACCESS_TOKEN_KEYS,
    ADMIN_TOKEN,
    REDIS_PASSWORD,
    SENTINEL_PASSWORD,
];

/// What `sam deploy` is told, as a part of every function. There is a new version of a function where its code has
/// changed, and none where a parameter has: a changed parameter has to be changed code.
const DEPLOYED_WITH: &[u8] = include_bytes!("../../../samconfig.toml");

/// Lambda's own variable: where the runtime interface is.
const LAMBDA_RUNTIME: &str = "AWS_LAMBDA_RUNTIME_API";

/// Lambda's own variable: what the function is called in its account and region.
const LAMBDA_FUNCTION: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// Reads settings and collects what is wrong with them.
pub struct Settings {
    pub(crate) variables: HashMap<String, String>,
    faults: Vec<String>,
    /// Whether secret settings may still come, so that a missing one is no fault.
    pub(crate) awaits_secrets: bool,
    pub(crate) kept: Kept,
}

/// What goes on from one set of secrets to the next.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    /// The stock, with the passwords of its connection.
    stock: Option<([Option<String>; 2], Stock)>,
    pub(crate) provider: Option<Arc<Provider>>,
}

impl Kept {
    pub(crate) fn stock(&self) -> Option<Stock> {
        self.stock.as_ref().map(|(_, stock)| stock.clone())
    }
}

/// A connection to Redis as a function would have it, for a command that is given a function's settings.
pub fn redis_from_environment() -> Result<Client, String> {
    let mut settings = Settings::from_process();
    // A command fetches none: for it the passwords are in the environment.
    settings.awaits_secrets = false;
    let stock = settings.stock();
    match (settings.faults(), stock) {
        (None, Some(stock)) => Ok(stock.redis().clone()),
        (faults, _) => Err(faults.unwrap_or_default()),
    }
}

/// Where requests come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Lambda,
    Http(SocketAddr),
}

impl Settings {
    pub(crate) fn from_process() -> Self {
        // Nobody reads it: without this it would not be in the binary.
        std::hint::black_box(DEPLOYED_WITH);
        let known = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::from_pairs(std::env::vars_os().filter_map(known))
    }

    fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        Self::with_variables(variables)
    }

    pub(crate) fn with_variables(variables: HashMap<String, String>) -> Self {
        let awaits_secrets = variables.contains_key(SECRETS);
        Self { variables, faults: Vec::new(), awaits_secrets, kept: Kept::default() }
    }

    /// One message that names everything that is wrong; `None` when nothing is.
    pub(crate) fn faults(&self) -> Option<String> {
        (!self.faults.is_empty())
            .then(|| format!("settings are missing or wrong:\n  {}", self.faults.join("\n  ")))
    }

    /// The stock behind the sentinels.
    pub fn stock(&mut self) -> Option<Stock> {
        let sentinels = self.sentinels();
        let master_name = self.required(REDIS_MASTER_NAME);
        let down_after_ms = self.number(REDIS_DOWN_AFTER_MS, 1_500, 251..=60_000);
        let skew_ms = self.number(CLOCK_SKEW_MS, 500, 0..=60_000);
        let (tls, sentinel_tls) = (self.tls(REDIS_CA), self.tls(SENTINEL_CA));
        let (nat_map, agreement) = (self.nat_map(), self.agreement());
        let spread_ms = self.number(REDIS_RECONNECT_SPREAD_MS, 0, 0..=10_000);
        let credentials = self.credentials(REDIS_USERNAME, REDIS_PASSWORD);
        let sentinel_credentials = self.credentials(SENTINEL_USERNAME, SENTINEL_PASSWORD);
        let passwords = [REDIS_PASSWORD, SENTINEL_PASSWORD].map(|name| self.variables.get(name).cloned());
        if let Some((_, stock)) = self.kept.stock.as_ref().filter(|(known, _)| *known == passwords) {
            return Some(stock.clone());
        }
        let mut config = Config::new(sentinels?, master_name?);
        (config.credentials, config.sentinel_credentials) = (credentials, sentinel_credentials);
        (config.tls, config.sentinel_tls) = (tls, sentinel_tls);
        (config.nat_map, config.agreement) = (nat_map?, agreement?);
        config.timings.reconnect_spread = Duration::from_millis(spread_ms?);
        config.timings.down_after = Duration::from_millis(down_after_ms?);
        match Client::new(config) {
            Ok(client) => {
                let stock = Stock::new(client, Duration::from_millis(skew_ms?));
                self.kept.stock = Some((passwords, stock.clone()));
                Some(stock)
            }
            Err(error) => self.fault(REDIS_SENTINELS, &error.to_string()),
        }
    }

    /// Guests' sessions.
    pub fn guests(&mut self) -> Option<Guests> {
        let (keys, origin) = (self.keys(), self.origin());
        Some(Guests { keys: keys?, origin: origin? })
    }

    /// Signed receipts.
    pub fn receipts(&mut self) -> Option<Receipts> {
        self.keys().map(Receipts)
    }

    /// Signed tickets.
    pub fn tickets(&mut self) -> Option<Tickets> {
        let (keys, origin) = (self.keys(), self.origin());
        Some(Tickets { keys: keys?, origin: origin? })
    }

    /// Keys of access tokens, if there are any.
    pub fn access_keys(&mut self) -> Option<AccessKeys> {
        match self.variables.get(ACCESS_TOKEN_KEYS).map(|keys| keys.parse()) {
            None => Some(AccessKeys::default()),
            Some(Ok(keys)) => Some(keys),
            Some(Err(fault)) => self.fault(ACCESS_TOKEN_KEYS, fault),
        }
    }

    /// The merchant's door.
    pub fn merchant(&mut self) -> Option<Merchant> {
        let token = self.required(ADMIN_TOKEN)?;
        if token.len() < 32 {
            return self.fault(ADMIN_TOKEN, "is shorter than 32 characters");
        }
        Some(Merchant::new(&token))
    }

    /// The name of the ledger's table.
    pub fn ledger_table(&mut self) -> Option<String> {
        Some(self.variables.get(LEDGER_TABLE).cloned().unwrap_or_else(|| "spillway".to_owned()))
    }

    /// How often one shopper may ask for a reservation.
    pub fn rate_limit(&mut self) -> Option<RateLimit> {
        let quota = self.number(RATE_LIMIT_QUOTA, 10, 1..=1_000_000);
        let window = self.number(RATE_LIMIT_WINDOW_SECONDS, 10, 1..=3_600);
        Some(RateLimit { quota: u32::try_from(quota?).ok()?, window: Duration::from_secs(window?) })
    }

    /// Origin that shoppers see, without a slash at its end.
    pub fn public_url(&mut self) -> Option<String> {
        self.origin().map(|origin| origin.text)
    }

    pub(crate) fn origin(&mut self) -> Option<PublicOrigin> {
        let url = self.required(PUBLIC_URL)?;
        let origin = PublicOrigin::parse(&url);
        if origin.is_none() {
            return self.fault(PUBLIC_URL, "is neither an https origin nor a plain http one on loopback");
        }
        origin
    }

    pub(crate) fn door(&mut self) -> Option<Door> {
        match self.variables.get(LISTEN).map(|address| address.parse()) {
            Some(Ok(address)) => Some(Door::Http(address)),
            Some(Err(_)) => self.fault(LISTEN, "is not an address and a port"),
            None if self.variables.contains_key(LAMBDA_RUNTIME) => Some(Door::Lambda),
            None => self.fault(LISTEN, "is missing, and there is no Lambda runtime either"),
        }
    }

    /// What Lambda calls this function; self-hosted it has no such name.
    #[must_use]
    pub fn lambda_function(&self) -> Option<&str> {
        self.variables.get(LAMBDA_FUNCTION).map(String::as_str)
    }

    /// For a function that no other door leads to.
    pub(crate) fn require_lambda(&mut self) {
        if !self.variables.contains_key(LAMBDA_RUNTIME) {
            self.note_fault::<()>(
                "there is no Lambda runtime, and nothing else calls this function".to_owned(),
            );
        }
    }

    pub(crate) fn request_deadline(&mut self) -> Option<Duration> {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (default, most) = (ms(REQUEST_DEADLINE), ms(REQUEST_DEADLINE_MAX));
        self.number(REQUEST_DEADLINE_MS, default, 500..=most).map(Duration::from_millis)
    }

    pub(crate) fn in_flight_max(&mut self) -> Option<usize> {
        self.number(MAX_IN_FLIGHT, 2_048, 1..=100_000).and_then(|number| usize::try_from(number).ok())
    }

    pub(crate) fn log_filter(&self) -> &str {
        self.variables.get(RUST_LOG).map_or("info", String::as_str)
    }

    fn sentinels(&mut self) -> Option<Vec<Endpoint>> {
        let text = self.required(REDIS_SENTINELS)?;
        let endpoints: Result<Vec<_>, _> =
            text.split(',').map(|part| Endpoint::from_str(part.trim())).collect();
        match endpoints {
            Ok(endpoints) => Some(endpoints),
            Err(error) => self.fault(REDIS_SENTINELS, &format!("has a part that is {error}")),
        }
    }

    /// `None` where there are none; a user without a password is noted as a fault.
    fn credentials(&mut self, username: &'static str, password: &'static str) -> Option<Credentials> {
        let given = (self.variables.get(username).cloned(), self.variables.get(password).cloned());
        match given {
            (None, None) => None,
            (username, Some(password)) => Some(Credentials { username, password }),
            (Some(_), None) if self.awaits_secrets => None,
            (Some(_), None) => self.fault(password, &format!("is missing, although {username} is there")),
        }
    }

    /// `None` where it is not asked for; what cannot be used is noted as a fault.
    fn tls(&mut self, name: &'static str) -> Option<Tls> {
        match Tls::new(self.variables.get(name)?.as_bytes()) {
            Ok(tls) => Some(tls),
            Err(error) => self.fault(name, &format!("cannot be used: {error}")),
        }
    }

    fn nat_map(&mut self) -> Option<NatMap> {
        match self.variables.get(REDIS_NAT_MAP).map(|text| text.parse()) {
            None => Some(NatMap::default()),
            Some(Ok(map)) => Some(map),
            Some(Err(error)) => self.fault(REDIS_NAT_MAP, &format!("is {error}")),
        }
    }

    fn agreement(&mut self) -> Option<Agreement> {
        match self.variables.get(SENTINEL_AGREEMENT).map(String::as_str) {
            None | Some("newest") => Some(Agreement::MajorityElseNewest),
            Some("majority") => Some(Agreement::Majority),
            Some(_) => self.fault(SENTINEL_AGREEMENT, "is neither newest nor majority"),
        }
    }

    fn keys(&mut self) -> Option<KeyRing> {
        match self.required(SIGNING_KEYS)?.parse() {
            Ok(keys) => Some(KeyRing::new(&keys)),
            Err(fault) => self.fault(SIGNING_KEYS, fault),
        }
    }

    pub(crate) fn secret(&mut self, name: &'static str) -> Option<Vec<u8>> {
        let text = self.required(name)?;
        match BASE64.decode(text.as_bytes()).ok().filter(|secret| secret.len() >= 32) {
            Some(secret) => Some(secret),
            None => self.fault(name, "is not base64 of at least 32 bytes"),
        }
    }

    pub(crate) fn number(
        &mut self,
        name: &'static str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let Some(text) = self.variables.get(name) else { return Some(default) };
        match text.parse().ok().filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => self.fault(name, &format!("is not a number from {} to {}", range.start(), range.end())),
        }
    }

    /// `None` where it is missing, which is noted as a fault, unless it may still come.
    pub(crate) fn required(&mut self, name: &'static str) -> Option<String> {
        match self.variables.get(name) {
            Some(value) => Some(value.clone()),
            None if self.awaits_secrets && SECRET_SETTINGS.contains(&name) => None,
            None => self.fault(name, "is missing"),
        }
    }

    pub(crate) fn fault<T>(&mut self, name: &'static str, what: &str) -> Option<T> {
        let meaning =
            SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.meaning);
        self.note_fault(format!("{name} {what} ({meaning})"))
    }

    pub(crate) fn note_fault<T>(&mut self, fault: String) -> Option<T> {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn one_message_names_every_missing_and_every_wrong_setting() {
        let mut settings = settings(&[
            (REDIS_SENTINELS, "nonsense"),
            (CLOCK_SKEW_MS, "-1"),
            (SIGNING_KEYS, "k:c2hvcnQ="),
            (PUBLIC_URL, "http://shop.example"),
            (REDIS_USERNAME, "reserve"),
            (SENTINEL_CA, "nonsense"),
            (REDIS_NAT_MAP, "a:1"),
            (SENTINEL_AGREEMENT, "all"),
            (REDIS_RECONNECT_SPREAD_MS, "x"),
        ]);
        assert!(settings.stock().is_none());
        assert!(settings.shoppers().is_none());
        assert!(settings.merchant().is_none());
        assert!(settings.door().is_none());
        let message = settings.faults().unwrap();
        for name in [
            REDIS_SENTINELS,
            REDIS_MASTER_NAME,
            CLOCK_SKEW_MS,
            REDIS_PASSWORD,
            SENTINEL_CA,
            REDIS_NAT_MAP,
            SENTINEL_AGREEMENT,
            REDIS_RECONNECT_SPREAD_MS,
            SIGNING_KEYS,
            PUBLIC_URL,
            SHOPPER_SECRET,
            ID_SECRET,
            ADMIN_TOKEN,
            LISTEN,
        ] {
            assert_eq!(message.matches(&format!("\n  {name} ")).count(), 1, "{name} in {message}");
        }
    }

    #[test]
    fn a_complete_configuration_has_no_fault() {
        let secret = BASE64.encode(&[1; 32]);
        let mut settings = settings(&[
            (REDIS_SENTINELS, "127.0.0.1:1, 127.0.0.1:2"),
            (REDIS_MASTER_NAME, "m"),
            (SIGNING_KEYS, &format!("a:{secret},b:{secret}")),
            (PUBLIC_URL, "https://shop.example"),
            (SHOPPER_SECRET, &secret),
            (ID_SECRET, &secret),
            (LISTEN, "127.0.0.1:0"),
        ]);
        assert!(settings.stock().is_some() && settings.shoppers().is_some() && settings.door().is_some());
        assert_eq!(settings.faults(), None);
    }
}
