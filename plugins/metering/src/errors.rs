//! Neutron's words (`neutron_lib.exceptions.metering`).

use hadron_sdk::Error;

pub(crate) fn label_not_found(label: &str) -> Error {
    Error::not_found("MeteringLabelNotFound", format!("Metering label '{label}' does not exist."))
}

pub(crate) fn overlaps(prefix: &str) -> Error {
    Error::conflict(
        "MeteringLabelRuleOverlaps",
        format!("Metering label rule with remote_ip_prefix '{prefix}' overlaps another."),
    )
}

/// A rule that makes no sense. Neutron means to say this and answers 500 without
/// a word, since its `Invalid` stands for no status.
pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("Invalid", message)
}
