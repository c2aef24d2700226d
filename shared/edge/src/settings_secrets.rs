//! The settings of AWS Secrets Manager: which secrets, where, and who asks. All of it is checked at the start
//! without asking anyone; the standard AWS variables are those that Lambda sets.

use std::collections::HashMap;
use std::time::Duration;

use fetch::{Address, Credentials, SecretsManager};

use crate::secrets::SecretSource;
use crate::settings::{SECRETS, SECRETS_FRESH_SECONDS, SIGNING_KEYS, Settings};

const SECRETS_MAX: usize = 8;

/// The secret that a function rotates.
#[derive(Debug)]
pub struct RotatedSecret {
    /// Its name or ARN.
    pub id: String,
    /// Where it is.
    pub service: SecretsManager,
}

impl Settings {
    /// The secret that holds `SIGNING_KEYS`, and nothing else, for whoever rotates it: the only one in `SECRETS`.
    pub fn rotated_secret(&mut self) -> Option<RotatedSecret> {
        if !self.variables.contains_key(SECRETS) {
            return self.fault(SECRETS, "is missing");
        }
        let SecretSource { ids, service, .. } = self.secret_source()?;
        match <[String; 1]>::try_from(ids) {
            Ok([id]) => Some(RotatedSecret { id, service }),
            Err(_) => self.fault(SECRETS, &format!("names more than the one that holds {SIGNING_KEYS}")),
        }
    }

    /// Where secrets come from, unless all are in the environment.
    pub(crate) fn secret_source(&mut self) -> Option<SecretSource> {
        let fresh_seconds = self.number(SECRETS_FRESH_SECONDS, 60, 1..=3_600);
        let text = self.variables.get(SECRETS).cloned()?;
        let ids: Vec<_> = text.split(',').map(|id| id.trim().to_owned()).collect();
        let region = self.aws("AWS_REGION");
        for id in &ids {
            if let Some(fault) = fault_of(id, region.as_deref()) {
                self.fault::<()>(SECRETS, &format!("has an entry {id:.80} that {fault}"));
            }
        }
        let mut distinct = ids.clone();
        distinct.sort();
        distinct.dedup();
        if ids.len() > SECRETS_MAX || distinct.len() < ids.len() {
            self.fault::<()>(SECRETS, "names more than 8, or one twice");
        }
        let endpoint = self.aws_endpoint();
        let (access_key, secret_key) = (self.aws("AWS_ACCESS_KEY_ID"), self.aws("AWS_SECRET_ACCESS_KEY"));
        let session_token = self.variables.get("AWS_SESSION_TOKEN").cloned();
        let (region, access_key, secret_key) = (region?, access_key?, secret_key?);
        let credentials = Credentials { access_key, secret_key, session_token };
        let Some(service) = SecretsManager::new(&region, endpoint, credentials) else {
            return self.note_fault("AWS_REGION is no region".to_owned());
        };
        Some(SecretSource { ids, service, fresh: Duration::from_secs(fresh_seconds?) })
    }

    /// The same settings with these secrets beside them, and with what goes on from those before.
    pub(crate) fn with_secrets(&self, secrets: &HashMap<String, String>) -> Self {
        let mut variables = self.variables.clone();
        variables.extend(secrets.clone());
        let mut settings = Self::with_variables(variables);
        (settings.awaits_secrets, settings.kept) = (false, self.kept.clone());
        settings
    }

    fn aws(&mut self, name: &'static str) -> Option<String> {
        match self.variables.get(name) {
            Some(value) => Some(value.clone()),
            None => self.note_fault(format!("{name} is missing, although {SECRETS} is there")),
        }
    }

    /// Another endpoint than the service's own.
    fn aws_endpoint(&mut self) -> Option<Address> {
        let names = ["AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"];
        let (name, url) = names.iter().find_map(|name| Some((name, self.variables.get(*name)?)))?;
        match Address::parse(url) {
            Some(address) => Some(address),
            None => self.note_fault(format!("{name} is neither https nor plain http on loopback")),
        }
    }
}

/// What is wrong with the shape of a secret's name or ARN.
fn fault_of(id: &str, region: Option<&str>) -> Option<String> {
    let is_name = |name: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
        (1..=512).contains(&name.len()) && name.bytes().all(is_allowed)
    };
    if !id.starts_with("arn:") {
        return (!is_name(id)).then(|| "is no name of a secret".to_owned());
    }
    let parts: Vec<_> = id.splitn(7, ':').collect();
    let [_, partition, "secretsmanager", of, account, "secret", name] = parts[..] else {
        return Some("is no ARN of a secret".to_owned());
    };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    if !partition.starts_with("aws") || !is_account || !is_name(name) {
        return Some("is no ARN of a secret".to_owned());
    }
    region.filter(|region| *region != of).map(|region| format!("is not in the region {region}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::with_variables(pairs.collect())
    }

    const LAMBDA: [(&str, &str); 3] =
        [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];

    fn faults(secrets: &str, more: &[(&str, &str)]) -> String {
        let mut settings = settings(&[&LAMBDA, &[(SECRETS, secrets)][..], more].concat());
        settings.secret_source();
        settings.faults().unwrap_or_default()
    }

    #[test]
    fn names_and_arns_of_this_region_are_taken() {
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:spillway/redis-AbCdEf";
        for secrets in ["spillway/redis", arn, &format!("a, {arn}")] {
            assert_eq!(faults(secrets, &[]), "", "{secrets}");
        }
    }

    #[test]
    fn whatever_cannot_be_a_secret_is_told_at_the_start() {
        let other = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:x";
        for secrets in ["a,,b", "a b", "a,a", "1,2,3,4,5,6,7,8,9", "arn:aws:s3:::bucket", other, "arn:aws"] {
            assert!(faults(secrets, &[]).contains("\n  SECRETS "), "{secrets}");
        }
        for endpoint in ["http://10.0.0.1", "nonsense"] {
            let told = faults("a", &[("AWS_ENDPOINT_URL", endpoint)]);
            assert!(told.contains("AWS_ENDPOINT_URL is neither"), "{told}");
        }
        assert_eq!(faults("a", &[("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1")]), "");
    }

    #[test]
    fn what_lambda_would_have_set_is_required_with_secrets_only() {
        let mut settings = settings(&[(SECRETS, "a")]);
        assert!(settings.secret_source().is_none());
        let told = settings.faults().unwrap();
        for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            assert!(told.contains(&format!("\n  {name} is missing")), "{told}");
        }
        assert!(Settings::with_variables(HashMap::new()).secret_source().is_none());
    }
}
