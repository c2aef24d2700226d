//! Standard output of the commands: what was asked for, and nothing else. Progress and errors go to
//! standard error.

use std::fmt::Display;
use std::io::{ErrorKind, Write, stdout};

use anyhow::Result;
use serde::Serialize;

/// Writes a text and ends its line.
pub(crate) fn write_line(text: impl Display) -> Result<()> {
    Ok(writeln!(stdout().lock(), "{text}")?)
}

/// Writes JSON for a program, on one line.
pub(crate) fn write_json(value: &impl Serialize) -> Result<()> {
    write_line(serde_json::to_string(value)?)
}

/// Writes an answer in words, or as JSON.
pub(crate) fn show<T: Serialize>(json: bool, answer: &T, words: impl FnOnce(&T) -> String) -> Result<()> {
    if json { write_json(answer) } else { write_line(words(answer)) }
}

/// A reader that has seen enough, such as `head`, is no failure of the command.
pub(crate) fn unless_reader_left(result: Result<()>) -> Result<()> {
    let has_left = |error: &anyhow::Error| {
        error.downcast_ref::<std::io::Error>().is_some_and(|cause| cause.kind() == ErrorKind::BrokenPipe)
    };
    result.or_else(|error| if has_left(&error) { Ok(()) } else { Err(error) })
}
