//! Calling every mechanism driver: precommit now, postcommit by the journal.
//! In Neutron: `MechanismManager`.

use crate::document::{text, typed};
use crate::networks::Networks;
use crate::ports::FixedIp;
use crate::records;
use crate::segments::SegmentRow;
use hadron_sdk::drivers::{self, Driver};
use hadron_sdk::{Document, NetworkContext, Operation, PortContext, ResourceRef, Result, SubnetContext};

/// The loaded mechanism drivers, in the operator's order.
pub(crate) struct Mechanisms(Vec<Driver>);

/// A row that changed: as it is, and as it was before an update.
#[derive(Clone, Copy)]
pub(crate) struct Changed<'a> {
    pub(crate) current: &'a Document,
    pub(crate) original: Option<&'a Document>,
}

impl<'a> Changed<'a> {
    /// Rows that were made or removed.
    pub(crate) fn all(documents: &'a [Document]) -> Vec<Changed<'a>> {
        documents.iter().map(|current| Changed { current, original: None }).collect()
    }
}

impl Mechanisms {
    /// Asks the host.
    pub(crate) fn loaded() -> Mechanisms {
        Mechanisms(drivers::mechanisms())
    }

    /// Only that driver, of those loaded.
    pub(crate) fn only(name: &str) -> Mechanisms {
        Mechanisms(drivers::mechanisms().into_iter().filter(|driver| driver.name == name).collect())
    }

    /// All but that driver.
    pub(crate) fn except(mut self, name: &str) -> Mechanisms {
        self.0.retain(|driver| driver.name != name);
        self
    }

    /// Whether any driver has a precommit or postcommit hook for `network`,
    /// `subnet` or `port`: when none has, what they would be told is not read.
    pub(crate) fn want(&self, resource: &str) -> bool {
        !self.with(resource, "precommit").is_empty() || !self.with(resource, "postcommit").is_empty()
    }

    /// Names of the drivers with a hook, e.g. `bind-port`.
    pub(crate) fn with_hook(&self, hook: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|driver| driver.hooks.iter().any(|h| h == hook))
            .map(|driver| driver.name.as_str())
            .collect()
    }

    fn with(&self, resource: &str, phase: &str) -> Vec<&str> {
        self.with_hook(&format!("{resource}-{phase}"))
    }

    /// Tells drivers of networks.
    pub(crate) fn networks(&self, operation: Operation, items: &[NetworkContext]) -> Result<()> {
        for driver in self.with("network", "precommit") {
            drivers::network_precommit(driver, operation, items)?;
        }
        self.networks_later(operation, items);
        Ok(())
    }

    fn networks_later(&self, operation: Operation, items: &[NetworkContext]) {
        let after: Vec<Vec<ResourceRef>> = items.iter().map(|_| Vec::new()).collect();
        for driver in self.with("network", "postcommit") {
            drivers::network_postcommit(driver, operation, items, &after);
        }
    }

    /// Tells drivers of subnets.
    pub(crate) fn subnets(
        &self,
        operation: Operation,
        changed: &[Changed<'_>],
        networks: &Networks,
    ) -> Result<()> {
        let items = subnet_contexts(changed, networks)?;
        for driver in self.with("subnet", "precommit") {
            drivers::subnet_precommit(driver, operation, &items)?;
        }
        self.subnets_later(operation, &items);
        Ok(())
    }

    fn subnets_later(&self, operation: Operation, items: &[SubnetContext]) {
        let after: Vec<Vec<ResourceRef>> =
            items.iter().map(|item| vec![reference("networks", &item.current.network_id)]).collect();
        for driver in self.with("subnet", "postcommit") {
            drivers::subnet_postcommit(driver, operation, items, &after);
        }
    }

    /// Tells drivers of ports.
    pub(crate) fn ports(
        &self,
        operation: Operation,
        changed: &[Changed<'_>],
        networks: &Networks,
    ) -> Result<()> {
        let items = port_contexts(changed, networks)?;
        for driver in self.with("port", "precommit") {
            drivers::port_precommit(driver, operation, &items)?;
        }
        let after =
            changed.iter().map(|changed| port_references(changed.current)).collect::<Result<Vec<_>>>()?;
        self.ports_later(operation, &items, &after);
        Ok(())
    }

    fn ports_later(&self, operation: Operation, items: &[PortContext], after: &[Vec<ResourceRef>]) {
        for driver in self.with("port", "postcommit") {
            drivers::port_postcommit(driver, operation, items, after);
        }
    }

    /// Writes journal entries as if these networks had just been made.
    pub(crate) fn send_networks(&self, items: &[NetworkContext]) {
        self.networks_later(Operation::Create, items);
    }

    /// As `send_networks`, for subnets.
    pub(crate) fn send_subnets(&self, documents: &[Document], networks: &Networks) -> Result<()> {
        self.subnets_later(Operation::Create, &subnet_contexts(&Changed::all(documents), networks)?);
        Ok(())
    }

    /// As `send_networks`, for ports.
    pub(crate) fn send_ports(&self, documents: &[Document], networks: &Networks) -> Result<()> {
        let after = documents.iter().map(port_references).collect::<Result<Vec<_>>>()?;
        let items = port_contexts(&Changed::all(documents), networks)?;
        self.ports_later(Operation::Create, &items, &after);
        Ok(())
    }
}

fn subnet_contexts(changed: &[Changed<'_>], networks: &Networks) -> Result<Vec<SubnetContext>> {
    changed
        .iter()
        .map(|changed| {
            Ok(SubnetContext {
                current: records::subnet(changed.current)?,
                original: changed.original.map(records::subnet).transpose()?,
                network: networks.record(text(changed.current, "network_id"))?,
            })
        })
        .collect()
}

fn port_contexts(changed: &[Changed<'_>], networks: &Networks) -> Result<Vec<PortContext>> {
    changed.iter().map(|changed| port_context(*changed, networks)).collect()
}

/// What a driver sees of a port. Among the segments of its network are those that
/// it is offered to be bound with later, though they are newer than what was read
/// of the network.
pub(crate) fn port_context(changed: Changed<'_>, networks: &Networks) -> Result<PortContext> {
    let mut network = networks.record(text(changed.current, "network_id"))?;
    for offered in typed::<Vec<SegmentRow>>(changed.current, "binding_offered")? {
        if !network.segments.iter().any(|segment| segment.id == offered.id) {
            network.segments.push(offered.record());
        }
    }
    Ok(PortContext {
        current: records::port(changed.current)?,
        original: changed.original.map(records::port).transpose()?,
        network,
        levels: records::levels(changed.current)?,
        original_levels: changed.original.map(records::levels).transpose()?.unwrap_or_default(),
    })
}

fn port_references(port: &Document) -> Result<Vec<ResourceRef>> {
    let addresses: Vec<FixedIp> = typed(port, "fixed_ips")?;
    let mut references = vec![reference("networks", text(port, "network_id"))];
    for address in addresses {
        let subnet = reference("subnets", &address.subnet_id);
        if !references.contains(&subnet) {
            references.push(subnet);
        }
    }
    Ok(references)
}

fn reference(collection: &str, id: &str) -> ResourceRef {
    ResourceRef { collection: collection.to_owned(), id: id.to_owned() }
}
