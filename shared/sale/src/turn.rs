//! Turn: whose turn it is by a ticket.

use std::time::Duration;

use sentinel::{Deadline, Script};

use crate::answer::{Fields, Malformed};
use crate::script::queue_script;
use crate::{Draw, Seed, Stock, StockError, Ticket};

static TURN: Script = queue_script!("turn.lua");

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The ticket is a lot, and the draw is still to come.
    Lot,
    /// Not yet.
    Waiting {
        /// The place.
        place: u64,
        /// Places that come before.
        ahead: u64,
    },
    /// Now.
    Served {
        /// The place.
        place: u64,
        /// What is left of the turn, in serving time.
        left: Duration,
    },
    /// Not any more: its time is over.
    Passed {
        /// The place.
        place: u64,
    },
    /// Not any more: what was held by it was given back, or its time was over.
    Used {
        /// The place.
        place: u64,
    },
}

/// What became of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnOutcome {
    /// Whose turn it is.
    Turn(Turn),
    /// The sale has no waiting room.
    NoRoom,
    /// No such sale.
    SaleNotFound,
}

impl Stock {
    /// Whose turn it is by this ticket. Changes nothing.
    pub async fn turn(&self, ticket: &Ticket, deadline: Deadline) -> Result<TurnOutcome, StockError> {
        loop {
            let script = self.invocation(&TURN, &ticket.sale).arg(ticket.shopper.as_bytes());
            let script = ticket.add_to(script, self.draws.get(&ticket.sale));
            let mut answer = self.look(script, deadline).await?;
            let fields = &mut answer.fields;
            let turn = match answer.word.as_str() {
                "DRAW" => {
                    self.draws.learn(&ticket.sale, Draw::read(fields)?);
                    continue;
                }
                "LOT" => Turn::Lot,
                "WAITING" => Turn::Waiting { place: fields.number()?, ahead: fields.number()? },
                "SERVED" => {
                    Turn::Served { place: fields.number()?, left: Duration::from_millis(fields.number()?) }
                }
                "PASSED" => Turn::Passed { place: fields.number()? },
                "USED" => Turn::Used { place: fields.number()? },
                "NO_ROOM" => return Ok(TurnOutcome::NoRoom),
                "SALE_NOT_FOUND" => return Ok(TurnOutcome::SaleNotFound),
                _ => return Err(StockError::unknown_word(answer.word)),
            };
            return Ok(TurnOutcome::Turn(turn));
        }
    }
}

impl Draw {
    /// What a script says of a draw: size and seed.
    pub(crate) fn read(fields: &mut Fields) -> Result<Self, Malformed> {
        let lobby = fields.number()?;
        let seed = Seed::parse(&fields.text()?).map_err(|_| Malformed("a seed"))?;
        Ok(Self { lobby, seed })
    }
}
