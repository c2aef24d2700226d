//! Everything between HTTP and the domain: settings, identity, problems, logs, and the two front doors.
//!
//! Invariants:
//! - No environment variable is read outside [`settings`](Settings); all faults are told at once. Those of systemd
//!   itself are read by the crate that speaks to it.
//! - Every request ends by its deadline, as an answer or a problem that says what to do next.
//! - No text of an inner error reaches a body; it goes to the log, once.
//! - Whatever is personal is bound to the shopper who has shown who they are.

mod access_token;
mod app;
mod bearer;
mod browser;
mod cluster;
mod cookie;
mod deadline;
mod events;
mod fields;
mod gate;
mod guest;
mod idempotency;
mod identity;
mod json;
mod log;
mod merchant;
mod origin;
mod path;
mod problem;
mod problem_tickets;
mod problems;
mod provider;
mod provider_keys;
mod query;
mod rate_limit;
mod receipt;
mod schedule;
mod secrets;
mod serve;
mod settings;
mod settings_secrets;
mod settings_shoppers;
mod signing;
mod signing_keys;
mod ticket;
mod watchdog;

pub use access_token::{Access, AccessKeys};
pub use api::FieldFault;
pub use bearer::is_subject;
pub use browser::{is_for_the_moment, prefers_pages};
pub use cluster::Cluster;
pub use deadline::{BACKSTOP, REQUEST_DEADLINE, REQUEST_DEADLINE_MAX, Within};
pub use events::serve_events;
pub use fields::invalid_fields;
pub use guest::{GuestSession, Guests};
pub use idempotency::RequestKey;
pub use identity::Shoppers;
pub use json::Json;
pub use merchant::Merchant;
pub use path::{OrderPath, ReservationPath, SalePath, SkuPath};
pub use problem::Problem;
pub use problems::{Kind, PROBLEMS};
pub use query::Query;
pub use rate_limit::RateLimitHeaders;
pub use receipt::Receipts;
pub use schedule::{Shift, serve_schedule};
pub use serve::{SHUTDOWN_TIMEOUT, serve};
pub use settings::{SECRET_SETTINGS, SETTINGS, Setting, Settings, redis_from_environment};
pub use settings_secrets::RotatedSecret;
pub use signing_keys::{NoRotation, SigningKeys};
pub use ticket::{SignedTicket, Tickets};
