//! Reads what a script answered: `{word, now, …}`, field by field.

use jiff::Timestamp;
use sentinel::Value;

use crate::Sku;

/// An answer that is not what the script says it gives; carries what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer of a script lacks {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// The fields of an answer, taken from the left.
pub(crate) struct Fields(std::vec::IntoIter<Value>);

impl Fields {
    pub(crate) fn new(value: Value) -> Result<Self, Malformed> {
        match value {
            Value::Array(values) => Ok(Self(values.into_iter())),
            _ => Err(Malformed("its fields")),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, Malformed> {
        match self.0.next() {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            _ => Err(Malformed("bytes")),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, Malformed> {
        String::from_utf8(self.bytes()?).map_err(|_| Malformed("a text"))
    }

    pub(crate) fn sku(&mut self) -> Result<Sku, Malformed> {
        Sku::parse(&self.text()?).map_err(|_| Malformed("a SKU"))
    }

    pub(crate) fn digest(&mut self) -> Result<[u8; 16], Malformed> {
        self.bytes()?.try_into().map_err(|_| Malformed("a 16-byte id"))
    }

    /// An id, or `None` where the script answered an empty text.
    pub(crate) fn optional_digest(&mut self) -> Result<Option<[u8; 16]>, Malformed> {
        let bytes = self.bytes()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        bytes.try_into().map(Some).map_err(|_| Malformed("a 16-byte id"))
    }

    pub(crate) fn number<N: TryFrom<i64>>(&mut self) -> Result<N, Malformed> {
        match self.0.next() {
            Some(Value::Int(number)) => N::try_from(number).map_err(|_| Malformed("a number in range")),
            _ => Err(Malformed("a number")),
        }
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Malformed> {
        Ok(self.number::<i64>()? == 1)
    }

    pub(crate) fn timestamp(&mut self) -> Result<Timestamp, Malformed> {
        Timestamp::from_millisecond(self.number()?).map_err(|_| Malformed("a time"))
    }

    /// A number, or `None` where the script answered an empty text.
    pub(crate) fn optional_timestamp(&mut self) -> Result<Option<Timestamp>, Malformed> {
        if let Some(Value::Bytes(bytes)) = self.0.as_slice().first()
            && bytes.is_empty()
        {
            self.0.next();
            return Ok(None);
        }
        self.timestamp().map(Some)
    }

    /// All fields that are left, as numbers.
    pub(crate) fn rest<N: TryFrom<i64>>(&mut self) -> Result<Vec<N>, Malformed> {
        let mut numbers = Vec::with_capacity(self.0.len());
        while !self.is_empty() {
            numbers.push(self.number()?);
        }
        Ok(numbers)
    }
}

/// What a script answered: its word, its clock, and the fields behind them.
pub(crate) struct Answer {
    pub(crate) word: String,
    pub(crate) now: Timestamp,
    pub(crate) fields: Fields,
}

impl Answer {
    pub(crate) fn read(value: Value) -> Result<Self, Malformed> {
        let mut fields = Fields::new(value)?;
        Ok(Self { word: fields.text()?, now: fields.timestamp()?, fields })
    }
}
