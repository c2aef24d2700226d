//! Real answers against `openapi.json`: every answer that a test gets by [`send`](crate::shop::send) is one that
//! the document describes, to the last member.

use std::collections::HashMap;
use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

use crate::openapi_operation::{ANY, Content, Operation};
use crate::openapi_operations::operations;
use crate::openapi_problems;
use crate::shop::Answer;
use crate::tidy::read;

/// The document as it is checked in, and served.
pub(crate) const DOCUMENT: &str = "functions/page/assets/openapi.json";

const ADDRESS: &str = "https://shop.example/openapi.json";

static CHECKED_IN: LazyLock<Contract> =
    LazyLock::new(|| Contract::new(serde_json::from_str(&read(DOCUMENT)).unwrap()));

/// A document, ready to be held against answers.
pub(crate) struct Contract {
    schemas: Schemas,
    by_name: HashMap<String, SchemaIndex>,
}

impl Contract {
    /// Takes a document; a member that it does not name is a fault from now on.
    pub(crate) fn new(mut document: Value) -> Self {
        let all = document["components"]["schemas"].as_object_mut().unwrap();
        for schema in all.values_mut().filter(|schema| schema["properties"].is_object()) {
            schema["additionalProperties"] = json!(false);
        }
        let names: Vec<_> = all.keys().cloned().collect();
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        compiler.enable_format_assertions();
        compiler.add_resource(ADDRESS, document).unwrap();
        let mut by_name = HashMap::new();
        for name in names {
            let place = format!("{ADDRESS}#/components/schemas/{name}");
            by_name.insert(name, compiler.compile(&place, &mut schemas).unwrap());
        }
        Self { schemas, by_name }
    }

    /// What is wrong with a value of this type.
    pub(crate) fn fault(&self, schema: &str, value: &Value) -> Option<String> {
        let schema = self.by_name.get(schema).unwrap_or_else(|| panic!("the document has no {schema}"));
        self.schemas.validate(value, *schema).err().map(|error| format!("{error:#}"))
    }
}

/// The document that is checked in.
pub(crate) fn checked_in() -> &'static Contract {
    &CHECKED_IN
}

/// The operation that answers this request. Of several paths that fit, it is that of the one with the most segments
/// spelled out, whatever its methods are.
pub(crate) fn operation(method: &str, path: &str) -> Option<&'static Operation> {
    let is_variable = |segment: &&str| segment.starts_with('{');
    let fits = |operation: &&Operation| {
        let (known, asked) = (operation.path.split('/'), path.split('/'));
        known.clone().count() == asked.clone().count()
            && known.zip(asked).all(|(known, asked)| known == asked || is_variable(&known))
    };
    let variables = |operation: &&Operation| operation.path.split('/').filter(is_variable).count();
    let path = operations().filter(fits).min_by_key(variables)?.path;
    operations().find(|operation| operation.path == path && operation.method.eq_ignore_ascii_case(method))
}

/// Fails where the document does not describe this answer.
pub(crate) fn check(method: &str, path: &str, answer: &Answer) {
    if let Some(fault) = fault(method, path, answer) {
        let Answer { status, text, .. } = answer;
        panic!("openapi.json does not describe {method} {path}: {status} {text}\n{fault}");
    }
}

fn fault(method: &str, path: &str, answer: &Answer) -> Option<String> {
    let operation = operation(method, path);
    if answer.header("content-type") == "application/problem+json" {
        let slug = answer.slug();
        let is_known = match operation {
            Some(operation) => operation.slugs().any(|known| known == slug),
            None => ANY.contains(&slug) || ["route-not-found", "method-not-allowed"].contains(&slug),
        };
        if !is_known {
            return Some(format!("{slug} is not among its problems"));
        }
        let is_advised = ![429, 503].contains(&answer.status) || !answer.header("retry-after").is_empty();
        return checked_in()
            .fault(&openapi_problems::name(slug), &answer.body)
            .or_else(|| (!is_advised).then(|| "Retry-After is missing".to_owned()));
    }
    let Some(success) = operation.and_then(|operation| operation.success(answer.status)) else {
        return Some("no such answer".to_owned());
    };
    let required = success.headers.iter().filter(|name| !name.ends_with('?'));
    if let Some(missing) = required.into_iter().find(|name| answer.header(&name.to_lowercase()).is_empty()) {
        return Some(format!("{missing} is missing"));
    }
    let kind = answer.header("content-type").split(';').next().unwrap_or_default();
    match success.content {
        Content::Json(schema) if kind == "application/json" => checked_in().fault(schema, &answer.body),
        Content::Object if kind == "application/json" && answer.body.is_object() => None,
        Content::Text(types) if types.contains(&kind) => None,
        Content::Nothing if answer.text.is_empty() => None,
        _ => Some(format!("{kind} is not what it is answered with")),
    }
}
