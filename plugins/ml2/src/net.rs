//! Arithmetic of addresses: values in, values out, no host.

mod cidr;
mod mac;
mod prefix;
mod prefixes;
mod range;

pub(crate) use cidr::{Cidr, Version, bits};
pub(crate) use mac::Mac;
pub(crate) use prefix::Prefix;
pub(crate) use prefixes::Prefixes;
pub(crate) use range::Range;
