//! A whole mechanism driver: it refuses networks whose name says that nobody
//! wants them.

use hadron_sdk::{Context, Error, Manifest, MechanismDriver, NetworkContext, Operation, Result};

/// The driver.
pub struct NoTests;

impl MechanismDriver for NoTests {
    fn manifest() -> Manifest {
        let manifest = hadron_sdk::manifest!("minimal-driver", "refuses networks named after tests");
        Manifest { hooks: vec!["network-precommit".into()], ..manifest }
    }

    fn network_precommit(_: &Context, operation: Operation, networks: Vec<NetworkContext>) -> Result<()> {
        match networks.iter().find(|network| network.current.name.contains("test")) {
            Some(network) if operation != Operation::Delete => {
                let message = format!("The name '{}' is not allowed.", network.current.name);
                Err(Error::conflict("NameNotAllowed", message))
            }
            _ => Ok(()),
        }
    }
}

hadron_sdk::mechanism_driver!(NoTests);
