//! The demo sale: `infra/demo.toml`, created when there is none yet, and open.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};

use crate::layout::checkout;
use crate::running::Running;
use crate::sale_file::SaleFile;

/// Name of the demo sale.
pub(crate) const DEMO_SALE: &str = "demo";

/// Right after their start the nodes may refuse writes for a moment.
const TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(200);

/// Creates and opens the demo sale, unless it exists.
pub(crate) async fn open_demo_sale(running: &Running) -> Result<()> {
    let http = running.http_client()?;
    let url = format!("{}/admin/sales/{DEMO_SALE}", running.url);
    let file = SaleFile::read(&checkout().join("infra/demo.toml"), Timestamp::now())?;
    let give_up = Instant::now() + TIMEOUT;
    loop {
        let put = http.request(Method::GET, &url).bearer_auth(&running.admin_token).send().await;
        let known = put.map(|response| response.status());
        if known.as_ref().is_ok_and(|status| *status == StatusCode::OK) {
            return Ok(());
        }
        let put = http.request(Method::PUT, &url).bearer_auth(&running.admin_token).json(&file.definition);
        let answer = match put.send().await {
            Ok(response) if response.status().is_success() => return Ok(()),
            Ok(response) => response.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        if Instant::now() > give_up {
            bail!("the demo sale could not be created: {answer}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
