//! How much of a system is started here: all of it, or what somebody else does not bring.

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// A part that can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PartName {
    /// Data nodes and sentinels.
    Redis,
    /// The emulator of the ledger, with its table.
    Ledger,
    /// Every function as a plain HTTP server.
    Functions,
    /// nginx in front of them.
    Gateway,
}

/// The parts of a stack, of which each needs all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parts {
    /// Redis and the ledger, for functions that run elsewhere, such as under `cargo lambda watch`.
    Stores,
    /// The functions too, for another gateway.
    AllButGateway,
    /// Everything.
    All,
}

impl Parts {
    /// Exactly these; everything, where none is named.
    pub fn named(names: &[PartName]) -> Result<Self> {
        if names.is_empty() {
            return Ok(Self::All);
        }
        let has = |name| names.contains(&name);
        ensure!(
            has(PartName::Redis) && has(PartName::Ledger),
            "--only must name redis and ledger: whatever else runs needs both"
        );
        match (has(PartName::Functions), has(PartName::Gateway)) {
            (false, false) => Ok(Self::Stores),
            (true, false) => Ok(Self::AllButGateway),
            (true, true) => Ok(Self::All),
            (false, true) => bail!("--only names the gateway without the functions that answer behind it"),
        }
    }

    pub(crate) const fn have_functions(self) -> bool {
        matches!(self, Self::AllButGateway | Self::All)
    }

    pub(crate) const fn have_gateway(self) -> bool {
        matches!(self, Self::All)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use PartName::{Functions, Gateway, Ledger, Redis};

    use super::*;

    #[test]
    fn parts_that_lack_what_they_need_are_refused_in_a_sentence() {
        for (names, parts) in [
            (&[][..], Parts::All),
            (&[Ledger, Redis, Redis], Parts::Stores),
            (&[Redis, Ledger, Functions], Parts::AllButGateway),
            (&[Gateway, Redis, Functions, Ledger], Parts::All),
        ] {
            assert_eq!(Parts::named(names).unwrap(), parts);
        }
        for (names, said) in [
            (&[Redis][..], "redis and ledger"),
            (&[Ledger, Functions], "redis and ledger"),
            (&[Redis, Ledger, Gateway], "without the functions"),
        ] {
            let refused = Parts::named(names).unwrap_err().to_string();
            assert!(refused.starts_with("--only") && refused.contains(said), "{refused}");
        }
    }
}
