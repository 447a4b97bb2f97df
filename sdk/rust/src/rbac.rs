//! Entries that give projects access to single rows of others. In Neutron: RBAC
//! policies, and the attribute `shared`.

use crate::bindings::hadron::host::rbac as host;
use crate::store::StoreError;

pub use host::Kind;

/// What entries can be about, of all loaded plugins.
pub fn kinds() -> Vec<Kind> {
    host::kinds()
}

/// To which projects (`*`: to every one) an action on a row of this plugin's own
/// is allowed, whoever asks.
pub fn targets(collection: &str, id: &str, action: &str) -> Result<Vec<String>, StoreError> {
    host::targets(collection, id, action)
}
