//! How a script is put together: `#!lua`, the prelude, the operation.
//!
//! With `#!lua` a demoted or replica-less master refuses a script before it runs any of it; without,
//! its read-only paths would answer from stale data.

/// The script in this file; `reads` marks one that changes nothing, which the server then enforces.
macro_rules! script {
    ($file:literal) => {
        sentinel::Script::new(concat!("#!lua\n", include_str!("prelude.lua"), include_str!($file)))
    };
    (reads $file:literal) => {
        sentinel::Script::new(concat!(
            "#!lua flags=no-writes\n",
            include_str!("prelude.lua"),
            include_str!($file)
        ))
    };
}

pub(crate) use script;
