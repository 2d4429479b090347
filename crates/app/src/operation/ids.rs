//! App operations: the lists of ids of a segment, changed by a few or put in whole, up to a million. A
//! list is never altered: a change brings a new one, so that an old revision still means what it meant.

use std::sync::{Arc, MutexGuard};

use bellwether_flags::Ids;
use bellwether_ledger::{LedgerError, Members, Proposed};
use bellwether_model::{Edit, ListId, Revision, Segment, SegmentKey};
use rustc_hash::FxHashSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::brought::Brought;
use super::input::{at_most, shortened};
use super::segment::SegmentView;
use super::serve::{After, proposed};
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
pub(crate) struct ListInput {
    /// The segment.
    segment: SegmentKey,
    /// Which of its lists.
    list: Which,
    /// Those that come after this text in the order of bytes; from the first unless given. What `next` was.
    after: Option<String>,
    /// At most so many, 1,000 unless given, 10,000 at most.
    limit: Option<u32>,
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Page {
    /// In the order of their text.
    ids: Vec<String>,
    /// How many are on the list.
    count: usize,
    /// Send it as `after` for the next page; absent with the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) struct List;

impl Operation for List {
    const NAME: &'static str = "segment.members";
    const ABOUT: &'static str = "Lists the ids of a list of a segment, page by page.";
    const ROUTE: (Method, &'static str) = (Method::Get, "/api/segments/{segment}/ids");
    const NEEDS: Permission = Permission::View;
    const CLASS: Class = Class::Scan;
    const EFFECT: Effect = Effect::Reads;
    type Input = ListInput;
    type Output = Page;

    fn run(app: &App, _: &Ctx, input: ListInput) -> Result<Page, AppError> {
        let segment = app.segment(&input.segment)?;
        let Some(list) = input.list.of(&segment) else {
            return Ok(Page { ids: Vec::new(), count: 0, next: None });
        };
        let limit = at_most(input.limit, 1_000, 10_000)?;
        // One more than asked says whether there are others.
        let mut ids = app.ledger.page(list, input.after.as_deref().unwrap_or_default(), limit + 1)?;
        let more = ids.len() > limit;
        ids.truncate(limit);
        let next = ids.last().filter(|_| more).cloned();
        Ok(Page { ids, count: app.ids(list)?.len(), next })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdsInput {
    /// The segment.
    segment: SegmentKey,
    /// Which of its lists.
    list: Which,
    /// Ids to put on it, such as `["ada", "bob"]`; those that are there already stay.
    #[serde(default)]
    add: Vec<String>,
    /// Ids to take off it, such as `["eve"]`; those that are not there do no harm.
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
    const CLASS: Class = Class::Bulk;
    const EFFECT: Effect = Effect::Changes;
    type Input = IdsInput;
    type Output = SegmentView;

    fn run(app: &App, ctx: &Ctx, input: IdsInput) -> Result<SegmentView, AppError> {
        let IdsInput { segment, list, add, remove, why, if_revision } = input;
        for (field, ids) in [("add", &add), ("remove", &remove)] {
            for (index, id) in ids.iter().enumerate() {
                readable(id).map_err(|wrong| wrong.at(format!("in `{field}[{index}]`")))?;
            }
        }
        let (add, remove) =
            (distinct(add.iter().map(String::as_str))?, distinct(remove.iter().map(String::as_str))?);
        let removed: FxHashSet<&String> = remove.iter().collect();
        if let Some(both) = add.iter().find(|id| removed.contains(id)) {
            return Err(AppError::bad_input(
                format!("`{}` is to be added and to be removed", shortened(both)),
                "name it once",
            ));
        }
        let place = Place { segment, list, why, if_revision };
        loop {
            let known = place.known(app)?;
            let becomes = app.amended(ctx, &place, known.as_ref(), &add, &remove)?;
            let editing = app.editing();
            if place.known(app)? == known {
                return app.put(ctx, &place, becomes, editing);
            }
            // Somebody was faster, and the edit is of the list that they have made.
            drop(editing);
            if let Becomes::New(unused) = becomes {
                app.give_back(vec![unused]);
            }
        }
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
    const CLASS: Class = Class::Bulk;
    const EFFECT: Effect = Effect::Changes;
    const TEXT: Option<&'static str> = Some("ids");
    type Input = UploadInput;
    type Output = SegmentView;

    fn run(app: &App, ctx: &Ctx, input: UploadInput) -> Result<SegmentView, AppError> {
        let UploadInput { segment, list, ids, why, if_revision } = input;
        let ids = distinct(lines(&ids)?)?;
        let place = Place { segment, list, why, if_revision };
        loop {
            let known = place.known(app)?;
            if !app.says(known.as_ref(), &ids)? {
                break;
            }
            let editing = app.editing();
            if place.known(app)? == known {
                return app.put(ctx, &place, Becomes::Same, editing);
            }
        }
        let becomes = app.replaced(ctx, &place, ids)?;
        app.put(ctx, &place, becomes, app.editing())
    }
}

/// A list of a segment, and how it is to be changed.
struct Place {
    segment: SegmentKey,
    list: Which,
    why: Option<String>,
    if_revision: Option<Revision>,
}

impl Place {
    /// The list that is there now.
    fn known(&self, app: &App) -> Result<Option<ListId>, AppError> {
        Ok(self.list.of(&app.segment(&self.segment)?).clone())
    }

    /// The edit that puts a list there.
    fn edit(&self, app: &App, list: Option<ListId>) -> Result<Edit, AppError> {
        let mut segment = app.segment(&self.segment)?;
        self.list.set(&mut segment, list);
        Ok(Edit::SegmentSaved { segment })
    }
}

/// What becomes of a list.
enum Becomes {
    /// It stays: who says again what is there changes nothing, and the list is not written again.
    Same,
    /// Nobody is on it.
    Empty,
    /// It is another one.
    New(Brought),
    /// It would be another one.
    Rehearsed { list: ListId, texts: Vec<String> },
}

impl App {
    /// Whether these are the ids of a list, in their order.
    fn says(&self, list: Option<&ListId>, ids: &[String]) -> Result<bool, AppError> {
        match list {
            None => Ok(ids.is_empty()),
            Some(list) => Ok(self.ids(list)?.len() == ids.len() && *self.targets(list)? == *ids),
        }
    }

    /// What becomes of a list in whose place others are put.
    fn replaced(&self, ctx: &Ctx, place: &Place, texts: Vec<String>) -> Result<Becomes, AppError> {
        if texts.is_empty() {
            return Ok(Becomes::Empty);
        }
        if ctx.dry_run {
            return Ok(Becomes::Rehearsed { list: ListId(self.random_id()?), texts });
        }
        let ids = Ids::new(&texts);
        self.renewed(ctx, place, ids, || self.ledger.prepare(texts, ctx.now))
    }

    /// What becomes of a list to which some are added and from which others are taken.
    fn amended(
        &self,
        ctx: &Ctx,
        place: &Place,
        known: Option<&ListId>,
        add: &[String],
        remove: &[String],
    ) -> Result<Becomes, AppError> {
        let Some(known) = known else {
            return if add.is_empty() { Ok(Becomes::Same) } else { self.replaced(ctx, place, add.to_vec()) };
        };
        let only = |ids: &[String], on: bool| -> Result<Vec<String>, AppError> {
            let listed = self.ledger.listed(known, ids)?;
            Ok(ids.iter().zip(listed).filter(|(_, listed)| *listed == on).map(|(id, _)| id.clone()).collect())
        };
        let (add, remove) = (only(add, false)?, only(remove, true)?);
        if add.is_empty() && remove.is_empty() {
            return Ok(Becomes::Same);
        }
        let before = self.ids(known)?;
        if (before.len() + add.len()).saturating_sub(remove.len()) > MOST {
            return Err(too_many());
        }
        let texts = || -> Result<Vec<String>, AppError> {
            let gone: FxHashSet<&String> = remove.iter().collect();
            let known = self.targets(known)?;
            Ok(known.iter().filter(|id| !gone.contains(id)).chain(&add).cloned().collect())
        };
        if ctx.dry_run {
            return self.replaced(ctx, place, texts()?);
        }
        let ids = match before.edited(&add, &remove) {
            Some(ids) => ids,
            None => Ids::new(texts()?),
        };
        if ids.is_empty() {
            return Ok(Becomes::Empty);
        }
        self.renewed(ctx, place, ids, || self.ledger.prepare_edit(known, add, remove, ctx.now))
    }

    /// A new list. What would be refused is refused before anything is written.
    fn renewed(
        &self,
        ctx: &Ctx,
        place: &Place,
        ids: Ids,
        prepare: impl FnOnce() -> Result<Members, LedgerError>,
    ) -> Result<Becomes, AppError> {
        let list = ListId(self.random_id()?);
        self.would(ctx, &self.outlined(ctx, place, &list)?)?;
        Ok(Becomes::New(Brought { list, members: prepare()?, ids: Arc::new(ids) }))
    }

    /// The change that puts a new list there, but for who is on it.
    fn outlined(&self, ctx: &Ctx, place: &Place, list: &ListId) -> Result<Proposed, AppError> {
        let edit = place.edit(self, Some(list.clone()))?;
        let brought = vec![(list.clone(), Vec::new().into())];
        Ok(proposed(ctx, edit, place.why.clone(), place.if_revision, brought))
    }

    /// Makes the change, or says what would be; `editing` is held until then.
    fn put(
        &self,
        ctx: &Ctx,
        place: &Place,
        becomes: Becomes,
        editing: MutexGuard<'_, ()>,
    ) -> Result<SegmentView, AppError> {
        let list = match becomes {
            Becomes::Same => place.known(self)?,
            Becomes::Empty => None,
            Becomes::Rehearsed { list, texts } => {
                let state = self.would(ctx, &self.outlined(ctx, place, &list)?)?;
                return self.segment_seen(&state, &place.segment, &[(list, texts)]);
            }
            Becomes::New(new) => {
                let edit = place.edit(self, Some(new.list.clone()))?;
                let state = self.cite(ctx, edit, place.why.clone(), place.if_revision, vec![new], editing)?;
                return self.segment_seen(&state, &place.segment, &[]);
            }
        };
        let edit = place.edit(self, list)?;
        let After { state, .. } = self.edit(ctx, edit, place.why.clone(), place.if_revision, Vec::new())?;
        self.segment_seen(&state, &place.segment, &[])
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

/// Characters that nobody sees and that are part of no word: soft hyphens, spaces without width, marks of
/// direction and of byte order. Those that join letters are part of words.
const UNSEEN: [std::ops::RangeInclusive<char>; 6] = [
    '\u{ad}'..='\u{ad}',
    '\u{200b}'..='\u{200b}',
    '\u{200e}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
];

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
    if let Some(unseen) = id.chars().find(|c| UNSEEN.iter().any(|range| range.contains(c))) {
        return wrong(
            format!(
                "`{}` has the invisible character `{}` in it",
                shortened(id).escape_debug(),
                unseen.escape_unicode()
            ),
            "write the id as SDKs send it; two files that were put together leave such a mark at their seam",
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
                return Err(too_many());
            }
            kept.push(id.to_owned());
        }
    }
    Ok(kept)
}

fn too_many() -> AppError {
    AppError::new(
        Refusal::TooLarge,
        "too_large",
        format!("a list has at most `{MOST}` ids"),
        "divide them among several segments, or say by a rule who is meant",
    )
}

#[cfg(test)]
#[path = "ids_tests.rs"]
mod tests;
