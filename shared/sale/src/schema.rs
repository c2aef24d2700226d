//! How ids, names and times look in `openapi.json`. What parses and what these patterns match is the same;
//! `tests/openapi.rs` holds both against each other.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{OrderId, ReservationId, SaleId, Sku};

/// The first character is no hyphen; 32 characters are [`NAME_LENGTH_MAX`](crate::ids::NAME_LENGTH_MAX).
const NAME: &str = "^[a-z0-9][a-z0-9-]{0,31}$";

/// 16 bytes in base32hex: the last character carries three bits.
const OPAQUE: &str = "^[0-9a-v]{25}[048cgkos]$";

macro_rules! text {
    ($($name:ident $pattern:ident $description:literal $example:literal;)*) => {
        $(impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "description": $description, "type": "string", "pattern": $pattern, "examples": [$example]
                })
            }
        })*
    };
}

text! {
    SaleId NAME "The public name of a sale." "spring-drop";
    Sku NAME "The name of a variant of a sale, which has its own stock." "standard";
    ReservationId OPAQUE "The id of a reservation." "c5h66p35cpjmgqbaddm6qrb1ec";
    OrderId OPAQUE "The id of an order." "64o3gchp6orj4d9l6oqj2e1h68";
}

/// A time as every answer shows it: RFC 3339, in UTC.
#[derive(Debug, Clone, Copy)]
pub struct Time;

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}
