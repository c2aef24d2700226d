//! A sale of a test's own, and shoppers who buy from it over HTTP.

use api::Report;
use data_encoding::BASE64;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Request, RequestBuilder};
use sale::{Definition, IdSecret, SaleId, ShopperId, ShopperKind};
use serde_json::{Value, json};
use spillway::{Merchant, Running};

use crate::openapi_answers;
use crate::system::shared;
pub(crate) use crate::terms::units;

/// A sale that is open, with one SKU called `unit`.
pub(crate) struct Shop {
    pub(crate) running: Running,
    pub(crate) merchant: Merchant,
    pub(crate) sale: SaleId,
    pub(crate) http: Client,
}

/// A shopper with an account.
#[derive(Debug, Clone)]
pub(crate) struct Shopper {
    pub(crate) token: String,
}

/// What was answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

/// A name that no other sale has.
pub(crate) fn new_sale_id() -> SaleId {
    SaleId::parse(&format!("test-{:016x}", rand::random::<u64>())).unwrap()
}

/// Opens a sale of these terms in the shared system.
pub(crate) async fn open_sale(terms: Definition) -> Shop {
    open_sale_in(shared(), terms).await
}

/// Opens a sale of these terms in this system.
pub(crate) async fn open_sale_in(running: Running, terms: Definition) -> Shop {
    let merchant = Merchant::new(&running).unwrap();
    let sale = new_sale_id();
    merchant.define(&sale, &terms).await.unwrap();
    let http = running.http_client().unwrap();
    Shop { running, merchant, sale, http }
}

/// A token of the merchant's identity provider.
pub(crate) fn token(running: &Running, subject: &str, seconds: i64) -> String {
    let claims = json!({ "sub": subject, "exp": Timestamp::now().as_second() + seconds });
    let key = EncodingKey::from_base64_secret(&running.shopper_secret).unwrap();
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap()
}

impl Shop {
    /// The shopper of this name.
    pub(crate) fn shopper(&self, name: &str) -> Shopper {
        Shopper { token: token(&self.running, &self.account(name), 3_600) }
    }

    /// The `sub` of the shopper of this name, who is in no other sale.
    pub(crate) fn account(&self, name: &str) -> String {
        format!("{}/{name}", self.sale)
    }

    /// The digest under which the shopper of this name is known.
    pub(crate) fn shopper_id(&self, name: &str) -> ShopperId {
        let secret = BASE64.decode(self.running.id_secret.as_bytes()).unwrap();
        IdSecret::new(&secret).unwrap().shopper(ShopperKind::Account, &self.account(name))
    }

    /// So many different shoppers.
    pub(crate) fn shoppers(&self, count: usize) -> Vec<Shopper> {
        (0..count).map(|number| self.shopper(&number.to_string())).collect()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.running.url))
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/sales/{}{rest}", self.sale)
    }

    /// A wish for one SKU, ready to be sent or to be spoilt first.
    pub(crate) fn wish(&self, shopper: &Shopper, key: &str, quantity: u32) -> RequestBuilder {
        self.request(Method::POST, &self.path("/reservations"))
            .bearer_auth(&shopper.token)
            .header("idempotency-key", format!("\"{key}\""))
            .json(&json!({ "sku": "unit", "quantity": quantity }))
    }

    pub(crate) async fn reserve(&self, shopper: &Shopper, key: &str, quantity: u32) -> Answer {
        send(self.wish(shopper, key, quantity)).await
    }

    /// A hold of one unit; fails where there is none.
    pub(crate) async fn hold(&self, shopper: &Shopper, key: &str) -> String {
        let answer = self.reserve(shopper, key, 1).await;
        assert_eq!(answer.told(), "201 held");
        answer.field("id").to_owned()
    }

    pub(crate) async fn find(&self, shopper: &Shopper, id: &str) -> Answer {
        let request = self.request(Method::GET, &self.path(&format!("/reservations/{id}")));
        send(request.bearer_auth(&shopper.token)).await
    }

    pub(crate) async fn release(&self, shopper: &Shopper, id: &str) -> Answer {
        let request = self.request(Method::DELETE, &self.path(&format!("/reservations/{id}")));
        send(request.bearer_auth(&shopper.token)).await
    }

    pub(crate) async fn confirm(&self, shopper: &Shopper, id: &str) -> Answer {
        send(self.confirm_at(&self.running.url, shopper, id)).await
    }

    /// A confirm that goes to a function beside those of the system.
    pub(crate) fn confirm_at(&self, origin: &str, shopper: &Shopper, id: &str) -> RequestBuilder {
        let path = self.path(&format!("/reservations/{id}/order"));
        self.http.post(format!("{origin}{path}")).bearer_auth(&shopper.token)
    }

    pub(crate) async fn order(&self, shopper: &Shopper, id: &str) -> Answer {
        send(self.request(Method::GET, &format!("/orders/{id}")).bearer_auth(&shopper.token)).await
    }

    /// A request of the merchant.
    pub(crate) fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, &format!("/admin{path}")).bearer_auth(&self.running.admin_token)
    }

    /// Cancels an order.
    pub(crate) async fn cancel(&self, order: &str) -> Answer {
        send(self.cancel_at(&self.running.url, order)).await
    }

    /// The same, by a function that listens there.
    pub(crate) fn cancel_at(&self, origin: &str, order: &str) -> RequestBuilder {
        let cancel = self.http.post(format!("{origin}/admin/orders/{order}/cancel"));
        cancel.bearer_auth(&self.running.admin_token).header("idempotency-key", "cancel")
    }

    /// The sale's figures, which add up at any time.
    pub(crate) async fn report(&self) -> Report {
        let report = self.merchant.report(&self.sale).await.unwrap();
        assert!(report.conserved, "{report:?}");
        report
    }

    /// `available/held/sold` of the SKU.
    pub(crate) async fn figures(&self) -> String {
        let report = self.report().await;
        let sku = &report.skus[0];
        format!("{}/{}/{}", sku.available, sku.held, sku.sold)
    }
}

/// Sends a request and reads the answer, which must be one that `openapi.json` describes.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let answer = receive(client, request).await.unwrap();
    openapi_answers::check(method.as_str(), &path, &answer);
    answer
}

/// Sends what may be answered by somebody who is not the shop, or by nobody.
pub(crate) async fn receive(client: Client, request: Request) -> reqwest::Result<Answer> {
    let response = client.execute(request).await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Answer { status, headers, text, body })
}

impl Answer {
    /// The status, and the state of a success or the slug of a problem.
    pub(crate) fn told(&self) -> String {
        let word = self.body["state"].as_str().unwrap_or_else(|| self.slug());
        format!("{} {word}", self.status).trim().to_owned()
    }

    /// The last part of the problem's type, or nothing.
    pub(crate) fn slug(&self) -> &str {
        self.body["type"].as_str().and_then(|kind| kind.rsplit('/').next()).unwrap_or_default()
    }

    /// A text of the body.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.text))
    }

    /// The serials of the units.
    pub(crate) fn units(&self) -> Vec<u64> {
        self.body["units"].as_array().unwrap().iter().map(|unit| unit.as_u64().unwrap()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
