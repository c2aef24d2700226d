//! The merchant's side of a running system: a typed client of `/admin/…`.
//!
//! Every request of the merchant can be repeated: it is idempotent by its URL or carries a key. So a
//! request whose outcome is unknown is sent again, the same, before anybody is told of it.

use std::time::Duration;

use anyhow::Result;
use api::{
    Journal, OrderAnswer, Orders, QueueChange, QueueReport, Report, Restocked, SaleAnswer, Sales, Units,
    Withdrawn,
};
use reqwest::{Method, RequestBuilder};
use sale::{Definition, IdempotencyKey, OrderId, SaleId, Sku};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::merchant_problem::{Failure, Problem};
use crate::running::Running;

const ATTEMPTS_MAX: u32 = 5;
/// Together they outlast a change of the Redis master.
const PAUSE_BETWEEN_ATTEMPTS: Duration = Duration::from_millis(1_200);
const ORDERS_PER_PAGE: u16 = 1_000;

/// A client with the merchant's token.
#[derive(Debug, Clone)]
pub struct Merchant {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Merchant {
    /// The merchant of this running system.
    pub fn new(running: &Running) -> Result<Self> {
        Ok(Self::of(&running.url, &running.admin_token, running.http_client()?))
    }

    /// The merchant of the shop at this address.
    pub(crate) fn of(url: &str, token: &str, http: reqwest::Client) -> Self {
        Self { http, url: url.trim_end_matches('/').to_owned(), token: token.to_owned() }
    }

    /// Where shoppers find this sale.
    pub(crate) fn page(&self, sale: &SaleId) -> String {
        format!("{}/sales/{sale}", self.url)
    }

    /// Creates a sale, or changes what can be changed of one.
    pub async fn define(&self, sale: &SaleId, definition: &Definition) -> Result<SaleAnswer> {
        self.ask(|| self.request(Method::PUT, &format!("sales/{sale}")).json(definition)).await
    }

    /// `open`, `pause`, `resume` or `close`.
    pub async fn change(&self, sale: &SaleId, verb: &str) -> Result<SaleAnswer> {
        self.ask(|| self.request(Method::POST, &format!("sales/{sale}/{verb}"))).await
    }

    /// All sales.
    pub async fn sales(&self) -> Result<Sales> {
        self.ask(|| self.request(Method::GET, "sales")).await
    }

    /// A sale as the ledger has it.
    pub async fn sale(&self, sale: &SaleId) -> Result<SaleAnswer> {
        self.ask(|| self.request(Method::GET, &format!("sales/{sale}"))).await
    }

    /// A sale's figures.
    pub async fn report(&self, sale: &SaleId) -> Result<Report> {
        self.ask(|| self.request(Method::GET, &format!("sales/{sale}/report"))).await
    }

    /// Has a sale built again of the ledger.
    pub async fn restore(&self, sale: &SaleId) -> Result<SaleAnswer> {
        self.ask(|| self.request(Method::POST, &format!("sales/{sale}/restore"))).await
    }

    /// A waiting room's figures.
    pub async fn queue(&self, sale: &SaleId) -> Result<QueueReport> {
        self.ask(|| self.request(Method::GET, &format!("sales/{sale}/queue"))).await
    }

    /// Changes how a waiting room serves.
    pub async fn change_queue(&self, sale: &SaleId, change: &QueueChange) -> Result<QueueReport> {
        self.ask(|| self.request(Method::PATCH, &format!("sales/{sale}/queue")).json(change)).await
    }

    /// One page of a sale's orders; the first without a cursor.
    pub async fn orders(&self, sale: &SaleId, cursor: Option<&str>) -> Result<Orders> {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("sales/{sale}/orders?limit={ORDERS_PER_PAGE}{cursor}");
        self.ask(|| self.request(Method::GET, &path)).await
    }

    /// One page of where each unit of a SKU is; the first without a cursor.
    pub async fn units(&self, sale: &SaleId, sku: &Sku, cursor: Option<&str>) -> Result<Units> {
        let cursor = cursor.map(|cursor| format!("?cursor={cursor}")).unwrap_or_default();
        let path = format!("sales/{sale}/skus/{sku}/units{cursor}");
        self.ask(|| self.request(Method::GET, &path)).await
    }

    /// One page of a sale's journal; the first without a cursor.
    pub async fn journal(&self, sale: &SaleId, cursor: Option<&str>) -> Result<Journal> {
        let cursor = cursor.map(|cursor| format!("?cursor={cursor}")).unwrap_or_default();
        let path = format!("sales/{sale}/journal{cursor}");
        self.ask(|| self.request(Method::GET, &path)).await
    }

    /// Adds units to a SKU.
    pub async fn restock(
        &self,
        sale: &SaleId,
        sku: &Sku,
        quantity: u32,
        key: &IdempotencyKey,
    ) -> Result<Restocked> {
        let path = format!("sales/{sale}/skus/{sku}/restock");
        self.ask_with_key(key, || self.request(Method::POST, &path).json(&Quantity { quantity })).await
    }

    /// Takes available units out of a SKU.
    pub async fn withdraw(
        &self,
        sale: &SaleId,
        sku: &Sku,
        quantity: u32,
        key: &IdempotencyKey,
    ) -> Result<Withdrawn> {
        let path = format!("sales/{sale}/skus/{sku}/withdraw");
        self.ask_with_key(key, || self.request(Method::POST, &path).json(&Quantity { quantity })).await
    }

    /// Cancels an order; its units go back.
    pub async fn cancel(&self, order: &OrderId, key: &IdempotencyKey) -> Result<OrderAnswer> {
        self.ask_with_key(key, || self.request(Method::POST, &format!("orders/{order}/cancel"))).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/admin/{path}", self.url)).bearer_auth(&self.token)
    }

    async fn ask_with_key<T: DeserializeOwned>(
        &self,
        key: &IdempotencyKey,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<T> {
        let quoted = format!("\"{}\"", key.as_str());
        let answer = send(|| request().header("idempotency-key", &quoted)).await;
        answer.map_err(|failure| {
            let may_be_done = failure.is_worth_repeating();
            let error = anyhow::Error::from(failure);
            if !may_be_done {
                return error;
            }
            let key = key.as_str();
            error.context(format!("it may have been done; to find out, repeat the command with --key {key}"))
        })
    }

    async fn ask<T: DeserializeOwned>(&self, request: impl Fn() -> RequestBuilder) -> Result<T> {
        Ok(send(request).await?)
    }
}

/// Sends until the outcome is known, but not for ever.
async fn send<T: DeserializeOwned>(request: impl Fn() -> RequestBuilder) -> Result<T, Failure> {
    let mut outcome = read(request()).await;
    for _ in 1..ATTEMPTS_MAX {
        if !outcome.as_ref().is_err_and(Failure::is_worth_repeating) {
            break;
        }
        tokio::time::sleep(PAUSE_BETWEEN_ATTEMPTS).await;
        let again = read(request()).await;
        // What was not sent at all does not tell what became of an earlier attempt.
        if !matches!(again, Err(Failure::Unreachable(_))) {
            outcome = again;
        }
    }
    outcome
}

#[derive(Serialize)]
struct Quantity {
    quantity: u32,
}

async fn read<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Failure> {
    let response = request.send().await?;
    let status = response.status();
    let body = response.bytes().await?;
    if status.is_success() {
        serde_json::from_slice(&body).map_err(Failure::NotUnderstood)
    } else {
        Err(Failure::Problem(Problem::read(status.as_u16(), &body)))
    }
}
