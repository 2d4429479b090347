//! Ledger: a holdout holds the same people as long as it lives, and takes nobody out of a running
//! experiment.

use bellwether_model::{Covers, Holdout};

use super::*;

pub(super) fn saved(state: &State, holdout: &Holdout) -> Result<(), LedgerError> {
    holdout.check()?;
    let key = &holdout.key;
    let was = state.holdouts.get(key).map(|h| &h.value);
    shelved("holdout", key, was.map(|was| was.archived), holdout.archived)?;
    if let Some(was) = was
        && (was.salt != holdout.salt || was.unit != holdout.unit)
    {
        let what = if was.unit == holdout.unit { "salt" } else { "unit" };
        return Err(refused(
            format!("another {what} would draw everybody in holdout `{key}` anew"),
            format!("keep the {what}; for a new draw make a new holdout"),
        ));
    }
    if let Covers::Flags { flags } = &holdout.covers {
        if flags.is_empty() {
            return Err(refused(
                format!("holdout `{key}` covers no flag"),
                "name flags or a team, cover everything, or archive the holdout",
            ));
        }
        let old = |flag: &FlagKey| matches!(was.map(|was| &was.covers), Some(Covers::Flags { flags }) if flags.contains(flag));
        for flag in flags {
            let found = state.flags.get(flag).ok_or_else(|| unknown("flag", flag))?;
            if found.archived && !old(flag) {
                return Err(archived(flag));
            }
        }
    }
    running::unheld(state, was, holdout)
}
