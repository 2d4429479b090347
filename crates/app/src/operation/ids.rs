//! App operations: the lists of ids of a segment, changed by a few or put in whole, up to a million. A
//! list is never altered: a change writes a new one, so that an old revision still means what it meant.

use bellwether_model::{ListId, Revision, Segment, SegmentKey};
use rustc_hash::FxHashSet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::input::shortened;
use super::segment::SegmentView;
use super::{Class, Ctx, Effect, Method, Operation};
use crate::App;
use crate::access::Permission;
use crate::error::{AppError, Refusal};
use crate::intake::LONGEST;

/// The most ids on a list.
const MOST: usize = 1_000_000;

/// One of a segment's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Which {
    /// Those who are in the segment whatever its condition says.
    Included,
    /// Those who are not in it whatever its condition says.
    Excluded,
}

impl Which {
    fn of(self, segment: &Segment) -> &Option<ListId> {
        match self {
            Self::Included => &segment.included,
            Self::Excluded => &segment.excluded,
        }
    }

    fn set(self, segment: &mut Segment, list: Option<ListId>) {
        match self {
            Self::Included => segment.included = list,
            Self::Excluded => segment.excluded = list,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdsInput {
    /// The segment.
    segment: SegmentKey,
    /// Which of its lists.
    list: Which,
    /// Ids to put on it; those that are there already stay.
    #[serde(default)]
    add: Vec<String>,
    /// Ids to take off it; those that are not there do no harm.
    #[serde(default)]
    remove: Vec<String>,
    /// The reason; needed where there is a production environment.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Amend;

impl Operation for Amend {
    const NAME: &'static str = "segment.ids";
    const ABOUT: &'static str =
        "Puts ids on a list of a segment and takes others off it; `segment.upload` replaces a whole list.";
    const ROUTE: (Method, &'static str) = (Method::Post, "/api/segments/{segment}/ids");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    type Input = IdsInput;
    type Output = SegmentView;

    fn run(app: &App, ctx: &Ctx, input: IdsInput) -> Result<SegmentView, AppError> {
        for (field, ids) in [("add", &input.add), ("remove", &input.remove)] {
            for (index, id) in ids.iter().enumerate() {
                readable(id).map_err(|wrong| wrong.at(format!("in `{field}[{index}]`")))?;
            }
        }
        let removed: FxHashSet<&str> = input.remove.iter().map(String::as_str).collect();
        if let Some(both) = input.add.iter().find(|id| removed.contains(id.as_str())) {
            return Err(AppError::bad_input(
                format!("`{}` is to be added and to be removed", shortened(both)),
                "name it once",
            ));
        }
        let segment = app.segment(&input.segment)?;
        let known = match input.list.of(&segment) {
            Some(list) => app.targets(list)?,
            None => std::sync::Arc::from([]),
        };
        let kept = known.iter().filter(|id| !removed.contains(id.as_str()));
        let ids = distinct(kept.chain(&input.add).map(|id| id.as_str()))?;
        app.save_ids(ctx, segment, input.list, ids, &known, input.why, input.if_revision)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadInput {
    /// The segment.
    segment: SegmentKey,
    /// Which of its lists.
    list: Which,
    /// The ids, one a line, a million at most; an empty text empties the list.
    ids: String,
    /// The reason; needed where there is a production environment.
    why: Option<String>,
    /// The revision that the edit is of.
    if_revision: Option<Revision>,
}

pub(super) struct Upload;

impl Operation for Upload {
    const NAME: &'static str = "segment.upload";
    const ABOUT: &'static str = "Replaces a list of a segment by the ids of a text, one a line, a million at most; taken whole or not at all.";
    const ROUTE: (Method, &'static str) = (Method::Put, "/api/segments/{segment}/ids");
    const NEEDS: Permission = Permission::Edit;
    const CLASS: Class = Class::Write;
    const EFFECT: Effect = Effect::Changes;
    const TEXT: Option<&'static str> = Some("ids");
    type Input = UploadInput;
    type Output = SegmentView;

    fn run(app: &App, ctx: &Ctx, input: UploadInput) -> Result<SegmentView, AppError> {
        let segment = app.segment(&input.segment)?;
        let ids = distinct(lines(&input.ids)?)?;
        let known = match input.list.of(&segment) {
            Some(list) => app.targets(list)?,
            None => std::sync::Arc::from([]),
        };
        app.save_ids(ctx, segment, input.list, ids, &known, input.why, input.if_revision)
    }
}

impl App {
    #[allow(clippy::too_many_arguments)]
    fn save_ids(
        &self,
        ctx: &Ctx,
        mut segment: Segment,
        list: Which,
        ids: Vec<String>,
        known: &[String],
        why: Option<String>,
        if_revision: Option<Revision>,
    ) -> Result<SegmentView, AppError> {
        if ids == known {
            // Who says again what is there changes nothing, and the list is not written again.
            return self.save_segment(ctx, segment, why, if_revision, Vec::new());
        }
        let mut lists = Vec::new();
        let cited = if ids.is_empty() { None } else { Some(ListId(self.random_id()?)) };
        if let Some(cited) = &cited {
            lists.push((cited.clone(), ids));
        }
        list.set(&mut segment, cited);
        self.save_segment(ctx, segment, why, if_revision, lists)
    }
}

/// What is wrong with an id.
struct Wrong {
    what: String,
    hint: &'static str,
}

impl Wrong {
    fn at(self, place: String) -> AppError {
        AppError::bad_input(format!("{place}: {}", self.what), self.hint)
    }
}

/// Whether an id can be that of somebody.
fn readable(id: &str) -> Result<(), Wrong> {
    let wrong = |what: String, hint| Err(Wrong { what, hint });
    if id.is_empty() {
        return wrong("an id is empty".to_owned(), "give each id some text, and no empty lines between them");
    }
    if id.len() > LONGEST && id.chars().nth(LONGEST).is_some() {
        return wrong(
            format!("`{}…` is longer than any id", shortened(id)),
            "use ids of at most 1024 characters, one a line",
        );
    }
    if id.trim() != id || id.chars().any(char::is_control) {
        return wrong(
            format!(
                "`{}` has white space around it or unprintable characters in it",
                shortened(id).escape_debug()
            ),
            "write the id as SDKs send it, with nothing around it",
        );
    }
    Ok(())
}

/// The ids of a text, one a line. The last line may end with a line break, and every line with that of
/// Windows; a mark of UTF-8 at the beginning is no part of the first id.
fn lines(text: &str) -> Result<impl Iterator<Item = &str>, AppError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, id) in (1_usize..).zip(text.lines()) {
        readable(id).map_err(|wrong| wrong.at(format!("in line `{line}`")))?;
    }
    Ok(text.lines())
}

/// The ids in their order, each once.
fn distinct<'i>(ids: impl Iterator<Item = &'i str>) -> Result<Vec<String>, AppError> {
    let mut seen = FxHashSet::default();
    let mut kept: Vec<String> = Vec::new();
    for id in ids {
        if seen.insert(id) {
            if kept.len() == MOST {
                return Err(AppError::new(
                    Refusal::TooLarge,
                    "too_large",
                    format!("a list has at most `{MOST}` ids"),
                    "divide them among several segments, or say by a rule who is meant",
                ));
            }
            kept.push(id.to_owned());
        }
    }
    Ok(kept)
}
