//! What is fetched from others over HTTPS while requests are served: secrets of AWS Secrets Manager, and the
//! keys of an identity provider.
//!
//! Invariants:
//! - A request drives each exchange and each refresh. No task and no connection outlives it, so that an
//!   environment that is frozen after its answer wakes up with nothing half done.
//! - Every exchange ends by a deadline, and every answer has a limit.
//! - However many requests wait for the same thing, it is fetched once.
//! - Nothing of an answer's content is in an error.
//!
//! Connections are not kept: what is fetched once a minute finds them closed, above all after a freeze.

mod address;
mod aws_secrets;
mod cached;
mod exchange;
mod moment;
mod roots;

pub use address::Address;
pub use aws_secrets::{Credentials, SecretError, SecretVersion, SecretsManager};
pub use cached::{Cached, Need, Pace};
pub use exchange::{FetchError, get};
pub use roots::tls;
