//! What a crowd was answered, and how long it took: counted while it happens.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Longer than any answer can take.
const LATENCY_US_MAX: u64 = 60_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// What a shopper does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Ticket,
    Reserve,
    Confirm,
}

/// What an answer is to a shopper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Success,
    Refusal,
    /// A server's error, or no answer.
    Failure,
}

/// One kind of answer: its status (0 for none) and its problem's slug, empty for a success; with `(gateway)` behind it
/// where no function has answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    pub(crate) step: Step,
    pub(crate) status: u16,
    pub(crate) slug: String,
}

impl Step {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Reserve => "reserve",
            Self::Confirm => "confirm",
        }
    }
}

impl Class {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refusal => "refusal",
            Self::Failure => "failure",
        }
    }
}

impl Kind {
    pub(crate) const fn class(&self) -> Class {
        match self.status {
            200..=299 => Class::Success,
            400..=499 => Class::Refusal,
            _ => Class::Failure,
        }
    }
}

/// Counts from many tasks.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

/// Everything counted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counts {
    pub(crate) arrived: u64,
    /// Arrivals for which nothing could be sent, because too many requests were under way.
    pub(crate) dropped: u64,
    pub(crate) answers: BTreeMap<Kind, u64>,
    /// How often one request was repeated at most.
    pub(crate) repeats_max: u32,
    /// In microseconds.
    pub(crate) latencies: BTreeMap<(Step, Class), Histogram<u64>>,
    /// The last success, and the longest time between two.
    silence: Option<(Instant, Duration)>,
    /// First and last answer of each step.
    pub(crate) spans: BTreeMap<Step, (Instant, Instant)>,
}

impl Tally {
    pub(crate) fn arrived(&self) {
        self.with(|counts| counts.arrived += 1);
    }

    pub(crate) fn dropped(&self) {
        self.with(|counts| counts.dropped += 1);
    }

    /// Counts an answer to a request that had been repeated so often before.
    pub(crate) fn answered(&self, kind: Kind, latency: Duration, repeats: u32) {
        let now = Instant::now();
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.with(|counts| {
            if kind.class() == Class::Success {
                let (last, longest) = counts.silence.unwrap_or((now, Duration::ZERO));
                counts.silence = Some((now, longest.max(now - last)));
            }
            counts.spans.entry(kind.step).or_insert((now, now)).1 = now;
            let latencies = counts.latencies.entry((kind.step, kind.class())).or_insert_with(histogram);
            latencies.saturating_record(microseconds);
            counts.repeats_max = counts.repeats_max.max(repeats);
            *counts.answers.entry(kind).or_default() += 1;
        });
    }

    pub(crate) fn counts(&self) -> Counts {
        self.with(|counts| counts.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Counts) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Counts {
    /// Answers of one step and class.
    pub(crate) fn answers_of(&self, step: Step, class: Class) -> u64 {
        let of_it = |(kind, _): &(&Kind, &u64)| kind.step == step && kind.class() == class;
        self.answers.iter().filter(of_it).map(|(_, times)| times).sum()
    }

    /// The longest time in which no request succeeded, from the first success to the last.
    pub(crate) fn longest_silence(&self) -> Duration {
        self.silence.map_or(Duration::ZERO, |(_, longest)| longest)
    }

    /// Answers of a step a second, from its first to its last.
    pub(crate) fn rate(&self, step: Step) -> f64 {
        let Some((first, last)) = self.spans.get(&step) else { return 0.0 };
        let times: u64 =
            self.answers.iter().filter(|(kind, _)| kind.step == step).map(|(_, times)| times).sum();
        let seconds = last.duration_since(*first).as_secs_f64().max(0.001);
        f64::from(u32::try_from(times).unwrap_or(u32::MAX)) / seconds
    }
}

fn histogram() -> Histogram<u64> {
    // These bounds are constants that the library accepts; a histogram that sizes itself is as good.
    Histogram::new_with_max(LATENCY_US_MAX, SIGNIFICANT_DIGITS)
        .unwrap_or_else(|_| Histogram::new(SIGNIFICANT_DIGITS).unwrap_or_else(|_| unreachable!("3 digits")))
}
