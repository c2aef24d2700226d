//! `cargo spillway sale export`: the orders and the journal of a sale as files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use api::{JournalEntryAnswer, OrderAnswer};
use clap::ValueEnum;
use sale::SaleId;
use serde::Serialize;

use crate::layout::make_folder;
use crate::merchant::Merchant;
use crate::replay_command::read_journal;
use crate::sale_command::read_orders;
use crate::sale_print::serials;

/// How the files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line of headings, then one line each; serials are separated by spaces.
    Csv,
    /// The API's JSON, one object a line.
    Ndjson,
}

/// What was written.
#[derive(Debug, Serialize)]
pub(crate) struct Exported {
    orders: Written,
    journal: Written,
}

#[derive(Debug, Serialize)]
struct Written {
    file: PathBuf,
    lines: u64,
}

/// One line of a file.
trait Line: Serialize {
    const HEADINGS: &'static [&'static str];

    fn cells(&self) -> Vec<String>;
}

impl Line for OrderAnswer {
    const HEADINGS: &'static [&'static str] = &[
        "id",
        "reservation_id",
        "sku",
        "quantity",
        "units",
        "state",
        "price_minor",
        "total_minor",
        "currency",
        "confirmed_at",
        "cancelled_at",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.reservation_id.to_string(),
            self.sku.to_string(),
            self.quantity.to_string(),
            serials(&self.units, " "),
            self.state.as_str().to_owned(),
            self.price_minor.to_string(),
            self.total_minor.to_string(),
            self.currency.clone(),
            self.confirmed_at.to_string(),
            self.cancelled_at.map_or_else(String::new, |at| at.to_string()),
        ]
    }
}

impl Line for JournalEntryAnswer {
    const HEADINGS: &'static [&'static str] = &[
        "id",
        "at",
        "epoch",
        "number",
        "sku",
        "change",
        "from",
        "to",
        "quantity",
        "units",
        "reservation_id",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.at.to_string(),
            self.epoch.to_string(),
            self.number.to_string(),
            self.sku.to_string(),
            self.change.as_str().to_owned(),
            self.from.as_str().to_owned(),
            self.to.as_str().to_owned(),
            self.quantity.to_string(),
            serials(&self.units, " "),
            self.reservation_id.map_or_else(String::new, |id| id.to_string()),
        ]
    }
}

/// Writes both files into this folder.
pub(crate) async fn export(
    merchant: &Merchant,
    sale: &SaleId,
    folder: &Path,
    format: Format,
) -> Result<Exported> {
    make_folder(folder)?;
    let mut orders = LineWriter::create::<OrderAnswer>(folder, "orders", format)?;
    read_orders(merchant, sale, |order| orders.write(order)).await?;
    let orders = orders.finish()?;
    let mut journal = LineWriter::create::<JournalEntryAnswer>(folder, "journal", format)?;
    read_journal(merchant, sale, &mut None, |entry| journal.write(&entry)).await?;
    Ok(Exported { orders, journal: journal.finish()? })
}

/// What was written, in words.
pub(crate) fn words(Exported { orders, journal }: &Exported) -> String {
    let line = |written: &Written, what| format!("{}: {} {what}", written.file.display(), written.lines);
    format!("{}\n{}", line(orders, "orders"), line(journal, "entries"))
}

/// A file that is there as a whole or not at all.
struct LineWriter {
    file: PathBuf,
    unfinished: PathBuf,
    sink: Sink,
    lines: u64,
}

enum Sink {
    Csv(Box<csv::Writer<File>>),
    Ndjson(BufWriter<File>),
}

impl LineWriter {
    fn create<L: Line>(folder: &Path, name: &str, format: Format) -> Result<Self> {
        let ending = match format {
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
        };
        let file = folder.join(format!("{name}.{ending}"));
        let unfinished = file.with_extension("unfinished");
        let opened = File::create(&unfinished).with_context(|| cannot(&unfinished))?;
        let sink = match format {
            Format::Csv => {
                let mut sink = csv::Writer::from_writer(opened);
                sink.write_record(L::HEADINGS)?;
                Sink::Csv(Box::new(sink))
            }
            Format::Ndjson => Sink::Ndjson(BufWriter::new(opened)),
        };
        Ok(Self { file, unfinished, sink, lines: 0 })
    }

    fn write<L: Line>(&mut self, line: &L) -> Result<()> {
        match &mut self.sink {
            Sink::Csv(sink) => sink.write_record(line.cells())?,
            Sink::Ndjson(sink) => {
                serde_json::to_writer(&mut *sink, line)?;
                sink.write_all(b"\n")?;
            }
        }
        self.lines += 1;
        Ok(())
    }

    fn finish(self) -> Result<Written> {
        let Self { file, unfinished, sink, lines } = self;
        match sink {
            Sink::Csv(mut sink) => sink.flush(),
            Sink::Ndjson(mut sink) => sink.flush(),
        }
        .with_context(|| cannot(&unfinished))?;
        std::fs::rename(&unfinished, &file).with_context(|| cannot(&file))?;
        Ok(Written { file, lines })
    }
}

fn cannot(file: &Path) -> String {
    format!("cannot write {}", file.display())
}
