//! Items as DynamoDB keeps them: attributes written and read by name.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

/// One item.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// An attribute that is not there, or not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an item's `{0}` is missing or malformed")]
pub(crate) struct Malformed(pub(crate) &'static str);

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn numbers(values: &[u32]) -> AttributeValue {
    AttributeValue::L(values.iter().map(number).collect())
}

/// An instant as an item keeps it, so that a first answer and its repeats tell the same.
pub(crate) fn whole_ms(value: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(value.as_millisecond()).unwrap_or(value)
}

pub(crate) fn timestamp(value: Timestamp) -> AttributeValue {
    number(value.as_millisecond())
}

pub(crate) fn read_text<'a>(item: &'a Item, name: &'static str) -> Result<&'a str, Malformed> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str).ok_or(Malformed(name))
}

pub(crate) fn read_number<N: std::str::FromStr>(item: &Item, name: &'static str) -> Result<N, Malformed> {
    item.get(name).and_then(|value| value.as_n().ok()?.parse().ok()).ok_or(Malformed(name))
}

pub(crate) fn read_flag(item: &Item, name: &'static str) -> Result<bool, Malformed> {
    item.get(name).and_then(|value| value.as_bool().ok().copied()).ok_or(Malformed(name))
}

pub(crate) fn read_numbers(item: &Item, name: &'static str) -> Result<Vec<u32>, Malformed> {
    let list = item.get(name).and_then(|value| value.as_l().ok()).ok_or(Malformed(name))?;
    list.iter().map(|value| value.as_n().ok().and_then(|n| n.parse().ok()).ok_or(Malformed(name))).collect()
}

pub(crate) fn read_timestamp(item: &Item, name: &'static str) -> Result<Timestamp, Malformed> {
    Timestamp::from_millisecond(read_number(item, name)?).map_err(|_| Malformed(name))
}

pub(crate) fn read_json<T: serde::de::DeserializeOwned>(
    item: &Item,
    name: &'static str,
) -> Result<T, Malformed> {
    serde_json::from_str(read_text(item, name)?).map_err(|_| Malformed(name))
}
