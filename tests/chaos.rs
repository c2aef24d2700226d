//! A short `cargo spillway chaos` of a fixed seed: one fault of a node, a partition, one of a function, one of the ledger,
//! one of everything. The whole of it is a command, because it takes an hour.

use std::time::Duration;

use spillway::{ChaosPlan, Fault};

use crate::system::empty_folder;

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_buys_while_things_go_wrong_and_every_promise_is_kept() {
    let mut faults = vec![Fault::KillMaster, Fault::KillConfirm, Fault::CutLedger, Fault::Forget];
    // Elsewhere there is one loopback address only.
    if cfg!(target_os = "linux") {
        faults.push(Fault::IsolateMaster);
    }
    let plan = ChaosPlan { faults: faults.clone(), length: Duration::ZERO, rate: 60.0, seconds: 8, seed: 7 };
    let mut rounds = Vec::new();
    plan.run(&empty_folder("chaos"), |round| rounds.push(round)).await.unwrap();
    assert_eq!(rounds.len(), faults.len());
    for round in &rounds {
        assert_eq!(round.broken_promises, [""; 0], "{:?}", round.fault);
        assert!(round.orders > 50, "{round:?}");
        // That the fault was there.
        let is_master_gone = [Fault::KillMaster, Fault::IsolateMaster].contains(&round.fault);
        assert!(!is_master_gone || round.silence_ms > 1_000, "{round:?}");
    }
}
