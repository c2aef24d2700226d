//! How a script is put together: `#!lua`, the prelude, the operation.
//!
//! With `#!lua` a demoted or replica-less master refuses a script before it runs any of it. That holds for
//! scripts that only read as well, as long as they do not carry the flag `no-writes`: with it, a master that
//! was replaced while it was frozen would answer from stale data until somebody demotes it.

/// The script in this file.
macro_rules! script {
    ($file:literal) => {
        sentinel::Script::new(concat!("#!lua\n", include_str!("prelude.lua"), include_str!($file)))
    };
}

/// The same with what the scripts of a waiting room share.
macro_rules! queue_script {
    ($file:literal) => {
        sentinel::Script::new(concat!(
            "#!lua\n",
            include_str!("prelude.lua"),
            include_str!("queue.lua"),
            include_str!($file)
        ))
    };
}

pub(crate) use {queue_script, script};
