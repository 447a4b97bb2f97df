//! Test a plugin in the real runtime, inside `cargo test`.
//!
//! A test starts a `hadron` of its own on a free port, with its own data folder
//! and the plugins it names, talks to it as any REST client does, and ends it
//! when it is dropped. What passes here is what happens in production: there is
//! no second implementation of the host to be wrong.
//!
//! ```no_run
//! use hadron_sdk_testing::{Plugin, Result, Server, build_guest};
//! use serde_json::json;
//!
//! # async fn test() -> Result {
//! let driver = build_guest(env!("CARGO_MANIFEST_DIR")).await?;
//! let server = Server::builder().plugin(Plugin::new("acme", driver)).start().await?;
//!
//! let network = server.post("/v2.0/networks", &json!({"network": {"name": "a"}})).await?.expect(201)?;
//! assert_eq!(network["network"]["name"], "a");
//! # Ok(())
//! # }
//! ```
//!
//! Which server: `HADRON_BIN`, else `target/release/hadron` of the workspace the
//! test belongs to, else `hadron` on PATH. Which components: the folder
//! `HADRON_PLUGINS`, else `target/plugins`.
#![forbid(unsafe_code)]

mod builder;
mod client;
mod error;
mod guest;
mod locate;
mod port;
mod server;
mod wait;

pub use builder::{Builder, Plugin};
pub use client::{Answer, Client};
pub use error::{Error, Result};
pub use guest::{build_guest, encode};
pub use locate::{binary, component, environment, python};
pub use server::{Output, Server};
pub use wait::until;
