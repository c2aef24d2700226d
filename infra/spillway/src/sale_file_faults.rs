//! What is wrong in a sale file: every fault with its line, in the order of the file.
//!
//! One value is at fault once: a rule of the sale is not held against a value that has no right type.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

/// Every fault of one sale file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SaleFileFaults {
    file: String,
    faults: BTreeSet<LineFault>,
}

/// One fault and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct LineFault {
    line: usize,
    reason: String,
}

impl fmt::Display for SaleFileFaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.faults.iter().map(|fault| format!("{}:{}: {}", self.file, fault.line, fault.reason));
        formatter.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

impl std::error::Error for SaleFileFaults {}

/// What was found while a file is read.
pub(crate) struct Findings<'t> {
    text: &'t str,
    faults: SaleFileFaults,
    /// Where each value stands, by its JSON pointer.
    offsets: BTreeMap<String, usize>,
    pointers_at_fault: BTreeSet<String>,
    lines_of_syntax_errors: BTreeSet<usize>,
}

impl<'t> Findings<'t> {
    /// Nothing found yet in the file of this name.
    pub(crate) fn new(file: &str, text: &'t str) -> Self {
        Self {
            text,
            faults: SaleFileFaults { file: file.to_owned(), faults: BTreeSet::new() },
            offsets: BTreeMap::new(),
            pointers_at_fault: BTreeSet::new(),
            lines_of_syntax_errors: BTreeSet::new(),
        }
    }

    /// Notes what TOML itself refuses.
    pub(crate) fn syntax(&mut self, error: &toml::de::Error) {
        let line = self.line(error.span().map_or(0, |span| span.start));
        self.lines_of_syntax_errors.insert(line);
        self.faults.faults.insert(LineFault { line, reason: error.message().to_owned() });
    }

    /// Notes where a value stands.
    pub(crate) fn place(&mut self, pointer: &str, span: Range<usize>) {
        self.offsets.insert(pointer.to_owned(), span.start);
    }

    /// Notes that the value at this pointer is not as it must be, unless that is known already.
    pub(crate) fn fault(&mut self, pointer: &str, reason: &str) {
        let is_known = |known: &String| is_within(known, pointer) || is_within(pointer, known);
        if self.pointers_at_fault.iter().any(is_known) {
            return;
        }
        let field = pointer.rsplit('/').find(|part| !part.bytes().all(|b| b.is_ascii_digit()));
        let line = self.line(self.offset(pointer));
        // What TOML could not read has left a hole there, and a hole has no further faults.
        if !self.lines_of_syntax_errors.contains(&line) {
            let reason = format!("{} {reason}", field.unwrap_or_default());
            self.faults.faults.insert(LineFault { line, reason });
        }
        self.pointers_at_fault.insert(pointer.to_owned());
    }

    /// Notes that a field is missing; after a syntax error it may only have been swallowed by that.
    pub(crate) fn missing(&mut self, pointer: &str) {
        if self.lines_of_syntax_errors.is_empty() {
            self.fault(pointer, "is missing");
        } else {
            self.pointers_at_fault.insert(pointer.to_owned());
        }
    }

    /// The faults, if there are any.
    pub(crate) fn into_faults(self) -> Option<SaleFileFaults> {
        (!self.faults.faults.is_empty()).then_some(self.faults)
    }

    /// Where the value stands, or the nearest one around it that does.
    fn offset(&self, pointer: &str) -> usize {
        let mut pointer = pointer;
        loop {
            if let Some(offset) = self.offsets.get(pointer) {
                return *offset;
            }
            let Some((around, _)) = pointer.rsplit_once('/') else { return 0 };
            pointer = around;
        }
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|b| *b == b'\n').count()
    }
}

fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
