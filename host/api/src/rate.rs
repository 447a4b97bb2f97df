//! How many requests a project may make: a bucket of tokens for each, in this
//! process. Replicas do not add up their counts.

use crate::error::json_answer;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use hadron_runtime::Caller;
use serde_json::json;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Requests after which projects that have been quiet are forgotten.
const TIDY: u32 = 4096;

/// A limit on the requests of each project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests a second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once after a pause.
    pub burst: NonZeroU32,
    /// Callers with one of these roles are not counted.
    pub exempt_roles: Vec<String>,
}

pub(crate) struct Limiter {
    limit: RateLimit,
    buckets: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
    asked: AtomicU32,
}

impl Limiter {
    pub(crate) fn new(limit: RateLimit) -> Limiter {
        let quota = Quota::per_second(limit.per_second).allow_burst(limit.burst);
        Limiter {
            limit,
            buckets: DefaultKeyedRateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            asked: AtomicU32::new(0),
        }
    }

    /// The limit that is kept.
    pub(crate) fn limit(&self) -> &RateLimit {
        &self.limit
    }

    /// Counts a request; how long to wait where it is one too many. Callers
    /// without a project are counted by user.
    pub(crate) fn admit(&self, caller: &Caller) -> Result<(), Duration> {
        let exempt = |role: &String| self.limit.exempt_roles.iter().any(|e| e.eq_ignore_ascii_case(role));
        if caller.roles.iter().any(exempt) {
            return Ok(());
        }
        if self.asked.fetch_add(1, Ordering::Relaxed) % TIDY == TIDY - 1 {
            self.buckets.retain_recent();
        }
        let who = match caller.project_id.as_str() {
            "" => format!("user {}", caller.user_id),
            project => format!("project {project}"),
        };
        self.buckets.check_key(&who).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

/// The answer to one request too many.
pub(crate) fn refused(wait: Duration) -> Response {
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    let body = json!({"NeutronError": {
        "type": "OverLimit",
        "message": format!("This project makes too many requests; try again in {seconds} s."),
        "detail": "",
    }});
    let mut response = json_answer(StatusCode::TOO_MANY_REQUESTS, &body);
    if let Ok(seconds) = HeaderValue::from_str(&seconds.to_string()) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(project: &str, role: &str) -> Caller {
        Caller { project_id: project.into(), roles: vec![role.into()], ..Caller::default() }
    }

    #[test]
    fn each_project_has_a_bucket_of_its_own() {
        let three = NonZeroU32::new(3).unwrap();
        let one = NonZeroU32::new(1).unwrap();
        let exempt_roles = vec!["admin".to_owned()];
        let limiter = Limiter::new(RateLimit { per_second: one, burst: three, exempt_roles });
        let count = |who: &Caller| (0..10).filter(|_| limiter.admit(who).is_ok()).count();
        assert_eq!(count(&caller("a", "member")), 3);
        assert_eq!(count(&caller("b", "member")), 3);
        assert_eq!(count(&caller("a", "Admin")), 10);
        let wait = limiter.admit(&caller("a", "member")).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    }

    #[test]
    fn the_client_is_told_when_to_come_again() {
        for (wait, told) in [(1, "1"), (1000, "1"), (1001, "2")] {
            let response = refused(Duration::from_millis(wait));
            assert_eq!(response.status().as_u16(), 429);
            assert_eq!(response.headers()[header::RETRY_AFTER], told);
        }
    }
}
