//! Model: a change, the one way in which anything but events comes to be. A person's edit and a
//! guard's verdict have the same form.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Json;
use crate::beta::Beta;
use crate::enrolment::Enrolment;
use crate::experiment::Experiment;
use crate::flag::{Environment, Flag, Setting, Variant};
use crate::holdout::Holdout;
use crate::id::{
    BetaKey, EnvironmentKey, ExperimentKey, FlagKey, HoldoutKey, LayerKey, MetricKey, ProposalKey, Revision,
    ScheduleKey, SegmentKey, Team, VariantKey,
};
use crate::layer::Layer;
use crate::metric::Metric;
use crate::plan::{Name, PlanChanges, Proposal};
use crate::rollout::Rollout;
use crate::schedule::Schedule;
use crate::segment::Segment;
use crate::split::Split;
use crate::time::Millis;

/// An entry of the ledger. It is never altered or removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Its number; the ledger has no gaps.
    pub revision: Revision,
    /// When it was made.
    pub at: Millis,
    /// Who made it.
    pub by: Actor,
    /// The reason that was given.
    pub why: String,
    /// What changed.
    pub edit: Edit,
}

/// Who makes a change. People and keys are cited by a random id, so that the log holds no names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "actor", rename_all = "snake_case")]
pub enum Actor {
    /// Somebody who has logged in.
    Person {
        /// The person's random id.
        id: String,
    },
    /// A program with an API key.
    Key {
        /// The key's random id, which is not its secret.
        id: String,
    },
    /// The guard of a rollout.
    Guard {
        /// The flag that it watches.
        flag: FlagKey,
        /// Where.
        environment: EnvironmentKey,
    },
    /// The ramp of a rollout, which takes its next step.
    Ramp {
        /// The flag that it widens.
        flag: FlagKey,
        /// Where.
        environment: EnvironmentKey,
    },
    /// A scheduled change, whose time has come. The change that it makes also says that it was made.
    Schedule {
        /// Which.
        schedule: ScheduleKey,
    },
    /// Bellwether itself: the first environments, a fold of an older version.
    System,
}

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "subject", content = "key", rename_all = "snake_case")]
pub enum Subject {
    /// An environment.
    Environment(EnvironmentKey),
    /// A flag.
    Flag(FlagKey),
    /// A metric.
    Metric(MetricKey),
    /// An experiment.
    Experiment(ExperimentKey),
    /// A segment of users.
    Segment(SegmentKey),
    /// A layer.
    Layer(LayerKey),
    /// A holdout.
    Holdout(HoldoutKey),
    /// A beta.
    Beta(BetaKey),
    /// A scheduled change.
    Schedule(ScheduleKey),
    /// The tracking plan.
    Plan,
    /// An event type of the tracking plan.
    EventType(Name),
    /// A proposal for the tracking plan.
    Proposal(ProposalKey),
}

/// What changed. The stored form carries a version; old forms are kept in a frozen corpus and must
/// always open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum Edit {
    /// A new environment.
    EnvironmentCreated {
        /// It.
        environment: Environment,
    },
    /// The name, the marks and the bucketing of an environment that is there.
    EnvironmentSaved {
        /// It, as a whole.
        environment: Environment,
    },
    /// A new flag with a setting for each environment.
    FlagCreated {
        /// It.
        flag: Flag,
    },
    /// Name and description.
    FlagDescribed {
        /// Which.
        flag: FlagKey,
        /// The new name.
        name: String,
        /// The new description.
        description: String,
    },
    /// On or off in one environment.
    FlagToggled {
        /// Which.
        flag: FlagKey,
        /// Where.
        environment: EnvironmentKey,
        /// The new state.
        on: bool,
    },
    /// Whose a flag is.
    FlagTeamSet {
        /// Which.
        flag: FlagKey,
        /// The team, or none.
        team: Option<Team>,
    },
    /// The layer that a flag belongs to. A flag that leaves a layer gives up its part of it.
    FlagLayerSet {
        /// Which.
        flag: FlagKey,
        /// The layer, or none.
        layer: Option<LayerKey>,
    },
    /// The JSON Schema of a flag's values.
    FlagSchemaSet {
        /// Which.
        flag: FlagKey,
        /// The schema, or none.
        schema: Option<Json>,
    },
    /// The variants of a flag: values and descriptions, and which there are. The kind stays.
    FlagVariantsReplaced {
        /// Which.
        flag: FlagKey,
        /// All of them, in order.
        variants: Vec<Variant>,
    },
    /// Prerequisites, targets, rules, default and the off variant in one environment. `on` is kept as it
    /// is.
    TargetingReplaced {
        /// Which.
        flag: FlagKey,
        /// Where.
        environment: EnvironmentKey,
        /// The new setting.
        setting: Setting,
    },
    /// The shares of the default split, in one environment.
    SplitReshared {
        /// Which.
        flag: FlagKey,
        /// Where.
        environment: EnvironmentKey,
        /// The new division, grown from the old one.
        split: Split,
    },
    /// Served to nobody from now on, or again.
    FlagArchived {
        /// Which.
        flag: FlagKey,
        /// The new state.
        archived: bool,
    },
    /// The default becomes a rollout, or the rollout there takes a new state.
    RolloutSet {
        /// Which.
        flag: FlagKey,
        /// Where.
        environment: EnvironmentKey,
        /// The new state.
        rollout: Rollout,
    },
    /// Who may come into the default's split, in one environment.
    EnrolmentSet {
        /// Which.
        flag: FlagKey,
        /// Where.
        environment: EnvironmentKey,
        /// The limits.
        enrolment: Enrolment,
    },
    /// A beta, new or redefined. Where it is on stays as it is.
    BetaSaved {
        /// It, as a whole.
        beta: Beta,
    },
    /// A beta is on or off in one environment.
    BetaSwitched {
        /// Which.
        beta: BetaKey,
        /// Where.
        environment: EnvironmentKey,
        /// The new state.
        on: bool,
    },
    /// A scheduled change, new, or with what became of it.
    ScheduleSaved {
        /// It, as a whole.
        schedule: Schedule,
    },
    /// A segment of users, new or redefined.
    SegmentSaved {
        /// It, as a whole.
        segment: Segment,
    },
    /// A layer, new, renamed or divided otherwise.
    LayerSaved {
        /// It, as a whole.
        layer: Layer,
    },
    /// One flag's part of a layer, which alters the flag, too.
    LayerAllotted {
        /// The layer, as a whole.
        layer: Layer,
        /// Whose part is another.
        flag: FlagKey,
    },
    /// A holdout, new or redefined.
    HoldoutSaved {
        /// It, as a whole.
        holdout: Holdout,
    },
    /// The tracking plan becomes another.
    PlanChanged {
        /// What becomes of it.
        changes: PlanChanges,
    },
    /// A proposal for the tracking plan, new, made otherwise or given up.
    ProposalSaved {
        /// It, as a whole.
        proposal: Proposal,
    },
    /// What a proposal says becomes the tracking plan.
    ProposalApproved {
        /// Which.
        proposal: ProposalKey,
    },
    /// A metric, new or redefined.
    MetricSaved {
        /// It.
        metric: Metric,
    },
    /// A new experiment, or a draft with another plan.
    ExperimentSaved {
        /// It.
        experiment: Experiment,
    },
    /// An experiment begins.
    ExperimentStarted {
        /// Which.
        experiment: ExperimentKey,
        /// Exposures count from here.
        since: Millis,
    },
    /// An experiment ends and nothing is shipped.
    ExperimentStopped {
        /// Which.
        experiment: ExperimentKey,
        /// Later events do not count.
        at: Millis,
    },
    /// An experiment ends and its flag serves `variant` to everybody.
    ExperimentShipped {
        /// Which.
        experiment: ExperimentKey,
        /// Later events do not count.
        at: Millis,
        /// What everybody gets.
        variant: VariantKey,
    },
}

impl Edit {
    /// What it is about. A stale edit is one whose subject has changed since it was read.
    pub fn subject(&self) -> Subject {
        match self {
            Self::EnvironmentCreated { environment } | Self::EnvironmentSaved { environment } => {
                Subject::Environment(environment.key.clone())
            }
            Self::FlagCreated { flag } => Subject::Flag(flag.key.clone()),
            Self::FlagDescribed { flag, .. }
            | Self::FlagToggled { flag, .. }
            | Self::TargetingReplaced { flag, .. }
            | Self::SplitReshared { flag, .. }
            | Self::FlagArchived { flag, .. }
            | Self::FlagTeamSet { flag, .. }
            | Self::FlagLayerSet { flag, .. }
            | Self::FlagSchemaSet { flag, .. }
            | Self::FlagVariantsReplaced { flag, .. }
            | Self::EnrolmentSet { flag, .. }
            | Self::RolloutSet { flag, .. } => Subject::Flag(flag.clone()),
            Self::BetaSaved { beta } => Subject::Beta(beta.key.clone()),
            Self::BetaSwitched { beta, .. } => Subject::Beta(beta.clone()),
            Self::ScheduleSaved { schedule } => Subject::Schedule(schedule.key.clone()),
            Self::SegmentSaved { segment } => Subject::Segment(segment.key.clone()),
            Self::LayerSaved { layer } | Self::LayerAllotted { layer, .. } => {
                Subject::Layer(layer.key.clone())
            }
            Self::HoldoutSaved { holdout } => Subject::Holdout(holdout.key.clone()),
            Self::PlanChanged { .. } => Subject::Plan,
            Self::ProposalSaved { proposal } => Subject::Proposal(proposal.key.clone()),
            Self::ProposalApproved { proposal } => Subject::Proposal(proposal.clone()),
            Self::MetricSaved { metric } => Subject::Metric(metric.key.clone()),
            Self::ExperimentSaved { experiment } => Subject::Experiment(experiment.key.clone()),
            Self::ExperimentStarted { experiment, .. }
            | Self::ExperimentStopped { experiment, .. }
            | Self::ExperimentShipped { experiment, .. } => Subject::Experiment(experiment.clone()),
        }
    }
}
