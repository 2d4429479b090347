//! App operations: segments of users, which rules refer to by name, and the lists of ids in them.

use bellwether_flags::Ids;
use bellwether_ledger::{State, Versioned};
use bellwether_model::{
    Clause, Condition, Edit, EnvironmentKey, FlagKey, ListId, Millis, Revision, Segment, SegmentKey, Unit,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Class, Ctx, Effect, Method, Operation, operands};
use crate::App;
use crate::access::Permission;
use crate::error::AppError;
use crate::view::{ActorView, Warning};

/// So many ids of a list are shown with a segment.
const SHOWN: usize = 100;

/// A segment with its newest revision, its lists and who asks for it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct SegmentView {
    /// The segment.
    segment: Segment,
    /// Send it as `if_revision` with an edit.
    revision: Revision,
    /// When it last changed.
    changed: Millis,
    /// Who changed it.
    changed_by: ActorView,
    /// Those on the list `included`.
    included: Listed,
    /// Those on the list `excluded`.
    excluded: Listed,
    /// Where the rules of flags name it; archived flags are not among them.
    used_by: Vec<Use>,
    /// What whoever made the edit that this answers should know of it.
    warnings: Vec<Warning>,
}

/// The ids of a list.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub(crate) struct Listed {
    /// How many there are.
    count: usize,
    /// The first hundred, where one segment was asked for: in the order in which they were given, and of a list
    /// of more than 10,000 in that of their text. `segment.members` gives them all.
    first: Vec<String>,
}

/// A flag whose rules name a segment.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Use {
    /// The flag.
    flag: FlagKey,
    /// Where.
    environment: EnvironmentKey,
    /// Which rules, from 0.
    rules: Vec<usize>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListInput {
    /// Also archived segments.
    archived: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Segments {
    /// In order of their keys.
    segments: Vec<SegmentView>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "segment.list";
    const ABOUT: &'static str =
        "Lists the segments of users, how long their lists are and which flags ask for them.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/segments");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = ListInput;
    type Output = Segments;

    fn run(app: &App, _: &Ctx, input: ListInput) -> Result<Segments, AppError> {
        let state = app.ledger.state();
        let all = input.archived.unwrap_or(false);
        let shown = state.segments.values().filter(|segment| all || !segment.value.archived);
        let segments = shown.map(|segment| app.segment_view(&state, segment, &[], 0));
        Ok(Segments { segments: segments.collect::<Result<_, _>>()? })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetInput {
    /// The segment.
    segment: SegmentKey,
}

pub(super) struct Get;

impl Operation for Get {
    const NAME: &'static str = "segment.get";
    const ABOUT: &'static str = "Shows a segment, the first ids of its lists and which flags ask for it.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/segments/{segment}");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = GetInput;
    type Output = SegmentView;

    fn run(app: &App, _: &Ctx, input: GetInput) -> Result<SegmentView, AppError> {
        let state = app.ledger.state();
        let segment =
            state.segments.get(&input.segment).ok_or_else(|| app.unknown("segment", &input.segment))?;
        app.segment_view(&state, segment, &[], SHOWN)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaveInput {
    /// Its key.
    segment: SegmentKey,
    /// What people call it; as it is unless given, of a new one the key.
    name: Option<String>,
    /// What it is for; as it is unless given.
    description: Option<String>,
    /// Any of these groups must hold; a group holds when all its clauses do. Such as
    /// `[[{"attribute": "email", "op": "ends_with", "values": ["@example.com"]}]]`. As it is unless given; an empty
    /// list, `[]`, holds for nobody.
    when: Option<Vec<Vec<Clause>>>,
    /// Whose ids the lists hold; as it is unless given, of a new one the user's.
    unit: Option<Unit>,
    /// The reason; needed where there is a production environment.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Save;

impl Operation for Save {
    const NAME: &'static str = "segment.save";
    const ABOUT: &'static str = "Defines a segment of users, or redefines it for every flag that asks for it. What is left out stays.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/segments/{segment}");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = SaveInput;
    type Output = SegmentView;

    fn run(app: &App, ctx: &Ctx, input: SaveInput) -> Result<SegmentView, AppError> {
        let clauses = operands::of_segment(input.when.as_deref().unwrap_or_default());
        operands::are_meant(&clauses)?;
        let warnings = operands::no_versions(&clauses);
        let state = app.ledger.state();
        let mut segment = match state.segments.get(&input.segment) {
            Some(known) => known.value.clone(),
            None => Segment {
                name: input.segment.to_string(),
                key: input.segment,
                description: String::new(),
                when: Vec::new(),
                included: None,
                excluded: None,
                unit: Unit::default(),
                created: ctx.now,
                archived: false,
            },
        };
        if let Some(unit) = input.unit.filter(|unit| *unit != segment.unit) {
            if segment.lists().next().is_some() {
                return Err(AppError::conflict(
                    format!(
                        "the lists of segment `{}` hold ids of the attribute `{}`",
                        segment.key,
                        segment.unit.attribute()
                    ),
                    "empty the lists first, or make another segment",
                ));
            }
            segment.unit = unit;
        }
        segment.name = input.name.unwrap_or(segment.name);
        segment.description = input.description.unwrap_or(segment.description);
        segment.when = input.when.unwrap_or(segment.when);
        let view = app.save_segment(ctx, segment, input.why, input.if_revision)?;
        Ok(SegmentView { warnings, ..view })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArchiveInput {
    /// The segment.
    segment: SegmentKey,
    /// `false` restores it; `true` unless given.
    archived: Option<bool>,
    /// The reason; needed where there is a production environment.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Archive;

impl Operation for Archive {
    const NAME: &'static str = "segment.archive";
    const ABOUT: &'static str = "Archives a segment that no flag asks for, or restores it.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/segments/{segment}/archive");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = ArchiveInput;
    type Output = SegmentView;

    fn run(app: &App, ctx: &Ctx, input: ArchiveInput) -> Result<SegmentView, AppError> {
        let archived = input.archived.unwrap_or(true);
        let segment = Segment { archived, ..app.segment(&input.segment)? };
        app.save_segment(ctx, segment, input.why, input.if_revision)
    }
}

impl App {
    /// One segment by key.
    pub(super) fn segment(&self, key: &SegmentKey) -> Result<Segment, AppError> {
        let known = self.ledger.state().segments.get(key).map(|segment| segment.value.clone());
        known.ok_or_else(|| self.unknown("segment", key))
    }

    /// Proposes a segment.
    pub(super) fn save_segment(
        &self,
        ctx: &Ctx,
        segment: Segment,
        why: Option<String>,
        if_revision: Option<Revision>,
    ) -> Result<SegmentView, AppError> {
        let key = segment.key.clone();
        let after = self.edit(ctx, Edit::SegmentSaved { segment }, why, if_revision, Vec::new())?;
        self.segment_seen(&after.state, &key, &after.lists)
    }

    /// A segment as an edit left it, or would have.
    pub(super) fn segment_seen(
        &self,
        state: &State,
        key: &SegmentKey,
        fresh: &[(ListId, Vec<String>)],
    ) -> Result<SegmentView, AppError> {
        let saved = state.segments.get(key).ok_or_else(|| self.unknown("segment", key))?;
        self.segment_view(state, saved, fresh, SHOWN)
    }

    /// A segment with at most so many ids of each list; `fresh` are lists that a rehearsal has not stored.
    pub(super) fn segment_view(
        &self,
        state: &State,
        segment: &Versioned<Segment>,
        fresh: &[(ListId, Vec<String>)],
        most: usize,
    ) -> Result<SegmentView, AppError> {
        let listed = |list: &Option<ListId>| {
            let Some(list) = list else { return Ok(Listed::default()) };
            let first = |ids: &[String]| ids.iter().take(most).cloned().collect();
            if let Some((_, ids)) = fresh.iter().find(|(fresh, _)| fresh == list) {
                if ids.len() <= Ids::SPOKEN {
                    return Ok(Listed { count: ids.len(), first: first(ids) });
                }
                let mut ordered: Vec<&String> = ids.iter().collect();
                ordered.sort_unstable();
                let first = ordered.into_iter().take(most).cloned().collect();
                return Ok(Listed { count: ids.len(), first });
            }
            let ids = self.ids(list)?;
            let first = match ids.texts() {
                Some(texts) => first(texts),
                None if most == 0 => Vec::new(),
                None => self.ledger.page(list, "", most)?,
            };
            Ok::<_, AppError>(Listed { count: ids.len(), first })
        };
        Ok(SegmentView {
            included: listed(&segment.value.included)?,
            excluded: listed(&segment.value.excluded)?,
            used_by: uses(state, &segment.value.key),
            segment: segment.value.clone(),
            revision: segment.revision,
            changed: segment.at,
            changed_by: self.actor_view(&segment.by),
            warnings: Vec::new(),
        })
    }
}

/// Where the rules of live flags name a segment.
fn uses(state: &State, segment: &SegmentKey) -> Vec<Use> {
    let mut uses = Vec::new();
    for flag in state.flags.values().filter(|flag| !flag.value.archived) {
        for (environment, setting) in &flag.value.settings {
            let names = |group: &Vec<Condition>| group.iter().any(|c| c.segment() == Some(segment));
            let rules: Vec<usize> = (0..)
                .zip(&setting.rules)
                .filter(|(_, rule)| rule.when.iter().any(names))
                .map(|(index, _)| index)
                .collect();
            if !rules.is_empty() {
                uses.push(Use { flag: flag.value.key.clone(), environment: environment.clone(), rules });
            }
        }
    }
    uses
}
