//! Cli, simulator: the part of the story whose truth is kept: two experiments and two guarded rollouts.

use bellwether_model::{Millis, Span};
use serde_json::json;

use super::{Act, Compared, Team, Teller};

/// How long a guard watches a user before the user counts.
const WINDOW: Span = Span::HOUR;

/// A rollout without harm: widened step by step, finished.
pub(super) fn image_cdn(t: &mut Teller, end: Millis) -> Compared {
    let team = Team::Platform;
    t.turn();
    t.call(
        t.at(0.05, 9.0),
        team,
        "flag.create",
        json!({
            "flag": "image-cdn", "name": "Image CDN", "kind": "string", "off": "origin", "default": "origin",
            "description": "Where images are loaded from.",
            "variants": [{"key": "cdn", "value": "https://cdn.shop.example"}, {"key": "origin", "value": "https://shop.example/img"}],
            "why": "images move to the CDN",
        }),
    );
    t.edit(
        t.at(0.05, 9.2),
        team,
        "flag.toggle",
        json!({"flag": "image-cdn", "on": true, "why": "serves the origin to everybody until the rollout begins"}),
    );
    let since = t.at(0.06, 9.5);
    let salt = t.salt("image-cdn");
    t.edit(
        since,
        team,
        "rollout.start",
        json!({
            "flag": "image-cdn", "candidate": "cdn", "control": "origin", "share": 1_000, "salt": salt,
            "guard": {"metric": "errors", "margin": 0.01, "alpha": 0.05, "window": WINDOW},
            "why": "a tenth first; the guard watches errors",
        }),
    );
    let widen = |share: u32, why: &str| json!({"flag": "image-cdn", "share": share, "why": why});
    t.edit(t.at(0.09, 9.5), team, "rollout.widen", widen(2_500, "the guard sees no harm in errors"));
    let until = t.at(0.13, 10.2);
    t.edit(until, team, "rollout.widen", widen(5_000, "half"));
    let finish = json!({"flag": "image-cdn", "why": "the guard saw no harm in errors up to half"});
    t.edit(t.at(0.2, 9.8), team, "rollout.finish", finish);
    // The last epoch's arms are of one ratio: from half to everybody.
    let done = t.from.min(end);
    Compared {
        flag: "image-cdn",
        experiment: None,
        arms: &["origin", "cdn"],
        since: until,
        until: done,
        window: Some(WINDOW),
    }
}

/// An experiment with a winner that is shipped.
pub(super) fn one_page_checkout(t: &mut Teller) -> Compared {
    let team = Team::Checkout;
    t.turn();
    t.call(
        t.at(0.1, 9.7),
        team,
        "flag.create",
        json!({
            "flag": "one-page-checkout", "name": "One-page checkout", "kind": "boolean",
            "off": "off", "default": "off",
            "description": "Address, delivery and payment on one page.",
            "variants": [
                {"key": "control", "value": false, "description": "three pages"},
                {"key": "treatment", "value": true, "description": "one page"},
                {"key": "off", "value": false},
            ],
            "why": "built behind a flag",
        }),
    );
    let salt = t.salt("one-page-checkout");
    let split = json!({"serve": "split", "salt": salt, "rest": "off",
        "shares": [{"variant": "control", "share": 4_500}, {"variant": "treatment", "share": 4_500}, {"variant": "off", "share": 1_000}]});
    t.edit(
        t.at(0.15, 8.5),
        team,
        "flag.target",
        json!({"flag": "one-page-checkout", "default": split, "why": "the experiment's shares"}),
    );
    t.edit(
        t.at(0.15, 8.6),
        team,
        "flag.toggle",
        json!({"flag": "one-page-checkout", "on": true, "why": "the experiment begins"}),
    );
    let days = ((t.length * 0.3 / 86_400_000.0) as u64).max(1);
    t.edit(
        t.at(0.15, 8.7),
        team,
        "experiment.create",
        json!({
            "experiment": "one-page-checkout", "name": "One-page checkout",
            "hypothesis": "Fewer pages lose fewer people: more checkouts end in an order. If so, everybody gets one page.",
            "flag": "one-page-checkout", "control": "control", "metric": "purchase", "days": days, "effect": 0.03,
        }),
    );
    let since = t.at(0.15, 8.8);
    t.call(
        since,
        team,
        "experiment.start",
        json!({"experiment": "one-page-checkout", "why": "planned in the checkout review"}),
    );
    let until = since.plus(Span::DAY.times(days));
    t.act(until.plus(Span::HOUR), team, Act::Conclude("one-page-checkout"));
    Compared {
        flag: "one-page-checkout",
        experiment: Some("one-page-checkout"),
        arms: &["control", "treatment"],
        since,
        until,
        window: None,
    }
}

/// An experiment that still runs when the story ends.
pub(super) fn recommendations(t: &mut Teller, end: Millis) -> Compared {
    let team = Team::Growth;
    t.turn();
    t.call(
        t.at(0.78, 9.0),
        team,
        "flag.create",
        json!({
            "flag": "recommendations", "name": "Recommendations", "kind": "string",
            "off": "off", "default": "off",
            "description": "What is recommended beside an item.",
            "variants": [
                {"key": "control", "value": "new"},
                {"key": "personal", "value": "personal", "description": "from the visitor's own history"},
                {"key": "popular", "value": "popular", "description": "what others buy"},
                {"key": "off", "value": "new"},
            ],
            "why": "two ideas against what we have",
        }),
    );
    let salt = t.salt("recommendations");
    let split = json!({"serve": "split", "salt": salt, "rest": "off", "shares": [
        {"variant": "control", "share": 3_000}, {"variant": "personal", "share": 3_000},
        {"variant": "popular", "share": 3_000}, {"variant": "off", "share": 1_000},
    ]});
    let on = json!({"flag": "recommendations", "on": true, "why": "the experiment begins"});
    let shares = json!({"flag": "recommendations", "default": split, "why": "the experiment's shares"});
    t.edit(t.at(0.84, 8.9), team, "flag.target", shares);
    t.edit(t.at(0.84, 9.0), team, "flag.toggle", on);
    let days = ((t.length * 0.31 / 86_400_000.0) as u64).max(1);
    t.edit(
        t.at(0.84, 9.1),
        team,
        "experiment.create",
        json!({
            "experiment": "recommendations", "name": "Recommendations",
            "hypothesis": "Recommending from a visitor's own history raises the revenue per user. If it does, it replaces what is new.",
            "flag": "recommendations", "control": "control", "metric": "revenue", "days": days, "effect": 1.0,
        }),
    );
    let since = t.at(0.84, 9.2);
    t.call(
        since,
        team,
        "experiment.start",
        json!({"experiment": "recommendations", "why": "agreed with the growth team"}),
    );
    Compared {
        flag: "recommendations",
        experiment: Some("recommendations"),
        arms: &["control", "personal", "popular"],
        since,
        until: since.plus(Span::DAY.times(days)).min(end),
        window: None,
    }
}

/// A rollout that does harm: its guard must halt it.
pub(super) fn payment_sheet(t: &mut Teller, end: Millis) -> Compared {
    let team = Team::Checkout;
    t.turn();
    t.call(
        t.at(0.66, 10.0),
        team,
        "flag.create",
        json!({
            "flag": "payment-sheet", "name": "Payment sheet", "kind": "string", "off": "classic", "default": "classic",
            "description": "How payment is asked for.",
            "variants": [{"key": "classic", "value": "page"}, {"key": "sheet", "value": "sheet"}],
            "why": "the new payment provider's sheet",
        }),
    );
    t.edit(
        t.at(0.68, 9.0),
        team,
        "flag.toggle",
        json!({"flag": "payment-sheet", "on": true, "why": "serves the classic page to everybody until the rollout begins"}),
    );
    let since = t.at(0.68, 9.3);
    let salt = t.salt("payment-sheet");
    t.edit(
        since,
        team,
        "rollout.start",
        json!({
            "flag": "payment-sheet", "candidate": "sheet", "control": "classic", "share": 2_500, "salt": salt,
            "guard": {"metric": "purchase", "margin": 0.02, "alpha": 0.05, "window": WINDOW},
            "why": "a quarter; the guard watches purchases and may cost two points at most",
        }),
    );
    let found = json!({
        "flag": "payment-sheet",
        "description": "How payment is asked for. Halted by its guard: banks that confirm in an app return to an empty cart, bug 1034.",
        "why": "found what the guard saw: bug 1034",
    });
    t.act(t.at(0.8, 9.6), team, Act::OnceHalted("payment-sheet", "flag.describe", found));
    Compared {
        flag: "payment-sheet",
        experiment: None,
        arms: &["classic", "sheet"],
        since,
        until: end,
        window: Some(WINDOW),
    }
}
