//! App, tests and benches: an installation in a directory of its own, and its admin. The tests of `app` have a house with
//! more to it.
#![allow(dead_code, reason = "each file uses its own part of this")]

use std::path::Path;

use bellwether_app::{App, Cancel, Ctx, Grant, Progress, Settings, Setup, find};
use bellwether_model::{Json, Millis};
use serde_json::json;

/// 2026-09-21T14:13:20Z, at which all is done.
pub(crate) const NOW: Millis = Millis(1_790_000_000_000);

/// An installation.
pub(crate) struct Opened {
    pub(crate) app: App,
    admin: Grant,
    pub(crate) dir: tempfile::TempDir,
}

impl Opened {
    /// With the settings of a directory, as they are or otherwise.
    pub(crate) fn with(settings: impl FnOnce(&Path) -> Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (app, _) = App::open(settings(dir.path()), NOW).unwrap();
        let token = app.offer_setup(NOW).unwrap().unwrap();
        let (email, name, password) =
            ("ada@example.com".into(), "Ada".into(), "a long enough password".into());
        let login = app.set_up(&Setup { token, email, name, password }, NOW).unwrap();
        let (admin, ..) = app.session(&login.token, NOW).unwrap();
        Self { app, admin, dir }
    }

    /// As it is.
    pub(crate) fn new() -> Self {
        Self::with(|dir| Settings::new(dir, Box::new(|| {})))
    }

    /// What an operation answers, which must not refuse.
    pub(crate) fn did(&self, operation: &str, input: Json) -> Json {
        let (cancel, progress) = (Cancel::default(), Progress::default());
        let ctx = Ctx { now: NOW, grant: self.admin.clone(), dry_run: false, cancel, progress };
        let done = find(operation).unwrap().call(&self.app, &ctx, input);
        done.unwrap_or_else(|e| panic!("{operation}: {} ({}) {:?}", e.message, e.hint, e.cause))
    }

    /// A client key of production.
    pub(crate) fn key(&self) -> String {
        let made =
            self.did("key.create", json!({"name": "k", "scope": "client", "environment": "production"}));
        made["secret"].as_str().unwrap().to_owned()
    }
    /// One that may bring so many events a second.
    pub(crate) fn limited(&self, events_per_second: u32) -> String {
        let given = json!({"name": "k", "scope": "client", "environment": "production",
            "events_per_second": events_per_second});
        self.did("key.create", given)["secret"].as_str().unwrap().to_owned()
    }
}
