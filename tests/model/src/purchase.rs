//! The model: where it begins, how far it goes, and what must always hold.

use stateright::{Model, Property};

use crate::dataset::{Dataset, Unit};
use crate::ledger::{Ledger, Order};
use crate::protection::{Lacking, Protection};
use crate::state::{Answer, Confirm, Reservation, State, Time};
use crate::steps::Step;

/// What must hold, as the documentation counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// P1.
    NeverOversold,
    /// P2.
    OrderKept,
    /// P3.
    HoldKept,
    /// P4.
    NeverUndersold,
    /// P5.
    LimitKept,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::NeverOversold, Self::OrderKept, Self::HoldKept, Self::NeverUndersold, Self::LimitKept];

    /// The name of its property.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NeverOversold => "P1 never oversold",
            Self::OrderKept => "P2 an acknowledged order is never lost",
            Self::HoldKept => "P3 an acknowledged hold is kept",
            Self::NeverUndersold => "P4 never undersold",
            Self::LimitKept => "P5 limit per shopper",
        }
    }
}

/// How far a check goes.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Units of the one SKU.
    pub units: usize,
    /// The shopper of each reservation, from 0.
    pub shoppers: Vec<usize>,
    /// Units per shopper.
    pub limit: u8,
    /// Versions by which the slower replica may lag.
    pub lag_max: usize,
    /// Failovers in one history.
    pub failovers: u8,
    /// Losses of the history, such as by a restart of all nodes.
    pub breaks: u8,
    /// Deaths of a confirm's process.
    pub crashes: u8,
    /// Transactions that reach the ledger twice.
    pub duplicates: u8,
}

/// Whom Sentinel promotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promotion {
    /// The replica that is further ahead, as it does when the master has died.
    FurtherAhead,
    /// Any, as a manual failover can.
    Any,
}

/// A purchase by a few shoppers.
#[derive(Debug, Clone)]
pub struct Purchase {
    /// How far it goes.
    pub bounds: Bounds,
    /// Whom Sentinel promotes.
    pub promotion: Promotion,
    /// What is taken away.
    pub lacking: Lacking,
}

impl Bounds {
    /// Two shoppers and one unit.
    #[must_use]
    pub fn one_unit() -> Self {
        Self {
            units: 1,
            shoppers: vec![0, 1],
            limit: 1,
            lag_max: 2,
            failovers: 1,
            breaks: 1,
            crashes: 1,
            duplicates: 1,
        }
    }

    /// Two shoppers and two units, so that a unit that is somebody else's can be exchanged.
    #[must_use]
    pub fn two_units() -> Self {
        Self { units: 2, duplicates: 0, ..Self::one_unit() }
    }

    /// One shopper with two reservations, of which one is within the limit.
    #[must_use]
    pub fn two_wishes() -> Self {
        Self { shoppers: vec![0, 0], ..Self::two_units() }
    }

    /// Two shoppers with three reservations for one unit, without the loss of all nodes.
    #[must_use]
    pub fn three_wishes() -> Self {
        Self { shoppers: vec![0, 0, 1], breaks: 0, duplicates: 0, ..Self::one_unit() }
    }
}

impl Purchase {
    /// With every protection, as Sentinel promotes by itself.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, promotion: Promotion::FurtherAhead, lacking: Lacking::default() }
    }

    /// Without these protections.
    #[must_use]
    pub fn without(bounds: Bounds, protections: &[Protection]) -> Self {
        Self { lacking: Lacking::these(protections), ..Self::new(bounds) }
    }

    pub(crate) fn shopper(&self, reservation: usize) -> usize {
        self.bounds.shoppers[reservation]
    }

    fn shoppers(&self) -> usize {
        self.bounds.shoppers.iter().max().map_or(0, |last| last + 1)
    }
}

impl Model for Purchase {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let Bounds { units, shoppers, .. } = &self.bounds;
        let reservation = Reservation {
            time: Time::BeforeIssue,
            reserving: None,
            acknowledged: None,
            confirm: Confirm::None,
            in_flight: 0,
            answer: None,
            is_broken: false,
        };
        vec![State {
            versions: vec![Dataset::new(*units, shoppers.len(), self.shoppers())],
            replicas: [0, 0],
            ledger: Ledger::new(*units, shoppers.len(), self.shoppers()),
            reservations: vec![reservation; shoppers.len()],
            reading: None,
            failovers: 0,
            breaks: 0,
            crashes: 0,
            duplicates: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        let (units, reservations) = (self.bounds.units, self.bounds.shoppers.len());
        let of_one = [
            Step::Reserve,
            Step::AcknowledgeHold,
            Step::BeginConfirm,
            Step::SendTransaction,
            Step::Finish,
            Step::Crash,
            Step::PassExpiry,
            Step::PassLateness,
            Step::Expire,
            Step::WriteTombstone,
            Step::Settle,
        ];
        let of_reservations = (0..reservations).flat_map(|id| of_one.map(|step| step(id)));
        let sent = (0..reservations).flat_map(|id| (0..units).map(move |unit| (id, unit)));
        let landing = sent.flat_map(|(reservation, unit)| {
            [Step::Land { reservation, unit }, Step::LandCopy { reservation, unit }]
        });
        let of_nodes = [0, 1].into_iter().flat_map(|node| [Step::Replicate(node), Step::FailOver(node)]);
        let of_units = (0..units).map(Step::Reconcile);
        let of_all = [Step::LoseHistory, Step::ReadUnit, Step::Seed, Step::EndQuarantine];
        let all = of_reservations.chain(landing).chain(of_nodes).chain(of_units).chain(of_all);
        actions.extend(all.filter(|step| self.can(state, *step)));
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        self.take(&mut next, step);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(Promise::NeverOversold.name(), |_, state: &State| {
                let mut sold = vec![0_u8; state.ledger.units.len()];
                for order in &state.ledger.orders {
                    if let Order::Confirmed(unit) = order {
                        sold[*unit] += 1;
                    }
                }
                sold.iter().all(|orders| *orders <= 1)
            }),
            Property::always(Promise::OrderKept.name(), |_, state: &State| {
                state.reservations.iter().zip(&state.ledger.orders).all(|(reservation, order)| {
                    reservation.answer != Some(Answer::Ordered) || matches!(order, Order::Confirmed(_))
                })
            }),
            Property::always(Promise::HoldKept.name(), |_, state: &State| {
                !state.reservations.iter().any(|reservation| reservation.is_broken)
            }),
            Property::always(Promise::NeverUndersold.name(), |model: &Self, state: &State| {
                let mut next = Vec::new();
                model.actions(state, &mut next);
                let units = state.master().units.iter().zip(&state.ledger.units);
                !next.is_empty()
                    || units
                        .into_iter()
                        .all(|(unit, is_sold)| *unit == if *is_sold { Unit::Sold } else { Unit::Available })
            }),
            Property::always(Promise::LimitKept.name(), |model: &Self, state: &State| {
                let mut counts = vec![0_u8; model.shoppers()];
                for (id, order) in state.ledger.orders.iter().enumerate() {
                    counts[model.shopper(id)] += u8::from(matches!(order, Order::Confirmed(_)));
                }
                counts.iter().all(|count| *count <= model.bounds.limit)
            }),
            Property::sometimes("something is sold", |_, state: &State| state.ledger.units.contains(&true)),
        ]
    }
}
