//! The figures of a rush: a table for people, JSON for programs.

use std::fmt::Write;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::arrivals::Plan;
use crate::rush::Rush;
use crate::table::{Table, grouped};
use crate::tally::{Class, Counts, Kind, Step};

/// What a rush counted, for `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct Figures<'a> {
    sale: &'a str,
    plan: &'a Plan,
    stock: u32,
    arrived: u64,
    dropped: u64,
    answers: Vec<Answers>,
    latencies: Vec<Latencies>,
    reserves_per_second: f64,
    confirms_per_second: f64,
    orders: usize,
    sold: u64,
    held: u64,
    available: u64,
    /// What one reservation takes in Redis: a hold, or the record of an order.
    redis_bytes_per_reservation: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<QueueFigures>,
    broken_promises: Vec<String>,
}

/// The waiting room.
#[derive(Debug, Serialize)]
struct QueueFigures {
    places: u64,
    /// How many of them are of the lobby, and were drawn.
    lobby: u64,
    turns_used: u64,
    turns_passed: u64,
    redis_bytes: u64,
    status_requests: u64,
    displacement_max: usize,
}

#[derive(Debug, Serialize)]
struct Answers {
    step: &'static str,
    status: u16,
    slug: String,
    times: u64,
}

/// Milliseconds, from the instant at which a request was due.
#[derive(Debug, Serialize)]
struct Latencies {
    step: &'static str,
    class: &'static str,
    count: u64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    max_ms: f64,
}

impl<'a> Figures<'a> {
    pub(crate) fn of(rush: &'a Rush) -> Self {
        let counts = &rush.counts;
        let sum = |of: fn(&sale::SkuView) -> u32| rush.report.skus.iter().map(|sku| u64::from(of(sku))).sum();
        Self {
            sale: rush.sale.as_str(),
            plan: &rush.plan,
            stock: rush.stock,
            arrived: counts.arrived,
            dropped: counts.dropped,
            answers: counts.answers.iter().map(|(kind, times)| Answers::of(kind, *times)).collect(),
            latencies: counts.latencies.iter().map(|(key, times)| Latencies::of(*key, times)).collect(),
            reserves_per_second: counts.rate(Step::Reserve),
            confirms_per_second: counts.rate(Step::Confirm),
            orders: rush.orders_confirmed(),
            sold: sum(|sku| sku.sold),
            held: sum(|sku| sku.held),
            available: sum(|sku| sku.available),
            redis_bytes_per_reservation: bytes_per_reservation(rush),
            queue: rush.queue.as_ref().map(|queue| QueueFigures {
                places: queue.report.room.last_place,
                lobby: queue.report.room.lobby,
                turns_used: queue.report.turns_used,
                turns_passed: queue.report.turns_passed,
                redis_bytes: queue.bytes,
                status_requests: queue.polls,
                displacement_max: queue.displacement,
            }),
            broken_promises: rush.broken_promises(),
        }
    }
}

impl QueueFigures {
    fn words(&self) -> String {
        format!(
            "  waiting room: {} places given, {} by lot; {} turns used, {} passed; it took {} bytes of Redis at most\n  \
             one who asked for all has asked for the status {} times; units were held in the order of places, \
             each within {} places of its own\n",
            grouped(self.places),
            grouped(self.lobby),
            grouped(self.turns_used),
            grouped(self.turns_passed),
            grouped(self.redis_bytes),
            grouped(self.status_requests),
            self.displacement_max,
        )
    }
}

fn bytes_per_reservation(rush: &Rush) -> u64 {
    let reservations = rush.report.skus.iter().map(|sku| u64::from(sku.held + sku.sold)).sum::<u64>();
    rush.memory.1.saturating_sub(rush.memory.0).checked_div(reservations).unwrap_or(0)
}

impl Answers {
    fn of(kind: &Kind, times: u64) -> Self {
        Self { step: kind.step.as_str(), status: kind.status, slug: kind.slug.clone(), times }
    }

    fn words(&self) -> String {
        match (self.status, self.slug.as_str()) {
            (201, _) => "201 new".to_owned(),
            (200, _) => "200 again".to_owned(),
            (0, slug) => slug.to_owned(),
            (status, slug) => format!("{status} {slug}"),
        }
    }
}

impl Latencies {
    fn of((step, class): (Step, Class), times: &Histogram<u64>) -> Self {
        let ms = |microseconds: u64| f64::from(u32::try_from(microseconds).unwrap_or(u32::MAX)) / 1_000.0;
        let at = |quantile| ms(times.value_at_quantile(quantile));
        Self {
            step: step.as_str(),
            class: class.as_str(),
            count: times.len(),
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: ms(times.max()),
        }
    }
}

/// One line while the crowd is under way.
pub(crate) fn progress(counts: &Counts) -> String {
    let of = |step, class| grouped(counts.answers_of(step, class));
    let failures =
        counts.answers_of(Step::Reserve, Class::Failure) + counts.answers_of(Step::Confirm, Class::Failure);
    let tickets = match counts.answers_of(Step::Ticket, Class::Success) {
        0 => String::new(),
        tickets => format!("{} tickets, ", grouped(tickets)),
    };
    format!(
        "{tickets}{} held, {} refused, {} ordered, {} failures, {} dropped",
        of(Step::Reserve, Class::Success),
        of(Step::Reserve, Class::Refusal),
        of(Step::Confirm, Class::Success),
        grouped(failures),
        grouped(counts.dropped)
    )
}

/// The whole table.
pub(crate) fn figures(rush: &Rush) -> String {
    let figures = Figures::of(rush);
    let Plan { shoppers, rate, repeat, seed, .. } = &rush.plan;
    let mut text = format!(
        "{}: {} shoppers at {rate} a second, stock {}, {:.0} % send everything twice, seed {seed}\n\n",
        figures.sale,
        grouped(u64::from(*shoppers)),
        grouped(u64::from(rush.stock)),
        repeat * 100.0
    );
    let mut answers = Table::new(["step", "answer", "times"]);
    for answer in &figures.answers {
        answers.row([answer.step.to_owned(), answer.words(), grouped(answer.times)]);
    }
    let mut latencies = Table::new(["latency in ms", "of", "count", "p50", "p90", "p99", "p99.9", "max"]);
    for l in &figures.latencies {
        let [p50, p90, p99, p999, max] =
            [l.p50_ms, l.p90_ms, l.p99_ms, l.p999_ms, l.max_ms].map(|ms| format!("{ms:.1}"));
        latencies.row([l.step.to_owned(), l.class.to_owned(), grouped(l.count), p50, p90, p99, p999, max]);
    }
    // Writing into a text does not fail.
    let _ = write!(
        text,
        "{answers}\n{latencies}\n  {:.0} reserves a second, {:.0} confirms a second, {} arrivals dropped\n  \
         ledger: {} orders; Redis: {} sold, {} held, {} available of {}\n  \
         Redis keeps {} bytes per reservation\n{}\n",
        figures.reserves_per_second,
        figures.confirms_per_second,
        grouped(figures.dropped),
        grouped(figures.orders as u64),
        grouped(figures.sold),
        grouped(figures.held),
        grouped(figures.available),
        grouped(u64::from(rush.stock)),
        figures.redis_bytes_per_reservation,
        figures.queue.as_ref().map(QueueFigures::words).unwrap_or_default(),
    );
    if figures.broken_promises.is_empty() {
        text.push_str(
            "Every promise was kept: nothing oversold, no order lost, each hold kept, all figures add up.",
        );
    } else {
        text.push_str("BROKEN PROMISES\n  ");
        text.push_str(&figures.broken_promises.join("\n  "));
    }
    text
}
