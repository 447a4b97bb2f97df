//! The server's folder, which one server uses at a time.

use crate::exit::{Exit, Failure};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A folder that is ours until this is dropped, however the process ends: the
/// lock is the kernel's, so a crash leaves none behind.
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if it is not there, and takes it.
    pub(crate) fn take(path: &Path) -> Result<DataFolder, Failure> {
        let shown = path.display();
        // It holds the database and the socket: nobody else's business.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|e| Failure::failed(format!("cannot make the data folder {shown}: {e}")))?;
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path.join("hadron.lock"))
            .map_err(|e| Failure::failed(format!("cannot write into the data folder {shown}: {e}")))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let by = std::fs::read_to_string(path.join("hadron.lock")).unwrap_or_default();
                let by = by.trim();
                let by = if by.is_empty() { String::new() } else { format!(" (process {by})") };
                return Err(Failure::new(
                    Exit::InUse,
                    format!(
                        "another server uses the data folder {shown}{by}: stop it, or choose another folder with --data-folder"
                    ),
                ));
            }
            Err(TryLockError::Error(e)) => {
                return Err(Failure::failed(format!("cannot lock the data folder {shown}: {e}")));
            }
        }
        // For the message above only.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(DataFolder { path: path.to_owned(), _lock: lock })
    }

    /// Where the operator's commands reach this server.
    pub(crate) fn socket(&self) -> PathBuf {
        crate::config::socket(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_is_taken_once_and_free_again_afterwards() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("data");
        let taken = DataFolder::take(&path).unwrap();
        let second = DataFolder::take(&path).err().unwrap();
        assert_eq!(second.exit, Exit::InUse);
        assert!(second.message.contains(&format!("process {}", std::process::id())), "{}", second.message);
        drop(taken);
        assert!(DataFolder::take(&path).is_ok());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
