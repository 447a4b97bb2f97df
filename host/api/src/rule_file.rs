//! The operator's rules and the file that they come from, which is read again
//! when it has changed.

use crate::policy::{Override, read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Largest file: some thousand rules.
const LARGEST: u64 = 1 << 20;

/// The operator's rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// Grows with each change.
    pub(crate) version: u64,
    /// The rules.
    pub(crate) rules: Vec<Override>,
}

/// Tells one state of a file from another: modification in seconds and
/// nanoseconds, size, inode (editors write a new file). None: it is not there.
type Stamp = Option<(i64, i64, u64, u64)>;

/// The file.
#[derive(Debug)]
pub(crate) struct RuleFile {
    path: PathBuf,
    seen: parking_lot::Mutex<Stamp>,
}

impl RuleFile {
    /// The file at that path, not yet read.
    pub(crate) fn new(path: &Path) -> RuleFile {
        RuleFile { path: path.to_owned(), seen: parking_lot::Mutex::new(None) }
    }

    /// Reads the rules; the error is a sentence with the path, and the line
    /// where there is one.
    pub(crate) fn read(&self) -> Result<Vec<Override>, String> {
        *self.seen.lock() = self.stamp();
        read_file(&self.path)
    }

    /// Whether the file is another than when it was last read.
    pub(crate) fn changed(&self) -> bool {
        *self.seen.lock() != self.stamp()
    }

    fn stamp(&self) -> Stamp {
        let meta = std::fs::metadata(&self.path).ok()?;
        Some((meta.mtime(), meta.mtime_nsec(), meta.size(), meta.ino()))
    }
}

fn read_file(path: &Path) -> Result<Vec<Override>, String> {
    let shown = path.display();
    let unreadable = |e: std::io::Error| format!("the policy file {shown} cannot be read: {e}");
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > LARGEST {
        return Err(format!("the policy file {shown} is larger than {LARGEST} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    read(&text).map_err(|problem| format!("the policy file {shown}: {problem}"))
}

/// Whether a policy file can be used, as far as it can be told without the
/// plugins: how many rules it has, or what is wrong, with the line.
pub fn check_policy_file(path: &Path) -> Result<usize, String> {
    read_file(path).map(|rules| rules.len())
}
