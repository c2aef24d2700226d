//! Reads the fields of one TOML table and keeps what it finds wrong, instead of stopping there.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sale::{Picture, ShopperKind};
use toml::de::{DeArray, DeTable, DeValue};

use crate::sale_file_faults::Findings;

/// The fields of one table, each asked for once.
pub(crate) struct Fields<'a, 'd, 't> {
    table: &'a DeTable<'d>,
    pointer: &'a str,
    findings: &'a mut Findings<'t>,
    known: BTreeSet<&'static str>,
}

impl<'a, 'd, 't> Fields<'a, 'd, 't> {
    /// The fields of the table at this JSON pointer.
    pub(crate) fn new(table: &'a DeTable<'d>, pointer: &'a str, findings: &'a mut Findings<'t>) -> Self {
        Self { table, pointer, findings, known: BTreeSet::new() }
    }

    /// A field that must be there; `None` after its fault was noted.
    pub(crate) fn required<T>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&'a DeValue<'d>) -> Result<T, String>,
    ) -> Option<T> {
        if self.table.get(field).is_none() {
            self.findings.missing(&format!("{}/{field}", self.pointer));
        }
        self.optional(field, parse)
    }

    /// A field that may be absent; `None` also after its fault was noted.
    pub(crate) fn optional<T>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&'a DeValue<'d>) -> Result<T, String>,
    ) -> Option<T> {
        self.known.insert(field);
        let (key, value) = self.table.get_key_value(field)?;
        let pointer = format!("{}/{field}", self.pointer);
        self.findings.place(&pointer, key.span());
        parse(value.get_ref()).map_err(|reason| self.findings.fault(&pointer, &reason)).ok()
    }

    /// Refuses what nobody asked for: a misspelt field must not be silently without effect.
    pub(crate) fn refuse_unknown(self) {
        for (key, _) in self.table.iter().filter(|(key, _)| !self.known.contains(key.get_ref().as_ref())) {
            let pointer = format!("{}/{}", self.pointer, key.get_ref());
            self.findings.place(&pointer, key.span());
            self.findings.fault(&pointer, "is not a field of a sale file");
        }
    }
}

/// A text.
pub(crate) fn text(value: &DeValue<'_>) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "must be a text in quotes".to_owned())
}

/// The address of a picture.
pub(crate) fn picture(value: &DeValue<'_>) -> Result<Picture, String> {
    Picture::parse(&text(value)?).map_err(|invalid| invalid.to_string())
}

/// A name, parsed by the type that it becomes.
pub(crate) fn name<T, E>(
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> impl FnOnce(&DeValue<'_>) -> Result<T, String> {
    move |value| {
        let must = "must be 1 to 32 lower-case letters, digits and hyphens, in quotes";
        value.as_str().and_then(|text| parse(text).ok()).ok_or_else(|| must.to_owned())
    }
}

/// A whole number that fits its type.
pub(crate) fn number<T: TryFrom<i128>>(value: &DeValue<'_>) -> Result<T, String> {
    let integer = value.as_integer().ok_or("must be a whole number without quotes")?;
    let number = i128::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| "is far too large")?;
    if number < 0 {
        return Err(format!("must not be negative, and is {number}"));
    }
    T::try_from(number).map_err(|_| format!("is far too large: {number}"))
}

/// A table.
pub(crate) fn is_table(value: &DeValue<'_>) -> Result<(), String> {
    value.as_table().map(drop).ok_or_else(|| "must be a table, its name in brackets".to_owned())
}

/// An array.
pub(crate) fn list<'a, 'd>(value: &'a DeValue<'d>) -> Result<&'a DeArray<'d>, String> {
    value.as_array().ok_or_else(|| "must be a list".to_owned())
}

/// `account` or `guest`.
pub(crate) fn shopper_kind(value: &DeValue<'_>) -> Result<ShopperKind, String> {
    let kinds = [ShopperKind::Account, ShopperKind::Guest];
    let kind = kinds.into_iter().find(|kind| value.as_str() == Some(kind.as_str()));
    kind.ok_or_else(|| "must name \"account\", \"guest\" or both, each once".to_owned())
}

/// An instant: a TOML or RFC 3339 time with its offset, or `"+90s"`, `"+5m"`, `"+24h"`, `"+7d"` from now.
pub(crate) fn instant(now: Timestamp) -> impl FnOnce(&DeValue<'_>) -> Result<Timestamp, String> {
    move |value| {
        let text = match value {
            DeValue::Datetime(time) => time.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => String::new(),
        };
        let parsed = match text.strip_prefix('+') {
            Some(length) => seconds(length).and_then(|length| now.checked_add(length).ok()),
            None => text.parse().ok(),
        };
        let must = "must be a time such as 2026-05-01T09:00:00Z (with Z or an offset) or \"+24h\"";
        parsed.ok_or_else(|| must.to_owned())
    }
}

fn seconds(length: &str) -> Option<SignedDuration> {
    let unit = length.char_indices().next_back()?;
    let seconds_of_unit = match unit.1 {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u32 = length.get(..unit.0)?.parse().ok()?;
    Some(SignedDuration::from_secs(i64::from(count) * seconds_of_unit))
}
