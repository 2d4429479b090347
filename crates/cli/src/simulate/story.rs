//! Cli, simulator: what the shop's teams do with their flags, and when. An experiment that is decided,
//! one that runs, a rollout that goes well, one that its guard must halt, and everyday switches.

use bellwether_model::{Millis, Span};
use serde_json::{Value, json};

/// One thing that a team does.
#[derive(Debug)]
pub(crate) struct Step {
    /// When.
    pub(crate) at: Millis,
    /// Which team.
    pub(crate) by: Team,
    /// What.
    pub(crate) act: Act,
}

/// A team; its changes are made with a key of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Team {
    Growth,
    Checkout,
    Platform,
}

impl Team {
    /// Every team.
    pub(crate) const ALL: [Self; 3] = [Self::Growth, Self::Checkout, Self::Platform];

    /// What its key is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Growth => "growth team",
            Self::Checkout => "checkout team",
            Self::Platform => "platform team",
        }
    }
}

/// What a team does.
#[derive(Debug)]
pub(crate) enum Act {
    /// An operation of the registry.
    Call(&'static str, Value),
    /// Ships what the verdict names, or stops with the verdict as the reason if it names nothing.
    Conclude(&'static str),
}

/// A comparison whose truth is worth keeping: of an experiment, or of a guarded rollout.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) flag: &'static str,
    /// Of an experiment; a rollout has none.
    pub(crate) experiment: Option<&'static str>,
    pub(crate) arms: &'static [&'static str],
    pub(crate) since: Millis,
    pub(crate) until: Millis,
    pub(crate) window: Option<Span>,
}

/// The whole of it.
#[derive(Debug)]
pub(crate) struct Story {
    /// In order of time.
    pub(crate) steps: Vec<Step>,
    pub(crate) compared: Vec<Compared>,
}

/// How far the guards let a unit go before it counts.
const WINDOW: Span = Span::HOUR;

struct Teller {
    start: Millis,
    length: f64,
    seed: u64,
    environment: String,
    /// The earliest time of the next step: a team's steps on a flag keep their order.
    from: Millis,
    steps: Vec<Step>,
}

impl Teller {
    /// A moment at this fraction of the stretch, in office hours (UTC) of a working day where the
    /// stretch is long enough for such a thing, and after the step before.
    fn at(&self, fraction: f64, hour: f64) -> Millis {
        let day = 86_400_000.0;
        let exact = self.start.plus(Span((fraction * self.length) as u64));
        let moment = if self.length < 28.0 * day {
            exact
        } else {
            let mut date = exact.0.div_euclid(86_400_000);
            while (date + 3).rem_euclid(7) > 4 {
                date += 1;
            }
            Millis(date * 86_400_000).plus(Span((hour * 3_600_000.0) as u64))
        };
        moment.max(self.from).max(self.start)
    }

    /// The next flag or metric does not wait for the one before.
    fn turn(&mut self) {
        self.from = self.start;
    }

    fn act(&mut self, at: Millis, by: Team, act: Act) {
        self.from = at.plus(Span::MINUTE.times(4));
        self.steps.push(Step { at, by, act });
    }

    fn call(&mut self, at: Millis, by: Team, operation: &'static str, input: Value) {
        self.act(at, by, Act::Call(operation, input));
    }

    /// An edit in the environment.
    fn edit(&mut self, at: Millis, by: Team, operation: &'static str, mut input: Value) {
        if let Some(fields) = input.as_object_mut() {
            fields.insert("environment".into(), self.environment.clone().into());
        }
        self.call(at, by, operation, input);
    }

    /// The same seed divides the same people in the same way.
    fn salt(&self, flag: &str) -> String {
        format!("{flag}:{}", self.seed)
    }

    fn metric(&mut self, key: &str, name: &str, event: &str, measure: Value, better: &str, about: &str) {
        let at = self.at(0.0, 0.0).plus(Span::SECOND.times(20));
        self.call(
            at,
            Team::Growth,
            "metric.save",
            json!({
                "metric": key, "name": name, "description": about, "event": event,
                "measure": measure, "better": better, "why": "what we agreed to look at",
            }),
        );
        self.turn();
    }
}

/// The story of a stretch of time.
pub(crate) fn tell(seed: u64, environment: &str, start: Millis, end: Millis) -> Story {
    let mut teller = Teller {
        start,
        length: end.since(start).0 as f64,
        seed,
        environment: environment.to_owned(),
        from: start,
        steps: Vec::new(),
    };
    let mut compared = Vec::new();
    metrics(&mut teller);
    everyday(&mut teller);
    compared.push(image_cdn(&mut teller, end));
    compared.push(one_page_checkout(&mut teller));
    compared.push(recommendations(&mut teller, end));
    compared.push(payment_sheet(&mut teller, end));
    // Stable: steps of the same moment stay as they were told.
    teller.steps.sort_by_key(|step| step.at);
    teller.steps.retain(|step| step.at < end);
    Story { steps: teller.steps, compared }
}

fn metrics(t: &mut Teller) {
    let conversion = || json!({"measure": "conversion"});
    t.metric(
        "purchase",
        "Purchase conversion",
        "purchase",
        conversion(),
        "higher",
        "Users with at least one order.",
    );
    let sum = json!({"measure": "sum", "property": "$revenue"});
    t.metric("revenue", "Revenue per user", "purchase", sum, "higher", "Euros per user, all orders.");
    t.metric("errors", "Users with errors", "client_error", conversion(), "lower", "Users who met an error.");
    t.metric("activation", "Activation", "activation", conversion(), "higher", "Accounts that were set up.");
    t.metric("cart", "Add to cart", "add_to_cart", json!({"measure": "count"}), "higher", "Items per user.");
}

/// Remote configuration, targeting by rules, and a switch that goes on, off and on again.
fn everyday(t: &mut Teller) {
    let team = Team::Growth;
    t.turn();
    let hero = |text: &str, image: &str| json!({"headline": text, "image": image, "button": "Shop now"});
    t.call(
        t.at(0.01, 8.4),
        team,
        "flag.create",
        json!({
            "flag": "home-hero", "name": "Home hero", "kind": "json", "off": "off", "default": "spring",
            "description": "What the home page shows on top. Remote configuration: edited without a deploy.",
            "variants": [
                {"key": "spring", "value": hero("New for spring", "/img/spring.avif")},
                {"key": "sale", "value": hero("Up to 40% off", "/img/sale.avif")},
                {"key": "summer", "value": hero("Ready for summer", "/img/summer.avif")},
                {"key": "off", "value": {}},
            ],
            "why": "the hero moves out of the code",
        }),
    );
    let toggle = |flag: &str, on: bool, why: &str| json!({"flag": flag, "on": on, "why": why});
    let everybody = |flag: &str, variant: &str, why: &str| json!({"flag": flag, "default": {"serve": "variant", "variant": variant}, "why": why});
    t.edit(t.at(0.01, 9.1), team, "flag.toggle", toggle("home-hero", true, "checked in staging, goes live"));
    t.edit(t.at(0.34, 7.0), team, "flag.target", everybody("home-hero", "sale", "sale week begins"));
    t.edit(t.at(0.42, 7.0), team, "flag.target", everybody("home-hero", "summer", "sale week is over"));

    t.turn();
    t.call(
        t.at(0.03, 9.6),
        Team::Platform,
        "flag.create",
        json!({
            "flag": "support-chat", "name": "Support chat", "default": "off",
            "description": "Live chat with support. We have people for German and for paying customers.",
            "why": "support asked for a way to limit who sees the chat",
        }),
    );
    let serve_on = json!({"serve": "variant", "variant": "on"});
    let is =
        |attribute: &str, values: &[&str]| json!([{"attribute": attribute, "op": "is", "values": values}]);
    t.edit(
        t.at(0.03, 10.0),
        Team::Platform,
        "flag.target",
        json!({
            "flag": "support-chat",
            "rules": [{"name": "paying customers", "when": [is("plan", &["pro", "team"])], "serve": serve_on}],
            "why": "paying customers first",
        }),
    );
    t.edit(
        t.at(0.03, 10.1),
        Team::Platform,
        "flag.toggle",
        toggle("support-chat", true, "the support team is staffed from today"),
    );
    t.edit(
        t.at(0.2, 13.0),
        Team::Platform,
        "flag.target",
        json!({
            "flag": "support-chat",
            "rules": [
                {"name": "paying customers", "when": [is("plan", &["pro", "team"])], "serve": serve_on},
                {"name": "german speaking", "when": [is("country", &["Germany"])], "serve": serve_on},
            ],
            "why": "two more colleagues, who speak German",
        }),
    );

    t.turn();
    t.call(
        t.at(0.47, 12.2),
        Team::Platform,
        "flag.create",
        json!({
            "flag": "dark-mode", "name": "Dark mode", "description": "Follows the system's setting.",
            "why": "most wanted in the last survey",
        }),
    );
    let dark = |on, why| toggle("dark-mode", on, why);
    t.edit(t.at(0.48, 8.2), Team::Platform, "flag.toggle", dark(true, "released"));
    t.edit(
        t.at(0.5, 15.6),
        Team::Platform,
        "flag.toggle",
        dark(false, "prices cannot be read on Android, bug 812"),
    );
    t.edit(t.at(0.54, 9.3), Team::Platform, "flag.toggle", dark(true, "bug 812 is fixed in 4.2.0"));

    t.turn();
    t.call(
        t.at(0.02, 11.0),
        Team::Platform,
        "flag.create",
        json!({
            "flag": "legacy-search", "name": "Legacy search", "description": "The search of before the migration.",
            "why": "a way back while the new search is young",
        }),
    );
    t.call(
        t.at(0.6, 14.2),
        Team::Platform,
        "flag.archive",
        json!({"flag": "legacy-search", "why": "nobody needed the way back in two months"}),
    );
}

/// A rollout without harm: widened step by step, finished.
fn image_cdn(t: &mut Teller, end: Millis) -> Compared {
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
    t.edit(t.at(0.09, 9.5), team, "rollout.widen", widen(2_500, "no complaints, and the cache is warm"));
    let until = t.at(0.13, 10.2);
    t.edit(until, team, "rollout.widen", widen(5_000, "half"));
    let finish = json!({"flag": "image-cdn", "why": "images are faster and errors did not move"});
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
fn one_page_checkout(t: &mut Teller) -> Compared {
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
fn recommendations(t: &mut Teller, end: Millis) -> Compared {
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
            "hypothesis": "Recommending from a visitor's own history makes orders larger. If it does, it replaces what is new.",
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
fn payment_sheet(t: &mut Teller, end: Millis) -> Compared {
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
    t.call(
        t.at(0.8, 9.6),
        team,
        "flag.describe",
        json!({
            "flag": "payment-sheet",
            "description": "How payment is asked for. Halted by its guard: banks that confirm in an app return to an empty cart, bug 1034.",
            "why": "found what the guard saw: bug 1034",
        }),
    );
    Compared {
        flag: "payment-sheet",
        experiment: None,
        arms: &["classic", "sheet"],
        since,
        until: end,
        window: Some(WINDOW),
    }
}
