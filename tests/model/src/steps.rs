//! What can happen next.

use crate::dataset::{Record, Unit};
use crate::ledger::{Order, Written};
use crate::protection::Protection;
use crate::purchase::{Promotion, Purchase};
use crate::state::{Answer, Confirm, State, Time};

/// One thing that can happen. Numbers are reservations, unless they are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// A shopper's request runs on the master; also its repeat, or a duplicate of it.
    Reserve(usize),
    /// A replica has it: the shopper gets the hold and its receipt.
    AcknowledgeHold(usize),
    /// A confirm begins, or is repeated.
    BeginConfirm(usize),
    /// A replica has the mark, and the transaction is sent.
    SendTransaction(usize),
    /// A transaction that was sent reaches the ledger, however late.
    Land {
        /// Whose.
        reservation: usize,
        /// Which unit it buys.
        unit: usize,
    },
    /// So does a copy of it, whose answer nobody hears; it may come itself yet.
    LandCopy {
        /// Whose.
        reservation: usize,
        /// Which unit it buys.
        unit: usize,
    },
    /// Redis is told of a committed order.
    Finish(usize),
    /// The process of a confirm dies; what it has sent may land yet.
    Crash(usize),
    /// `expires_at` passes.
    PassExpiry(usize),
    /// No write of a confirm that began before can come any more.
    PassLateness(usize),
    /// The next script frees the units of an expired hold.
    Expire(usize),
    /// The sweep writes the order of an abandoned confirm as one that never will be.
    WriteTombstone(usize),
    /// The sweep tells Redis what became of an abandoned confirm.
    Settle(usize),
    /// The sweep finds a unit that the ledger has sold and Redis has not.
    Reconcile(usize),
    /// A replica gets one more version.
    Replicate(usize),
    /// The master dies, and this replica is promoted; what it lacks is gone.
    FailOver(usize),
    /// All nodes come back with nothing, or with something older.
    LoseHistory,
    /// The takeover reads whether the next unit is sold.
    ReadUnit,
    /// It writes what it has read.
    Seed,
    /// It gives free what was put aside.
    EndQuarantine,
}

impl Purchase {
    pub(crate) fn can(&self, state: &State, step: Step) -> bool {
        let master = state.master();
        let is_serving = master.is_seeded;
        let lag = state.version() - state.replicas[0].min(state.replicas[1]);
        // Beyond that the master refuses writes (min-replicas-max-lag).
        let can_write = is_serving && lag < self.bounds.lag_max;
        let of = |reservation: usize| &state.reservations[reservation];
        match step {
            Step::Reserve(id) => {
                let is_wanted =
                    of(id).acknowledged.is_none() && of(id).reserving.is_none() && of(id).time < Time::Over;
                let is_repeat = matches!(master.records[id], Record::Held(_));
                let is_new = master.records[id] == Record::None
                    && master.counts[self.shopper(id)] < self.bounds.limit
                    && master.units.contains(&Unit::Available);
                is_wanted && can_write && (is_repeat || is_new)
            }
            Step::AcknowledgeHold(id) => of(id).reserving.is_some_and(|version| {
                !self.lacking.has(Protection::HoldAcknowledged) || state.is_replicated(version)
            }),
            Step::BeginConfirm(id) => {
                let is_open =
                    of(id).acknowledged.is_some() && of(id).answer.is_none() && of(id).time < Time::Late;
                is_open && of(id).confirm == Confirm::None && can_write
            }
            Step::SendTransaction(id) => match of(id).confirm {
                Confirm::Marking { version, .. } => {
                    !self.lacking.has(Protection::MarkAcknowledged) || state.is_replicated(version)
                }
                _ => false,
            },
            Step::Land { reservation, unit } => of(reservation).in_flight & (1 << unit) != 0,
            Step::LandCopy { reservation, unit } => {
                of(reservation).in_flight & (1 << unit) != 0 && state.duplicates < self.bounds.duplicates
            }
            Step::Finish(id) => of(id).confirm == Confirm::Finishing && can_write,
            Step::Crash(id) => of(id).confirm != Confirm::None && state.crashes < self.bounds.crashes,
            Step::PassExpiry(id) => of(id).time == Time::Running,
            Step::PassLateness(id) => of(id).time == Time::Over && of(id).confirm == Confirm::None,
            Step::Expire(id) => {
                matches!(master.records[id], Record::Held(_)) && of(id).time >= Time::Over && can_write
            }
            Step::WriteTombstone(id) => {
                Self::is_abandoned(state, id) && state.ledger.orders[id] == Order::None
            }
            Step::Settle(id) => {
                Self::is_abandoned(state, id)
                    && can_write
                    && (state.ledger.orders[id] != Order::None || !self.lacking.has(Protection::Tombstone))
            }
            Step::Reconcile(unit) => {
                let differs = state.ledger.units[unit] && master.units[unit] != Unit::Sold;
                differs && can_write && self.lacking.has(Protection::Reconciliation)
            }
            Step::Replicate(replica) => state.replicas[replica] < state.version(),
            Step::FailOver(replica) => {
                let is_ahead = state.replicas[replica] >= state.replicas[1 - replica];
                let may = is_ahead || self.promotion == Promotion::Any;
                may && is_serving && state.failovers < self.bounds.failovers
            }
            Step::LoseHistory => is_serving && state.breaks < self.bounds.breaks,
            Step::ReadUnit => {
                !is_serving && state.reading.as_ref().is_none_or(|read| read.len() < master.units.len())
            }
            Step::Seed => state.reading.as_ref().is_some_and(|read| read.len() == master.units.len()),
            Step::EndQuarantine => {
                let is_past =
                    state.reservations.iter().all(|one| matches!(one.time, Time::BeforeIssue | Time::Late));
                master.is_in_quarantine && is_past && can_write
            }
        }
    }

    /// A mark that nobody works on any more. What was sent may land yet.
    fn is_abandoned(state: &State, id: usize) -> bool {
        let is_marked = matches!(state.master().records[id], Record::Confirming(_));
        // A process that still works on it has its deadline, which the sweep waits for.
        let is_left = state.reservations[id].confirm == Confirm::None;
        state.master().is_seeded && is_marked && is_left && state.reservations[id].time >= Time::Over
    }

    pub(crate) fn take(&self, state: &mut State, step: Step) {
        match step {
            Step::Reserve(id) => self.reserve(state, id),
            Step::AcknowledgeHold(id) => {
                let version = state.reservations[id].reserving.take().unwrap_or_default();
                if let Record::Held(unit) = state.versions[version].records[id] {
                    state.reservations[id].acknowledged = Some(unit);
                }
            }
            Step::BeginConfirm(id) => self.begin_confirm(state, id),
            Step::SendTransaction(id) => {
                if let Confirm::Marking { unit, began_in_time, .. } = state.reservations[id].confirm {
                    send(state, id, unit, began_in_time);
                }
            }
            Step::Land { reservation, unit } => self.land(state, reservation, unit),
            Step::LandCopy { reservation, unit } => {
                self.write(state, reservation, unit);
                state.duplicates += 1;
            }
            Step::Finish(id) => {
                if let Order::Confirmed(unit) = state.ledger.orders[id] {
                    state.push(|data| data.finish(id, unit));
                }
                state.reservations[id].confirm = Confirm::None;
            }
            Step::Crash(id) => {
                state.reservations[id].confirm = Confirm::None;
                state.crashes += 1;
            }
            Step::PassExpiry(id) => state.reservations[id].time = Time::Over,
            Step::PassLateness(id) => {
                state.reservations[id].time = Time::Late;
                state.reservations[id].in_flight = 0;
            }
            Step::Expire(id) => {
                let shopper = self.shopper(id);
                state.push(|data| data.give_back(id, shopper));
            }
            Step::WriteTombstone(id) => state.ledger.orders[id] = Order::Tombstone,
            Step::Settle(id) => {
                let (order, shopper) = (state.ledger.orders[id], self.shopper(id));
                state.push(|data| match order {
                    Order::Confirmed(unit) => data.finish(id, unit),
                    Order::Tombstone | Order::None => data.give_back(id, shopper),
                });
            }
            Step::Reconcile(unit) => state.push(|data| data.units[unit] = Unit::Sold),
            Step::Replicate(replica) => state.replicas[replica] += 1,
            Step::FailOver(replica) => {
                let has = state.replicas[replica];
                state.versions.truncate(has + 1);
                // The old master comes back as a replica of this one, and so does a replica further ahead.
                state.replicas = [state.replicas[0].min(has), state.replicas[1].min(has)];
                state.disconnect();
                state.failovers += 1;
            }
            Step::LoseHistory => {
                let older = state.versions[0].clone();
                let found = if self.lacking.has(Protection::Fence) { older.empty() } else { older };
                state.versions = vec![found];
                state.replicas = [0, 0];
                state.reading = None;
                state.disconnect();
                state.breaks += 1;
            }
            Step::ReadUnit => {
                let mut read = state.reading.take().unwrap_or_default();
                read.push(state.ledger.units[read.len()]);
                state.reading = Some(read);
            }
            Step::Seed => self.seed(state),
            Step::EndQuarantine => self.end_quarantine(state),
        }
        state.compact();
    }

    fn reserve(&self, state: &mut State, id: usize) {
        let (shopper, limit) = (self.shopper(id), self.bounds.limit);
        if state.master().records[id] == Record::None {
            state.push(|data| {
                data.reserve(id, shopper, limit);
            });
            state.reservations[id].time = Time::Running;
        }
        state.reservations[id].reserving = Some(state.version());
    }

    fn begin_confirm(&self, state: &mut State, id: usize) {
        let in_time = state.reservations[id].time < Time::Over;
        let record = state.master().records[id];
        match record {
            Record::Held(unit) if in_time => {
                state.push(|data| data.records[id] = Record::Confirming(unit));
                let version = state.version();
                state.reservations[id].confirm = Confirm::Marking { version, unit, began_in_time: true };
            }
            Record::Confirming(unit) => {
                let version = state.version();
                state.reservations[id].confirm = Confirm::Marking { version, unit, began_in_time: in_time };
            }
            Record::Ordered => state.answer(id, Answer::Ordered, in_time),
            Record::None if self.confirms_by_receipt(state, id) => {
                let unit = state.reservations[id].acknowledged.unwrap_or_default();
                send(state, id, unit, true);
            }
            Record::Held(_) | Record::Expired | Record::None => state.answer(id, Answer::Refused, in_time),
        }
    }

    fn confirms_by_receipt(&self, state: &State, id: usize) -> bool {
        let is_valid = state.reservations[id].time < Time::Over && self.lacking.has(Protection::Receipt);
        is_valid && state.master().is_in_quarantine
    }

    fn write(&self, state: &mut State, id: usize, unit: usize) -> Written {
        state.ledger.write(&self.lacking, id, self.shopper(id), unit, self.bounds.limit)
    }

    fn land(&self, state: &mut State, id: usize, unit: usize) {
        state.reservations[id].in_flight &= !(1 << unit);
        let written = self.write(state, id, unit);
        let Confirm::Writing { unit: awaited, began_in_time } = state.reservations[id].confirm else {
            return;
        };
        if awaited != unit {
            return;
        }
        match written {
            Written::Ordered => {
                state.answer(id, Answer::Ordered, began_in_time);
                state.reservations[id].confirm = Confirm::Finishing;
            }
            Written::NeverWillBe | Written::LimitReached => {
                state.answer(id, Answer::Refused, began_in_time);
            }
            Written::UnitTaken if !state.master().is_seeded => {
                // 503, and the same request again.
                state.reservations[id].confirm = Confirm::None;
            }
            Written::UnitTaken => {
                let mut other = None;
                state.push(|data| other = data.exchange(id, unit));
                match other {
                    Some(unit) => {
                        let version = state.version();
                        state.reservations[id].confirm = Confirm::Marking { version, unit, began_in_time };
                    }
                    None => state.answer(id, Answer::Refused, began_in_time),
                }
            }
        }
    }

    /// What was put aside and is not sold after all becomes available. What landed since the first reading is
    /// known by the second.
    fn end_quarantine(&self, state: &mut State) {
        let again = self.lacking.has(Protection::SecondReading).then(|| state.ledger.clone());
        state.push(|data| {
            for (number, unit) in data.units.iter_mut().enumerate() {
                if *unit == Unit::Quarantined {
                    let is_sold = again.as_ref().is_some_and(|ledger| ledger.units[number]);
                    *unit = if is_sold { Unit::Sold } else { Unit::Available };
                }
            }
            if let Some(ledger) = again {
                data.counts = ledger.counts;
                for (id, record) in data.records.iter().enumerate() {
                    let is_kept = matches!(record, Record::Held(_) | Record::Confirming(_));
                    let is_counted = matches!(ledger.orders[id], Order::Confirmed(_));
                    data.counts[self.shopper(id)] += u8::from(is_kept && !is_counted);
                }
            }
            data.is_in_quarantine = false;
        });
    }

    /// What the takeover has read becomes the dataset.
    fn seed(&self, state: &mut State) {
        let sold = state.reading.take().unwrap_or_default();
        let unsold =
            if self.lacking.has(Protection::Quarantine) { Unit::Quarantined } else { Unit::Available };
        let counts = state.ledger.counts.clone();
        state.push(|data| {
            data.units = sold.iter().map(|sold| if *sold { Unit::Sold } else { unsold }).collect();
            data.counts = counts;
            data.is_seeded = true;
            data.is_in_quarantine = true;
        });
    }
}

fn send(state: &mut State, id: usize, unit: usize, began_in_time: bool) {
    let reservation = &mut state.reservations[id];
    reservation.in_flight |= 1 << unit;
    reservation.confirm = Confirm::Writing { unit, began_in_time };
}
