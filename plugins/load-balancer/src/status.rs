//! How objects are. In Octavia: `octavia.common.constants`.

/// Nothing is under way. What is set up so far is what was asked for.
pub(crate) const ACTIVE: &str = "ACTIVE";
/// Setting up failed.
pub(crate) const ERROR: &str = "ERROR";
/// It is gone, which agents report and nobody sees: the row goes.
pub(crate) const DELETED: &str = "DELETED";
pub(crate) const PENDING_CREATE: &str = "PENDING_CREATE";
pub(crate) const PENDING_UPDATE: &str = "PENDING_UPDATE";
pub(crate) const PENDING_DELETE: &str = "PENDING_DELETE";

/// It does not answer.
pub(crate) const OFFLINE: &str = "OFFLINE";
/// Nobody looks whether it answers.
pub(crate) const NO_MONITOR: &str = "NO_MONITOR";

/// What agents report of provisioning. In octavia-lib: `SUPPORTED_PROVISIONING_STATUSES`.
pub(crate) const PROVISIONING: [&str; 3] = [ACTIVE, ERROR, DELETED];
/// What agents report of operation. In octavia-lib: `SUPPORTED_OPERATING_STATUSES`.
pub(crate) const OPERATING: [&str; 6] = ["ONLINE", OFFLINE, "DEGRADED", ERROR, NO_MONITOR, "DRAINING"];

/// What somebody wants to do to a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Change it, or what it is made of.
    Change,
    /// Remove it, or set it up anew.
    Replace,
}

impl Wish {
    /// Whether a load balancer that is so can be wished so of: nothing is changed
    /// while something is under way. In Octavia: `MUTABLE_STATUSES`,
    /// `DELETABLE_STATUSES`, `FAILOVERABLE_STATUSES`.
    pub(crate) fn suits(self, provisioning: &str) -> bool {
        match provisioning {
            ACTIVE => true,
            ERROR => self == Wish::Replace,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_while_something_is_under_way() {
        for pending in [PENDING_CREATE, PENDING_UPDATE, PENDING_DELETE, DELETED] {
            assert!(!Wish::Change.suits(pending) && !Wish::Replace.suits(pending), "{pending}");
        }
        assert!(Wish::Change.suits(ACTIVE) && Wish::Replace.suits(ACTIVE));
        assert!(!Wish::Change.suits(ERROR) && Wish::Replace.suits(ERROR));
    }
}
