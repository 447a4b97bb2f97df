//! A mechanism driver that does nothing, so that what is measured is what the
//! host and ML2 spend on having a driver.
//!
//! The benchmark needs several of them under different names, some with hooks
//! and some without. Rather than a crate for each, name and hooks stand in a
//! text of fixed length, which the benchmark overwrites in copies of the built
//! component.

use hadron_sdk::{Manifest, MechanismDriver};

/// `MARK`, then the name, then hooks, separated by blanks, filled with blanks.
/// The benchmark's `drivers` module knows the mark and the length.
static LABEL: [u8; 256] = *b"hadron-bench-label: mech-bench-blank                                                                                                                                                                                                                            ";

/// The driver.
pub struct Idle;

impl MechanismDriver for Idle {
    fn manifest() -> Manifest {
        // Hidden from the optimiser, which would put the text as it is now
        // into the code.
        let label: &'static [u8; 256] = std::hint::black_box(&LABEL);
        let label = String::from_utf8_lossy(label);
        let mut words = label.split_whitespace().skip(1);
        let name = words.next().unwrap_or_default();
        Manifest {
            hooks: words.map(str::to_owned).collect(),
            ..hadron_sdk::manifest!(name, "does nothing, for measuring")
        }
    }
}

hadron_sdk::mechanism_driver!(Idle);
