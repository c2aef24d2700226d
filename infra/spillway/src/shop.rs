//! Which shop a merchant's command speaks to: the system of this checkout, or one that is deployed.

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::merchant::Merchant;
use crate::running::{Running, RunningArguments, http_client};

/// Where the shop is.
#[derive(Debug, Args)]
pub(crate) struct ShopAddress {
    #[command(flatten)]
    running: RunningArguments,
    /// Address of a deployed shop, such as `https://shop.example`; without it, the system that `up` has started.
    #[arg(long, global = true, env = "SPILLWAY_URL")]
    url: Option<String>,
}

/// The shop, and the right to change it.
#[derive(Debug, Args)]
pub(crate) struct ShopArguments {
    #[command(flatten)]
    address: ShopAddress,
    /// The merchant's token of that shop. In the environment nobody else on this machine sees it.
    #[arg(long, global = true, env = "SPILLWAY_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
}

impl ShopAddress {
    /// The shop's address, and a client for what everybody may ask it.
    pub(crate) fn public(&self) -> Result<(String, reqwest::Client)> {
        if let Some(url) = self.deployed() {
            return Ok((url.trim_end_matches('/').to_owned(), deployed_client()?));
        }
        let running = self.running()?;
        Ok((running.url.clone(), running.http_client()?))
    }

    fn deployed(&self) -> Option<&str> {
        given(self.url.as_deref())
    }

    fn running(&self) -> Result<Running> {
        self.running.find()
    }
}

impl ShopArguments {
    /// The merchant's client.
    pub(crate) fn merchant(&self) -> Result<Merchant> {
        let Some(url) = self.address.deployed() else { return Merchant::new(&self.address.running()?) };
        ensure!(
            fetch::Address::parse(url).is_some(),
            "{url} is neither https nor plain http on this machine: the merchant's token would be read on its way"
        );
        let token = given(self.admin_token.as_deref())
            .context("the merchant's token is missing: put it into SPILLWAY_ADMIN_TOKEN")?;
        Ok(Merchant::of(url, token, deployed_client()?))
    }
}

/// An empty variable is one that is not there.
fn given(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty())
}

fn deployed_client() -> Result<reqwest::Client> {
    http_client((*fetch::tls()?).clone())
}
