//! A confirm that dies at each of its steps, or a cancel, and whoever finishes it: the repeat, or the sweep.

use spillway::{ExtraFunction, LedgerFault, LedgerRelay, Signal, signal};

use crate::shop::{Shop, Shopper, open_sale, open_sale_in, units};
use crate::system::{PATIENCE, command, eventually, private, redis, soon, stock};

/// A confirm under way in a process of its own, caught at a step.
pub(crate) struct Caught {
    relay: LedgerRelay,
    function: ExtraFunction,
}

impl Caught {
    pub(crate) async fn at(fault: LedgerFault, shop: &Shop, shopper: &Shopper, id: &str) -> Self {
        let (relay, function) = confirm_over(shop, fault).await;
        tokio::spawn(shop.confirm_at(&function.origin, shopper, id).send());
        relay.caught(PATIENCE).await.unwrap();
        Self { relay, function }
    }

    /// Ends the process without a chance to do anything more.
    pub(crate) fn crash(self) {
        signal(self.function.pid(), Signal::KILL);
    }
}

/// A `confirm` of its own, each of whose transactions fails like this.
pub(crate) async fn confirm_over(shop: &Shop, fault: LedgerFault) -> (LedgerRelay, ExtraFunction) {
    let relay = LedgerRelay::start(&shop.running.dynamodb_url).await.unwrap();
    relay.fail(fault, 100);
    let function = ExtraFunction::start(&shop.running, "confirm", &relay.settings()).unwrap();
    (relay, function)
}

async fn is_in_ledger(shop: &Shop) -> bool {
    !shop.merchant.orders(&shop.sale, None).await.unwrap().orders.is_empty()
}

#[tokio::test]
async fn a_confirm_that_died_before_its_commit_is_done_by_its_repeat() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "wish").await;
    Caught::at(LedgerFault::CaughtBeforeCommit, &shop, &ann, &id).await.crash();
    assert!(!is_in_ledger(&shop).await);
    assert_eq!(shop.find(&ann, &id).await.told(), "200 confirming");
    assert_eq!(shop.figures().await, "4/1/0");
    assert_eq!(shop.confirm(&ann, &id).await.told(), "201 confirmed");
    assert_eq!(shop.figures().await, "4/0/1");
}

#[tokio::test]
async fn a_confirm_that_died_after_its_commit_is_the_same_order_on_its_repeat() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "wish").await;
    Caught::at(LedgerFault::CaughtAfterCommit, &shop, &ann, &id).await.crash();
    assert!(is_in_ledger(&shop).await);
    assert_eq!(shop.figures().await, "4/1/0", "Redis does not know yet");
    assert_eq!(shop.confirm(&ann, &id).await.told(), "200 confirmed");
    assert_eq!(shop.figures().await, "4/0/1");
}

#[tokio::test]
async fn a_confirm_that_died_before_its_finish_stands_and_is_counted_after_its_repeat() {
    let stack = private("crash-before-finish");
    let shop = open_sale_in(stack.running().unwrap(), units(5)).await;
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "wish").await;
    let caught = Caught::at(LedgerFault::CaughtAfterCommit, &shop, &ann, &id).await;
    let redis = redis(&shop.running);
    command(&redis, "CLIENT", &["PAUSE", "60000", "WRITE"]).await;
    caught.relay.recover();
    // The finish has reached Redis and waits there.
    eventually("the finish", async || {
        let clients = format!("{:?}", command(&redis, "INFO", &["clients"]).await);
        (!clients.contains("blocked_clients:0")).then_some(())
    })
    .await;
    caught.crash();
    let order = shop.merchant.orders(&shop.sale, None).await.unwrap().orders.remove(0);
    command(&redis, "CLIENT", &["UNPAUSE"]).await;
    assert_eq!(shop.find(&ann, &id).await.told(), "200 confirming", "the finish died with its sender");
    let repeated = shop.confirm(&ann, &id).await;
    assert_eq!(
        (repeated.told().as_str(), repeated.field("id")),
        ("200 confirmed", order.id.to_string().as_str())
    );
    assert_eq!(shop.figures().await, "4/0/1");
}

#[tokio::test]
async fn an_order_whose_confirm_died_is_finished_by_the_sweep_long_before_its_hold_expires() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "wish").await;
    Caught::at(LedgerFault::CaughtAfterCommit, &shop, &ann, &id).await.crash();
    eventually("the finish", async || (shop.figures().await == "4/0/1").then_some(())).await;
    assert_eq!(shop.find(&ann, &id).await.told(), "200 ordered");
}

#[tokio::test]
async fn a_cancel_that_died_before_or_after_its_commit_is_finished_by_the_sweep_or_never_was() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    for (fault, figures) in
        [(LedgerFault::CaughtAfterCommit, "5/0/0"), (LedgerFault::CaughtBeforeCommit, "4/0/1")]
    {
        let id = shop.hold(&ann, &format!("{fault:?}")).await;
        let order = shop.confirm(&ann, &id).await.field("id").to_owned();
        let relay = LedgerRelay::start(&shop.running.dynamodb_url).await.unwrap();
        relay.fail(fault, 100);
        let function = ExtraFunction::start(&shop.running, "admin", &relay.settings()).unwrap();
        tokio::spawn(shop.cancel_at(&function.origin, &order).send());
        relay.caught(PATIENCE).await.unwrap();
        signal(function.pid(), Signal::KILL);
        assert_eq!(shop.figures().await, "4/0/1", "Redis does not know yet, if there is something to know");
        let looked_at = async || {
            let view = stock(&shop.running).view(&shop.sale, soon()).await.unwrap().unwrap();
            (view.unsettled == 0).then_some(())
        };
        eventually("the sweep's look", looked_at).await;
        assert_eq!(shop.figures().await, figures);
    }
}

#[tokio::test]
async fn a_confirm_that_died_before_its_commit_and_is_never_repeated_gives_its_units_back() {
    let shop = open_sale(sale::Definition { hold_seconds: 10, ..units(5) }).await;
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "wish").await;
    Caught::at(LedgerFault::CaughtBeforeCommit, &shop, &ann, &id).await.crash();
    eventually("the return", async || (shop.figures().await == "5/0/0").then_some(())).await;
    assert_eq!(shop.confirm(&ann, &id).await.told(), "410 reservation-expired");
    assert!(!is_in_ledger(&shop).await);
    assert_eq!(shop.reserve(&ann, "another", 1).await.told(), "201 held", "it counts no more");
}

#[tokio::test]
async fn while_the_ledger_does_not_answer_a_hold_is_kept_and_the_outcome_is_told_as_unknown() {
    let shop = open_sale(units(5)).await;
    let ann = shop.shopper("ann");
    let id = shop.hold(&ann, "wish").await;
    for (fault, told) in [
        (LedgerFault::CaughtBeforeCommit, "503 outcome-unknown"),
        (LedgerFault::Throttled, "503 ledger-unavailable"),
        (LedgerFault::Conflicting, "503 ledger-unavailable"),
    ] {
        let (_relay, function) = confirm_over(&shop, fault).await;
        let answer = crate::shop::send(shop.confirm_at(&function.origin, &ann, &id)).await;
        assert_eq!(answer.told(), told);
        assert!(!answer.header("retry-after").is_empty());
    }
    assert_eq!(shop.confirm(&ann, &id).await.told(), "201 confirmed");
}
