//! Random steps against the real stock and ledger, each compared with a plain model: what is answered, what the figures
//! are, and what becomes of each reservation. Each step is sent once, twice at the same time, or at the same time as
//! another one: then it is as if one of them had been first. What fails is made smaller by `proptest` and printed with its
//! seed.

use jiff::{SignedDuration, Timestamp};
use ledger::{CancelOutcome, ChangeRecordOutcome, ConfirmOutcome, SaleRecord, StoreOutcome};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestCaseResult, TestRng, TestRunner};
use sale::{
    BeginOutcome, Definition, FindOutcome, IdSecret, IdempotencyKey, ReleaseOutcome, Reservation,
    ReservationId, ReservationState as State, ReserveOutcome, ReserveRequest, RestockOutcome, Sale, SaleId,
    SaleState, Sku, WithdrawOutcome,
};
use sentinel::Value;

use crate::expiry::wish;
use crate::shop::{new_sale_id, units};
use crate::steps_model::{KEY_REUSED, LIMIT, Model, Step};
use crate::system::{command, soon};
use crate::takeover_parts::Alone;

const CASES: u32 = 48;
const STEPS: usize = 40;
const STOCK: u32 = 12;
const HOLD_SECONDS: u32 = 60;

/// How a step is sent.
#[derive(Debug, Clone, Copy)]
enum Sent {
    Once,
    Twice,
    Beside(Step),
}

fn sent_step() -> impl Strategy<Value = (Step, Sent)> {
    let sent = prop_oneof![
        4 => Just(Sent::Once),
        3 => Just(Sent::Twice),
        4 => step().prop_map(Sent::Beside),
    ];
    (step(), sent).prop_map(|(step, sent)| match sent {
        Sent::Beside(other) if !may_meet(step, other) => (step, Sent::Once),
        sent => (step, sent),
    })
}

/// Whether two steps happen at the same time. Nobody settles a confirm that may still be under way: it could be given up
/// between two of its steps, which as one step it is not.
const fn may_meet(one: Step, other: Step) -> bool {
    match (one, other) {
        (Step::Settle(one), Step::Confirm(other)) | (Step::Confirm(one), Step::Settle(other)) => one != other,
        _ => true,
    }
}

fn step() -> impl Strategy<Value = Step> {
    let (any_reservation, quantity) = (0..8_u8, 1..=4_u32);
    prop_oneof![
        8 => (0..4_u8, 0..6_u8, quantity.clone())
            .prop_map(|(shopper, key, quantity)| Step::Reserve { shopper, key, quantity }),
        3 => any_reservation.clone().prop_map(Step::Release),
        2 => any_reservation.clone().prop_map(Step::Begin),
        4 => any_reservation.clone().prop_map(Step::Confirm),
        2 => any_reservation.clone().prop_map(Step::Settle),
        2 => any_reservation.prop_map(Step::Cancel),
        1 => (0..3_u8, quantity.clone()).prop_map(|(key, quantity)| Step::Restock { key, quantity }),
        1 => (0..3_u8, quantity).prop_map(|(key, quantity)| Step::Withdraw { key, quantity }),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => Just(Step::Expire),
    ]
}

/// The same steps on the real thing.
struct Real<'a> {
    alone: &'a Alone,
    sale: SaleId,
    secret: IdSecret,
    /// The reservations that were made, in the order in which they were.
    ids: Vec<(ReservationId, u8)>,
}

impl Real<'_> {
    fn request(&self, shopper: u8, key: u8, quantity: u32) -> ReserveRequest {
        let mut request = wish(&self.sale, shopper, quantity);
        let key = IdempotencyKey::parse(&format!("key-{key}")).unwrap();
        request.id = self.secret.reservation(&self.sale, &request.shopper.id, &key);
        request
    }

    /// Does a step, once or twice at the same time: then both are answered alike.
    async fn take(&mut self, step: Step, is_sent_twice: bool) -> String {
        let told = if is_sent_twice {
            let (first, second) = tokio::join!(self.send(step), self.send(step));
            assert_eq!(first, second, "{step:?} at the same time");
            first
        } else {
            self.send(step).await
        };
        self.note(step, &told);
        told
    }

    /// Notes the reservation that a step made, if it did.
    fn note(&mut self, step: Step, told: &str) {
        if let Step::Reserve { shopper, key, quantity } = step {
            let id = self.request(shopper, key, quantity).id;
            if told == "Held" && !self.ids.iter().any(|(known, _)| *known == id) {
                self.ids.push((id, shopper));
            }
        }
    }

    /// Does two steps at the same time; the model after them, one before the other.
    async fn take_both(&mut self, steps: [Step; 2], model: &Model) -> Result<Model, TestCaseError> {
        let [one, other] = steps;
        let (told_one, told_other) = tokio::join!(self.send(one), self.send(other));
        let ids = self.ids.clone();
        let mut faults = Vec::new();
        for order in [[(one, &told_one), (other, &told_other)], [(other, &told_other), (one, &told_one)]] {
            let mut after = model.clone();
            self.ids.clone_from(&ids);
            let mut fault = None;
            for (step, told) in order {
                let expected = after.take(step);
                self.note(step, told);
                // Of what takes several steps the answer may tell of the midst of it, but not whose the key is.
                let is_told = matches!(step, Step::Reserve { .. });
                let is_of_key = (told == KEY_REUSED) != (expected == KEY_REUSED);
                if is_told && *told != expected || is_of_key {
                    fault = Some(format!("{step:?} is answered {told}, not {expected}"));
                }
            }
            match fault.map_or(self.differ_from(&after).await, Some) {
                None => return Ok(after),
                Some(fault) => faults.push(fault),
            }
        }
        Err(TestCaseError::fail(format!("{steps:?} at the same time: {}", faults.join("; or "))))
    }

    /// What is not as in the model, if anything.
    async fn differ_from(&self, model: &Model) -> Option<String> {
        let view = self.alone.stock.view(&self.sale, soon()).await.unwrap().unwrap();
        let sku = &view.skus[0];
        let figures = (sku.available, sku.held, sku.sold, sku.withdrawn, sku.stock);
        let expected = (model.available, model.held, model.sold, model.withdrawn, model.stock());
        if figures != expected {
            return Some(format!("figures {figures:?}, not {expected:?}"));
        }
        let is_paused = view.state == SaleState::Paused;
        if is_paused != model.is_paused {
            return Some(format!("paused {is_paused}, not {}", model.is_paused));
        }
        let mut reservations = Vec::new();
        for (id, shopper) in &self.ids {
            let found = self.find(id, &self.request(*shopper, 0, 1).shopper.id).await;
            reservations.push((found.state, found.units.len()));
        }
        let expected: Vec<_> = model.wishes.iter().map(|wish| (wish.state, wish.quantity as usize)).collect();
        (reservations != expected).then(|| format!("reservations {reservations:?}, not {expected:?}"))
    }

    /// Has more time pass than a hold has.
    async fn pass_time(&self) {
        let sale = format!("{{{}}}", self.sale);
        let Value::Bytes(clock) = command(&self.alone.redis, "HGET", &[&sale, "clock"]).await else {
            panic!("a sale without a clock")
        };
        let clock: i64 = String::from_utf8_lossy(&clock).parse().unwrap();
        let clock = clock.max(Timestamp::now().as_millisecond()) + 1_000 * (i64::from(HOLD_SECONDS) + 1);
        command(&self.alone.redis, "HSET", &[&sale, "clock", &clock.to_string()]).await;
    }

    async fn send(&self, step: Step) -> String {
        let Alone { stock, ledger, .. } = self.alone;
        let (sale, sku) = (&self.sale, &Sku::parse("unit").unwrap());
        match step {
            Step::Reserve { shopper, key, quantity } => {
                let reserved = stock.reserve(&self.request(shopper, key, quantity), soon()).await.unwrap();
                told_of_reserve(reserved.outcome)
            }
            Step::Restock { key, quantity } => {
                let key = IdempotencyKey::parse(&format!("restock-{key}")).unwrap();
                let change = key.change(sale);
                match ledger.record_restock(sale, sku, quantity, &change, soon()).await.unwrap() {
                    ChangeRecordOutcome::Recorded => {}
                    ChangeRecordOutcome::KeyReused => return KEY_REUSED.to_owned(),
                    outcome => panic!("{outcome:?}"),
                }
                ledger.load(stock, sale, soon()).await.unwrap();
                match stock.restock(sale, sku, quantity, &change, None, soon()).await.unwrap() {
                    RestockOutcome::Restocked { stock } => format!("stock {stock}"),
                    outcome => panic!("{outcome:?}"),
                }
            }
            Step::Withdraw { key, quantity } => {
                let key = IdempotencyKey::parse(&format!("withdraw-{key}")).unwrap();
                let change = key.change(sale);
                match ledger.withdraw(stock, sale, sku, quantity, &change, soon()).await.unwrap() {
                    WithdrawOutcome::Withdrawn { units, stock } => {
                        format!("{units} withdrawn, stock {stock}")
                    }
                    WithdrawOutcome::KeyReused => KEY_REUSED.to_owned(),
                    outcome => panic!("{outcome:?}"),
                }
            }
            Step::Pause(is_paused) => {
                loop {
                    let mut record = ledger.sale(sale, soon()).await.unwrap().unwrap();
                    record.sale.version += 1;
                    record.sale.paused = is_paused;
                    if ledger.store_sale(&record, soon()).await.unwrap() == StoreOutcome::Stored {
                        break;
                    }
                }
                ledger.load(stock, sale, soon()).await.unwrap();
                "changed".to_owned()
            }
            Step::Expire => {
                self.pass_time().await;
                stock.expire(sale, 100, soon()).await.unwrap();
                "over".to_owned()
            }
            Step::Release(number)
            | Step::Begin(number)
            | Step::Confirm(number)
            | Step::Settle(number)
            | Step::Cancel(number) => match self.ids.get(usize::from(number)) {
                Some((id, shopper)) => self.send_for(step, id, *shopper).await,
                None => "none".to_owned(),
            },
        }
    }

    /// A step with this reservation.
    async fn send_for(&self, step: Step, id: &ReservationId, shopper: u8) -> String {
        let Alone { stock, ledger, .. } = self.alone;
        let (sale, shopper) = (&self.sale, &self.request(shopper, 0, 1).shopper.id);
        match step {
            Step::Release(_) => match stock.release(sale, id, shopper, soon()).await.unwrap() {
                ReleaseOutcome::Released(..) => "released".to_owned(),
                outcome => format!("{outcome:?}").to_lowercase(),
            },
            Step::Begin(_) => {
                let confirm = ledger::CONFIRM_DEADLINE;
                match stock.begin(sale, id, shopper, None, confirm, soon()).await.unwrap() {
                    BeginOutcome::Begun(_) | BeginOutcome::Resumed(_) => "confirming".to_owned(),
                    BeginOutcome::Ordered(_) => "ordered".to_owned(),
                    outcome => format!("{outcome:?}").to_lowercase(),
                }
            }
            Step::Confirm(_) => match ledger.confirm(stock, sale, id, shopper, None, soon()).await.unwrap() {
                ConfirmOutcome::Confirmed(_) | ConfirmOutcome::AlreadyConfirmed(_) => "ordered".to_owned(),
                outcome => format!("{outcome:?}").to_lowercase(),
            },
            Step::Settle(_) => {
                let found = self.find(id, shopper).await;
                if found.state == State::Confirming {
                    ledger.settle_in_stock(stock, sale, id, soon()).await.unwrap();
                }
                format!("{:?}", self.find(id, shopper).await.state).to_lowercase()
            }
            Step::Cancel(_) => match ledger.cancel(&id.order(), Timestamp::now(), soon()).await.unwrap() {
                CancelOutcome::Cancelled(_) => {
                    ledger.finish_in_stock(stock, sale, id, soon()).await.unwrap();
                    "cancelled".to_owned()
                }
                CancelOutcome::OrderNotFound => "no order".to_owned(),
            },
            step => panic!("{step:?} is not of a reservation"),
        }
    }

    async fn find(&self, id: &ReservationId, shopper: &sale::ShopperId) -> Reservation {
        match self.alone.stock.find(&self.sale, id, shopper, soon()).await.unwrap() {
            FindOutcome::Found(found, _) => found,
            outcome => panic!("{outcome:?}"),
        }
    }
}

fn told_of_reserve(outcome: ReserveOutcome) -> String {
    match outcome {
        ReserveOutcome::Held(held) | ReserveOutcome::Repeated(held) => format!("{:?}", held.state),
        ReserveOutcome::KeyReused => KEY_REUSED.to_owned(),
        ReserveOutcome::Paused => "paused".to_owned(),
        ReserveOutcome::LimitReached { .. } => "limit".to_owned(),
        ReserveOutcome::SoldOut { may_return } => format!("sold out, may return: {may_return}"),
        outcome => panic!("{outcome:?}"),
    }
}

/// One sale, from its opening on, step by step.
async fn run(alone: &Alone, steps: Vec<(Step, Sent)>) -> TestCaseResult {
    let closes_at = Timestamp::now() + SignedDuration::from_hours(24);
    let terms =
        Definition { limit_per_shopper: LIMIT, hold_seconds: HOLD_SECONDS, closes_at, ..units(STOCK) };
    let record = SaleRecord::new(Sale::new(new_sale_id(), terms));
    alone.ledger.create_sale(&record, soon()).await.unwrap();
    alone.ledger.load(&alone.stock, &record.sale.id, soon()).await.unwrap();
    let secret = IdSecret::new(&[7; 32]).unwrap();
    let mut real = Real { alone, sale: record.sale.id, secret, ids: Vec::new() };
    let mut model = Model::of(STOCK);
    for (step, sent) in steps {
        if let Sent::Beside(other) = sent {
            model = Box::pin(real.take_both([step, other], &model)).await?;
            continue;
        }
        let told = Box::pin(real.take(step, matches!(sent, Sent::Twice))).await;
        prop_assert_eq!(&told, &model.take(step), "{:?}, then {:?}", step, model);
        prop_assert_eq!(real.differ_from(&model).await, None, "after {:?}", step);
    }
    Ok(())
}

#[test]
fn random_steps_are_answered_and_counted_as_a_plain_model_does() {
    let seed: [u8; 32] = rand::random();
    println!("seed {seed:?}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let alone = runtime.block_on(Alone::with("steps", units(1)));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let steps = vec(sent_step(), 1..STEPS);
    if let Err(failed) = runner.run(&steps, |steps| runtime.block_on(run(&alone, steps))) {
        panic!("{failed}");
    }
}
