//! App operations: backups, made while the server goes on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::Nothing;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::backup::Backup;
use crate::error::AppError;

#[derive(Serialize, JsonSchema)]
pub(crate) struct Backups {
    /// The newest first. Those that were moved elsewhere are not among them.
    backups: Vec<Backup>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "backup.list";
    const ABOUT: &'static str = "Lists the backups that are on the server's disk, the newest first.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/backups");
    const NEEDS: Permission = Permission::Admin;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = Nothing;
    type Output = Backups;

    fn run(app: &App, _: &Ctx, _: Nothing) -> Result<Backups, AppError> {
        Ok(Backups { backups: app.backups()? })
    }
}

pub(super) struct Create;

impl Operation for Create {
    const NAME: &'static str = "backup.create";
    const ABOUT: &'static str = "Makes a backup of events and ledger while the server goes on; `bellwether restore` makes a data directory of it.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/backups");
    const NEEDS: Permission = Permission::Admin;
    const CLASS: Class = Class::Bulk;
    const EFFECT: Effect = Effect::Changes;
    type Input = Nothing;
    type Output = Backup;

    fn run(app: &App, ctx: &Ctx, _: Nothing) -> Result<Backup, AppError> {
        app.back_up(ctx.now, ctx.dry_run)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteInput {
    /// The backup.
    backup: String,
}

pub(super) struct Delete;

impl Operation for Delete {
    const NAME: &'static str = "backup.delete";
    const ABOUT: &'static str = "Removes a backup from the server's disk.";
    const ROUTE: (Method, &'static str) = (Method::Delete, "/api/backups/{backup}");
    const NEEDS: Permission = Permission::Admin;
    const CLASS: Class = Class::Bulk;
    const EFFECT: Effect = Effect::Destroys;
    type Input = DeleteInput;
    type Output = Backup;

    fn run(app: &App, ctx: &Ctx, input: DeleteInput) -> Result<Backup, AppError> {
        app.drop_backup(&input.backup, ctx.dry_run)
    }
}
