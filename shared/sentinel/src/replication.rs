//! Which history a dataset belongs to, how far it goes, and how it continues one that was seen before.

use std::sync::Arc;

/// The replication history that a dataset belongs to (`master_replid`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lineage(pub(crate) Arc<str>);

impl Lineage {
    /// The 40 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a master's history continues that of the master before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Continuity {
    /// There was none before.
    First,
    /// It is the same history, and nothing of it is missing.
    Same,
    /// It begins in the history before: an ordinary failover.
    Continued {
        /// Bytes of the replication stream that the master before was seen to have and this one has not: at
        /// least so many are lost. What was written after it was last looked at (when connecting, when
        /// probed, by [`Client::topology`](crate::Client::topology)) is not in it.
        lost_bytes: u64,
    },
    /// It does not begin in the history before: two failovers in a row of which only the second was seen,
    /// a restart, a stale or an empty dataset. Nothing that was read before can be relied on.
    Broken,
}

/// A place in a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) lineage: Lineage,
    /// Bytes of the replication stream.
    pub(crate) offset: u64,
}

/// The history that a dataset belongs to, and the one that it continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) lineage: Lineage,
    pub(crate) continued: Option<Lineage>,
    /// Whether it stays as it is: a master that no replica has followed since it started begins another one with the first
    /// that does, and its connections do not hear of it.
    pub(crate) is_settled: bool,
}

/// What `INFO replication` says of a master's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replication {
    pub(crate) position: Position,
    /// The history that it continues, and the first offset of its own.
    previous: Option<(Lineage, u64)>,
    has_backlog: bool,
}

impl Replication {
    /// Reads INFO's text; what is missing is named.
    pub(crate) fn read(info: &str) -> Result<Self, &'static str> {
        let lineage = |name| field(info, name).filter(|id| !id.is_empty()).map(|id| Lineage(id.into()));
        let number = |name| field(info, name).and_then(|number| number.parse::<u64>().ok());
        let position = Position {
            lineage: lineage("master_replid").ok_or("master_replid")?,
            offset: number("master_repl_offset").ok_or("master_repl_offset")?,
        };
        // Without a previous one the id is all zeros and the offset -1.
        let previous = lineage("master_replid2").zip(number("second_repl_offset"));
        let has_backlog = field(info, "repl_backlog_active") != Some("0");
        Ok(Self { position, previous, has_backlog })
    }

    /// The history that it is, and the one that it continues.
    pub(crate) fn history(&self) -> History {
        let continued = self.previous.as_ref().map(|(previous, _)| previous.clone());
        History { lineage: self.position.lineage.clone(), continued, is_settled: self.has_backlog }
    }

    /// How this continues what was seen before.
    pub(crate) fn continues(&self, before: Option<&Position>) -> Continuity {
        let Some(before) = before else { return Continuity::First };
        if self.position.lineage == before.lineage {
            return match before.offset.saturating_sub(self.position.offset) {
                0 => Continuity::Same,
                lost_bytes => Continuity::Continued { lost_bytes },
            };
        }
        match &self.previous {
            Some((previous, own_from)) if *previous == before.lineage => {
                Continuity::Continued { lost_bytes: before.offset.saturating_sub(own_from.saturating_sub(1)) }
            }
            _ => Continuity::Broken,
        }
    }
}

/// A field of INFO's text.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn info(id: &str, offset: u64, previous: &str, own_from: &str) -> Replication {
        Replication::read(&format!(
            "# Replication\r\nrole:master\r\nmaster_replid:{id}\r\nmaster_replid2:{previous}\r\n\
             master_repl_offset:{offset}\r\nsecond_repl_offset:{own_from}\r\n"
        ))
        .unwrap()
    }

    /// The figures are those of a measured failover.
    #[test]
    fn a_promoted_replica_continues_the_history_and_proves_what_it_lacks() {
        let before = info("59b2", 1_865, "0000", "-1");
        assert_eq!(before.continues(None), Continuity::First);
        let promoted = info("5695", 1_900, "59b2", "1866");
        assert_eq!(promoted.continues(Some(&before.position)), Continuity::Continued { lost_bytes: 0 });
        let behind = info("5695", 1_900, "59b2", "1801");
        assert_eq!(behind.continues(Some(&before.position)), Continuity::Continued { lost_bytes: 65 });
    }

    #[test]
    fn the_same_history_goes_on_unless_its_end_is_missing() {
        let before = info("59b2", 1_865, "0000", "-1").position;
        assert_eq!(info("59b2", 1_865, "0000", "-1").continues(Some(&before)), Continuity::Same);
        let shortened = info("59b2", 1_000, "0000", "-1");
        assert_eq!(shortened.continues(Some(&before)), Continuity::Continued { lost_bytes: 865 });
    }

    #[test]
    fn an_empty_restart_and_a_failover_that_nobody_saw_break_it() {
        let before = info("59b2", 1_865, "0000", "-1").position;
        assert_eq!(info("aaaa", 0, "0000", "-1").continues(Some(&before)), Continuity::Broken);
        assert_eq!(info("bbbb", 9_000, "5695", "2000").continues(Some(&before)), Continuity::Broken);
    }

    #[test]
    fn without_a_backlog_another_history_begins_with_the_first_replica() {
        let with = |backlog| {
            let text =
                format!("master_replid:a\r\nmaster_repl_offset:0\r\nrepl_backlog_active:{backlog}\r\n");
            Replication::read(&text).unwrap().history().is_settled
        };
        assert!(!with(0) && with(1));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(Replication::read(""), Err("master_replid"));
        assert_eq!(Replication::read("master_replid:a\r\n"), Err("master_repl_offset"));
    }
}
