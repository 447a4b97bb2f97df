//! What is implemented passes Tempest's tests.

use anyhow::{Result, ensure};
use hadron_conformance::report::Report;
use hadron_conformance::{implemented, neutron, tempest};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_implemented_passes_tempest() -> Result<()> {
    let Some(run) = tempest::run(&implemented()).await? else { return Ok(()) };
    let report = Report { here: run.outcomes, neutron: neutron(), required: implemented() };
    ensure!(report.broken().is_empty(), "{}\n{}", run.printed, report.text(false));
    Ok(())
}
