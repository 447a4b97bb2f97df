//! How an operator's commands reach the running server: HTTP over a unix socket
//! in its data folder, which only the server's own user may open.
//!
//! Grants are given only here and in the configuration, never over REST.

mod client;
mod server;
mod wire;

pub(crate) use client::Client;
pub(crate) use server::{About, Server};
pub(crate) use wire::{Count, EntryView, JournalQuery, PluginView, Plugins, RetryQuery, encode};
