//! What a server answered, without the wire driver's types.

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing.
    Nil,
    /// An integer.
    Int(i64),
    /// A string, also a status such as `OK`.
    Bytes(Vec<u8>),
    /// A list.
    Array(Vec<Value>),
}

/// A kind of answer that RESP2 does not have, or an error inside a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an answer that is neither nil, integer, string nor list")]
pub(crate) struct UnexpectedValue;

impl Value {
    pub(crate) fn read(value: redis::Value) -> Result<Self, UnexpectedValue> {
        Ok(match value {
            redis::Value::Nil => Self::Nil,
            redis::Value::Int(number) => Self::Int(number),
            redis::Value::BulkString(bytes) => Self::Bytes(bytes),
            redis::Value::SimpleString(text) => Self::Bytes(text.into_bytes()),
            redis::Value::Okay => Self::Bytes(b"OK".to_vec()),
            redis::Value::Array(values) => {
                Self::Array(values.into_iter().map(Self::read).collect::<Result<_, _>>()?)
            }
            _ => return Err(UnexpectedValue),
        })
    }
}
