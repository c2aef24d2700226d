//! `openapi.json`, put together: the types' schemas, and the operations with their answers.

use std::collections::BTreeMap;

use api::{
    AccessTokens, AssignedNumber, Event, Journal, JournalQuery, NotYet, ORDERS_DEFAULT, OrderAnswer, Orders,
    OrdersQuery, Position, PositionExpiry, ProblemAnswer, Proof, PublicKey, PublicKeys, Quantity,
    QueueChange, QueueNumber, QueueReport, Report, ReservationAnswer, Restocked, SaleAnswer, Sales,
    ServingCounter, Session, Status, TicketAnswer, TicketProof, Units, UnitsQuery, WaitingNumber, Wish,
    Withdrawn,
};
use edge::{Cluster, PROBLEMS};
use sale::{Definition, OrderId, ReservationId, SaleId, Sku};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::openapi_operation::{Audience, Content, Operation, Success};
use crate::openapi_operations::operations;
use crate::{openapi_examples, openapi_problems};

const SCHEMAS: &str = "/components/schemas";

const DESCRIPTION: &str = "Sells a limited stock to a crowd that arrives in the same second. Times are RFC 3339 \
    in UTC, prices are in minor units with ISO 4217 codes. Every refusal is `application/problem+json` whose `type` \
    ends with a slug that never changes. Repeating a request is always safe; one that needs an `Idempotency-Key` is \
    repeated with the same key. Browsers without JavaScript send forms to the same paths and are answered with \
    redirects and pages; this document describes what scripts send.";

/// Types of queries, which are parameters; unless a body is of the same type, they are no schema.
const QUERIES: [&str; 5] = ["Event", "JournalQuery", "OrdersQuery", "Position", "UnitsQuery"];

/// What a header is, by its name.
const HEADERS: [(&str, &str); 8] = [
    ("Cache-Control", "How long caches may give the answer on."),
    ("ETag", "Names the content."),
    ("Location", "Path of what was made, or of what is to be asked for instead."),
    ("RateLimit", "What is left of the shopper's quota, as the IETF draft says."),
    ("RateLimit-Policy", "The shopper's quota."),
    ("Retry-After", "Seconds after which it is worth asking again."),
    ("Set-Cookie", "The guest's cookie, or the ticket's."),
    ("Vary", "The header of the request by which the answers differ."),
];

/// The whole document.
pub(crate) async fn document() -> Value {
    let (all, queries) = schemas();
    let mut parameters = path_parameters();
    parameters.extend(header_parameters());
    let examples = openapi_problems::examples().await;
    let headers = HEADERS.map(|(name, text)| {
        (name.to_owned(), json!({ "description": text, "schema": { "type": "string" } }))
    });
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in operations() {
        let item = paths.entry(operation.path).or_default();
        item.insert(operation.method.to_owned(), described(operation, &queries, &examples));
        let names = names_in(operation.path);
        if !names.is_empty() {
            item.insert("parameters".to_owned(), names.iter().map(|name| parameter(name)).collect());
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Spillway", "version": env!("CARGO_PKG_VERSION"), "description": DESCRIPTION,
            "license": { "name": "Apache License 2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "/", "description": "Where this document was found." }],
        "tags": [
            { "name": "everybody", "description": "The same answers for everybody." },
            { "name": "shopper", "description": "With a bearer token of the merchant's identity provider, or as a guest." },
            { "name": "merchant", "description": "With the merchant's token." }
        ],
        "paths": paths,
        "components": {
            "schemas": all, "parameters": parameters, "headers": Map::from_iter(headers),
            "securitySchemes": {
                "shopperToken": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "A token of the merchant's identity provider."
                },
                "guestCookie": {
                    "type": "apiKey", "in": "cookie", "name": "__Host-spillway",
                    "description": "The cookie of POST /sessions. Over plain HTTP on loopback its name is spillway."
                },
                "merchantToken": {
                    "type": "http", "scheme": "bearer", "description": "The merchant's own token."
                }
            }
        }
    });
    document.sort_all_objects();
    document
}

/// Schemas of all types by name, and those of the queries.
fn schemas() -> (Map<String, Value>, Map<String, Value>) {
    let generator = |settings: SchemaSettings| {
        settings.with(|settings| settings.definitions_path = SCHEMAS.into()).into_generator()
    };
    let mut answers = generator(SchemaSettings::draft2020_12().for_serialize());
    add::<Status>(&mut answers);
    add::<Session>(&mut answers);
    add::<TicketAnswer>(&mut answers);
    add::<QueueReport>(&mut answers);
    add::<ReservationAnswer>(&mut answers);
    add::<OrderAnswer>(&mut answers);
    add::<Orders>(&mut answers);
    add::<Journal>(&mut answers);
    add::<SaleAnswer>(&mut answers);
    add::<Sales>(&mut answers);
    add::<Report>(&mut answers);
    add::<Units>(&mut answers);
    add::<Restocked>(&mut answers);
    add::<Withdrawn>(&mut answers);
    add::<Cluster>(&mut answers);
    add::<AssignedNumber>(&mut answers);
    add::<QueueNumber>(&mut answers);
    add::<ServingCounter>(&mut answers);
    add::<WaitingNumber>(&mut answers);
    add::<AccessTokens>(&mut answers);
    add::<PositionExpiry>(&mut answers);
    add::<NotYet>(&mut answers);
    add::<PublicKey>(&mut answers);
    add::<PublicKeys>(&mut answers);
    let mut requests = generator(SchemaSettings::draft2020_12().for_deserialize());
    add::<Wish>(&mut requests);
    add::<Proof>(&mut requests);
    add::<TicketProof>(&mut requests);
    add::<QueueChange>(&mut requests);
    add::<Quantity>(&mut requests);
    add::<Definition>(&mut requests);
    add::<Event>(&mut requests);
    add::<Position>(&mut requests);
    add::<OrdersQuery>(&mut requests);
    add::<JournalQuery>(&mut requests);
    add::<UnitsQuery>(&mut requests);
    add::<ProblemAnswer>(&mut requests);
    for id in [requests.subschema_for::<ReservationId>(), requests.subschema_for::<OrderId>()] {
        assert!(id.as_value()["$ref"].is_string());
    }
    add::<SaleId>(&mut requests);
    add::<Sku>(&mut requests);

    let mut all = answers.take_definitions(true);
    for (name, schema) in requests.take_definitions(true) {
        let answered = all.get(&name).unwrap_or(&schema);
        assert_eq!(schema, *answered, "{name} is asked otherwise than it is answered");
        all.insert(name, schema);
    }
    let problem = all.remove("Problem").unwrap();
    let queries = QUERIES.map(|name| (name.to_owned(), all[name].clone())).into_iter().collect();
    all.retain(|name, _| {
        let is_body = |operation: &Operation| operation.body == Some(name.as_str());
        !QUERIES.contains(&name.as_str()) || operations().any(is_body)
    });
    all.extend(openapi_problems::schemas(&problem));
    (all, queries)
}

fn add<T: JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#{SCHEMAS}/{schema}") })
}

/// `{sale}` and the like, as the names of their parameters.
fn names_in(path: &str) -> Vec<&'static str> {
    let is_order = path.contains("/orders/");
    let names = path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap());
    names
        .map(|name| match name {
            "sale" => "Sale",
            "sku" => "Sku",
            "id" if is_order => "Order",
            "id" => "Reservation",
            "file" => "File",
            "language" => "Language",
            other => panic!("no parameter {other}"),
        })
        .collect()
}

fn parameter(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

fn path_parameters() -> Map<String, Value> {
    let path = |name: &str, description: &str, schema: Value, example: &str| {
        json!({
            "name": name, "in": "path", "required": true, "description": description, "schema": schema,
            "example": example
        })
    };
    Map::from_iter([
        ("Sale".to_owned(), path("sale", "The sale.", reference("SaleId"), "spring-drop")),
        ("Sku".to_owned(), path("sku", "The SKU.", reference("Sku"), "standard")),
        (
            "Reservation".to_owned(),
            path("id", "The reservation.", reference("ReservationId"), "c5h66p35cpjmgqbaddm6qrb1ec"),
        ),
        ("Order".to_owned(), path("id", "The order.", reference("OrderId"), "64o3gchp6orj4d9l6oqj2e1h68")),
        (
            "File".to_owned(),
            path(
                "file",
                "The file.",
                json!({ "type": "string", "pattern": r"^[a-z-]+(\.[0-9a-f]{16})?\.(css|js|svg)$" }),
                "sale.css",
            ),
        ),
        (
            "Language".to_owned(),
            path(
                "language",
                "The language's BCP 47 tag.",
                json!({ "type": "string", "enum": ["en", "de", "es", "ja", "zh-Hans"] }),
                "en",
            ),
        ),
    ])
}

/// 1 to 128 visible ASCII characters but quotes and backslashes, bare or quoted.
const KEY: &str = r#"^([!#-\[\]-~]{1,128}|"[!#-\[\]-~]{1,128}")$"#;

fn header_parameters() -> Map<String, Value> {
    Map::from_iter([
        (
            "IdempotencyKey".to_owned(),
            json!({
                "name": "Idempotency-Key", "in": "header", "required": true,
                "description": "The client's own name for one wish, new for each new one; a repeat has the same.",
                "schema": { "type": "string", "pattern": KEY }, "example": "\"4f6b1c1e-8d0a-4f0e\""
            }),
        ),
        (
            "IfNoneMatch".to_owned(),
            json!({
                "name": "If-None-Match", "in": "header", "required": false,
                "description": "Tags of the versions that the client has.", "schema": { "type": "string" }
            }),
        ),
    ])
}

/// The parameters of a query, of the members of its type.
fn query_parameters(schema: &Value) -> Vec<Value> {
    let members = schema["properties"].as_object().unwrap();
    let required = schema["required"].as_array();
    let schema_requires = |name: &str| required.is_some_and(|required| required.contains(&json!(name)));
    let parameter = |(name, member): (&String, &Value)| {
        let mut schema = member.clone();
        let members = schema.as_object_mut().unwrap();
        let description = members.remove("description").unwrap();
        // What is not given is not `null`.
        members.remove("default");
        if name == "limit" {
            schema["default"] = json!(ORDERS_DEFAULT);
        }
        let is_required = schema_requires(name);
        json!({ "name": name, "in": "query", "required": is_required, "description": description, "schema": schema })
    };
    members.iter().map(parameter).collect()
}

fn described(operation: &Operation, queries: &Map<String, Value>, examples: &Map<String, Value>) -> Value {
    let (tag, security) = match operation.audience {
        Audience::Everybody => ("everybody", json!([])),
        Audience::Anybody => ("shopper", json!([{ "shopperToken": [] }, { "guestCookie": [] }, {}])),
        Audience::Shopper => ("shopper", json!([{ "shopperToken": [] }, { "guestCookie": [] }])),
        Audience::Merchant => ("merchant", json!([{ "merchantToken": [] }])),
    };
    let mut parameters = Vec::new();
    if operation.has_key {
        parameters.push(parameter("IdempotencyKey"));
    }
    if operation.success(304).is_some() {
        parameters.push(parameter("IfNoneMatch"));
    }
    if let Some(query) = operation.query {
        parameters.extend(query_parameters(&queries[query]));
    }
    let mut responses = Map::new();
    for success in operation.successes {
        responses.insert(success.status.to_string(), answered(operation, success));
    }
    for (status, slugs) in by_status(operation) {
        responses.insert(status.to_string(), refused(status, &slugs, examples));
    }
    let mut described = json!({
        "operationId": operation.id, "summary": operation.summary, "tags": [tag], "security": security,
        "responses": responses
    });
    if !parameters.is_empty() {
        described["parameters"] = json!(parameters);
    }
    if let Some(body) = operation.body {
        let content = json!({ "schema": reference(body), "example": openapi_examples::request(body) });
        described["requestBody"] =
            json!({ "required": !operation.is_body_optional, "content": { "application/json": content } });
    }
    described
}

fn answered(operation: &Operation, success: &Success) -> Value {
    let mut answered = json!({ "description": success.description });
    if !success.headers.is_empty() {
        answered["headers"] = headers(success.headers);
    }
    match success.content {
        Content::Json(schema) => {
            let example = openapi_examples::answer(operation, schema);
            let content = json!({ "schema": reference(schema), "example": example });
            answered["content"] = json!({ "application/json": content });
        }
        Content::Object => {
            answered["content"] = json!({ "application/json": { "schema": { "type": "object" } } });
        }
        Content::Text(types) => {
            let content =
                types.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": { "type": "string" } })));
            answered["content"] = Value::Object(content.collect());
        }
        Content::Nothing => {}
    }
    answered
}

fn headers(names: &[&str]) -> Value {
    let names = names.iter().map(|name| name.trim_end_matches('?'));
    let headers =
        names.map(|name| (name.to_owned(), json!({ "$ref": format!("#/components/headers/{name}") })));
    Value::Object(headers.collect())
}

/// Slugs by their status, in the order of the table of problems.
fn by_status(operation: &Operation) -> BTreeMap<u16, Vec<&'static str>> {
    let slugs: Vec<_> = operation.slugs().collect();
    let mut statuses: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    for row in PROBLEMS.iter().filter(|row| slugs.contains(&row.slug)) {
        statuses.entry(row.status).or_default().push(row.slug);
    }
    statuses
}

fn refused(status: u16, slugs: &[&str], examples: &Map<String, Value>) -> Value {
    let schemas: Vec<_> = slugs.iter().map(|slug| reference(&openapi_problems::name(slug))).collect();
    let schema = if let [only] = &schemas[..] { only.clone() } else { json!({ "oneOf": schemas }) };
    let shown =
        slugs.iter().filter_map(|slug| Some(((*slug).to_owned(), json!({ "value": examples.get(*slug)? }))));
    let shown: Map<_, _> = shown.collect();
    let titles = slugs.iter().map(|slug| {
        let row = PROBLEMS.iter().find(|row| row.slug == *slug).unwrap();
        format!("`{slug}`: {}", row.title)
    });
    let mut content = json!({ "schema": schema });
    if !shown.is_empty() {
        content["examples"] = Value::Object(shown);
    }
    let mut refused = json!({
        "description": titles.collect::<Vec<_>>().join(" "), "content": { "application/problem+json": content }
    });
    if [429, 503].contains(&status) {
        refused["headers"] = headers(&["Retry-After"]);
    }
    refused
}
