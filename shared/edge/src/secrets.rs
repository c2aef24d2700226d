//! Secret settings in AWS Secrets Manager: each secret is a JSON object of settings and their values.
//!
//! What is wrong with any of them is told in one message. No value is ever in it.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use fetch::SecretsManager;
use futures_util::future::join_all;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

use crate::settings::{SECRET_SETTINGS, Settings};

/// Which secrets, and where they are.
pub(crate) struct SecretSource {
    pub(crate) ids: Vec<String>,
    pub(crate) service: SecretsManager,
    /// How long they are used before they are fetched again.
    pub(crate) fresh: Duration,
}

/// The pairs of a secret in the order in which they are there, one name perhaps twice.
#[derive(Debug)]
struct Pairs(Vec<(String, String)>);

impl SecretSource {
    /// Fetches all secrets at once. The settings with them; without those that could not be had, which are
    /// noted there as faults.
    pub(crate) async fn load(
        &self,
        settings: &Settings,
        deadline: Instant,
    ) -> (HashMap<String, String>, Settings) {
        let texts = join_all(self.ids.iter().map(|id| self.service.current(id, deadline))).await;
        let (mut secrets, mut faults) = (HashMap::new(), Vec::new());
        let mut awaits_secrets = false;
        for (id, text) in self.ids.iter().zip(texts) {
            let pairs = match text.map(|current| serde_json::from_str::<Pairs>(&current.text)) {
                Ok(Ok(Pairs(pairs))) => pairs,
                Ok(Err(error)) => {
                    // Its own words may quote the secret.
                    let (line, column) = (error.line(), error.column());
                    faults.push(format!(
                        "the secret {id} is no JSON object of settings and texts (line {line}, column {column})"
                    ));
                    awaits_secrets = true;
                    continue;
                }
                Err(error) => {
                    faults.push(format!("the secret {id} cannot be had: {}", sale::Causes(&error)));
                    awaits_secrets = true;
                    continue;
                }
            };
            for (name, value) in pairs {
                if let Some(fault) = fault_of(&name, settings, &secrets) {
                    faults.push(format!("the secret {id} holds {name:.40}, which {fault}"));
                } else if !value.is_empty() {
                    secrets.insert(name, value);
                }
            }
        }
        let mut settings = settings.with_secrets(&secrets);
        // What may be in a secret that could not be read is not missing.
        settings.awaits_secrets = awaits_secrets;
        for fault in faults {
            settings.note_fault::<()>(fault);
        }
        (secrets, settings)
    }
}

fn fault_of(name: &str, settings: &Settings, secrets: &HashMap<String, String>) -> Option<&'static str> {
    if !SECRET_SETTINGS.contains(&name) {
        Some("is no secret setting")
    } else if secrets.contains_key(name) {
        Some("is given twice")
    } else if settings.variables.contains_key(name) {
        Some("is in the environment, too")
    } else {
        None
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Pairs;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(All)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_comes_twice_in_one_secret_is_seen() {
        let Pairs(pairs) = serde_json::from_str(r#"{"A":"1","B":"2","A":"3"}"#).unwrap();
        assert_eq!(pairs.len(), 3);
        for text in ["[]", r#""A""#, r#"{"A":1}"#, r#"{"A":{}}"#, "{", ""] {
            assert!(serde_json::from_str::<Pairs>(text).is_err(), "{text}");
        }
    }
}
