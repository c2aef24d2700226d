//! What is wrong in a request, and where: the `errors[]` of `invalid-request`.

use api::FieldFault;

use crate::Problem;

/// The fault as one sentence.
pub(crate) fn sentence(fault: &FieldFault) -> String {
    if fault.pointer.is_empty() {
        fault.detail.clone()
    } else {
        format!("{}: {}", fault.pointer, fault.detail)
    }
}

/// 400 with one fault.
#[must_use]
pub fn invalid_fields(pointer: &str, detail: &str) -> Problem {
    Problem::invalid_request(&[FieldFault::new(pointer, detail)])
}
