//! Which shop a merchant's command speaks to: the system of this checkout, or one that is deployed.

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::merchant::Merchant;
use crate::running::{RunningArguments, http_client};

/// The shop, and the right to change it.
#[derive(Debug, Args)]
pub(crate) struct ShopArguments {
    #[command(flatten)]
    running: RunningArguments,
    /// Address of a deployed shop, such as `https://shop.example`; without it, the system that `up` has started.
    #[arg(long, global = true, env = "SPILLWAY_URL")]
    url: Option<String>,
    /// The merchant's token of that shop. In the environment nobody else on this machine sees it.
    #[arg(long, global = true, env = "SPILLWAY_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
}

impl ShopArguments {
    /// The merchant's client.
    pub(crate) fn merchant(&self) -> Result<Merchant> {
        // An empty variable is one that is not there.
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let Some(url) = given(&self.url) else { return Merchant::new(&self.running.find()?) };
        ensure!(
            fetch::Address::parse(&url).is_some(),
            "{url} is neither https nor plain http on this machine: the merchant's token would be read on its way"
        );
        let token = given(&self.admin_token)
            .context("the merchant's token is missing: put it into SPILLWAY_ADMIN_TOKEN")?;
        let tls = fetch::tls()?;
        Ok(Merchant::of(&url, &token, http_client((*tls).clone())?))
    }
}
