//! The demo sale: `infra/demo.toml`, created when there is none yet; it opens half a minute later.

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::layout::checkout;
use crate::merchant::Merchant;
use crate::running::Running;
use crate::sale_file::SaleFile;

/// Name of the demo sale.
pub(crate) const DEMO_SALE: &str = "demo";

/// Creates the demo sale, unless it exists.
pub(crate) async fn open_demo_sale(running: &Running) -> Result<()> {
    let merchant = Merchant::new(running)?;
    let sales = merchant.sales().await?.sales;
    if sales.iter().any(|sale| sale.sale.as_str() == DEMO_SALE) {
        return Ok(());
    }
    let file = SaleFile::read(&checkout().join("infra/demo.toml"), Timestamp::now())?;
    let created = merchant.define(&file.sale, &file.definition).await;
    created.map(drop).context("the demo sale could not be created")
}
