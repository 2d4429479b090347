//! Bench of flags: what an engine must be able to do to be measured, and the check that it answers
//! rightly. An engine that does not is no [`Subject`].

use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::Failure;
use crate::allocations::{self, Count};
use crate::scenario::{FlagSpec, Order, Person, Random, Rules, Scenario};

/// A flag engine, as somebody would use it who cares for speed.
pub(crate) trait Engine: Sized + 'static {
    /// What people call it.
    const NAME: &'static str;
    /// Its package, by which the lock file knows its version.
    const PACKAGE: &'static str;
    /// Somebody, in the engine's own type.
    type Context: 'static;
    /// All that the engine answers, so that no part of the answer is optimised away.
    type Answer<'a>
    where
        Self: 'a;

    /// Takes the rules in.
    fn build(rules: &Rules) -> Result<Self, Failure>;
    /// A context, as it would be held during a request.
    fn context(&self, person: &Person) -> Result<Self::Context, Failure>;
    /// What is measured.
    fn evaluate<'a>(&'a self, flag: &'a str, context: &'a Self::Context) -> Self::Answer<'a>;
    /// Whether the answer says that the flag is on, if it says anything.
    fn on(answer: &Self::Answer<'_>) -> Option<bool>;
    /// The half that its hash picks, written anew: nothing of the engine is called.
    fn half(flag: &FlagSpec, id: &str) -> bool;
}

/// An engine with rules and people in it, whose answers were checked.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) version: String,
    /// Evaluations for one person.
    pub(crate) flags: usize,
    /// How many there are.
    pub(crate) people: usize,
    /// Whether it is meant to be measured with all of them in the caches.
    pub(crate) stays: bool,
    /// How many answers were checked, and how many of them were "on".
    pub(crate) checked: usize,
    pub(crate) on: usize,
    /// Per so many evaluations.
    pub(crate) counted: usize,
    pub(crate) count: Count,
    /// Evaluates all flags for so many people, beginning somewhere.
    run: Box<dyn Fn(u64, usize)>,
}

/// A slow engine's answers are checked for this long.
const PATIENCE: Duration = Duration::from_secs(5);

impl Subject {
    /// Builds an engine, and checks its answers against what the rules say.
    pub(crate) fn new<E: Engine>(scenario: &Scenario) -> Result<Self, Failure> {
        let engine = E::build(&scenario.rules).map_err(|e| format!("{}: {e}", E::NAME))?;
        let contexts = scenario.people.iter().map(|person| engine.context(person));
        let contexts = contexts.collect::<Result<Vec<_>, _>>().map_err(|e| format!("{}: {e}", E::NAME))?;

        let is_on = scenario.is_on(E::half);
        let (mut checked, mut on) = (0, 0);
        let began = Instant::now();
        for (person, context) in scenario.people.iter().zip(&contexts) {
            for flag in &scenario.rules.flags {
                let expected = is_on(flag, person);
                let found = E::on(&engine.evaluate(&flag.key, context));
                if found != Some(expected) {
                    return Err(format!(
                        "{} in scenario {}: `{}` is {found:?} for `{}`, and must be {expected}",
                        E::NAME,
                        scenario.name,
                        flag.key,
                        person.id
                    )
                    .into());
                }
                checked += 1;
                on += usize::from(expected);
            }
            if began.elapsed() > PATIENCE {
                break;
            }
        }
        drop(is_on);
        if on == 0 || on == checked {
            return Err(format!("scenario {} asks nothing: {on} of {checked} are on", scenario.name).into());
        }

        let keys: Vec<String> = scenario.rules.flags.iter().map(|flag| flag.key.clone()).collect();
        let (flags, order) = (keys.len(), scenario.order);
        let run: Box<dyn Fn(u64, usize)> = Box::new(move |start, people| {
            walk(&contexts, order, start, people, |context| {
                for key in &keys {
                    black_box(engine.evaluate(black_box(key), black_box(context)));
                }
            });
        });
        // What is set up once on a first call is not of an evaluation.
        let counted = checked / flags * flags;
        run(0, counted / flags);
        let count = allocations::during(|| run(0, counted / flags));
        let version = version(E::PACKAGE);
        let (people, stays) = (scenario.people.len(), order == Order::Random);
        Ok(Self { name: E::NAME, version, flags, people, stays, checked, on, counted, count, run })
    }

    /// What the harness itself takes: choosing a person and a flag, and hiding both from the compiler.
    pub(crate) fn nothing(scenario: &Scenario) -> Self {
        let keys: Vec<String> = scenario.rules.flags.iter().map(|flag| flag.key.clone()).collect();
        let people: Vec<String> = scenario.people.iter().map(|person| person.id.clone()).collect();
        let (flags, order) = (keys.len(), scenario.order);
        let run: Box<dyn Fn(u64, usize)> = Box::new(move |start, count| {
            walk(&people, order, start, count, |person| {
                for key in &keys {
                    black_box((black_box(key), black_box(person)));
                }
            });
        });
        let count = Count { calls: 0, bytes: 0 };
        Self {
            name: "(the harness)",
            version: String::new(),
            flags,
            people: scenario.people.len(),
            stays: order == Order::Random,
            checked: 0,
            on: 0,
            counted: 1,
            count,
            run,
        }
    }

    /// Evaluates all flags for so many people.
    pub(crate) fn run(&self, start: u64, people: usize) {
        (self.run)(start, people);
    }

    /// The same, with the processor's time for one evaluation, in nanoseconds.
    pub(crate) fn timed(&self, start: u64, people: usize) -> f64 {
        let began = processor_time();
        self.run(start, people);
        (processor_time() - began) / (people * self.flags) as f64
    }
}

/// How long this thread has run, in nanoseconds.
pub(crate) fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

#[inline(always)]
fn walk<C>(contexts: &[C], order: Order, start: u64, count: usize, mut visit: impl FnMut(&C)) {
    match order {
        Order::Random => {
            let mut random = Random(start);
            for _ in 0..count {
                if let Some(context) = contexts.get(random.below(contexts.len() as u32) as usize) {
                    visit(context);
                }
            }
        }
        Order::InTurn => {
            let from = start as usize % contexts.len();
            contexts.iter().cycle().skip(from).take(count).for_each(visit);
        }
    }
}

/// The version of a package in the lock file; ours has none worth saying.
fn version(package: &str) -> String {
    let named = format!("name = \"{package}\"\nversion = \"");
    let rest = include_str!("../Cargo.lock").split(named.as_str()).nth(1).unwrap_or_default();
    rest.split('"').next().unwrap_or_default().to_owned()
}
