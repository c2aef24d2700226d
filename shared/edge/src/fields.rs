//! What is wrong in a request, and where: the `errors[]` of `invalid-request`.

use serde::Serialize;

use crate::Problem;

/// One thing that is wrong in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldFault {
    /// JSON pointer into the body, or `header:Name`, or `query:name`.
    pub pointer: String,
    /// What it should be.
    pub detail: String,
}

impl FieldFault {
    /// A fault at this place.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }

    pub(crate) fn sentence(&self) -> String {
        if self.pointer.is_empty() {
            self.detail.clone()
        } else {
            format!("{}: {}", self.pointer, self.detail)
        }
    }
}

/// 400 with one fault.
#[must_use]
pub fn invalid_fields(pointer: &str, detail: &str) -> Problem {
    Problem::invalid_request(&[FieldFault::new(pointer, detail)])
}
