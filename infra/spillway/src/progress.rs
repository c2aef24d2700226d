//! What a long command says while it works.

/// Writes a line for people.
#[allow(clippy::print_stdout)]
pub(crate) fn say(line: &str) {
    println!("{line}");
}
