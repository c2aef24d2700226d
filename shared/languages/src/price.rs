//! A price as it is said without a script, which says it as the language does.

use std::fmt::{Display, Formatter, Result};

use sale::minor_digits;

/// An amount of money.
pub struct Price<'a> {
    /// In minor units.
    pub minor: u64,
    /// ISO 4217 code.
    pub currency: &'a str,
}

impl Display for Price<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let digits = minor_digits(self.currency);
        let one = 10_u64.pow(digits);
        let (whole, rest) = (self.minor / one, self.minor % one);
        match digits {
            0 => write!(formatter, "{whole} {}", self.currency),
            _ => write!(formatter, "{whole}.{rest:0width$} {}", self.currency, width = digits as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_currency_has_its_own_minor_units() {
        let price = |minor, currency| Price { minor, currency }.to_string();
        assert_eq!(price(3_905, "EUR"), "39.05 EUR");
        assert_eq!(price(3_905, "JPY"), "3905 JPY");
        assert_eq!(price(3_905, "KWD"), "3.905 KWD");
        assert_eq!(price(0, "USD"), "0.00 USD");
    }
}
