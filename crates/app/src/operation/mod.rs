//! App: operations. Each is defined once; the HTTP route, the OpenAPI entry, the CLI command and
//! the page's palette are made from the [`REGISTRY`], and permission is asked in [`Entry::call`].

mod backup;
mod belonging;
mod beta;
mod brought;
mod change;
mod consequences;
mod enrolment;
mod environment;
mod event;
mod experiment;
mod explain;
mod flag;
mod gaps;
mod guard;
mod health;
mod holdout;
mod ids;
mod input;
mod key;
mod layer;
mod metric;
mod operands;
mod person;
mod personal;
mod plan;
mod preview;
mod quarantine;
mod ramp;
mod rollout;
mod schedule;
mod segment;
mod serve;
mod ship;
mod status;
mod strict;
mod targeting;
mod unreadable;
mod violations;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bellwether_model::{Json, Millis};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};

use crate::App;
use crate::access::{Grant, Permission};
use crate::error::AppError;

pub(crate) use explain::stretches;
pub use input::{Argument, arguments, from_text, is_share, openapi, plain_text};
pub(crate) use rollout::widen;
pub(crate) use schedule::perform;

/// What an operation runs with.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// The time; operations ask no clock.
    pub now: Millis,
    /// Who asks and what they may do.
    pub grant: Grant,
    /// Check everything and change nothing.
    pub dry_run: bool,
    /// Set by a door whose client has gone; long operations stop soon after.
    pub cancel: Cancel,
    /// How far a long operation has come.
    pub progress: Progress,
}

/// A request to stop, shared between a door and a running operation.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the operation to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A count of steps done, shared between a running operation and a door.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Steps done so far.
    pub fn done(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Another step.
    pub fn tick(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How an operation uses the machine; the server picks the thread by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Answers from memory.
    Instant,
    /// Writes to the ledger; one at a time.
    Write,
    /// Writes much to the ledger beside others; the change itself is one at a time.
    Bulk,
    /// Reads events or the log, from memory or disk.
    Scan,
}

/// What an operation does to the world, as an agent needs to know before it calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing.
    Reads,
    /// Changes something; the ledger can show and undo it.
    Changes,
    /// Takes something away that cannot be brought back.
    Destroys,
}

/// How it is called over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Arguments in path and query.
    Get,
    /// Arguments in path and body.
    Post,
    /// Arguments in path and body; the same twice is the same once.
    Put,
    /// Arguments in path and body.
    Patch,
    /// Arguments in path and query.
    Delete,
}

impl Method {
    /// The word of HTTP.
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// One thing that can be asked of Bellwether.
pub(crate) trait Operation: 'static {
    /// `noun.verb`.
    const NAME: &'static str;
    /// One sentence of documentation.
    const ABOUT: &'static str;
    /// HTTP method and path; `{names}` in the path are fields of the input.
    const ROUTE: (Method, &'static str);
    /// What it needs.
    const NEEDS: Permission;
    /// How it uses the machine.
    const CLASS: Class;
    /// What it does to the world.
    const EFFECT: Effect;
    /// The field that is the whole body, as plain text; the others are in path and query then. Otherwise
    /// the body is a JSON object.
    const TEXT: Option<&'static str> = None;
    /// What goes in.
    type Input: DeserializeOwned + JsonSchema;
    /// What comes out.
    type Output: Serialize + JsonSchema;
    /// Does it.
    fn run(app: &App, ctx: &Ctx, input: Self::Input) -> Result<Self::Output, AppError>;
}

/// An operation in the registry, with its types erased.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// `noun.verb`.
    pub name: &'static str,
    /// One sentence of documentation.
    pub about: &'static str,
    /// HTTP method.
    pub method: Method,
    /// HTTP path, with `{names}` of input fields.
    pub path: &'static str,
    /// What it needs.
    pub needs: Permission,
    /// How it uses the machine.
    pub class: Class,
    /// What it does to the world.
    pub effect: Effect,
    /// The field that is the whole body, as plain text.
    pub text: Option<&'static str>,
    /// Schema of the input; shared definitions go to the generator.
    pub input: fn(&mut SchemaGenerator) -> Schema,
    /// Schema of the output; shared definitions go to the generator.
    pub output: fn(&mut SchemaGenerator) -> Schema,
    read: fn(&Json) -> Result<(), AppError>,
    run: fn(&App, &Ctx, Json) -> Result<Json, AppError>,
}

/// The input of an operation, where it is one.
fn read<O: Operation>(sent: &Json) -> Result<O::Input, AppError> {
    strict::check(O::NAME, sent)?;
    serde_path_to_error::deserialize(sent).map_err(|e| unreadable::refusal(O::NAME, &e, sent))
}

impl Entry {
    const fn of<O: Operation>() -> Self {
        Self {
            name: O::NAME,
            about: O::ABOUT,
            method: O::ROUTE.0,
            path: O::ROUTE.1,
            needs: O::NEEDS,
            class: O::CLASS,
            effect: O::EFFECT,
            text: O::TEXT,
            input: |generator| generator.subschema_for::<O::Input>(),
            output: |generator| generator.subschema_for::<O::Output>(),
            read: |sent| read::<O>(sent).map(drop),
            run: |app, ctx, sent| {
                let output = O::run(app, ctx, read::<O>(&sent)?)?;
                serde_json::to_value(output).map_err(|e| AppError::internal("write the answer", e))
            },
        }
    }

    /// Whether this is an input of it, as far as that can be said without asking anybody.
    ///
    /// # Errors
    /// `bad_input` naming the place.
    pub fn reads(&self, input: &Json) -> Result<(), AppError> {
        (self.read)(input)
    }

    /// Asks permission, reads the input and runs.
    ///
    /// # Errors
    /// `forbidden`; `bad_input` naming the place; or what the operation itself refuses.
    pub fn call(&self, app: &App, ctx: &Ctx, input: Json) -> Result<Json, AppError> {
        ctx.grant.allows(self.needs)?;
        let _editing = (self.class == Class::Write).then(|| app.editing());
        (self.run)(app, ctx, input)
    }
}

/// Every operation there is.
pub const REGISTRY: &[Entry] = &[
    Entry::of::<environment::List>(),
    Entry::of::<environment::Get>(),
    Entry::of::<environment::Save>(),
    Entry::of::<flag::List>(),
    Entry::of::<flag::Get>(),
    Entry::of::<flag::Create>(),
    Entry::of::<flag::Describe>(),
    Entry::of::<flag::Toggle>(),
    Entry::of::<flag::Archive>(),
    Entry::of::<belonging::SetTeam>(),
    Entry::of::<belonging::SetLayer>(),
    Entry::of::<belonging::SetSchema>(),
    Entry::of::<belonging::SetVariants>(),
    Entry::of::<targeting::Replace>(),
    Entry::of::<targeting::Reshare>(),
    Entry::of::<enrolment::Set>(),
    Entry::of::<explain::Explain>(),
    Entry::of::<preview::Preview>(),
    Entry::of::<rollout::Start>(),
    Entry::of::<rollout::Widen>(),
    Entry::of::<rollout::Halt>(),
    Entry::of::<rollout::Resume>(),
    Entry::of::<ramp::Pause>(),
    Entry::of::<ramp::SetRamp>(),
    Entry::of::<rollout::Finish>(),
    Entry::of::<guard::Status>(),
    Entry::of::<segment::List>(),
    Entry::of::<segment::Get>(),
    Entry::of::<segment::Save>(),
    Entry::of::<ids::List>(),
    Entry::of::<ids::Amend>(),
    Entry::of::<ids::Upload>(),
    Entry::of::<segment::Archive>(),
    Entry::of::<layer::List>(),
    Entry::of::<layer::Get>(),
    Entry::of::<layer::Save>(),
    Entry::of::<layer::Allot>(),
    Entry::of::<layer::Archive>(),
    Entry::of::<holdout::List>(),
    Entry::of::<holdout::Get>(),
    Entry::of::<holdout::Save>(),
    Entry::of::<holdout::Archive>(),
    Entry::of::<beta::List>(),
    Entry::of::<beta::Get>(),
    Entry::of::<beta::Save>(),
    Entry::of::<beta::Switch>(),
    Entry::of::<beta::Archive>(),
    Entry::of::<schedule::List>(),
    Entry::of::<schedule::Create>(),
    Entry::of::<schedule::Cancel>(),
    Entry::of::<metric::List>(),
    Entry::of::<metric::Get>(),
    Entry::of::<metric::Save>(),
    Entry::of::<plan::Get>(),
    Entry::of::<plan::Save>(),
    Entry::of::<plan::Check>(),
    Entry::of::<plan::Judge>(),
    Entry::of::<plan::Propose>(),
    Entry::of::<plan::List>(),
    Entry::of::<plan::One>(),
    Entry::of::<plan::Approve>(),
    Entry::of::<plan::Close>(),
    Entry::of::<violations::List>(),
    Entry::of::<personal::Report>(),
    Entry::of::<quarantine::List>(),
    Entry::of::<quarantine::Release>(),
    Entry::of::<quarantine::Delete>(),
    Entry::of::<experiment::List>(),
    Entry::of::<experiment::Get>(),
    Entry::of::<experiment::Create>(),
    Entry::of::<experiment::Start>(),
    Entry::of::<experiment::Stop>(),
    Entry::of::<experiment::Results>(),
    Entry::of::<ship::Ship>(),
    Entry::of::<event::Catalogue>(),
    Entry::of::<event::Properties>(),
    Entry::of::<event::Recent>(),
    Entry::of::<health::Health>(),
    Entry::of::<event::Segmentation>(),
    Entry::of::<person::Export>(),
    Entry::of::<person::Forget>(),
    Entry::of::<change::List>(),
    Entry::of::<change::Get>(),
    Entry::of::<key::List>(),
    Entry::of::<key::Create>(),
    Entry::of::<key::Limit>(),
    Entry::of::<key::Revoke>(),
    Entry::of::<backup::List>(),
    Entry::of::<backup::Create>(),
    Entry::of::<backup::Delete>(),
    Entry::of::<status::Status>(),
];

/// An operation by name.
pub fn find(name: &str) -> Option<&'static Entry> {
    REGISTRY.iter().find(|entry| entry.name == name)
}

impl Ctx {
    /// Asked by long operations between steps: counts the step and says whether to stop.
    pub(crate) fn stop(&self) -> bool {
        self.progress.tick();
        self.cancel.cancelled()
    }
}
