//! Cli, simulator: what a visitor does in one session, given what the flags answered, as events.

use std::fmt::Write;

use bellwether_model::{Millis, Span};

use super::draw::{Draws, Purpose};
use super::shop::{Session, Visitor};
use super::world::{self, FLAGS, Met};

/// What one visitor was answered: for each of [`FLAGS`] the index of the variant, and whether a split
/// or rollout gave it, so that it counts as an exposure when it is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Answers([Option<Answer>; FLAGS.len()]);

/// One flag's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Index of the variant.
    pub(crate) variant: u8,
    /// Whether variants are compared: the reason was a split.
    pub(crate) enrolled: bool,
}

impl Answers {
    /// Notes an answer. Flags and variants that the shop's code does not know change nothing in it.
    pub(crate) fn note(&mut self, flag: &str, variant: &str, enrolled: bool) {
        let Some(index) = FLAGS.iter().position(|f| f.key == flag) else { return };
        let variants = FLAGS.get(index).map_or(&[][..], |f| f.variants);
        let variant = variants.iter().position(|v| v.key == variant).and_then(|v| u8::try_from(v).ok());
        if let (Some(variant), Some(place)) = (variant, self.0.get_mut(index)) {
            *place = Some(Answer { variant, enrolled });
        }
    }

    fn of(&self, flag: usize) -> Option<Answer> {
        self.0.get(flag).copied().flatten()
    }

    fn effect(&self, flag: usize) -> Option<&'static world::Variant> {
        FLAGS.get(flag)?.variants.get(usize::from(self.of(flag)?.variant))
    }

    /// The same answers, but for one flag.
    pub(crate) fn with(mut self, flag: usize, variant: u8) -> Self {
        if let Some(place) = self.0.get_mut(flag) {
            *place = Some(Answer { variant, enrolled: true });
        }
        self
    }

    fn total(&self, of: fn(&world::Variant) -> f64) -> f64 {
        (0..FLAGS.len()).filter_map(|flag| self.effect(flag)).map(of).sum()
    }

    fn factor(&self) -> f64 {
        (0..FLAGS.len()).filter_map(|flag| self.effect(flag)).map(|v| v.order).product()
    }
}

/// An event of the shop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Occurrence {
    /// When.
    pub(crate) at: Millis,
    /// Index of the visitor.
    pub(crate) visitor: u32,
    /// When the session began.
    session: Millis,
    /// Unique among all events of the simulation; its name on the wire is `insert_id`.
    pub(crate) id: u64,
    /// The visitor's plan.
    plan: u8,
    /// What.
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum What {
    Visit { source: u8 },
    Exposure { flag: u8, variant: u8 },
    Error { kind: u8 },
    ViewItem { category: u8, price: f64 },
    AddToCart { category: u8, price: f64 },
    Checkout { value: f64 },
    Purchase { value: f64, payment: u8 },
    SignUp,
    Activate,
}

impl What {
    /// The event type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Visit { .. } => "visit",
            Self::Exposure { .. } => "$exposure",
            Self::Error { .. } => "client_error",
            Self::ViewItem { .. } => "view_item",
            Self::AddToCart { .. } => "add_to_cart",
            Self::Checkout { .. } => "checkout_started",
            Self::Purchase { .. } => "purchase",
            Self::SignUp => "signup",
            Self::Activate => "activation",
        }
    }
}

/// A checkout and the luck that it met: what it would have come to under any variant follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Decision {
    /// When the order is placed, if it is.
    pub(crate) at: Millis,
    plan: u8,
    luck: f64,
    worth: f64,
}

impl Decision {
    /// The value of the order in euros under these answers; `None` if nothing is bought.
    pub(crate) fn order(&self, answers: &Answers) -> Option<f64> {
        (self.luck < self.chance(answers)).then(|| cents(self.worth * answers.factor()))
    }

    /// The true probability of an order under these answers.
    pub(crate) fn chance(&self, answers: &Answers) -> f64 {
        let base = world::PURCHASE.get(usize::from(self.plan)).copied().unwrap_or_default();
        base + answers.total(|v| v.purchase)
    }
}

fn cents(euros: f64) -> f64 {
    libm::round(euros * 100.0) / 100.0
}

struct Player<'a> {
    seed: u64,
    session: &'a Session,
    visitor: u64,
    at: Millis,
    plan: u8,
    out: &'a mut Vec<Occurrence>,
    count: u64,
}

impl Player<'_> {
    fn after(&mut self, seconds: f64) -> &mut Self {
        self.at = self.at.plus(Span((seconds * 1_000.0).clamp(0.0, 3_600_000.0) as u64));
        self
    }

    fn does(&mut self, what: What) {
        let which = (u64::from(self.session.number) << 16) | self.count;
        self.count += 1;
        self.out.push(Occurrence {
            at: self.at,
            visitor: self.session.visitor,
            session: self.session.start,
            id: Draws::new(self.seed, Purpose::Event, self.visitor, which).bits(),
            plan: self.plan,
            what,
        });
    }

    fn meets(&mut self, met: Met, answers: &Answers) {
        for (index, _) in FLAGS.iter().enumerate().filter(|(_, flag)| flag.met == met) {
            if let (Some(Answer { variant, enrolled: true }), Ok(flag)) =
                (answers.of(index), u8::try_from(index))
            {
                self.does(What::Exposure { flag, variant });
            }
        }
    }
}

/// Plays a session. Its events are added to `out` in order; a checkout's decision comes back.
pub(crate) fn play(
    seed: u64,
    session: &Session,
    visitor: &Visitor,
    answers: &Answers,
    out: &mut Vec<Occurrence>,
) -> Option<Decision> {
    let mut luck = Draws::new(seed, Purpose::Session, u64::from(session.visitor), u64::from(session.number));
    let mut player = Player {
        seed,
        session,
        visitor: u64::from(session.visitor),
        at: session.start,
        plan: session.plan,
        out,
        count: 0,
    };
    player.does(What::Visit { source: luck.pick(&world::SOURCE_WEIGHTS) });
    if visitor.bot {
        for _ in 0..luck.pick(&[1.0; 12]) {
            let what = item(&mut luck);
            player.after(0.7).does(what);
        }
        return None;
    }
    player.meets(Met::Visit, answers);
    // Everything is drawn whether it is used or not: luck does not depend on the variants.
    let (error, kind) = (luck.unit(), luck.pick(&world::ERROR_WEIGHTS));
    if error < world::ERROR + answers.total(|v| v.error) {
        player.after(2.0).does(What::Error { kind });
    }
    let mut last = None;
    while luck.chance(if last.is_none() { 0.8 } else { 0.68 }) {
        let what = item(&mut luck);
        let first = last.replace(what).is_none();
        if first {
            player.meets(Met::Item, answers);
        }
        let pause = luck.exponential(25.0);
        player.after(1.0 + pause).does(what);
    }
    if let Some(plan) = session.signs_up {
        let pause = luck.exponential(40.0);
        player.plan = plan;
        player.after(5.0 + pause).does(What::SignUp);
    }
    if session.activates {
        let pause = luck.exponential(90.0);
        player.after(5.0 + pause).does(What::Activate);
    }
    let plan = player.plan;
    let Some(What::ViewItem { category, price }) = last else { return None };
    if !luck.chance(world::CART.get(usize::from(plan)).copied().unwrap_or_default()) {
        return None;
    }
    player.after(4.0).does(What::AddToCart { category, price });
    if !luck.chance(world::CHECKOUT) {
        return None;
    }
    let pause = luck.exponential(30.0);
    let (median, sigma) = world::ORDER;
    let worth = luck.log_normal(median, sigma);
    player.after(3.0 + pause).does(What::Checkout { value: cents(worth) });
    player.meets(Met::Checkout, answers);
    let pause = luck.exponential(60.0);
    let payment = luck.pick(&world::PAYMENT_WEIGHTS);
    player.after(10.0 + pause);
    let decision = Decision { at: player.at, plan, luck: luck.unit(), worth };
    if let Some(value) = decision.order(answers) {
        player.does(What::Purchase { value, payment });
    }
    Some(decision)
}

fn item(luck: &mut Draws) -> What {
    let category = luck.pick(&world::CATEGORY_WEIGHTS);
    What::ViewItem { category, price: cents(luck.log_normal(29.0, 0.6)) }
}

fn name(of: &'static [&'static str], index: u8) -> &'static str {
    of.get(usize::from(index)).copied().unwrap_or("other")
}

impl Visitor {
    /// The user's id.
    pub(crate) fn user(&self) -> String {
        format!("u-{:012x}", self.id >> 16)
    }

    /// The body of a question for all flags, over OFREP.
    pub(crate) fn question(&self, plan: u8) -> String {
        format!(
            r#"{{"context":{{"targetingKey":"{}","country":"{}","platform":"{}","plan":"{}"}}}}"#,
            self.user(),
            name(&world::COUNTRIES, self.country),
            name(&world::PLATFORMS, self.platform),
            name(&world::PLANS, plan),
        )
    }
}

impl Occurrence {
    /// Writes the event as a member of `events` in a batch. Nothing in it needs escaping.
    pub(crate) fn write(&self, visitor: &Visitor, into: &mut String) {
        let agent = if visitor.bot {
            world::BOT_AGENTS.get(usize::from(visitor.platform)).copied()
        } else {
            matches!(self.what, What::Visit { .. }).then(|| name(&world::AGENTS, visitor.platform))
        };
        // Writing to a string cannot fail.
        let _ = write!(
            into,
            r#"{{"event_type":"{}","user_id":"u-{:012x}","device_id":"d-{:08x}","time":{},"session_id":{},"insert_id":"{:016x}","platform":"{}","country":"{}","user_properties":{{"plan":"{}"}}"#,
            self.what.name(),
            visitor.id >> 16,
            visitor.id & 0xffff_ffff,
            self.at.0,
            self.session.0,
            self.id,
            name(&world::PLATFORMS, visitor.platform),
            name(&world::COUNTRIES, visitor.country),
            name(&world::PLANS, self.plan),
        );
        if let Some(agent) = agent {
            let _ = write!(into, r#","user_agent":"{agent}""#);
        }
        let _ = match self.what {
            What::Visit { source } => {
                write!(into, r#","event_properties":{{"source":"{}"}}"#, name(&world::SOURCES, source))
            }
            What::Exposure { flag, variant } => {
                let flag = FLAGS.get(usize::from(flag));
                let variant = flag.and_then(|f| f.variants.get(usize::from(variant)));
                write!(
                    into,
                    r#","event_properties":{{"flag_key":"{}","variant":"{}"}}"#,
                    flag.map_or("", |f| f.key),
                    variant.map_or("", |v| v.key)
                )
            }
            What::Error { kind } => {
                write!(into, r#","event_properties":{{"kind":"{}"}}"#, name(&world::ERRORS, kind))
            }
            What::ViewItem { category, price } | What::AddToCart { category, price } => write!(
                into,
                r#","event_properties":{{"category":"{}","price":{price}}}"#,
                name(&world::CATEGORIES, category)
            ),
            What::Checkout { value } => write!(into, r#","event_properties":{{"value":{value}}}"#),
            What::Purchase { value, payment } => write!(
                into,
                r#","revenue":{value},"currency":"EUR","event_properties":{{"payment":"{}"}}"#,
                name(&world::PAYMENTS, payment)
            ),
            What::SignUp => {
                write!(into, r#","event_properties":{{"email":"{:012x}@shop.example"}}"#, visitor.id >> 16)
            }
            What::Activate => Ok(()),
        };
        into.push('}');
    }

    /// Whether the shop does not hear that this event has arrived, and sends it again.
    pub(crate) fn repeats(&self) -> bool {
        (self.id >> 11) as f64 / ((1_u64 << 53) as f64) < world::RETRIES
    }
}
