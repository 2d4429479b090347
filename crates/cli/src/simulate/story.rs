//! Cli, simulator: what the shop's teams do with their flags, and when. An experiment that is decided,
//! one that runs, a rollout that goes well, one that its guard must halt, everyday switches, and what is under way
//! when the story ends.

mod ahead;
mod trials;

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
    /// An operation once the guard of this flag's rollout has halted it; nothing if it has not.
    OnceHalted(&'static str, &'static str, Value),
    /// Nothing: time stops here, so that what is due by itself is done when it is due.
    Pass,
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
            Millis(date * 86_400_000).plus(Span(libm::round(hour * 3_600_000.0) as u64))
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
    compared.push(trials::image_cdn(&mut teller, end));
    compared.push(trials::one_page_checkout(&mut teller));
    compared.push(trials::recommendations(&mut teller, end));
    compared.push(trials::payment_sheet(&mut teller, end));
    ahead::early_access(&mut teller);
    ahead::order_tracking(&mut teller);
    ahead::plans(&mut teller, end);
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
            "flag": "home-hero", "name": "Home hero", "kind": "json", "off": "off", "default": "collection",
            "description": "What the home page shows on top. Remote configuration: edited without a deploy.",
            "variants": [
                {"key": "collection", "value": hero("The collection", "/img/collection.avif")},
                {"key": "sale", "value": hero("Up to 40% off", "/img/sale.avif")},
                {"key": "arrivals", "value": hero("New arrivals", "/img/arrivals.avif")},
                {"key": "off", "value": {}},
            ],
            "why": "the hero moves out of the code",
        }),
    );
    let toggle = |flag: &str, on: bool, why: &str| json!({"flag": flag, "on": on, "why": why});
    let everybody = |flag: &str, variant: &str, why: &str| json!({"flag": flag, "default": {"serve": "variant", "variant": variant}, "why": why});
    t.edit(
        t.at(0.01, 9.1),
        team,
        "flag.toggle",
        toggle("home-hero", true, "the home page reads its hero from the flag"),
    );
    t.edit(t.at(0.34, 7.0), team, "flag.target", everybody("home-hero", "sale", "sale week begins"));
    t.edit(t.at(0.42, 7.0), team, "flag.target", everybody("home-hero", "arrivals", "sale week is over"));

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
        json!({"flag": "legacy-search", "why": "nobody needed the way back"}),
    );
}
