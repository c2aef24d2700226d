//! Why a request of the merchant was not answered as it was meant: what the operator is told.

use std::error::Error;
use std::fmt;

use serde::Deserialize;

/// Why there is no answer of the kind that was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The system refused, or could not.
    Problem(Problem),
    /// Nothing listens at the address; nothing was done.
    Unreachable(reqwest::Error),
    /// The connection broke or no answer came in time; it may have been done.
    Unanswered(reqwest::Error),
    /// An answer of another version, or of something else.
    NotUnderstood(serde_json::Error),
}

/// An answer that is `application/problem+json`, or at least is no success.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Problem {
    #[serde(default)]
    status: u16,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    errors: Vec<FieldFault>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct FieldFault {
    #[serde(default)]
    pointer: String,
    #[serde(default)]
    detail: String,
}

impl Problem {
    /// The problem of this body; where it is none, what the status alone says.
    pub(crate) fn read(status: u16, body: &[u8]) -> Self {
        let problem: Self = serde_json::from_slice(body).unwrap_or_default();
        Self { status, ..problem }
    }

    /// The stable last part of the type.
    pub(crate) fn slug(&self) -> &str {
        self.kind.rsplit('/').next().unwrap_or_default()
    }
}

impl Failure {
    /// Whether it may have been done, or will be possible in a moment: worth the same request again.
    pub(crate) fn is_worth_repeating(&self) -> bool {
        match self {
            Self::Problem(problem) => problem.status >= 502,
            Self::Unanswered(_) => true,
            Self::Unreachable(_) | Self::NotUnderstood(_) => false,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.title.is_empty() {
            return write!(formatter, "the answer was {} without an explanation", self.status);
        }
        write!(formatter, "{} {} ({} {})", self.title, self.detail, self.status, self.slug())?;
        for fault in &self.errors {
            write!(formatter, "\n  {}: {}", fault.pointer, fault.detail)?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problem(problem) => problem.fmt(formatter),
            Self::Unreachable(error) => {
                let origin = error.url().map(|url| url.origin().ascii_serialization()).unwrap_or_default();
                // The innermost cause alone says what it is: nobody listens, or a certificate is not trusted.
                let cause =
                    std::iter::successors(error.source(), |cause: &&dyn Error| (*cause).source()).last();
                let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
                write!(
                    formatter,
                    "no connection to {origin}{cause}; on this machine `cargo spillway up` starts a system, or what \
                     it says is to follow"
                )
            }
            Self::Unanswered(_) => formatter.write_str("no answer came in time"),
            Self::NotUnderstood(_) => {
                formatter.write_str("the answer is not one that this version understands")
            }
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Problem(_) | Self::Unreachable(_) => None,
            Self::Unanswered(error) => Some(error),
            Self::NotUnderstood(error) => Some(error),
        }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        if error.is_connect() { Self::Unreachable(error) } else { Self::Unanswered(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_every_fault_and_its_slug() {
        let body = br#"{"type":"http://x/problems/invalid-request","title":"The request is not valid.",
            "status":400,"detail":"First.","errors":[{"pointer":"/skus","detail":"is empty"}]}"#;
        let text = Problem::read(400, body).to_string();
        assert_eq!(text, "The request is not valid. First. (400 invalid-request)\n  /skus: is empty");
    }

    #[test]
    fn what_is_no_problem_json_is_told_by_its_status() {
        let problem = Problem::read(502, b"<html>");
        assert_eq!(problem.to_string(), "the answer was 502 without an explanation");
        assert!(Failure::Problem(problem).is_worth_repeating());
    }

    #[test]
    fn a_refusal_is_not_repeated() {
        assert!(!Failure::Problem(Problem::read(409, b"{}")).is_worth_repeating());
        assert!(!Failure::Problem(Problem::read(500, b"{}")).is_worth_repeating());
    }
}
