//! Waiting for what happens in the background.

use crate::{Error, Result};
use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks again and again until there is an answer, at most for `limit`; `what`
/// says in the error what was waited for.
pub async fn until<T, F>(what: &str, limit: Duration, mut look: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let began = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if began.elapsed() > limit {
            return Err(Error::new(format!("waited {} s in vain: {what}", limit.as_secs())));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
