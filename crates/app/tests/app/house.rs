//! App tests: an installation to ask things of.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bellwether_app::{
    App, AppError, Body, Cancel, Ctx, Door, Entropy, Grant, Outcome, Progress, Reply, Sent, Served, Settings,
    Setup, Track, amplitude_context, find,
};
use bellwether_model::{Context, EnvironmentKey, Json, Millis};
use serde_json::json;
use tempfile::TempDir;

/// 2026-09-21T14:13:20Z, where tests begin.
pub(crate) const START: Millis = Millis(1_790_000_000_000);
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
pub(crate) const PASSWORD: &str = "a long enough password";

/// An installation in a directory of its own, with an admin and a hand-set clock.
pub(crate) struct House {
    pub(crate) app: App,
    pub(crate) now: Millis,
    pub(crate) admin: Grant,
    pub(crate) session: String,
    pub(crate) rings: Arc<AtomicU64>,
    pub(crate) dir: TempDir,
}

pub(crate) fn production() -> EnvironmentKey {
    "production".parse().unwrap()
}

fn settings(data: &Path, rings: &Arc<AtomicU64>, seed: u64) -> Settings {
    let rung = Arc::clone(rings);
    let wake = Box::new(move || {
        rung.fetch_add(1, Ordering::Relaxed);
    });
    Settings { entropy: Entropy::seeded(seed), ..Settings::new(data, wake) }
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(1, |_| {})
    }

    pub(crate) fn with(seed: u64, adjust: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let rings = Arc::default();
        let mut settings = settings(dir.path(), &rings, seed);
        adjust(&mut settings);
        let (app, _) = App::open(settings, START).unwrap();
        let token = app.offer_setup(START).unwrap().unwrap();
        let setup =
            Setup { token, email: "ada@example.com".into(), name: "Ada".into(), password: PASSWORD.into() };
        let login = app.set_up(&setup, START).unwrap();
        let (admin, ..) = app.session(&login.token, START).unwrap();
        Self { app, now: START, admin, session: login.token, rings, dir }
    }

    /// Stops and starts again.
    pub(crate) fn restart(self) -> Self {
        let Self { app, now, admin, session, rings, dir } = self;
        drop(app);
        let (app, _) = App::open(settings(dir.path(), &rings, 99), now).unwrap();
        Self { app, now, admin, session, rings, dir }
    }

    /// What lies in a directory that another one was restored to.
    pub(crate) fn restored(dir: TempDir, now: Millis) -> Self {
        let rings = Arc::default();
        let (app, _) = App::open(settings(dir.path(), &rings, 7), now).unwrap();
        let login = app.log_in("ada@example.com", PASSWORD, "test", now).unwrap();
        let (admin, ..) = app.session(&login.token, now).unwrap();
        Self { app, now, admin, session: login.token, rings, dir }
    }

    pub(crate) fn ctx(&self) -> Ctx {
        Ctx {
            now: self.now,
            grant: self.admin.clone(),
            dry_run: false,
            cancel: Cancel::default(),
            progress: Progress::default(),
        }
    }

    pub(crate) fn ask(&self, operation: &str, input: Json) -> Result<Json, AppError> {
        find(operation).unwrap().call(&self.app, &self.ctx(), input)
    }

    pub(crate) fn ask_as(&self, grant: &Grant, operation: &str, input: Json) -> Result<Json, AppError> {
        let ctx = Ctx { grant: grant.clone(), ..self.ctx() };
        find(operation).unwrap().call(&self.app, &ctx, input)
    }

    /// The same without the deed.
    pub(crate) fn rehearse(&self, operation: &str, input: Json) -> Result<Json, AppError> {
        let ctx = Ctx { dry_run: true, ..self.ctx() };
        find(operation).unwrap().call(&self.app, &ctx, input)
    }

    pub(crate) fn did(&self, operation: &str, input: Json) -> Json {
        crate::strict::check_once(self, operation, &input);
        self.ask(operation, input)
            .unwrap_or_else(|e| panic!("{operation}: {} ({}) {:?}", e.message, e.hint, e.cause))
    }

    /// The refusal as people read it.
    pub(crate) fn refused(&self, operation: &str, input: Json) -> String {
        match self.ask(operation, input) {
            Ok(done) => panic!("{operation} was not refused: {done}"),
            Err(e) => format!("{} {}\nhint: {}", e.refusal.status(), e.message, e.hint),
        }
    }

    pub(crate) fn key(&self, scope: &str) -> String {
        let environment = if scope == "admin" { Json::Null } else { "production".into() };
        let made = self.did("key.create", json!({"name": scope, "scope": scope, "environment": environment}));
        made["secret"].as_str().unwrap().to_owned()
    }

    pub(crate) fn revision(&self) -> u64 {
        self.did("system.status", json!({}))["revision"].as_u64().unwrap()
    }

    pub(crate) fn events(&self) -> Vec<Json> {
        self.app.commit().unwrap();
        let found = self.did("event.recent", json!({"environment": "production", "limit": 500}));
        found["events"].as_array().unwrap().clone()
    }

    /// Hands in events as an SDK does, and commits them.
    pub(crate) fn send(&self, body: &Json) -> Result<Json, (u16, Json)> {
        self.send_bytes(&serde_json::to_vec(body).unwrap(), None)
    }

    pub(crate) fn send_bytes(&self, body: &[u8], encoding: Option<&str>) -> Result<Json, (u16, Json)> {
        let sent = Sent { encoding, peer: Some("203.0.113.9"), body, ..Sent::default() };
        match self.bring(Door::AmplitudeHttp, &sent) {
            Reply { status: 200, body: Body::Json(body), .. } => Ok(body),
            Reply { status, body: Body::Json(body), .. } => Err((status, body)),
            other => panic!("{other:?}"),
        }
    }

    /// Hands in a request by any door, and commits what it brings.
    pub(crate) fn bring(&self, door: Door, sent: &Sent<'_>) -> Reply {
        match self.app.take(door, sent, self.now) {
            Outcome::Waiting { waiting, reply } => {
                self.app.commit().unwrap();
                assert_eq!(self.app.settled(&waiting), bellwether_app::Settled::Committed);
                reply
            }
            Outcome::Answered(reply) => reply,
        }
    }

    /// What production serves now.
    pub(crate) fn served(&self) -> Arc<Served> {
        self.app.served(&production()).unwrap()
    }

    /// What a user gets of a flag in production, recorded as an exposure.
    pub(crate) fn shown(&self, flag: &str, user: &str) -> String {
        self.answer(flag, user, Track::Exposure)
    }

    /// The same, recorded as an assignment.
    pub(crate) fn assigned(&self, flag: &str, user: &str) -> String {
        self.answer(flag, user, Track::Assignment)
    }

    pub(crate) fn peeked(&self, flag: &str, user: &str) -> String {
        self.answer(flag, user, Track::Nothing)
    }

    fn answer(&self, flag: &str, user: &str, track: Track) -> String {
        let context = Context::new(Some(user), serde_json::Map::new());
        let served = self.served();
        self.app.evaluate(&served, flag, &context, track, None, self.now).unwrap().variant.to_owned()
    }

    /// A flag `on`/`off` in production that splits `on` against `off` by basis points.
    pub(crate) fn split_flag(&self, flag: &str, on: u32) {
        self.did("flag.create", json!({"flag": flag}));
        let shares = json!([{"variant": "on", "share": on}, {"variant": "off", "share": 10_000 - on}]);
        let default = json!({"serve": "split", "shares": shares, "salt": format!("{flag}-1")});
        self.did(
            "flag.target",
            json!({"flag": flag, "environment": "production", "default": default, "why": "test"}),
        );
        self.did(
            "flag.toggle",
            json!({"flag": flag, "environment": "production", "on": true, "why": "test"}),
        );
    }

    pub(crate) fn later(&mut self, ms: i64) {
        self.now = Millis(self.now.0 + ms);
    }
}

/// An Amplitude user as a context.
pub(crate) fn user(value: Json) -> Context {
    amplitude_context(value.as_object().unwrap())
}

/// A small generator for simulations: SplitMix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, share: f64) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((z >> 11) as f64) / ((1_u64 << 53) as f64) < share
    }
}
