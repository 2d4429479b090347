//! Cli, simulator: lives through the stretch, step by step, over the public API. Before each step every
//! visitor who comes in it asks for flags as an SDK does; the clock goes on; their events are sent.

use std::collections::BTreeMap;

use bellwether_model::{Millis, Span};
use serde_json::{Value, json};

use super::play::{Answers, Occurrence, play};
use super::shop::{Session, Shop};
use super::story::{Act, Compared, Step, Story, Team, tell};
use super::tally::Trial;
use super::world::FLAGS;
use crate::failure::Failure;
use crate::link::{Link, WORKERS, parallel};

/// What is simulated.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) environment: String,
    /// From the server's time to here.
    pub(crate) until: Millis,
    /// New visitors a day, on average.
    pub(crate) visitors_per_day: f64,
}

/// How far it has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) day: u64,
    pub(crate) days: u64,
    pub(crate) events: u64,
}

/// The usual step: what happens within it is sent at its end. Each costs the server a part and its syncs.
const STEP: Span = Span::DAY;
/// The step while a guard has something to watch.
const WATCHED: Span = Span::HOUR.times(6);
/// Events of one batch.
const BATCH: usize = 1_000;

/// A simulation under way.
pub(crate) struct Drive<'l> {
    link: &'l Link,
    plan: Plan,
    start: Millis,
    now: Millis,
    shop: Shop,
    /// The key that the shop's SDKs use.
    client: String,
    /// Ids of the keys that were made here, to be revoked at the end.
    made: Vec<String>,
    teams: Vec<(Team, String)>,
    steps: std::collections::VecDeque<Step>,
    trials: Vec<(Compared, Trial)>,
    /// What each visitor was answered: at which revision, with which plan.
    answers: Vec<Option<(u64, u8, Answers)>>,
    revision: u64,
    /// Events of sessions that go on past the step.
    held: Vec<Occurrence>,
    /// Events that are sent once more with the next step.
    again: Vec<Occurrence>,
    halted: Vec<Value>,
    verdicts: BTreeMap<&'static str, Value>,
    asked: u64,
    sent: u64,
    distinct: BTreeMap<&'static str, u64>,
}

impl<'l> Drive<'l> {
    /// Gets ready: reads the server's clock, makes a key for each team and one for the shop.
    pub(crate) fn new(link: &'l Link, plan: Plan) -> Result<Self, Failure> {
        let start = link.manual_now()?;
        if plan.until <= start {
            return Err(Failure::new(
                format!(
                    "the simulation would end at `{}`, and the server's clock stands at `{start}`",
                    plan.until
                ),
                "choose a later `--until`, or start the server with an earlier `--clock-start`",
            ));
        }
        let days = plan.until.since(start).0.div_ceil(Span::DAY.0);
        let Story { steps, compared } = tell(plan.seed, &plan.environment, start, plan.until);
        let trials = compared
            .into_iter()
            .filter_map(|c| Some((Trial::new(c.flag, c.arms, c.since, c.until, c.window)?, c)))
            .map(|(trial, compared)| (compared, trial))
            .collect();
        let mut drive = Self {
            shop: Shop::new(plan.seed, start, u32::try_from(days).unwrap_or(u32::MAX), plan.visitors_per_day),
            link,
            start,
            now: start,
            client: String::new(),
            made: Vec::new(),
            teams: Vec::new(),
            steps: steps.into(),
            trials,
            answers: Vec::new(),
            revision: 0,
            held: Vec::new(),
            again: Vec::new(),
            halted: Vec::new(),
            verdicts: BTreeMap::new(),
            asked: 0,
            sent: 0,
            distinct: BTreeMap::new(),
            plan,
        };
        let environment = drive.plan.environment.clone();
        drive.client =
            drive.key(json!({"name": "shop front", "scope": "client", "environment": environment}))?;
        for team in Team::ALL {
            let secret = drive.key(json!({"name": team.name(), "scope": "admin"}))?;
            drive.teams.push((team, secret));
        }
        Ok(drive)
    }

    fn key(&mut self, input: Value) -> Result<String, Failure> {
        let made = self.link.call("key.create", input, None)?;
        self.made.push(made["id"].as_str().unwrap_or_default().to_owned());
        Ok(made["secret"].as_str().unwrap_or_default().to_owned())
    }

    /// Lives through the whole stretch.
    pub(crate) fn run(&mut self, report: &mut dyn FnMut(Progress)) -> Result<(), Failure> {
        while self.now < self.plan.until {
            self.act()?;
            self.step()?;
            let day = Span::DAY.0;
            report(Progress {
                day: self.now.since(self.start).0 / day,
                days: self.plan.until.since(self.start).0.div_ceil(day),
                events: self.sent,
            });
        }
        Ok(())
    }

    /// Does what the teams do now.
    fn act(&mut self) -> Result<(), Failure> {
        while let Some(step) = self.steps.pop_front_if(|step| step.at <= self.now) {
            let key = self.teams.iter().find(|(team, _)| *team == step.by).map(|(_, key)| key.clone());
            match step.act {
                Act::Call(operation, input) => {
                    self.link.call(operation, input, key.as_deref())?;
                }
                Act::OnceHalted(flag, operation, input) => {
                    if self.halted.iter().any(|halt| halt["flag"] == flag) {
                        self.link.call(operation, input, key.as_deref())?;
                    }
                }
                Act::Pass => {}
                Act::Conclude(experiment) => self.conclude(experiment, key.as_deref())?,
            }
        }
        Ok(())
    }

    fn conclude(&mut self, experiment: &'static str, key: Option<&str>) -> Result<(), Failure> {
        let results = self.link.call("experiment.results", json!({"experiment": experiment}), key)?;
        let judgement = &results["judgement"];
        let decided = matches!(judgement["verdict"]["verdict"].as_str(), Some("ship" | "keep"));
        if decided {
            let mut ship = json!({"experiment": experiment});
            if judgement["sample_ratio"]["warn"] == true {
                ship["why"] = "the split is drawn by the simulation: this is chance".into();
            }
            self.link.call("experiment.ship", ship, key)?;
        } else {
            let why = judgement["sentence"].as_str().unwrap_or("no verdict");
            self.link.call("experiment.stop", json!({"experiment": experiment, "why": why}), key)?;
        }
        self.verdicts.insert(experiment, judgement.clone());
        Ok(())
    }

    fn step(&mut self) -> Result<(), Failure> {
        self.look()?;
        let watched =
            self.trials.iter().any(|(compared, trial)| compared.experiment.is_none() && trial.open(self.now));
        let length = if watched { WATCHED } else { STEP };
        // Steps end on the grid, wherever the one before ended.
        let grid = i64::try_from(length.0).unwrap_or(i64::MAX);
        let edge = Millis((self.now.0.div_euclid(grid) + 1).saturating_mul(grid));
        let next = self.steps.front().map_or(edge, |step| step.at.min(edge)).min(self.plan.until);

        let mut sessions = Vec::new();
        while let Some(session) = self.shop.before(next) {
            sessions.push(session);
        }
        self.ask(&sessions)?;
        let mut events = std::mem::take(&mut self.held);
        let again = std::mem::take(&mut self.again);
        for session in &sessions {
            self.play(session, &mut events);
        }
        events.sort_by_key(|event| (event.at, event.id));
        self.held = events.split_off(events.partition_point(|event| event.at < next));
        self.again = events.iter().filter(|event| event.repeats()).copied().collect();
        for event in &events {
            *self.distinct.entry(event.what.name()).or_default() += 1;
        }
        events.extend(again);

        self.link.advance(next)?;
        self.now = next;
        self.send(&events)
    }

    /// Whether anything has changed since the last look, and whether a guard has halted something.
    fn look(&mut self) -> Result<(), Failure> {
        let log = self.link.call("change.list", json!({"limit": 20}), None)?;
        let seen = self.revision;
        for entry in log["changes"].as_array().into_iter().flatten() {
            let revision = entry["change"]["revision"].as_u64().unwrap_or_default();
            self.revision = self.revision.max(revision);
            if revision <= seen || entry["by"]["kind"] != "guard" {
                continue;
            }
            let flag = entry["about"]["key"].as_str().unwrap_or_default();
            let at = Millis(entry["change"]["at"].as_i64().unwrap_or_default());
            for (compared, trial) in &mut self.trials {
                if compared.flag == flag && compared.experiment.is_none() {
                    trial.end(at);
                }
            }
            self.halted.push(json!({"flag": flag, "at": at, "why": entry["change"]["why"]}));
        }
        Ok(())
    }

    /// Asks for flags for everybody who comes and has no answer of this revision: an SDK is told when
    /// there is a new one, and asks again only then.
    fn ask(&mut self, sessions: &[Session]) -> Result<(), Failure> {
        self.answers.resize(self.shop.visitors(), None);
        let mut questions: Vec<(u32, u8, String)> = Vec::new();
        for session in sessions {
            let Some(visitor) = self.shop.visitor(session.visitor) else { continue };
            let Some(answer) = self.answers.get_mut(session.visitor as usize) else { continue };
            let fresh = answer.is_some_and(|(at, plan, _)| at == self.revision && plan == session.plan);
            if visitor.bot || fresh {
                continue;
            }
            *answer = Some((self.revision, session.plan, Answers::default()));
            questions.push((session.visitor, session.plan, visitor.question(session.plan)));
        }
        self.asked += questions.len() as u64;
        let (link, client) = (self.link, &self.client);
        let found = parallel(&questions, WORKERS, |(visitor, plan, question)| {
            Ok((*visitor, *plan, link.ask(client, question)?))
        })?;
        for (visitor, plan, answers) in found {
            if let Some(place) = self.answers.get_mut(visitor as usize) {
                *place = Some((self.revision, plan, answers));
            }
        }
        Ok(())
    }

    fn play(&mut self, session: &Session, events: &mut Vec<Occurrence>) {
        let Some(visitor) = self.shop.visitor(session.visitor) else { return };
        let answers = self.answers.get(session.visitor as usize).copied().flatten();
        let answers = answers.map(|(.., answers)| answers).unwrap_or_default();
        let first = events.len();
        let decision = play(self.plan.seed, session, visitor, &answers, events);
        let own = events.get(first..).unwrap_or_default();
        for (_, trial) in &mut self.trials {
            trial.take(own, decision.as_ref(), &answers);
        }
    }

    fn send(&mut self, events: &[Occurrence]) -> Result<(), Failure> {
        self.sent += events.len() as u64;
        let bodies: Vec<&[Occurrence]> = events.chunks(BATCH).collect();
        let (link, client, shop) = (self.link, &self.client, &self.shop);
        parallel(&bodies, WORKERS, |events| link.send(&body(client, shop, events)))?;
        Ok(())
    }

    /// Ends it: revokes the keys that were made, and says what is true.
    pub(crate) fn finish(mut self) -> Result<Value, Failure> {
        self.look()?;
        for key in std::mem::take(&mut self.made) {
            self.link.call("key.revoke", json!({"key": key}), None)?;
        }
        let effects: BTreeMap<&str, Value> = FLAGS
            .iter()
            .map(|flag| {
                let variant = |v: &super::world::Variant| {
                    let truth = json!({"purchase_per_checkout": v.purchase, "order_value_factor": v.order, "error_per_session": v.error});
                    (v.key.to_owned(), truth)
                };
                (flag.key, Value::Object(flag.variants.iter().map(variant).collect()))
            })
            .collect();
        let compared = |wanted: fn(&Compared) -> bool| -> Vec<Value> {
            let trials = self.trials.iter().filter(|(compared, _)| wanted(compared));
            trials
                .map(|(compared, trial)| {
                    let mut truth = trial.truth();
                    if let Some(experiment) = compared.experiment {
                        truth["experiment"] = experiment.into();
                        truth["verdict"] = self.verdicts.get(experiment).cloned().unwrap_or_default();
                    }
                    truth
                })
                .collect()
        };
        Ok(json!({
            "seed": self.plan.seed,
            "environment": self.plan.environment,
            "from": self.start,
            "until": self.now,
            "visitors": self.answers.len(),
            "questions": self.asked,
            "events": {"sent": self.sent, "distinct": self.distinct},
            "effects": effects,
            "experiments": compared(|c| c.experiment.is_some()),
            "rollouts": compared(|c| c.experiment.is_none()),
            "halted": self.halted,
        }))
    }
}

/// The body of a batch.
pub(crate) fn body(key: &str, shop: &Shop, events: &[Occurrence]) -> String {
    let mut body = String::with_capacity(400 * events.len() + 100);
    body.push_str(r#"{"api_key":""#);
    body.push_str(key);
    body.push_str(r#"","events":["#);
    let mut first = true;
    for event in events {
        let Some(visitor) = shop.visitor(event.visitor) else { continue };
        if !std::mem::take(&mut first) {
            body.push(',');
        }
        event.write(visitor, &mut body);
    }
    body.push_str("]}");
    body
}
