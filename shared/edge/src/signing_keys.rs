//! The setting `SIGNING_KEYS` as a text, and the rule by which one ring of keys follows another.
//!
//! The first key signs, and all verify. The last one is the next to sign, and its name is the moment since when
//! it is there: a key signs only when every process has long known it, and is left out only when nothing that it
//! signed is worth anything any more.

use std::str::FromStr;

use data_encoding::BASE64;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::app::SECRETS_LAST;
use crate::guest::SESSION_SECONDS;

/// From one rotation to the next, at least: whatever a key signed is over when the key goes. A process that
/// cannot reach Secrets Manager signs with what it knows for as long as it may, a session outlives that by its
/// own life, and a day is for clocks and schedules.
const ROTATION_PERIOD_MIN: SignedDuration = SignedDuration::from_hours(3 * 24);
const _: () = assert!(
    ROTATION_PERIOD_MIN.as_secs() >= SECRETS_LAST.as_secs().cast_signed() + SESSION_SECONDS + 24 * 3_600
);

/// Keys that may be in a ring at once: three are, unless somebody writes it by hand.
const KEYS_MAX: usize = 8;
const SECRET_BYTES_MIN: usize = 32;

/// What a key without a name is called: the one that Secrets Manager has generated, which is a ring of one.
const FIRST: &str = "first";

/// The name of a key that came at this moment.
const NAME: &str = "%Y%m%dT%H%M%SZ";

/// A ring of signing keys.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeys(Vec<SigningKey>);

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SigningKey {
    pub(crate) id: String,
    pub(crate) secret: Vec<u8>,
}

/// Why no ring follows now.
#[derive(Debug, thiserror::Error)]
pub enum NoRotation {
    /// The next key is not there for long enough.
    #[error("the next key, {id}, is too young to sign: wait until {from}, three days after it came")]
    TooEarly {
        /// Its name.
        id: String,
        /// When it is old enough.
        from: Timestamp,
    },
    /// There is no room for another key.
    #[error("there are {KEYS_MAX} keys already, and none of them says by its name since when it is the next")]
    Full,
    /// There are no random bytes.
    #[error("the system gives no randomness: {0}")]
    NoRandomness(getrandom::Error),
}

impl SigningKeys {
    /// A first ring: a key that signs, and the next one.
    pub fn first(now: Timestamp) -> Result<Self, NoRotation> {
        Ok(Self(vec![SigningKey::new(FIRST.to_owned())?, SigningKey::new(name_of(now))?]))
    }

    /// The ring that follows this one: the next key signs, the one that signed verifies for one more period, and
    /// a new key is the next. Where none is the next yet, a new one is, and nothing else changes.
    pub fn rotated(&self, now: Timestamp) -> Result<Self, NoRotation> {
        if let Some(next) = self.next()
            && let Some(from) = since(&next.id).and_then(|since| since.checked_add(ROTATION_PERIOD_MIN).ok())
            && now < from
        {
            return Err(NoRotation::TooEarly { id: next.id.clone(), from });
        }
        let rotated = self.with_next(SigningKey::new(name_of(now))?);
        if rotated.0.len() > KEYS_MAX { Err(NoRotation::Full) } else { Ok(rotated) }
    }

    /// Whether this ring is the one that comes after that one, whatever key is new in it.
    #[must_use]
    pub fn follows(&self, before: &Self) -> bool {
        self.0.last().is_some_and(|last| before.with_next(last.clone()) == *self)
    }

    /// The ring as the setting has it. Whoever reads it can sign.
    #[must_use]
    pub fn to_setting(&self) -> String {
        let keys = self.0.iter().map(|key| format!("{}:{}", key.id, BASE64.encode(&key.secret)));
        keys.collect::<Vec<_>>().join(",")
    }

    /// The names of the keys, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_str())
    }

    pub(crate) fn keys(&self) -> &[SigningKey] {
        &self.0
    }

    /// The key that is to sign next: the last one, if its name says since when.
    fn next(&self) -> Option<&SigningKey> {
        self.0.get(1..)?.last().filter(|key| since(&key.id).is_some())
    }

    fn with_next(&self, new: SigningKey) -> Self {
        let mut keys = match self.next() {
            Some(next) => vec![next.clone(), self.0[0].clone()],
            None => self.0.clone(),
        };
        keys.push(new);
        Self(keys)
    }
}

impl SigningKey {
    fn new(id: String) -> Result<Self, NoRotation> {
        let mut secret = vec![0; SECRET_BYTES_MIN];
        getrandom::fill(&mut secret).map_err(NoRotation::NoRandomness)?;
        Ok(Self { id, secret })
    }
}

fn name_of(now: Timestamp) -> String {
    now.strftime(NAME).to_string()
}

/// When the key of this name came, if it says so.
fn since(id: &str) -> Option<Timestamp> {
    let moment = strtime::parse(NAME, id).ok()?.to_datetime().ok()?;
    TimeZone::UTC.to_timestamp(moment).ok()
}

impl FromStr for SigningKeys {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut keys: Vec<SigningKey> = Vec::new();
        for part in text.split(',') {
            let (id, secret) = part.trim().split_once(':').unwrap_or((FIRST, part.trim()));
            let secret = BASE64.decode(secret.as_bytes()).ok();
            let secret = secret.filter(|secret| secret.len() >= SECRET_BYTES_MIN && !id.is_empty());
            let secret = secret.ok_or("is not kid:base64,… of at least 32 bytes each")?;
            if keys.iter().any(|key| key.id == id) {
                return Err("gives two keys one name");
            }
            keys.push(SigningKey { id: id.to_owned(), secret });
        }
        if keys.len() > KEYS_MAX { Err("has more than 8 keys") } else { Ok(Self(keys)) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ring(ids: &[&str]) -> SigningKeys {
        let keys = ids.iter().enumerate();
        let keys =
            keys.map(|(index, id)| format!("{id}:{}", BASE64.encode(&[u8::try_from(index).unwrap(); 32])));
        keys.collect::<Vec<_>>().join(",").parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn names(ring: &SigningKeys) -> Vec<&str> {
        ring.names().collect()
    }

    #[test]
    fn a_key_is_published_one_period_signs_the_next_verifies_a_third_and_goes() {
        let generated: SigningKeys = BASE64.encode(&[7; 33]).parse().unwrap();
        let one = generated.rotated(at("2026-03-01T00:00:00Z")).unwrap();
        assert_eq!(names(&one), ["first", "20260301T000000Z"]);
        let two = one.rotated(at("2026-03-04T00:00:00Z")).unwrap();
        assert_eq!(names(&two), ["20260301T000000Z", "first", "20260304T000000Z"]);
        let three = two.rotated(at("2026-04-03T01:02:03Z")).unwrap();
        assert_eq!(names(&three), ["20260304T000000Z", "20260301T000000Z", "20260403T010203Z"]);
        for (before, after) in [(&generated, &one), (&one, &two), (&two, &three)] {
            assert!(after.follows(before) && !before.follows(after) && !after.follows(after));
            assert_eq!(after.to_setting().parse::<SigningKeys>().unwrap().to_setting(), after.to_setting());
        }
        assert!(!three.follows(&one), "not the one before the last");
        assert!(three.keys()[1] == one.keys()[1], "a key keeps its secret");
    }

    #[test]
    fn a_key_that_is_not_known_everywhere_yet_does_not_sign() {
        let ring = ring(&["a", "20260301T000000Z"]);
        for now in ["2026-03-03T23:59:59Z", "2026-03-01T00:00:00Z", "2025-01-01T00:00:00Z"] {
            let refused = ring.rotated(at(now)).err().unwrap().to_string();
            assert!(
                refused.contains("20260301T000000Z") && refused.contains("2026-03-04T00:00:00Z"),
                "{refused}"
            );
        }
        assert!(ring.rotated(at("2026-03-04T00:00:00Z")).is_ok());
    }

    #[test]
    fn a_ring_made_by_hand_gets_a_next_key_and_signs_with_what_it_signed_with() {
        let now = at("2026-03-01T00:00:00Z");
        let by_hand = ring(&["new", "old"]);
        let rotated = by_hand.rotated(now).unwrap();
        assert_eq!(names(&rotated), ["new", "old", "20260301T000000Z"]);
        assert!(rotated.follows(&by_hand));
        // The only key signs already, whatever its name says.
        assert_eq!(names(&ring(&["20260228T000000Z"]).rotated(now).unwrap()).len(), 2);
        let full = ring(&["1", "2", "3", "4", "5", "6", "7", "8"]);
        assert!(matches!(full.rotated(now), Err(NoRotation::Full)));
    }

    #[test]
    fn a_first_ring_has_two_keys_and_no_two_rings_have_the_same() {
        let now = at("2026-03-01T00:00:00Z");
        let (one, other) = (SigningKeys::first(now).unwrap(), SigningKeys::first(now).unwrap());
        assert_eq!(names(&one), ["first", "20260301T000000Z"]);
        assert!(one.keys().iter().zip(other.keys()).all(|(one, other)| one.secret != other.secret));
        assert!(one.keys()[0].secret != one.keys()[1].secret);
    }

    #[test]
    fn what_is_no_ring_is_told() {
        let key = BASE64.encode(&[1; 32]);
        for text in ["", "a:", "a:dG9vLXNob3J0", &format!(":{key}"), &format!("a:{key},"), "a:!", &key[1..]] {
            assert!(text.parse::<SigningKeys>().err().unwrap().starts_with("is not kid:base64"), "{text}");
        }
        for twice in [format!("a:{key},a:{key}"), format!("{key},{key}"), format!("first:{key},{key}")] {
            assert_eq!(twice.parse::<SigningKeys>().err(), Some("gives two keys one name"), "{twice}");
        }
        let nine: Vec<_> = (0..9).map(|id| format!("{id}:{key}")).collect();
        assert_eq!(nine.join(",").parse::<SigningKeys>().err(), Some("has more than 8 keys"));
    }
}
