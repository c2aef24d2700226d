//! An error with everything beneath it, in one line of a log.

use std::error::Error;
use std::fmt;

/// Displays an error and its sources, from the outermost to the first cause.
pub struct Causes<'a>(pub &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(inner) = source {
            write!(formatter, ": {inner}")?;
            source = inner.source();
        }
        Ok(())
    }
}
