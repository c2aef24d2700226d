//! What is said of one operation in `openapi.json`; `openapi_operations.rs` says it of each.

/// One request that can be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) audience: Audience,
    /// Whether it needs an `Idempotency-Key`.
    pub(crate) has_key: bool,
    /// The type of its query's parameters.
    pub(crate) query: Option<&'static str>,
    /// The type of its body.
    pub(crate) body: Option<&'static str>,
    /// Whether it can be left out.
    pub(crate) is_body_optional: bool,
    pub(crate) successes: &'static [Success],
    /// Slugs of what it can refuse, besides [`ANY`].
    pub(crate) problems: &'static [&'static [&'static str]],
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    Everybody,
    /// With or without the credentials of a shopper.
    Anybody,
    Shopper,
    Merchant,
}

/// An answer that is no problem.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Success {
    pub(crate) status: u16,
    pub(crate) description: &'static str,
    pub(crate) content: Content,
    /// Headers that come with it; one with `?` at its end may be absent.
    pub(crate) headers: &'static [&'static str],
}

/// What a body is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    /// JSON of this type.
    Json(&'static str),
    /// JSON without a type of its own.
    Object,
    /// A text of one of these types.
    Text(&'static [&'static str]),
    Nothing,
}

/// What any request can be told, by the function or by the gateway before it.
pub(crate) const ANY: &[&str] = &[
    "invalid-request",
    "headers-too-large",
    "quota-exceeded",
    "internal",
    "outcome-unknown",
    "secrets-unavailable",
    "overloaded",
];

pub(crate) const fn json(status: u16, description: &'static str, schema: &'static str) -> Success {
    Success { status, description, content: Content::Json(schema), headers: &[] }
}

pub(crate) const fn with_headers(success: Success, headers: &'static [&'static str]) -> Success {
    Success { headers, ..success }
}

pub(crate) const fn text(description: &'static str, types: &'static [&'static str]) -> Success {
    Success { status: 200, description, content: Content::Text(types), headers: &[] }
}

/// What operations that read have in common.
pub(crate) const GET: Operation = Operation {
    method: "get",
    path: "",
    id: "",
    summary: "",
    audience: Audience::Everybody,
    has_key: false,
    query: None,
    body: None,
    is_body_optional: false,
    successes: &[],
    problems: &[],
};

pub(crate) const POST: Operation = Operation { method: "post", ..GET };

impl Operation {
    /// Slugs of all that it can be told.
    pub(crate) fn slugs(&self) -> impl Iterator<Item = &'static str> {
        ANY.iter().chain(self.problems.iter().copied().flatten()).copied()
    }

    pub(crate) fn success(&self, status: u16) -> Option<&'static Success> {
        self.successes.iter().find(|success| success.status == status)
    }
}
