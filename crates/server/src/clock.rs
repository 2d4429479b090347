//! Server: the one place that knows the time. The wall's, or one that is advanced by hand so that a
//! simulation can live through ninety days in a minute.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use bellwether_app::{AppError, Permission};
use bellwether_model::Millis;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth;
use crate::body::Whole;
use crate::house::House;
use crate::json::Json;
use crate::problem::{Problem, wrong_method};

/// The last millisecond that a calendar shows.
const LATEST: i64 = 253_402_300_799_999;

/// What time it is.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    manual: AtomicBool,
    now: AtomicI64,
    advancing: Mutex<()>,
}

impl Clock {
    /// The wall's.
    pub fn wall() -> Self {
        Self(Arc::new(Inner { manual: false.into(), now: 0.into(), advancing: Mutex::new(()) }))
    }

    /// One that stands still until it is advanced.
    pub fn manual(start: Millis) -> Self {
        Self(Arc::new(Inner { manual: true.into(), now: start.0.into(), advancing: Mutex::new(()) }))
    }

    /// Now.
    pub fn now(&self) -> Millis {
        if self.is_manual() { Millis(self.0.now.load(Ordering::Acquire)) } else { wall() }
    }

    /// Whether it is advanced by hand.
    pub fn is_manual(&self) -> bool {
        self.0.manual.load(Ordering::Acquire)
    }

    fn advance(&self, to: Millis) -> Result<(), AppError> {
        let _one = self.0.advancing.lock().unwrap_or_else(PoisonError::into_inner);
        self.must_be_manual()?;
        let now = self.now();
        if to < now {
            return Err(AppError::bad_input(
                format!("`{}` is before now, which is `{}`", to.0, now.0),
                "a clock only goes forward",
            ));
        }
        if to.0 > LATEST {
            return Err(AppError::bad_input(
                format!("`{}` is beyond the year 9999", to.0),
                "send milliseconds since 1970",
            ));
        }
        self.0.now.store(to.0, Ordering::Release);
        Ok(())
    }

    /// From now on it is the wall's. A simulated time that is ahead of the wall's would make time go back.
    fn release(&self) -> Result<(), AppError> {
        let _one = self.0.advancing.lock().unwrap_or_else(PoisonError::into_inner);
        self.must_be_manual()?;
        let (now, wall) = (self.now(), wall());
        if now > wall {
            return Err(AppError::conflict(
                format!("the clock stands at `{}`, which the wall's has not reached", now.0),
                format!("start the manual clock earlier: the wall's says `{}`", wall.0),
            ));
        }
        self.0.manual.store(false, Ordering::Release);
        Ok(())
    }

    fn must_be_manual(&self) -> Result<(), AppError> {
        if self.is_manual() {
            return Ok(());
        }
        Err(AppError::conflict(
            "the server keeps the wall's time",
            "start it with `serve --clock manual` to advance time by hand",
        ))
    }
}

fn wall() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    to: Millis,
}

pub(crate) fn routes() -> Router<House> {
    Router::new()
        .route("/api/clock", get(read))
        .route("/api/clock/advance", post(advance))
        .route("/api/clock/release", post(release))
        .method_not_allowed_fallback(wrong_method)
}

async fn read(State(house): State<House>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    auth::grant(&house, &headers, false).await?.allows(Permission::View)?;
    Ok(Json(said(&house)))
}

fn said(house: &House) -> Value {
    let mode = if house.clock.is_manual() { "manual" } else { "wall" };
    json!({"mode": mode, "now": house.clock.now()})
}

async fn advance(
    State(house): State<House>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Result<Json<Value>, Problem> {
    auth::grant(&house, &headers, true).await?.allows(Permission::Admin)?;
    let Advance { to } = serde_json::from_slice(&body)
        .map_err(|e| AppError::bad_input(e.to_string(), "send `{\"to\": <milliseconds since 1970>}`"))?;
    house
        .blocking(move |house| {
            // What came before is stored with the time that it came at; then guards see the new time.
            house.app.commit()?;
            house.clock.advance(to)?;
            house.app.step(house.clock.now())
        })
        .await?;
    Ok(Json(said(&house)))
}

async fn release(State(house): State<House>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    auth::grant(&house, &headers, true).await?.allows(Permission::Admin)?;
    house.clock.release()?;
    Ok(Json(said(&house)))
}
