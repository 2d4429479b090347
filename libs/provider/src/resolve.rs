//! Provider: what OpenFeature asks, answered from the rules at hand.

use bellwether_flags::Reason;
use bellwether_model::Unit;
use open_feature::provider::{FeatureProvider, ProviderMetadata, ProviderStatus, ResolutionDetails};
use open_feature::{
    EvaluationContext, EvaluationError, EvaluationErrorCode, EvaluationReason, EvaluationResult, StructValue,
    async_trait,
};

use crate::Provider;
use crate::context::{Typed, context};
use crate::exposures::{Exposure, now};
use crate::rules::Standing;

fn error(code: EvaluationErrorCode, message: String) -> EvaluationError {
    EvaluationError { code, message: Some(message) }
}

fn reason(reason: &Reason) -> EvaluationReason {
    match reason.ofrep() {
        "STATIC" => EvaluationReason::Static,
        "DEFAULT" => EvaluationReason::Default,
        "TARGETING_MATCH" => EvaluationReason::TargetingMatch,
        "SPLIT" => EvaluationReason::Split,
        "DISABLED" => EvaluationReason::Disabled,
        other => EvaluationReason::Other(other.to_owned()),
    }
}

impl Provider {
    fn resolve<T: Typed>(
        &self,
        flag: &str,
        given: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<T>> {
        let Some(rules) = self.0.shelf.rules() else {
            let message = match self.0.shelf.failure() {
                Some(why) => format!("there are no rules yet: {why}"),
                None => "there are no rules yet".to_owned(),
            };
            return Err(error(EvaluationErrorCode::ProviderNotReady, message));
        };
        let context = context(given)?;
        let Some(answer) = rules.ruleset.evaluate(flag, &context) else {
            let shown: String = flag.chars().take(60).collect();
            let message = format!(
                "there is no flag `{shown}` in environment `{}`; see the list of flags for its spelling",
                rules.ruleset.environment()
            );
            return Err(error(EvaluationErrorCode::FlagNotFound, message));
        };
        if let Some(unit) = answer.lacks() {
            let (code, field) = match unit {
                Unit::User => (EvaluationErrorCode::TargetingKeyMissing, "targetingKey"),
                unit => (EvaluationErrorCode::InvalidContext, unit.attribute()),
            };
            let message = format!(
                "flag `{flag}` divides by `{field}`, which the context does not have; give it as text"
            );
            return Err(error(code, message));
        }
        let Some(value) = T::read(answer.value) else {
            let message = format!("variant `{}` of flag `{flag}` is not {}", answer.variant, T::NAME);
            return Err(error(EvaluationErrorCode::TypeMismatch, message));
        };
        let trial = rules.trials.get(answer.flag);
        if let Some(exposure) = Exposure::of(&answer, &context, trial, now()) {
            self.0.queue.push(exposure);
        }
        Ok(ResolutionDetails {
            value,
            variant: Some(answer.variant.to_string()),
            reason: Some(reason(answer.reason)),
            flag_metadata: None,
        })
    }
}

#[async_trait]
impl FeatureProvider for Provider {
    fn status(&self) -> ProviderStatus {
        match self.0.shelf.standing() {
            Standing::None => ProviderStatus::NotReady,
            Standing::Followed => ProviderStatus::Ready,
            Standing::Stale => ProviderStatus::STALE,
            Standing::Refused => ProviderStatus::Error,
        }
    }

    fn metadata(&self) -> &ProviderMetadata {
        &self.0.metadata
    }

    async fn resolve_bool_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<bool>> {
        self.resolve(flag_key, evaluation_context)
    }

    async fn resolve_int_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<i64>> {
        self.resolve(flag_key, evaluation_context)
    }

    async fn resolve_float_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<f64>> {
        self.resolve(flag_key, evaluation_context)
    }

    async fn resolve_string_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<String>> {
        self.resolve(flag_key, evaluation_context)
    }

    async fn resolve_struct_value(
        &self,
        flag_key: &str,
        evaluation_context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<StructValue>> {
        self.resolve(flag_key, evaluation_context)
    }
}
