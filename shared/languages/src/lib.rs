//! The languages of what shoppers read: which ones there are, whose is whose, and their texts.
//!
//! A language is a file of `texts/` and a line in [`LANGUAGES`]. Its part `page` is in the page as it is delivered, its
//! part `script` is what the page's script says later, and `form` is what else is said where there is no script. All
//! files have the same keys and placeholders, which a test below holds.

mod price;

use std::fmt::Display;
use std::sync::LazyLock;

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use serde::Deserialize;
use serde_json::Value;

pub use crate::price::Price;

/// Entries of an `Accept-Language` that are looked at.
const WISHES_MAX: usize = 32;

/// One language of the page.
#[derive(Debug)]
pub struct Language {
    /// BCP 47 tag, which is the last part of the page's address.
    pub tag: &'static str,
    /// What its speakers call it.
    pub name: &'static str,
    /// `ltr` or `rtl`.
    pub direction: &'static str,
    /// Read when they are first needed.
    pub texts: LazyLock<Texts>,
}

/// The texts of one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// What the page says as it is delivered.
    pub page: PageTexts,
    /// What is said without a script.
    pub form: FormTexts,
    script: Value,
}

/// What the page says as it is delivered.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct PageTexts {
    pub skip: String,
    pub languages: String,
    pub opens_at: String,
    pub to_be_announced: String,
    pub calendar: String,
    pub waiting_room: String,
    pub join: String,
    pub choose: String,
    pub quantity: String,
    pub reserve: String,
    pub reservation: String,
    pub time_left: String,
    pub confirm: String,
    pub release: String,
    pub release_question: String,
    pub release_consequence: String,
    pub release_yes: String,
    pub release_no: String,
    pub order: String,
    pub order_number: String,
    pub order_next: String,
    pub print: String,
    pub go_on: String,
    pub last_order: String,
    pub draw: String,
    pub another_lot: String,
    pub work_out: String,
    pub limit: String,
    pub hold_minutes: String,
    pub hold_seconds: String,
}

/// What only those read whose browser runs no script.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct FormTexts {
    pub without_script: String,
    pub go_on_without: String,
    pub refresh: String,
    pub seconds_left: String,
    pub confirming: String,
    pub lobby: String,
    pub place: String,
    pub turn: String,
    pub refused: String,
    pub again: String,
    pub look: String,
}

impl FormTexts {
    /// That the page loads itself again after so long.
    #[must_use]
    pub fn refresh_in(&self, seconds: impl Display) -> String {
        self.refresh.replace("{seconds}", &seconds.to_string())
    }
}

macro_rules! languages {
    ($($tag:literal $direction:literal $name:literal),*) => {
        /// Every language, the one of those first who ask for none of them.
        pub static LANGUAGES: [Language; 5] = [$(Language {
            tag: $tag,
            name: $name,
            direction: $direction,
            texts: LazyLock::new(|| Texts::parse(include_str!(concat!("../texts/", $tag, ".json")))),
        }),*];
    };
}

languages! {
    "en" "ltr" "English",
    "de" "ltr" "Deutsch",
    "es" "ltr" "Español",
    "ja" "ltr" "日本語",
    "zh-Hans" "ltr" "简体中文"
}

impl Texts {
    /// The file is part of the binary, and a test reads every one.
    #[allow(clippy::expect_used)]
    fn parse(file: &str) -> Self {
        serde_json::from_str(file).expect("a language file is complete")
    }

    /// What a problem of this slug is told as; one that no shopper should meet, as that it did not work.
    #[must_use]
    pub fn problem(&self, slug: &str) -> &str {
        let problems = &self.script["problem"];
        problems[slug].as_str().or(problems["unknown"].as_str()).unwrap_or_default()
    }

    /// What a state of the page is called; nothing where there is none of this name.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<&str> {
        self.script["state"][name].as_str()
    }

    /// The script's texts as JSON that nothing in it ends as markup would.
    #[must_use]
    pub fn script(&self) -> String {
        self.script.to_string().replace('<', "\\u003c")
    }
}

impl Language {
    /// The language of this tag.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<&'static Self> {
        LANGUAGES.iter().find(|language| language.tag == tag)
    }

    /// The language that this client likes best; among equals, the one that it names first. Regions and scripts are
    /// not told apart: who asks for `de-AT` reads `de`, and `zh-TW` rather `zh-Hans` than English.
    #[must_use]
    pub fn wished(headers: &HeaderMap) -> &'static Self {
        let lists = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let wishes = lists.flat_map(|list| list.split(',')).take(WISHES_MAX).filter_map(wish);
        let known = wishes.filter_map(|(range, weight)| Some((Self::of_range(range)?, weight)));
        let best = known.fold(None, |best: Option<(&'static Self, f32)>, wish| match best {
            Some(best) if best.1 >= wish.1 => Some(best),
            _ => Some(wish),
        });
        best.map_or(&LANGUAGES[0], |(language, _)| language)
    }

    fn of_range(range: &str) -> Option<&'static Self> {
        let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        LANGUAGES.iter().find(|language| primary(language.tag) == primary(range))
    }
}

/// `de-AT;q=0.8` as its range and weight; nothing where it is unwanted or malformed.
fn wish(entry: &str) -> Option<(&str, f32)> {
    let (range, parameters) = entry.split_once(';').unwrap_or((entry, "q=1"));
    let weight: f32 = parameters.trim().strip_prefix("q=")?.trim().parse().ok()?;
    (weight > 0.0 && weight <= 1.0).then_some((range.trim(), weight))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn wished(header: &str) -> &'static str {
        let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, header.parse().unwrap())]);
        Language::wished(&headers).tag
    }

    #[test]
    fn the_language_that_a_client_likes_best_is_found() {
        assert_eq!(wished("de-AT,de;q=0.9,en;q=0.8"), "de");
        assert_eq!(wished("fr, es;q=0.7, ja;q=0.8"), "ja");
        assert_eq!(wished("en;q=0, zh-TW;q=0.1"), "zh-Hans");
        assert_eq!(wished("ES-mx"), "es");
        assert_eq!(wished("en;q=0.5, de;q=0.5"), "en");
        for nothing in ["", "*", "fr", "de;q=2", "de;q=x", ",,;;", "de;q=-1"] {
            assert_eq!(wished(nothing), "en", "{nothing}");
        }
    }

    /// Every text by its path, with the placeholders in it; the forms of a plural are one text.
    fn placeholders(value: &Value, path: &str, found: &mut BTreeMap<String, Vec<String>>) {
        match value {
            Value::String(text) => {
                let parts = text.split('{').skip(1).filter_map(|part| part.split_once('}'));
                let mut names: Vec<_> = parts.map(|(name, _)| name.to_owned()).collect();
                names.sort();
                names.dedup();
                assert!(!text.trim().is_empty(), "{path} is empty");
                found.insert(path.to_owned(), names);
            }
            Value::Object(forms) if forms.contains_key("other") => {
                placeholders(&forms["other"], path, found);
            }
            Value::Object(members) => {
                for (name, member) in members {
                    placeholders(member, &format!("{path}/{name}"), found);
                }
            }
            _ => panic!("{path} is no text"),
        }
    }

    #[test]
    fn every_language_says_all_that_english_says_with_the_same_values() {
        let texts = |language: &Language| {
            let path = format!("{}/texts/{}.json", env!("CARGO_MANIFEST_DIR"), language.tag);
            let file = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let mut found = BTreeMap::new();
            placeholders(&file, "", &mut found);
            found
        };
        let english = texts(&LANGUAGES[0]);
        assert!(english["/form/place"] == ["ahead", "place"] && english.contains_key("/script/state/turn"));
        for language in &LANGUAGES {
            assert_eq!(texts(language), english, "{}", language.tag);
        }
    }
}
