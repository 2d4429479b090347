//! App operations: what another setting would do to real people, before anybody gets it.

use bellwether_flags::{Reason, Ruleset};
use bellwether_model::{Context, EnvironmentKey, Event, FlagKey, Json, Prerequisite, Properties, VariantKey};
use bellwether_query::{QueryError, properties};
use rustc_hash::FxHashMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::input::at_most;
use super::serve::{RuleInput, ServeInput, TargetInput, proposed};
use super::targeting::Wanted;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;

/// So many people are looked at unless more are asked for.
const USUAL: u32 = 200;
/// More people than this are not looked at.
const MOST: u32 = 1_000;
const HASHED: &str = "this environment stores hashes of ids: these are as many people as would be drawn at random, and lists and rules that go by an id find none of them";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewInput {
    /// The flag.
    flag: FlagKey,
    /// Where.
    environment: EnvironmentKey,
    /// As if it were switched on, or off; as it is unless given.
    on: Option<bool>,
    /// The variant while off, and for whom a split has no unit id; as it is unless given.
    off: Option<VariantKey>,
    /// Other flags that must serve one of the named variants to the same context, such as
    /// `[{"flag": "new-cart", "variants": ["on"]}]`; as they are unless given.
    prerequisites: Option<Vec<Prerequisite>>,
    /// Single users or devices, such as `[{"variant": "on", "ids": ["ada", "bob"]}]`; as they are unless given.
    targets: Option<Vec<TargetInput>>,
    /// The first rule that matches decides, written as in `flag.target`; as they are unless given. Such as
    /// `[{"when": [[{"segment": "staff"}]], "serve": {"serve": "variant", "variant": "on"}}]`.
    rules: Option<Vec<RuleInput>>,
    /// What everybody else gets, such as `{"serve": "variant", "variant": "off"}`; as it is unless given. A split without a salt is drawn anew, here and when
    /// it is saved.
    default: Option<ServeInput>,
    /// At most so many people, 200 unless given, 1000 at most.
    limit: Option<u32>,
}

/// What people get of a flag now, and what they would get.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Previewed {
    /// How many different people were looked at: those of the newest events, as they were last seen.
    users: usize,
    /// In how many events they were found, 10,000 at most.
    events: usize,
    /// What keeps this from being what these people get.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
    /// How many would get another variant.
    moved: usize,
    /// How many get each variant, in the order of the flag; those that nobody gets are left out.
    variants: Vec<Got>,
    /// Who would move, the most first.
    moves: Vec<Move>,
    /// Why people get what they get now, the most frequent first.
    now_because: Vec<Because>,
    /// Why they would get what they would, the most frequent first.
    then_because: Vec<Because>,
}

/// How many get a variant.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Got {
    /// The variant.
    variant: VariantKey,
    /// How many get it now.
    now: usize,
    /// How many would.
    then: usize,
}

/// How many would get another variant.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Move {
    /// What they get now.
    from: VariantKey,
    /// What they would get.
    to: VariantKey,
    /// How many.
    users: usize,
}

/// How many get a variant for a reason.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Because {
    /// The variant.
    variant: VariantKey,
    /// The reason.
    reason: Reason,
    /// How many.
    users: usize,
}

pub(super) struct Preview;

impl Operation for Preview {
    const NAME: &'static str = "flag.preview";
    const ABOUT: &'static str = "Says what another setting would give the people of the newest events, and how many of them would move.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/flags/{flag}/preview");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = PreviewInput;
    type Output = Previewed;

    fn run(app: &App, ctx: &Ctx, input: PreviewInput) -> Result<Previewed, AppError> {
        let PreviewInput { flag, environment, on, off, prerequisites, targets, rules, default, limit } =
            input;
        let wanted = Wanted { off, prerequisites, targets, rules, default };
        let then = app.as_if(ctx, &flag, &environment, wanted, on)?;
        let served = app.served(&environment)?;
        let events = app.newest(&environment)?;
        if ctx.stop() {
            return Err(QueryError::Cancelled.into());
        }
        let most = at_most(limit, USUAL, MOST)?;
        let people = people(&events, most);
        let memory = served.recall(app, false);
        let mut tally = Tally::default();
        for context in &people {
            let now = served.ruleset.evaluate_with(flag.as_str(), context, &memory);
            let then = then.evaluate_with(flag.as_str(), context, &memory);
            let unknown = || app.unknown("flag", &flag);
            let (now, then) = (now.ok_or_else(unknown)?, then.ok_or_else(unknown)?);
            tally.count((now.variant, now.reason), (then.variant, then.reason));
        }
        let order = app.flag(&flag)?.value.variants.into_iter().map(|variant| variant.key);
        let unit = app.flag(&flag)?.value.unit;
        let hashed = app.hashes(&environment, unit);
        Ok(Previewed { note: hashed.then_some(HASHED), ..tally.previewed(order, people.len(), events.len()) })
    }
}

impl App {
    /// The rules of an environment in which a setting is what is wanted. What would be refused when it is
    /// saved is refused here, in the same words.
    fn as_if(
        &self,
        ctx: &Ctx,
        flag: &FlagKey,
        environment: &EnvironmentKey,
        wanted: Wanted,
        on: Option<bool>,
    ) -> Result<Ruleset, AppError> {
        let (edit, lists) = self.retarget(flag, environment, wanted)?;
        let brought = lists.iter().map(|(list, ids)| (list.clone(), ids.clone().into())).collect();
        let mut state = self.would(ctx, &proposed(ctx, edit, Some("a preview".to_owned()), None, brought))?;
        if let Some(on) = on {
            let setting = state.flags.get_mut(flag).and_then(|flag| flag.value.settings.get_mut(environment));
            setting.into_iter().for_each(|setting| setting.on = on);
        }
        let of =
            state.environments.get(environment).ok_or_else(|| self.unknown("environment", environment))?;
        self.compile(&state, &of.value, &lists)
    }

    /// The newest events in which somebody did something, or else those that say what somebody was given.
    fn newest(&self, environment: &EnvironmentKey) -> Result<Vec<Event>, AppError> {
        let snapshot = self.store.snapshot();
        let done = |of: &str| properties::asks(None, of);
        let newest = |of: &dyn Fn(&str) -> bool| {
            snapshot.newest(environment, of, properties::ENOUGH).map_err(QueryError::from)
        };
        let events = newest(&done)?;
        Ok(if events.is_empty() { newest(&|_| true)? } else { events })
    }
}

/// The people of these events, newest first, with what the newest of their events say of them.
fn people(events: &[Event], most: usize) -> Vec<Context> {
    struct Person<'e> {
        user: Option<&'e str>,
        device: Option<&'e str>,
        session: Option<i64>,
        known: FxHashMap<&'e str, &'e Json>,
    }
    let mut people: Vec<Person<'_>> = Vec::new();
    let mut places: FxHashMap<(bool, &str), usize> = FxHashMap::default();
    for event in events {
        let (user, device) = (event.who.user(), event.who.device());
        let Some(id) = user.map(|id| (true, id)).or(device.map(|id| (false, id))) else { continue };
        let place = match places.get(&id) {
            Some(place) => *place,
            None if people.len() == most => continue,
            None => {
                places.insert(id, people.len());
                people.push(Person { user, device, session: event.session, known: FxHashMap::default() });
                people.len() - 1
            }
        };
        let Some(person) = people.get_mut(place) else { continue };
        person.device = person.device.or(device);
        for (name, value) in &event.user_properties {
            person.known.entry(name.as_str()).or_insert(value);
        }
    }
    let context = |person: Person<'_>| {
        let mut attributes: Properties =
            person.known.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
        attributes.extend(person.device.map(|id| ("device_id".to_owned(), id.into())));
        attributes.extend(person.session.map(|id| ("session_id".to_owned(), id.into())));
        Context::new(person.user, attributes)
    };
    people.into_iter().map(context).collect()
}

/// Counts who gets what, and why.
#[derive(Default)]
struct Tally {
    pairs: Vec<((VariantKey, VariantKey), usize)>,
    now: Vec<((VariantKey, Reason), usize)>,
    then: Vec<((VariantKey, Reason), usize)>,
}

/// One more of the same; there are few different ones.
fn count<K: PartialEq>(of: &mut Vec<(K, usize)>, key: K) {
    match of.iter_mut().find(|(known, _)| *known == key) {
        Some((_, count)) => *count += 1,
        None => of.push((key, 1)),
    }
}

impl Tally {
    fn count(&mut self, now: (&VariantKey, &Reason), then: (&VariantKey, &Reason)) {
        count(&mut self.pairs, (now.0.clone(), then.0.clone()));
        count(&mut self.now, (now.0.clone(), now.1.clone()));
        count(&mut self.then, (then.0.clone(), then.1.clone()));
    }

    fn previewed(self, order: impl Iterator<Item = VariantKey>, users: usize, events: usize) -> Previewed {
        let sum = |of: &dyn Fn(&(VariantKey, VariantKey)) -> bool| {
            self.pairs.iter().filter(|(pair, _)| of(pair)).map(|(_, n)| n).sum::<usize>()
        };
        let got = |variant: VariantKey| {
            let (now, then) = (sum(&|pair| pair.0 == variant), sum(&|pair| pair.1 == variant));
            (now + then > 0).then_some(Got { variant, now, then })
        };
        let variants = order.filter_map(got).collect();
        let moved = sum(&|(from, to)| from != to);
        let mut moves: Vec<Move> = self
            .pairs
            .iter()
            .filter(|((from, to), _)| from != to)
            .map(|((from, to), users)| Move { from: from.clone(), to: to.clone(), users: *users })
            .collect();
        moves.sort_by_key(|one| std::cmp::Reverse(one.users));
        Previewed {
            users,
            events,
            note: None,
            moved,
            variants,
            moves,
            now_because: because(self.now),
            then_because: because(self.then),
        }
    }
}

fn because(of: Vec<((VariantKey, Reason), usize)>) -> Vec<Because> {
    let mut all: Vec<Because> =
        of.into_iter().map(|((variant, reason), users)| Because { variant, reason, users }).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.users));
    all
}
