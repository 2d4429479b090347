//! Cli, simulator: the part of the story that is under way when it ends: a beta, a rollout that widens by itself,
//! and changes that are planned for the days after.

use bellwether_model::{Millis, Span};
use serde_json::json;

use super::{Act, Team, Teller};

/// Two features for those who asked to be first.
pub(super) fn early_access(t: &mut Teller) {
    let team = Team::Platform;
    t.turn();
    let flags = [
        ("order-tracking", "Order tracking", "Where a parcel is, on a page of the shop's own."),
        ("saved-carts", "Saved carts", "A cart that waits on every device."),
    ];
    for (flag, name, about) in flags {
        t.call(
            t.at(0.87, 9.0),
            team,
            "flag.create",
            json!({
                "flag": flag, "name": name, "default": "off", "description": about,
                "why": "to be shown to those who asked for it first",
            }),
        );
        t.edit(
            t.at(0.87, 9.2),
            team,
            "flag.toggle",
            json!({"flag": flag, "on": true, "why": "off for everybody by its default; the beta shows it"}),
        );
    }
    t.call(
        t.at(0.88, 9.0),
        team,
        "beta.save",
        json!({
            "beta": "early-access", "name": "Early access",
            "description": "Teams that asked to see what comes before everybody does.",
            "flags": {"order-tracking": "on", "saved-carts": "on"},
            "audience": [[{"attribute": "plan", "op": "is", "values": ["team"]}]],
            "why": "what the teams were promised",
        }),
    );
    t.edit(
        t.at(0.88, 9.3),
        team,
        "beta.switch",
        json!({"beta": "early-access", "on": true, "why": "both features are ready to be seen"}),
    );
}

/// A rollout by steps, of which some are taken when the story ends and some are to come.
pub(super) fn order_tracking(t: &mut Teller) {
    let hold = |share: f64| {
        let hours = (share * t.length / Span::HOUR.0 as f64) as u64;
        Span::HOUR.times(hours.max(1))
    };
    let short = hold(0.02);
    let steps = json!([
        {"share": 500, "hold": short}, {"share": 2_000, "hold": short},
        {"share": 5_000, "hold": hold(0.08)}, {"share": 10_000},
    ]);
    let salt = t.salt("order-tracking");
    let begins = t.at(0.93, 9.5);
    t.edit(
        begins,
        Team::Platform,
        "rollout.start",
        json!({
            "flag": "order-tracking", "candidate": "on", "control": "off", "steps": steps, "salt": salt,
            "why": "the teams found nothing: everybody, by steps",
        }),
    );
    for step in 1..=2 {
        t.act(begins.plus(short.times(step)), Team::Platform, Act::Pass);
    }
}

/// What is planned for after the end.
pub(super) fn plans(t: &mut Teller, end: Millis) {
    t.turn();
    let later = |share: f64| end.plus(Span((share * t.length) as u64));
    let (holidays, over) = (later(0.08), later(0.11));
    t.edit(
        t.at(0.96, 9.0),
        Team::Platform,
        "schedule.create",
        json!({
            "planned": {"plan": "toggle", "flag": "support-chat", "on": false}, "at": holidays,
            "why": "nobody is at the chat over the holidays",
        }),
    );
    t.edit(
        t.at(0.96, 9.1),
        Team::Platform,
        "schedule.create",
        json!({
            "planned": {"plan": "switch", "beta": "early-access", "on": false}, "at": over,
            "why": "by then everybody has order tracking, and saved carts go on without it",
        }),
    );
}
