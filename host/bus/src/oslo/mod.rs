//! oslo.messaging's wire format, version 2.0: pure functions between bytes and
//! messages. What strangers send is never trusted to be well made.
//!
//! A body is an envelope, a JSON object that holds the message as a JSON text;
//! the message is a request, a reply or a notification.

mod envelope;
pub(crate) mod names;
mod notification;
mod reply;
mod request;

#[cfg(test)]
mod strangers;

pub(crate) use notification::notification;
pub(crate) use reply::{Ending, read_reply, reply};
pub(crate) use request::{ReplyAddress, read_request, request};
