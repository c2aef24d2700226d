//! How DynamoDB refuses a request, in its own words.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// It has too much to do.
pub(crate) fn throttled() -> Response {
    refused(&json!({ "__type": error_type("ThrottlingException"), "message": "slow down" }))
}

/// This transaction meets another one: a reason for each of its writes, of which the first is in its way.
pub(crate) fn conflicting(transaction: &[u8]) -> Response {
    let transaction: Value = serde_json::from_slice(transaction).unwrap_or_default();
    let writes = transaction["TransactItems"].as_array().map_or(1, Vec::len);
    let mut reasons = vec![json!({ "Code": "None" }); writes];
    if let Some(first) = reasons.first_mut() {
        *first = json!({ "Code": "TransactionConflict", "Message": "Transaction is ongoing for the item" });
    }
    refused(&json!({
        "__type": error_type("TransactionCanceledException"),
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    }))
}

fn error_type(name: &str) -> String {
    format!("com.amazonaws.dynamodb.v20120810#{name}")
}

fn refused(error: &Value) -> Response {
    (StatusCode::BAD_REQUEST, error.to_string()).into_response()
}
