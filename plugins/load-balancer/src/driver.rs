//! Telling those that carry load balancers out: the one place that does, so that
//! a vendor's driver can take it.
//!
//! They hear that something is pending, and pull what there is to do
//! (`agents`): a message that is late or told twice does no harm.

use crate::load_balancers::LoadBalancer;
use hadron_sdk::serde_json::json;
use hadron_sdk::{Result, rpc};

/// The topic that agents listen to.
const TOPIC: &str = "lbaas_agent";

fn tell(method: &str, load_balancer: &LoadBalancer) -> Result<()> {
    let told = json!({"loadbalancer_id": load_balancer.id, "provider": load_balancer.provider,
        "host": load_balancer.host});
    rpc::to(TOPIC).version("1.0").fanout(method, &told)
}

/// Something of a load balancer is pending.
pub(crate) fn changed(load_balancer: &LoadBalancer) -> Result<()> {
    tell("load_balancer_changed", load_balancer)
}

/// An agent that serves it gives it up, another one takes it.
pub(crate) fn moved(load_balancer: &LoadBalancer) -> Result<()> {
    tell("load_balancer_moved", load_balancer)
}
