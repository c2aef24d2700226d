//! What the functions are asked in their first request, and the same asked from here: in a process that has
//! long started, but over new connections, so that what remains of the first is the start's own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use data_encoding::BASE64;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ledger::{ConfirmOutcome, Ledger};
use sale::{
    Deadline, Definition, IdSecret, IdempotencyKey, RateLimit, ReservationId, ReserveOutcome, ReserveRequest,
    SaleId, Shopper, ShopperKind, Sku, Stock, WaitingRoom,
};
use sentinel::Client;
use serde_json::{Value, json};
use spillway::{ExtraFunction, Merchant, OPERATOR, Running};

use crate::runtime::event;
use crate::terms::units;

const DEADLINE: Duration = Duration::from_secs(4);
const RATE_LIMIT: RateLimit = RateLimit { quota: 10, window: Duration::from_secs(10) };

/// A sale of which each round buys two units, and one with a waiting room that it joins twice.
pub(crate) struct Market {
    running: Running,
    sale: SaleId,
    sale_with_room: SaleId,
    ids: IdSecret,
}

/// Times of the round trips of one round.
#[derive(Debug)]
pub(crate) struct Trips {
    pub(crate) view: Duration,
    pub(crate) join: Duration,
    pub(crate) reserve: Duration,
    pub(crate) confirm: Duration,
    pub(crate) show: Duration,
}

impl Market {
    pub(crate) async fn open(running: Running, stock: u32) -> Result<Self> {
        let admin = ExtraFunction::start(&running, "admin", &[])?;
        let sale = SaleId::parse("cold-start")?;
        let at_admin = Running { url: admin.origin.clone(), ..running.clone() };
        let merchant = Merchant::new(&at_admin)?;
        merchant.define(&sale, &units(stock)).await?;
        let sale_with_room = SaleId::parse("cold-start-with-room")?;
        let room = WaitingRoom { lobby_opens_at: None, rate_per_minute: 60, turn_seconds: 60 };
        let terms = Definition { waiting_room: Some(room), ..units(stock) };
        merchant.define(&sale_with_room, &terms).await?;
        let ids = IdSecret::new(&BASE64.decode(running.id_secret.as_bytes())?)?;
        Ok(Self { running, sale, sale_with_room, ids })
    }

    /// The settings of every function here.
    pub(crate) fn settings(&self) -> Result<Vec<(String, String)>> {
        let text = std::fs::read_to_string(&self.running.functions_env)?;
        let setting = |line: &str| {
            let (name, value) = line.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('"').to_owned()))
        };
        text.lines().map(|line| setting(line).with_context(|| format!("not a setting: {line}"))).collect()
    }

    pub(crate) fn open_session(&self) -> Value {
        event("POST", "/sessions", &[("origin", &self.running.url)], "")
    }

    pub(crate) fn status(&self) -> Value {
        event("GET", &format!("/sales/{}/status", self.sale), &[], "")
    }

    pub(crate) fn show(&self) -> Value {
        let token = format!("Bearer {}", self.running.admin_token);
        event("GET", &format!("/admin/sales/{}", self.sale), &[("authorization", &token)], "")
    }

    pub(crate) fn join(&self, round: usize) -> Result<Value> {
        let token = self.token(round)?;
        let path = format!("/sales/{}/tickets", self.sale_with_room);
        Ok(event("POST", &path, &[("authorization", &token)], ""))
    }

    pub(crate) fn reserve(&self, round: usize) -> Result<Value> {
        let token = self.token(round)?;
        let headers = [
            ("authorization", token.as_str()),
            ("idempotency-key", "\"first\""),
            ("content-type", "application/json"),
        ];
        let wish = json!({ "sku": "unit", "quantity": 1 }).to_string();
        Ok(event("POST", &format!("/sales/{}/reservations", self.sale), &headers, &wish))
    }

    /// The confirm of what [`Self::reserve`] was answered with.
    pub(crate) fn confirm(&self, round: usize, held: &Value) -> Result<Value> {
        let held: Value = serde_json::from_str(held["body"].as_str().context("no body")?)?;
        let id = held["id"].as_str().context("no id")?;
        let path = format!("/sales/{}/reservations/{id}/order", self.sale);
        Ok(event("POST", &path, &[("authorization", &self.token(round)?)], ""))
    }

    /// The same from here.
    pub(crate) async fn trips(&self, round: usize) -> Result<Trips> {
        let began = Instant::now();
        self.stock()?.view(&self.sale, Deadline::after(DEADLINE)).await?;
        let view = began.elapsed();

        let subject = format!("here-{round}");
        let shopper =
            Shopper { id: self.ids.shopper(ShopperKind::Account, &subject), kind: ShopperKind::Account };
        let id = self.ids.reservation(&self.sale, &shopper.id, &IdempotencyKey::parse("\"first\"")?);
        let began = Instant::now();
        let stock = self.stock()?;
        stock.join(&self.sale_with_room, &shopper, RATE_LIMIT, Deadline::after(DEADLINE)).await?;
        let join = began.elapsed();

        let began = Instant::now();
        self.hold(id, shopper).await?;
        let reserve = began.elapsed();

        let began = Instant::now();
        let (stock, deadline) = (self.stock()?, Deadline::after(DEADLINE));
        let confirmed = self.ledger().confirm(&stock, &self.sale, &id, &shopper.id, None, deadline).await?;
        let confirm = began.elapsed();
        ensure!(matches!(confirmed, ConfirmOutcome::Confirmed(_)), "{confirmed:?}");

        let began = Instant::now();
        self.ledger().sale(&self.sale, Deadline::after(DEADLINE)).await?.context("no sale")?;
        Ok(Trips { view, join, reserve, confirm, show: began.elapsed() })
    }

    async fn hold(&self, id: ReservationId, shopper: Shopper) -> Result<()> {
        let (sale, sku) = (self.sale.clone(), Sku::parse("unit")?);
        let request =
            ReserveRequest { id, sale, sku, quantity: 1, shopper, ticket: None, rate_limit: RATE_LIMIT };
        let outcome = self.stock()?.reserve(&request, Deadline::after(DEADLINE)).await?.outcome;
        ensure!(matches!(outcome, ReserveOutcome::Held(_)), "{outcome:?}");
        Ok(())
    }

    fn stock(&self) -> Result<Stock> {
        Ok(Stock::new(Client::new(self.running.connection(OPERATOR)?)?, Duration::from_millis(500)))
    }

    fn ledger(&self) -> Ledger {
        Ledger::of_emulator(&self.running.dynamodb_url).with_table(self.running.ledger_table.clone())
    }

    fn token(&self, round: usize) -> Result<String> {
        let claims = json!({ "sub": format!("there-{round}"), "exp": Timestamp::now().as_second() + 600 });
        let key = EncodingKey::from_base64_secret(&self.running.shopper_secret)?;
        Ok(format!("Bearer {}", jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)?))
    }
}
