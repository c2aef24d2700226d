//! A sale as arithmetic: what each step is answered, and what is left, held and sold then.

use std::collections::BTreeMap;

use sale::ReservationState as State;

/// What a step is answered whose key has been used for something else.
pub(crate) const KEY_REUSED: &str = "key reused";

/// Units that one shopper may have.
pub(crate) const LIMIT: u32 = 4;

/// What somebody does. Keys and shoppers are few, so that they meet.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Reserve {
        shopper: u8,
        key: u8,
        quantity: u32,
    },
    Release(u8),
    /// A confirm that dies after its first step.
    Begin(u8),
    Confirm(u8),
    /// What the sweep does with a confirm that nobody repeats.
    Settle(u8),
    Cancel(u8),
    /// The time of every hold is over.
    Expire,
    Restock {
        key: u8,
        quantity: u32,
    },
    Withdraw {
        key: u8,
        quantity: u32,
    },
    Pause(bool),
}

/// A reservation in the model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    shopper: u8,
    key: u8,
    pub(crate) quantity: u32,
    pub(crate) state: State,
}

/// What the sale is, by arithmetic alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) available: u32,
    pub(crate) held: u32,
    pub(crate) sold: u32,
    pub(crate) withdrawn: u32,
    pub(crate) is_paused: bool,
    /// The reservations that were made, in the order in which they were.
    pub(crate) wishes: Vec<Wish>,
    /// Changes of stock by key: whether a restock, how many were asked for, how many it was.
    changes: BTreeMap<(bool, u8), (u32, u32)>,
}

impl Model {
    /// A sale that has just opened.
    pub(crate) fn of(stock: u32) -> Self {
        Self { available: stock, ..Self::default() }
    }

    /// What a step is answered, in one word.
    pub(crate) fn take(&mut self, step: Step) -> String {
        match step {
            Step::Reserve { shopper, key, quantity } => self.reserve(shopper, key, quantity),
            Step::Release(number) => self.end(number, "released", State::Released, &[State::Held]),
            Step::Begin(number) => self.begin(number),
            Step::Confirm(number) => self.confirm(number),
            Step::Settle(number) => self.settle(number),
            Step::Cancel(number) => self.cancel(number),
            Step::Expire => self.expire(),
            Step::Restock { key, quantity } => self.restock(key, quantity),
            Step::Withdraw { key, quantity } => self.withdraw(key, quantity),
            Step::Pause(is_paused) => {
                self.is_paused = is_paused;
                "changed".to_owned()
            }
        }
    }

    fn reserve(&mut self, shopper: u8, key: u8, quantity: u32) -> String {
        let is_same = |wish: &&Wish| wish.shopper == shopper && wish.key == key;
        if let Some(known) = self.wishes.iter().find(is_same) {
            let is_repeat = known.quantity == quantity;
            return if is_repeat { format!("{:?}", known.state) } else { KEY_REUSED.to_owned() };
        }
        if self.is_paused {
            return "paused".to_owned();
        }
        let counts = |wish: &&Wish| {
            wish.shopper == shopper && matches!(wish.state, State::Held | State::Confirming | State::Ordered)
        };
        let counted: u32 = self.wishes.iter().filter(counts).map(|wish| wish.quantity).sum();
        if counted + quantity > LIMIT {
            return "limit".to_owned();
        }
        if self.available < quantity {
            return format!("sold out, may return: {}", self.held > 0);
        }
        self.available -= quantity;
        self.held += quantity;
        self.wishes.push(Wish { shopper, key, quantity, state: State::Held });
        format!("{:?}", State::Held)
    }

    /// The state in which a reservation is, or ends up where it was in one of these.
    fn end(&mut self, number: u8, word: &str, end: State, from: &[State]) -> String {
        let Some(wish) = self.wishes.get_mut(usize::from(number)) else { return "none".to_owned() };
        if !from.contains(&wish.state) {
            return format!("{:?}", wish.state).to_lowercase();
        }
        wish.state = end;
        self.held -= wish.quantity;
        self.available += wish.quantity;
        word.to_owned()
    }

    fn begin(&mut self, number: u8) -> String {
        let Some(wish) = self.wishes.get_mut(usize::from(number)) else { return "none".to_owned() };
        if wish.state == State::Held {
            wish.state = State::Confirming;
        }
        format!("{:?}", wish.state).to_lowercase()
    }

    fn confirm(&mut self, number: u8) -> String {
        let Some(wish) = self.wishes.get_mut(usize::from(number)) else { return "none".to_owned() };
        if matches!(wish.state, State::Held | State::Confirming) {
            wish.state = State::Ordered;
            self.held -= wish.quantity;
            self.sold += wish.quantity;
        }
        format!("{:?}", wish.state).to_lowercase()
    }

    fn settle(&mut self, number: u8) -> String {
        // Nobody settles a hold whose confirm has not begun.
        match self.wishes.get(usize::from(number)).map(|wish| wish.state) {
            Some(State::Held) => "held".to_owned(),
            _ => self.end(number, "expired", State::Expired, &[State::Confirming]),
        }
    }

    fn cancel(&mut self, number: u8) -> String {
        let Some(wish) = self.wishes.get_mut(usize::from(number)) else { return "none".to_owned() };
        if wish.state == State::Ordered {
            wish.state = State::Cancelled;
            self.sold -= wish.quantity;
            self.available += wish.quantity;
        }
        if wish.state == State::Cancelled { "cancelled" } else { "no order" }.to_owned()
    }

    /// A confirm that has begun keeps its units.
    fn expire(&mut self) -> String {
        for wish in self.wishes.iter_mut().filter(|wish| wish.state == State::Held) {
            wish.state = State::Expired;
            self.held -= wish.quantity;
            self.available += wish.quantity;
        }
        "over".to_owned()
    }

    fn restock(&mut self, key: u8, quantity: u32) -> String {
        match self.changes.get(&(true, key)) {
            Some((asked, _)) if *asked != quantity => return KEY_REUSED.to_owned(),
            Some(_) => {}
            None => {
                self.available += quantity;
                self.withdrawn = self.withdrawn.saturating_sub(quantity);
                self.changes.insert((true, key), (quantity, quantity));
            }
        }
        format!("stock {}", self.stock())
    }

    fn withdraw(&mut self, key: u8, quantity: u32) -> String {
        let done = match self.changes.get(&(false, key)) {
            Some((asked, _)) if *asked != quantity => return KEY_REUSED.to_owned(),
            Some((_, done)) => *done,
            None => {
                let done = quantity.min(self.available);
                self.available -= done;
                self.withdrawn += done;
                self.changes.insert((false, key), (quantity, done));
                done
            }
        };
        format!("{done} withdrawn, stock {}", self.stock())
    }

    pub(crate) fn stock(&self) -> u32 {
        self.available + self.held + self.sold
    }
}
