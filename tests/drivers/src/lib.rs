//! What the tests of drivers share: a switch to be driven, and small questions
//! to a server.
#![forbid(unsafe_code)]

mod ask;
mod sessions;
mod switch;

pub use ask::{create, drained, id_of, plugin_state, port_on};
pub use sessions::{Opened, Pace, SlowSwitch};
pub use switch::{Mood, Switch, Told};
