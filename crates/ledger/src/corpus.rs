//! Ledger, tests: the frozen corpus. Each file of `tests/corpus` is a change as some version stored
//! it; all of them must be read and folded for ever. Beside them lies a whole ledger, which
//! `tests/frozen.rs` opens.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use bellwether_model::{Edit, Json, Millis, Revision};
use serde_json::json;

use crate::check::check;
use crate::log::Stored;
use crate::{State, shop};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn frozen() -> Vec<(String, Json)> {
    let files = std::fs::read_dir(folder()).unwrap().map(|f| f.unwrap().path());
    let mut frozen: Vec<_> = files
        .filter(|f| f.extension().is_some_and(|e| e == "json"))
        .map(|f| {
            let name = f.file_name().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_str(&std::fs::read_to_string(&f).unwrap()).unwrap())
        })
        .collect();
    frozen.sort_by(|a, b| a.0.cmp(&b.0));
    frozen
}

/// The word under which an edit is stored. A new kind of edit does not compile before it is here,
/// and does not pass before it is in the corpus.
fn word(edit: &Edit) -> &'static str {
    match edit {
        Edit::EnvironmentCreated { .. } => "environment_created",
        Edit::EnvironmentSaved { .. } => "environment_saved",
        Edit::FlagCreated { .. } => "flag_created",
        Edit::FlagDescribed { .. } => "flag_described",
        Edit::FlagToggled { .. } => "flag_toggled",
        Edit::TargetingReplaced { .. } => "targeting_replaced",
        Edit::SplitReshared { .. } => "split_reshared",
        Edit::FlagArchived { .. } => "flag_archived",
        Edit::FlagTeamSet { .. } => "flag_team_set",
        Edit::FlagLayerSet { .. } => "flag_layer_set",
        Edit::FlagSchemaSet { .. } => "flag_schema_set",
        Edit::FlagVariantsReplaced { .. } => "flag_variants_replaced",
        Edit::SegmentSaved { .. } => "segment_saved",
        Edit::LayerSaved { .. } => "layer_saved",
        Edit::LayerAllotted { .. } => "layer_allotted",
        Edit::HoldoutSaved { .. } => "holdout_saved",
        Edit::RolloutSet { .. } => "rollout_set",
        Edit::EnrolmentSet { .. } => "enrolment_set",
        Edit::BetaSaved { .. } => "beta_saved",
        Edit::BetaSwitched { .. } => "beta_switched",
        Edit::ScheduleSaved { .. } => "schedule_saved",
        Edit::MetricSaved { .. } => "metric_saved",
        Edit::PlanChanged { .. } => "plan_changed",
        Edit::ProposalSaved { .. } => "proposal_saved",
        Edit::ProposalApproved { .. } => "proposal_approved",
        Edit::ExperimentSaved { .. } => "experiment_saved",
        Edit::ExperimentStarted { .. } => "experiment_started",
        Edit::ExperimentStopped { .. } => "experiment_stopped",
        Edit::ExperimentShipped { .. } => "experiment_shipped",
    }
}

const KINDS: usize = 29;

#[test]
fn every_change_that_was_ever_stored_is_read_and_folded() {
    let mut state = State::default();
    let mut words = BTreeSet::new();
    for (i, (name, frozen)) in frozen().into_iter().enumerate() {
        let stored = Stored {
            revision: Revision(i as u64 + 1),
            at: Millis(frozen["at"].as_i64().unwrap()),
            by: frozen["by"].to_string(),
            why: frozen["why"].as_str().unwrap().to_owned(),
            edit: frozen["edit"].to_string(),
        };
        let change = stored.decode().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(word(&change.edit), frozen["edit"]["edit"], "{name}");
        assert!(state.apply(&change), "{name} finds nothing to act on");
        words.insert(word(&change.edit));
    }
    assert_eq!(words.len(), KINDS, "{words:?}");
    insta::assert_json_snapshot!(state);
}

#[test]
fn a_change_that_cannot_be_read_says_why() {
    let check = |edit: &str| {
        let stored = Stored {
            revision: Revision(1),
            at: Millis(0),
            by: r#"{"actor":"system"}"#.to_owned(),
            why: String::new(),
            edit: edit.to_owned(),
        };
        // The list of all the words that are known is left out.
        stored.decode().unwrap_err().split(", expected one of").next().unwrap_or_default().to_owned()
    };
    let said = [
        check("{"),
        check(r#"{"edit":"flag_archived","flag":"f","archived":true}"#),
        check(r#"{"v":99,"edit":"flag_archived","flag":"f","archived":true}"#),
        check(r#"{"v":1,"edit":"flag_exploded","flag":"f"}"#),
        check(r#"{"v":1,"edit":"flag_archived","flag":"no key","archived":true}"#),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    its edit is not JSON: EOF while parsing an object at line 1 column 1
    its edit has no version
    its edit has version `99`, and this program reads up to `1`
    its edit cannot be read: unknown variant `flag_exploded`
    its edit cannot be read: `no key` is not a key
    ");
}

/// Writes down how this version stores the shop's history, for the corpus of the next one. Files that
/// are there are never written again: what is new in the shop comes behind them.
#[test]
#[ignore = "run by hand when there is a new edit, or an edit's stored form gets a new version"]
fn freeze() {
    let mut state = State::default();
    for (i, proposed) in shop::whole().into_iter().enumerate() {
        let at = Millis(shop::START.0 + 1_000 * i as i64);
        check(&state, &proposed, at).unwrap();
        let change = proposed.change(Revision(i as u64 + 1), at);
        let stored = Stored::encode(&change).unwrap();
        state.apply(&change);
        let json = |text: &str| serde_json::from_str::<Json>(text).unwrap();
        let edit = json(&stored.edit);
        let file = json!({"at": stored.at, "by": json(&stored.by), "why": stored.why, "edit": edit});
        let name = format!("v{}-{:02}-{}.json", edit["v"], i + 1, word(&change.edit));
        let path = folder().join(name);
        if !path.exists() {
            let new = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
            serde_json::to_writer_pretty(new.unwrap(), &file).unwrap();
        }
    }
}
