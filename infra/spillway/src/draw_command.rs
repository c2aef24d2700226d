//! `cargo spillway draw verify`: works the draw of a lobby out again, of nothing but what the shop publishes.

use anyhow::{Context, Result, ensure};
use api::WaitingRoomStatus;
use clap::{Args, Subcommand};
use sale::{Commitment, Draw, SaleId, ShopperId};
use serde::{Deserialize, Serialize};

use crate::output::{show, unless_reader_left};
use crate::shop::ShopAddress;
use crate::table::grouped;

/// Check a draw. Nobody needs a token for it.
#[derive(Debug, Args)]
pub struct DrawArguments {
    #[command(flatten)]
    shop: ShopAddress,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Hold the seed against its hash, and work out the place of each lot. A lot is what the ticket's answer calls so.
    Verify {
        sale: SaleId,
        /// The hash as the sale's status told it before the opening. Without it the one that the shop tells now is taken.
        #[arg(long, value_parser = Commitment::parse)]
        hash: Option<Commitment>,
        #[arg(value_parser = ShopperId::parse)]
        lots: Vec<ShopperId>,
    },
}

#[derive(Deserialize)]
struct Status {
    waiting_room: Option<WaitingRoomStatus>,
}

#[derive(Serialize)]
struct Verified {
    sale: SaleId,
    /// Whether the hash is the caller's own, and not only what the shop tells today.
    is_known_before: bool,
    seed_hash: String,
    seed: String,
    lobby: u64,
    places: Vec<Place>,
}

#[derive(Serialize)]
struct Place {
    lot: ShopperId,
    place: u64,
}

impl DrawArguments {
    /// Checks, and prints what was found.
    pub async fn run(self) -> Result<()> {
        unless_reader_left(self.act().await)
    }

    async fn act(self) -> Result<()> {
        let Action::Verify { sale, hash, lots } = self.action;
        let (url, http) = self.shop.public()?;
        let address = format!("{url}/sales/{sale}/status");
        let answer = http.get(&address).send().await.context("the shop does not answer")?;
        ensure!(answer.status().is_success(), "{address} answers {}", answer.status());
        let status: Status = answer.json().await.context("the shop's status is not understood")?;
        let room = status.waiting_room.context("the sale has no waiting room")?;
        let seed = room.seed.context("the draw is still to come: its seed is told when the sale opens")?;
        let announced = hash.unwrap_or(room.seed_hash);
        ensure!(
            seed.commitment() == announced,
            "THE SEED {seed} IS NOT THE ONE OF THE HASH {announced}: the draw is not the one that was announced"
        );
        let draw = Draw { lobby: room.lobby, seed };
        let places = lots.into_iter().map(|lot| Place { place: draw.place(&sale, &lot), lot }).collect();
        let (seed_hash, seed) = (announced.to_string(), seed.to_string());
        let verified =
            Verified { sale, is_known_before: hash.is_some(), seed_hash, seed, lobby: room.lobby, places };
        show(self.json, &verified, words)
    }
}

fn words(verified: &Verified) -> String {
    let Verified { seed, seed_hash, lobby, .. } = verified;
    let whose = if verified.is_known_before {
        "that you have kept"
    } else {
        "that the shop tells now; --hash holds it against the one that you have kept from before the opening"
    };
    let seed = format!("The seed {seed} is the one of the hash {seed_hash} {whose}.");
    let place = |Place { lot, place }: &Place| {
        format!("  lot {lot}: place {} of {}", grouped(*place), grouped(*lobby))
    };
    std::iter::once(seed).chain(verified.places.iter().map(place)).collect::<Vec<_>>().join("\n")
}
