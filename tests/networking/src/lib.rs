//! What first-party plugins make of networking: a file for each resource, its
//! rules and their edge cases through the API of a real server. `docs/coverage.md`
//! says which rule is shown where.
#![forbid(unsafe_code)]

mod cli;
mod cloud;
pub mod compute;
mod identity;

pub use cli::Cli;
pub use cloud::Cloud;
pub use hadron_api_tests::world;
pub use identity::Identity;
