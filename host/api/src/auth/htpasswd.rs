//! Users and bcrypt hashes, as `htpasswd -B` writes them.
//!
//! bcrypt is slow on purpose, some 50 ms. A password that was right once is
//! therefore remembered as a keyed digest, so that only the first request of a
//! user pays; wrong ones are never remembered, and few are checked at the same
//! time, so that guessing does not take the processor from everybody else.

use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Passwords checked with bcrypt at the same time.
const CHECKS: usize = 2;

/// Cost of the hash that stands for unknown users where there are no others to
/// look like: `htpasswd`'s default.
const COST: u32 = 5;

/// Why an htpasswd file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HtpasswdError {
    /// It cannot be read.
    #[error("cannot read the password file '{0}': {1}")]
    Read(String, std::io::Error),
    /// A line is not `USER:HASH` with a bcrypt hash.
    #[error(
        "line {0} of the password file is not USER:HASH with a bcrypt hash; make it with 'htpasswd -nB USER'"
    )]
    Line(usize),
    /// There is no random source or bcrypt does not work.
    #[error("cannot prepare the checking of passwords: {0}")]
    Setup(String),
}

/// The users of an htpasswd file. Cheap to clone.
#[derive(Clone)]
pub struct Htpasswd(Arc<Users>);

struct Users {
    hashes: HashMap<String, String>,
    nobody: String,
    key: [u8; 32],
    verified: RwLock<HashMap<String, [u8; 32]>>,
    checks: Semaphore,
}

impl Htpasswd {
    /// Reads a file.
    pub fn load(path: &std::path::Path) -> Result<Htpasswd, HtpasswdError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| HtpasswdError::Read(path.display().to_string(), error))?;
        Htpasswd::parse(&text)
    }

    /// Reads the text of a file: lines of `USER:HASH`, empty ones, and comments
    /// after `#`.
    pub fn parse(text: &str) -> Result<Htpasswd, HtpasswdError> {
        let mut hashes = HashMap::new();
        let mut cost = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = || HtpasswdError::Line(number + 1);
            let (user, hash) = line.split_once(':').filter(|(user, _)| !user.is_empty()).ok_or_else(wrong)?;
            let parts = hash.parse::<bcrypt::HashParts>().map_err(|_| wrong())?;
            cost = cost.max(Some(parts.get_cost()));
            hashes.insert(user.to_owned(), hash.to_owned());
        }
        let setup = |error: &dyn std::fmt::Display| HtpasswdError::Setup(error.to_string());
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| setup(&error))?;
        let nobody = bcrypt::hash("", cost.unwrap_or(COST)).map_err(|error| setup(&error))?;
        let (verified, checks) = (RwLock::new(HashMap::new()), Semaphore::new(CHECKS));
        Ok(Htpasswd(Arc::new(Users { hashes, nobody, key, verified, checks })))
    }

    /// Whether that is the user's password.
    pub(crate) async fn verify(&self, user: &str, password: String) -> bool {
        let digest = self.digest(user, &password);
        let known = self.0.verified.read().get(user).copied();
        if known.is_some_and(|known| bool::from(known.ct_eq(&digest))) {
            return true;
        }
        let Ok(_turn) = self.0.checks.acquire().await else { return false };
        // Unknown users take as long as known ones.
        let hash = self.0.hashes.get(user);
        let exists = hash.is_some();
        let hash = hash.unwrap_or(&self.0.nobody).clone();
        let check = move || bcrypt::verify(password, &hash).unwrap_or(false);
        let right = tokio::task::spawn_blocking(check).await.unwrap_or(false) && exists;
        if right {
            self.0.verified.write().insert(user.to_owned(), digest);
        }
        right
    }

    fn digest(&self, user: &str, password: &str) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.0.key);
        hasher.update((user.len() as u64).to_be_bytes());
        hasher.update(user);
        hasher.update(password);
        hasher.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Htpasswd {
        let hash = bcrypt::hash("secret", 4).unwrap().replace("$2b$", "$2y$");
        Htpasswd::parse(&format!("# users\n\nann:{hash}\n")).unwrap()
    }

    #[tokio::test]
    async fn the_right_password_is_remembered_and_a_wrong_one_is_not() {
        let users = users();
        assert!(!users.verify("ann", "wrong".into()).await);
        assert!(users.0.verified.read().is_empty());
        assert!(users.verify("ann", "secret".into()).await);
        assert_eq!(users.0.verified.read().len(), 1);
        assert!(users.verify("ann", "secret".into()).await);
        assert!(!users.verify("ann", "wrong".into()).await);
        assert!(!users.verify("bob", "secret".into()).await);
        assert!(!users.verify("bob", String::new()).await);
    }

    #[test]
    fn lines_that_are_no_bcrypt_hash_are_named() {
        let message = |text: &str| Htpasswd::parse(text).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message("\nann:{SHA}xyz").starts_with("line 2"));
        assert!(message("ann").starts_with("line 1"));
        assert!(message(":x").starts_with("line 1"));
    }
}
