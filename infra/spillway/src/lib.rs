//! The operator's command: start a whole system here, set sales up, send a crowd, run the tests.
//!
//! The library is what the tests share with the command: [`Stack`] is the same system that `up` starts.

mod arrivals;
mod ask;
mod cluster;
mod cluster_print;
mod crowd;
mod demo;
mod down;
mod emulator;
mod failover;
mod functions;
mod gateway;
mod kept;
mod layout;
mod memory;
mod merchant;
mod merchant_problem;
mod nodes;
mod output;
mod process;
mod programs;
mod progress;
mod running;
mod rush;
mod rush_print;
mod sale_command;
mod sale_file;
mod sale_file_faults;
mod sale_file_fields;
mod sale_print;
mod stack;
mod supervisor;
mod table;
mod tally;
mod test;
mod up;
mod verdict;
mod visit;

pub use arrivals::{Plan, Spacing};
pub use cluster::ClusterArguments;
pub use down::down;
pub use failover::FailoverArguments;
pub use functions::ExtraFunction;
pub use kept::any_free_port;
pub use merchant::Merchant;
pub use process::signal;
pub use running::{OPERATOR, Part, Running, RunningArguments};
pub use rush::{Rush, RushArguments};
pub use rustix::process::Signal;
pub use sale_command::SaleArguments;
pub use sale_file::SaleFile;
pub use stack::{Say, Stack, StackOptions};
pub use test::TestArguments;
pub use up::UpArguments;
