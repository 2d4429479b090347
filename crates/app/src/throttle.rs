//! App: a brake on guessing passwords. Who fails too often has to wait; it is forgotten by itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bellwether_model::{Millis, Span};

use crate::error::{AppError, Refusal};

/// How long failures count.
const WINDOW: Span = Span::MINUTE.times(15);
/// Failures of one account from one network address in the window.
const MOST: u32 = 10;
/// Failures of one network address in the window, over all accounts. Many people can share an address.
const MOST_FROM_ADDRESS: u32 = 100;
/// Counted at once. Past it the oldest windows are dropped.
const MOST_COUNTED: usize = 10_000;

/// Failed logins, by network address and by network address with account.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<(String, Option<String>), Failures>>);

#[derive(Debug, Clone, Copy)]
struct Failures {
    since: Millis,
    count: u32,
}

impl Throttle {
    /// Refuses where there have been too many failures.
    pub(crate) fn ask(&self, from: &str, account: &str, now: Millis) -> Result<(), AppError> {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, most) in keys(from, account).into_iter().zip([MOST, MOST_FROM_ADDRESS]) {
            let Some(failures) = counted.get(&key) else { continue };
            let passed = now.since(failures.since);
            if failures.count >= most && passed < WINDOW {
                let seconds = (WINDOW.0 - passed.0).div_ceil(1_000);
                return Err(AppError {
                    details: Some(serde_json::json!({"retry_after": seconds})),
                    ..AppError::new(
                        Refusal::Busy,
                        "too_many",
                        "too many logins have failed",
                        format!("try again in {} minutes", seconds.div_ceil(60)),
                    )
                });
            }
        }
        Ok(())
    }

    pub(crate) fn failed(&self, from: &str, account: &str, now: Millis) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= MOST_COUNTED {
            counted.retain(|_, failures| now.since(failures.since) < WINDOW);
        }
        if counted.len() >= MOST_COUNTED
            && let Some(oldest) = counted.iter().min_by_key(|(_, f)| f.since).map(|(key, _)| key.clone())
        {
            counted.remove(&oldest);
        }
        for key in keys(from, account) {
            let failures = counted.entry(key).or_insert(Failures { since: now, count: 0 });
            if now.since(failures.since) >= WINDOW {
                *failures = Failures { since: now, count: 0 };
            }
            failures.count = failures.count.saturating_add(1);
        }
    }
}

fn keys(from: &str, account: &str) -> [(String, Option<String>); 2] {
    let short = |text: &str| text.trim().chars().take(320).collect::<String>().to_lowercase();
    [(short(from), Some(short(account))), (short(from), None)]
}
