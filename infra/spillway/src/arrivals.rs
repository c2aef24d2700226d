//! When each shopper arrives and what kind of shopper it is, drawn before the rush begins.
//!
//! The model is open: an arrival waits for nobody's answer, so a slow system meets the same crowd as a
//! fast one. The same plan draws the same crowd, whatever the system does.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

/// How arrivals are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// Independent shoppers: the gaps are exponential.
    Poisson,
    /// Equal gaps.
    Uniform,
}

/// What the crowd looks like.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Number of arrivals.
    pub shoppers: u32,
    /// Arrivals per second.
    pub rate: f64,
    /// How they are spread.
    pub spacing: Spacing,
    /// Share of shoppers whose requests are all sent twice at once.
    pub repeat: f64,
    /// Share of shoppers who ask with a second key at the same instant.
    pub greedy: f64,
    /// Share of holders who confirm; the others leave.
    pub confirm: f64,
    /// Longest pause between a hold and its confirm, in milliseconds.
    pub think_ms_max: u32,
    /// Where the drawing begins.
    pub seed: u64,
}

/// One shopper who comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// Since the rush began.
    pub at: Duration,
    /// Between the hold and its confirm.
    pub think: Duration,
    /// Whether each request is sent twice at once.
    pub repeats: bool,
    /// Whether a hold is confirmed.
    pub confirms: bool,
    /// Whether a second key is tried at the same instant.
    pub is_greedy: bool,
}

impl Plan {
    /// Draws the crowd in the order of its arrivals.
    #[must_use]
    pub fn draw(&self) -> Vec<Arrival> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let mut at_seconds = 0.0;
        (0..self.shoppers)
            .map(|_| {
                at_seconds += self.gap_seconds(random.random());
                Arrival {
                    at: Duration::from_secs_f64(at_seconds),
                    think: Duration::from_millis(random.random_range(0..=self.think_ms_max).into()),
                    repeats: random.random::<f64>() < self.repeat,
                    is_greedy: random.random::<f64>() < self.greedy,
                    confirms: random.random::<f64>() < self.confirm,
                }
            })
            .collect()
    }

    /// The gap before an arrival; `chance` is uniform in 0..1.
    fn gap_seconds(&self, chance: f64) -> f64 {
        match self.spacing {
            Spacing::Poisson => -(1.0 - chance).ln() / self.rate,
            Spacing::Uniform => 1.0 / self.rate,
        }
    }

    /// How long the arrivals take, on average over all seeds.
    #[must_use]
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.shoppers) / self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(spacing: Spacing, seed: u64) -> Plan {
        Plan {
            shoppers: 20_000,
            rate: 2_000.0,
            spacing,
            repeat: 0.1,
            greedy: 0.0,
            confirm: 1.0,
            think_ms_max: 3_000,
            seed,
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_crowd_and_another_seed_another() {
        assert_eq!(plan(Spacing::Poisson, 7).draw(), plan(Spacing::Poisson, 7).draw());
        assert_ne!(plan(Spacing::Poisson, 7).draw(), plan(Spacing::Poisson, 8).draw());
    }

    #[test]
    fn independent_shoppers_keep_the_rate_and_bunch_as_exponential_gaps_do() {
        let crowd = plan(Spacing::Poisson, 1).draw();
        let last = crowd.last().map_or(0.0, |arrival| arrival.at.as_secs_f64());
        assert!((9.7..10.3).contains(&last), "20,000 arrivals at 2,000 a second took {last} s");
        let gaps = crowd.windows(2).map(|pair| pair[1].at.saturating_sub(pair[0].at).as_secs_f64());
        let longer_than_mean = gaps.filter(|gap| *gap > 1.0 / 2_000.0).count();
        // A share of 1/e of exponential gaps is longer than their mean.
        assert!((7_100..7_600).contains(&longer_than_mean), "{longer_than_mean}");
    }

    #[test]
    fn uniform_gaps_are_equal() {
        let crowd = plan(Spacing::Uniform, 1).draw();
        for (index, arrival) in (1_u32..).zip(&crowd) {
            let due = f64::from(index) / 2_000.0;
            assert!((arrival.at.as_secs_f64() - due).abs() < 1e-6);
        }
    }

    #[test]
    fn the_asked_share_of_shoppers_repeats_and_nobody_thinks_longer_than_allowed() {
        let crowd = plan(Spacing::Poisson, 3).draw();
        let repeating = crowd.iter().filter(|arrival| arrival.repeats).count();
        assert!((1_800..2_200).contains(&repeating), "{repeating}");
        assert!(crowd.iter().all(|arrival| arrival.think <= Duration::from_secs(3)));
        assert!(!crowd.iter().any(|arrival| arrival.is_greedy));
    }
}
