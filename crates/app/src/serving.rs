//! App: answers to SDKs. One immutable snapshot per environment, published with one atomic swap
//! after each change, from which every door reads without a lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use bellwether_flags::{Document, Evaluation, Ids, Ruleset, Source, amplitude, flagd};
use bellwether_ledger::State;
use bellwether_model::experiment::ExperimentState;
use bellwether_model::{Context, EnvironmentKey, FlagKey, Json, ListId, Millis, Revision, Serve, Unit};
use rustc_hash::FxHashSet;

use crate::App;
use crate::access::digest;
use crate::enrolment::Registers;
use crate::error::{AppError, Refusal};
use crate::exposure::Track;

/// What every SDK of one environment sees.
#[derive(Debug)]
pub struct Served {
    /// The compiled rules.
    pub ruleset: Ruleset,
    /// The rules in Amplitude's format, as the bytes of a JSON array.
    pub amplitude: Arc<str>,
    /// Flags that Amplitude's format cannot carry exactly, and why.
    pub left_out: Vec<(FlagKey, String)>,
    /// Lists that Amplitude's SDKs load by themselves, as cohorts, because they are too long for the rules.
    pub cohorts: BTreeSet<ListId>,
    /// The rules in flagd's format, as the text of a JSON object of at most [`flagd::LARGEST`] bytes. The
    /// same text is the same `Arc`, over all changes that it does not speak of.
    pub flagd: Arc<str>,
    /// Flags that flagd's format cannot carry exactly, or that are too large for it, and why.
    pub flagd_left_out: Vec<(FlagKey, String)>,
    /// The rules for our own provider, as the text of a [`Document`].
    pub document: Arc<str>,
    /// Names what is in the document: the rules, and what compares their variants.
    pub document_tag: String,
    /// Lists that the document cites and that are got one by one, see [`App::list_apart`].
    pub apart: BTreeSet<ListId>,
    /// Names the content: two revisions that serve the same have the same tag.
    pub tag: String,
    /// When this content was published.
    pub since: Millis,
    /// What compares each flag's variants now: an experiment since its start, a rollout since its epoch
    /// began. Exposures count anew for each.
    pub(crate) trials: BTreeMap<FlagKey, String>,
    /// Flags that our own provider does not get, and why.
    pub(crate) provider_left_out: Vec<(FlagKey, String)>,
    /// Who was enrolled by the flags that remember it.
    pub(crate) registers: Registers,
}

impl Served {
    /// What SDKs see of a ruleset. What is the same as `before` is shared with it.
    fn new(
        (ruleset, registers): (Ruleset, Registers),
        rules: Document,
        tag: String,
        trials: BTreeMap<FlagKey, String>,
        before: Option<&Self>,
        now: Millis,
    ) -> Result<Self, AppError> {
        let amplitude = amplitude::export(&ruleset);
        let text = serde_json::to_string(&amplitude.flags);
        let text = text.map_err(|e| AppError::internal("write the rules for Amplitude", e))?;
        let flagd = flagd::export(&ruleset);
        let document = serde_json::to_string(&flagd.document);
        let document = document.map_err(|e| AppError::internal("write the rules for flagd", e))?;
        let same = before.map(|before| &before.flagd).filter(|before| ***before == *document);
        for (flag, reason) in &flagd.left_out {
            let known = before.is_some_and(|b| b.flagd_left_out.iter().any(|(key, _)| key == flag));
            if !known {
                let environment = ruleset.environment();
                tracing::warn!(%environment, %flag, reason, "flagd's providers do not get this flag");
            }
        }
        let rules = rules.with_trials(trials.clone());
        Ok(Self {
            document: rules.to_json()?.into(),
            document_tag: digest(&format!("{} {tag} {trials:?}", Document::VERSION))
                .chars()
                .take(32)
                .collect(),
            apart: rules.apart().cloned().collect(),
            provider_left_out: rules.left_out().to_vec(),
            registers,
            amplitude: text.into(),
            left_out: amplitude.left_out,
            cohorts: amplitude.cohorts.into_iter().collect(),
            flagd: same.cloned().unwrap_or_else(|| document.into()),
            flagd_left_out: flagd.left_out,
            since: before.filter(|before| before.tag == tag).map_or(now, |before| before.since),
            ruleset,
            tag,
            trials,
        })
    }
}

#[derive(Debug, Default)]
pub(crate) struct Published {
    revision: Revision,
    environments: BTreeMap<EnvironmentKey, Arc<Served>>,
    /// Every list that a flag or a segment cites, built once. A list is written once, so what is known
    /// stays true; whoever makes ids be forgotten must empty this.
    lists: BTreeMap<ListId, Arc<Ids>>,
}

/// One flag's answer, as it stands in what is served: nothing is copied.
#[derive(Debug, Clone)]
pub struct Answer<'s> {
    /// The flag.
    pub flag: &'s str,
    /// The variant's key.
    pub variant: &'s str,
    /// Its value.
    pub value: &'s Json,
    /// The reason, in OFREP's words.
    pub reason: &'static str,
    /// The id that a split needed and the context does not have; then the variant is the off variant.
    pub lacks: Option<Unit>,
    evaluation: Evaluation<'s>,
}

impl<'s> Answer<'s> {
    fn of(evaluation: Evaluation<'s>) -> Self {
        Self {
            flag: evaluation.flag.as_str(),
            variant: evaluation.variant.as_str(),
            value: evaluation.value,
            reason: evaluation.reason.ofrep(),
            lacks: evaluation.lacks(),
            evaluation,
        }
    }

    /// The answer in Amplitude's form.
    pub fn amplitude(&self) -> Json {
        amplitude::variant(&self.evaluation)
    }
}

/// Everything that a ruleset is compiled from.
pub(crate) fn source<'a>(state: &'a State, lists: &'a dyn Fn(&ListId) -> Arc<Ids>) -> Source<'a> {
    Source {
        flags: state.flags.values().map(|flag| &flag.value).collect(),
        segments: state.segments.values().map(|segment| &segment.value).collect(),
        layers: state.layers.values().map(|layer| &layer.value).collect(),
        holdouts: state.holdouts.values().map(|holdout| &holdout.value).collect(),
        betas: state.betas.values().map(|beta| &beta.value).collect(),
        lists,
    }
}

/// The lists that something cites, some of them more than once.
fn cited(state: &State) -> impl Iterator<Item = &ListId> {
    let settings = state.flags.values().flat_map(|flag| flag.value.settings.values());
    let targeted = settings.flat_map(|setting| &setting.targets).map(|target| &target.list);
    targeted.chain(state.segments.values().flat_map(|segment| segment.value.lists()))
}

/// What compares each flag's variants in an environment now.
fn trials(state: &State, environment: &EnvironmentKey) -> BTreeMap<FlagKey, String> {
    let mut trials = BTreeMap::new();
    for flag in state.flags.values() {
        if let Some(Serve::Rollout { rollout }) = flag.settings.get(environment).map(|s| &s.default) {
            trials.insert(flag.key.clone(), format!("rollout {}", rollout.epoch_began.0));
        }
        if let Some(experiment) = state.running(&flag.key, environment)
            && let ExperimentState::Running { since } = experiment.state
        {
            trials.insert(flag.key.clone(), format!("experiment {} {}", experiment.key, since.0));
        }
    }
    trials
}

impl Published {
    /// What each environment serves.
    pub(crate) fn environments(&self) -> impl Iterator<Item = (&EnvironmentKey, &Arc<Served>)> {
        self.environments.iter()
    }
}

impl App {
    /// Held while what is served is exchanged.
    pub(crate) fn publishing(&self) -> MutexGuard<'_, ()> {
        self.publishing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compiles the newest state for every environment and swaps it in.
    pub(crate) fn publish(&self, now: Millis) -> Result<(), AppError> {
        // One at a time, and always of the newest state: a slow compile cannot undo a newer one.
        let _one = self.publishing();
        let state = self.ledger.state();
        let before = self.served.load_full();
        if before.revision == state.revision && state.revision != Revision(0) {
            return Ok(());
        }
        if let Some(judges) = self.judges.load().renewed(&state) {
            self.judges.store(Arc::new(judges));
        }
        let lists: BTreeMap<ListId, Arc<Ids>> =
            cited(&state).filter_map(|id| Some((id.clone(), self.read_list(&before, id)?))).collect();
        let nobody = Arc::new(Ids::new::<&str>([]));
        let resolved = |id: &ListId| lists.get(id).unwrap_or(&nobody).clone();
        let mut environments = BTreeMap::new();
        for (key, environment) in &state.environments {
            let source = source(&state, &resolved);
            let ruleset = Ruleset::compile(&environment.value, state.revision, source.clone())?;
            let tag = format!("{:016x}", ruleset.etag());
            let trials = trials(&state, key);
            let old = before.environments.get(key);
            // What serves the same keeps its place, so that its streams stay quiet.
            let served = match old.filter(|served| served.tag == tag && served.trials == trials) {
                Some(served) => Arc::clone(served),
                None => {
                    let rules = Document::of(&environment.value, state.revision, &source)?;
                    let old = old.map(|old| &**old);
                    let registers = self.registers(&state, key, old, now)?;
                    Arc::new(Served::new((ruleset, registers), rules, tag, trials, old, now)?)
                }
            };
            environments.insert(key.clone(), served);
        }
        self.served.store(Arc::new(Published { revision: state.revision, environments, lists }));
        // What is not served now may be again.
        self.store_left(&before, now);
        Ok(())
    }

    /// Serves what was changed and could not be served then: SDKs must not wait for the next change.
    pub(crate) fn publish_late(&self, now: Millis) -> Result<(), AppError> {
        if self.served.load().revision != self.ledger.state().revision {
            self.publish(now)?;
            (self.wake)();
        }
        Ok(())
    }

    /// Shows the ids of a list that a change is about to cite, so that publishing it reads and builds
    /// nothing. Whoever calls this holds [`App::editing`] until the change is made; the next change
    /// forgets what is not cited.
    pub(crate) fn foresee(&self, id: ListId, ids: Arc<Ids>) {
        let _one = self.publishing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = self.served.load_full();
        let (revision, environments) = (before.revision, before.environments.clone());
        let mut lists = before.lists.clone();
        lists.insert(id, ids);
        self.served.store(Arc::new(Published { revision, environments, lists }));
    }

    fn read_list(&self, before: &Published, id: &ListId) -> Option<Arc<Ids>> {
        if let Some(known) = before.lists.get(id) {
            return Some(Arc::clone(known));
        }
        let read = self.ledger.list(id).inspect_err(|e| {
            tracing::error!(list = id.0, error = %e, "a list of ids cannot be read; nobody is on it");
        });
        read.ok().map(|texts| Arc::new(Ids::new(&texts[..])))
    }

    /// A list of ids, as evaluation asks it.
    pub(crate) fn ids(&self, id: &ListId) -> Result<Arc<Ids>, AppError> {
        if let Some(known) = self.served.load().lists.get(id) {
            return Ok(Arc::clone(known));
        }
        Ok(Arc::new(Ids::new(&self.ledger.list(id)?[..])))
    }

    /// The ids of a list, as they were given.
    pub(crate) fn targets(&self, id: &ListId) -> Result<Arc<[String]>, AppError> {
        if let Some(texts) = self.served.load().lists.get(id).and_then(|known| known.texts()) {
            return Ok(texts.into());
        }
        Ok(self.ledger.list(id)?)
    }

    /// What an environment serves now.
    ///
    /// # Errors
    /// `not_found` when there is no such environment.
    pub fn served(&self, environment: &EnvironmentKey) -> Result<Arc<Served>, AppError> {
        let found = self.served.load().environments.get(environment).map(Arc::clone);
        found.ok_or_else(|| self.unknown("environment", environment))
    }

    /// A list that the document of an environment cites and that is too long to stand in it.
    ///
    /// # Errors
    /// `not_found` when there is no such environment, or what it serves does not cite such a list.
    pub fn list_apart(&self, environment: &EnvironmentKey, list: &str) -> Result<Arc<[String]>, AppError> {
        let id = ListId(list.to_owned());
        if !self.served(environment)?.apart.contains(&id) {
            let shown: String = list.chars().take(60).collect();
            return Err(AppError::new(
                Refusal::NotFound,
                "not_found",
                format!("the rules of environment `{environment}` name no list `{shown}` apart"),
                "get the rules again, and the lists that they name",
            ));
        }
        self.targets(&id)
    }

    /// The ids of a list that Amplitude's SDKs load by themselves, because the rules of the environment cite it
    /// and are too short to hold it.
    ///
    /// # Errors
    /// `not_found` when the rules served now do not cite it so.
    pub fn cohort(&self, environment: &EnvironmentKey, list: &str) -> Result<Arc<[String]>, AppError> {
        let served = self.served(environment)?;
        let Some(id) = served.cohorts.get(&ListId(list.to_owned())) else {
            let list: String = list.chars().take(60).collect();
            return Err(AppError::not_found(
                "cohort",
                list,
                "load the flags again: they name other cohorts now",
            ));
        };
        Ok(self.ledger.list(id)?)
    }

    /// One flag for one context; `None` when the environment has no such flag. What was answered is
    /// recorded as `track` says, later and without delaying the answer; `agent` is what the caller's browser calls
    /// itself.
    pub fn evaluate<'s>(
        &self,
        served: &'s Served,
        flag: &str,
        context: &Context,
        track: Track,
        agent: Option<&str>,
        now: Millis,
    ) -> Option<Answer<'s>> {
        let memory = served.recall(self, true);
        let evaluation = served.ruleset.evaluate_with(flag, context, &memory)?;
        self.record(served, context, agent, now, [(&evaluation, track)]);
        Some(Answer::of(evaluation))
    }

    /// Every flag for one context, in the order of their keys; `only` keeps those named.
    pub fn evaluate_all<'s>(
        &self,
        served: &'s Served,
        only: Option<&[String]>,
        context: &Context,
        tracks: &[Track],
        agent: Option<&str>,
        now: Millis,
    ) -> Vec<Answer<'s>> {
        let only: Option<FxHashSet<&str>> = only.map(|keys| keys.iter().map(String::as_str).collect());
        let asked = |flag: &FlagKey| only.as_ref().is_none_or(|only| only.contains(flag.as_str()));
        let memory = served.recall(self, true);
        let answers: Vec<Answer<'s>> =
            served.ruleset.evaluate_all_with(context, &memory, asked).map(Answer::of).collect();
        let each = answers.iter().flat_map(|a| tracks.iter().map(|track| (&a.evaluation, *track)));
        self.record(served, context, agent, now, each);
        answers
    }
}

#[cfg(test)]
#[path = "serving_tests.rs"]
mod tests;
