//! A Redis command on the master, for tests and examples.

use std::time::Duration;

use sentinel::{Call, Client, Deadline, Durability, Error, Idempotency, Value};

/// A deadline that no working call meets.
pub(crate) fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(4))
}

/// Runs it, and gives what the master answers.
pub(crate) async fn command(redis: &Client, name: &str, args: &[&str]) -> Result<Value, Error> {
    let args: Vec<_> = args.iter().map(|arg| arg.as_bytes()).collect();
    command_of_bytes(redis, name, &args).await
}

/// The same with arguments that are no text.
pub(crate) async fn command_of_bytes(redis: &Client, name: &str, args: &[&[u8]]) -> Result<Value, Error> {
    let call =
        Call { deadline: soon(), idempotency: Idempotency::Idempotent, durability: Durability::Master };
    Ok(redis.command(name, args, call).await?.value)
}
