//! The least that a function can be: what `cold_start` compares the others with.

use std::convert::Infallible;

use lambda_http::{Error, Request, run_concurrent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run_concurrent(service_fn(async |_: Request| Ok::<_, Infallible>("hello"))).await
}
