//! The result of comparing a treatment with its control.

use crate::{Caution, Level, Refusal};
use serde::{Deserialize, Serialize};

/// An interval. Its ends are finite, but for one that a one-sided question leaves open or that lies beyond the largest number:
/// that is infinite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    pub(crate) fn around(centre: f64, half_width: f64) -> Self {
        Self { low: centre - half_width, high: centre + half_width }
    }

    /// The interval as shares of a baseline that is *known*: a contract, a target, the mean of all of last year.
    ///
    /// For a control mean that was measured beside the treatment this covers too rarely, since it leaves
    /// out that mean's own error (Spotify's relative interval does): use [`Comparison::relative`]. It is
    /// offered to reproduce theirs.
    ///
    /// # Errors
    /// [`Refusal::ZeroBaseline`], [`Refusal::NotFinite`].
    pub fn relative_to_known(&self, baseline: f64) -> Result<Self, Refusal> {
        if baseline == 0.0 {
            return Err(Refusal::ZeroBaseline);
        }
        let (low, high) = (self.low / baseline.abs(), self.high / baseline.abs());
        if !(low.is_finite() && high.is_finite()) {
            return Err(Refusal::not_finite("relative lift"));
        }
        Ok(Self { low, high })
    }

    /// Whether the value lies inside, ends included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// How a comparison was made. The serialized name carries a version: a change of method is a new
/// name, so that two results with the same name can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Method {
    /// z test with the pooled variance under the null; unpooled (Wald) interval.
    #[serde(rename = "two-proportions-z.1")]
    TwoProportionsZ,
    /// Welch's t test.
    #[serde(rename = "welch-t.1")]
    WelchT,
    /// One-sided asymptotic confidence sequence.
    #[serde(rename = "asymptotic-confidence-sequence.1")]
    AsymptoticConfidenceSequence,
    /// Student's t test with the pooled variance.
    #[serde(rename = "pooled-t.1")]
    PooledT,
    /// The relative lift by the delta method.
    #[serde(rename = "lift-delta.1")]
    LiftDelta,
    /// The logarithm of a ratio of means or of rates.
    #[serde(rename = "log-ratio.1")]
    LogRatio,
    /// z test of two rates with the unpooled (Wald) variance.
    #[serde(rename = "two-proportions-wald.1")]
    TwoProportionsWald,
    /// z test of two rates with the pooled variance and Yates' continuity correction.
    #[serde(rename = "two-proportions-z-corrected.1")]
    TwoProportionsZCorrected,
    /// Miettinen and Nurminen's score test of a difference of rates.
    #[serde(rename = "miettinen-nurminen.1")]
    MiettinenNurminen,
    /// Miettinen and Nurminen's score test of a ratio of rates.
    #[serde(rename = "ratio-score.1")]
    RatioScore,
    /// Pearson's χ² of a table of counts.
    #[serde(rename = "pearson-chi2.1")]
    PearsonChi2,
    /// The likelihood-ratio (G) test of a table of counts.
    #[serde(rename = "likelihood-ratio-g.1")]
    LikelihoodRatioG,
    /// Fisher's exact test.
    #[serde(rename = "fisher-exact.1")]
    FisherExact,
    /// The exact binomial test.
    #[serde(rename = "binomial-exact.1")]
    BinomialExact,
    /// z test of a split in two arms with a continuity correction.
    #[serde(rename = "sample-ratio-corrected.1")]
    SampleRatioCorrected,
    /// Two Poisson rates: score test with the pooled rate.
    #[serde(rename = "poisson-score.1")]
    PoissonScore,
    /// Two Poisson rates: Wald test.
    #[serde(rename = "poisson-wald.1")]
    PoissonWald,
    /// Two Poisson rates: difference of square roots.
    #[serde(rename = "poisson-sqrt.1")]
    PoissonSqrt,
    /// Two Poisson rates: E-test (Krishnamoorthy and Thomson) with the score statistic.
    #[serde(rename = "poisson-e-test.1")]
    PoissonETest,
    /// Two Poisson rates: exact, conditional on the total.
    #[serde(rename = "poisson-exact-conditional.1")]
    PoissonExactConditional,
    /// Wilcoxon, Mann and Whitney's rank test by the normal approximation.
    #[serde(rename = "mann-whitney-z.1")]
    MannWhitneyZ,
    /// Wilcoxon, Mann and Whitney's rank test by the exact distribution.
    #[serde(rename = "mann-whitney-exact.1")]
    MannWhitneyExact,
    /// Kruskal and Wallis' rank test of several groups.
    #[serde(rename = "kruskal-wallis.1")]
    KruskalWallis,
    /// Brunner and Munzel's test of probabilistic superiority.
    #[serde(rename = "brunner-munzel.1")]
    BrunnerMunzel,
    /// Kolmogorov and Smirnov's test of two distributions, exact.
    #[serde(rename = "kolmogorov-smirnov-exact.1")]
    KolmogorovSmirnovExact,
    /// Kolmogorov and Smirnov's test of two distributions, by the limit.
    #[serde(rename = "kolmogorov-smirnov.1")]
    KolmogorovSmirnov,
    /// Brown and Forsythe's test of equal spread.
    #[serde(rename = "brown-forsythe.1")]
    BrownForsythe,
    /// Yuen's t test of trimmed means.
    #[serde(rename = "yuen-t.1")]
    YuenT,
    /// Effects of segments, weighted by their units.
    #[serde(rename = "stratified.1")]
    Stratified,
    /// Cochran's Q of the same effect in all segments.
    #[serde(rename = "cochran-q.1")]
    CochranQ,
    /// Gail and Simon's test of effects that cross.
    #[serde(rename = "gail-simon.1")]
    GailSimon,
    /// A hint of interference: a slope on the treated share, or two designs that disagree.
    #[serde(rename = "spillover.1")]
    Spillover,
    /// The log-rank test of two survival curves.
    #[serde(rename = "log-rank.1")]
    LogRank,
    /// A ratio of sums per arm by the delta method; Welch's t.
    #[serde(rename = "ratio-delta.1")]
    RatioDelta,
    /// Means adjusted by covariates with one slope over both arms (CUPED); Welch's t.
    #[serde(rename = "cuped.1")]
    Cuped,
    /// The lift of adjusted means without their covariance with the baseline (gbstats 0.8.0 of PyPI).
    #[serde(rename = "cuped-without-covariance.1")]
    CupedWithoutCovariance,
    /// Ratios adjusted by the same ratios before the experiment (CUPED); Welch's t.
    #[serde(rename = "cuped-ratio.1")]
    CupedRatio,
    /// Means adjusted by covariates with a slope for each arm (Lin 2013).
    #[serde(rename = "lin.1")]
    Lin,
    /// Strata weighted by their shares of both arms, the shares taken as drawn.
    #[serde(rename = "post-stratified.1")]
    PostStratified,
    /// Quantiles, with errors from the distance of order statistics (Deng 2018).
    #[serde(rename = "quantile-order-statistics.1")]
    QuantileOrderStatistics,
    /// A coefficient of least squares with the error that was asked for.
    #[serde(rename = "least-squares.1")]
    LeastSquares,
    /// A coefficient with cluster-robust errors, t with one degree of freedom less than clusters.
    #[serde(rename = "cluster-hc1.1")]
    ClusterHc1,
    /// A coefficient with CR2 errors and Satterthwaite's degrees of freedom.
    #[serde(rename = "cluster-cr2.1")]
    ClusterCr2,
    /// A coefficient with errors clustered in two ways.
    #[serde(rename = "cluster-two-way.1")]
    ClusterTwoWay,
    /// A coefficient with errors robust to heteroskedasticity and autocorrelation.
    #[serde(rename = "hac.1")]
    Hac,
    /// A mean of units in clusters, t with one degree of freedom less than clusters.
    #[serde(rename = "mean-clustered.1")]
    MeanClustered,
    /// Huber's M-estimate of location.
    #[serde(rename = "huber.1")]
    Huber,
    /// The median of the means of blocks.
    #[serde(rename = "median-of-means.1")]
    MedianOfMeans,
    /// The standard deviation of bootstrap draws.
    #[serde(rename = "bootstrap.1")]
    Bootstrap,
    /// Randomisation inference: the assignment drawn again as it was drawn.
    #[serde(rename = "randomisation.1")]
    Randomisation,
    /// The exact sign test.
    #[serde(rename = "sign.1")]
    Sign,
    /// McNemar's test, exact: binomial on the pairs that differ.
    #[serde(rename = "mcnemar-exact.1")]
    McNemarExact,
    /// The t test of one sample: items, or paired differences.
    #[serde(rename = "paired-t.1")]
    PairedT,
    /// A rate corrected for the errors of its judge (Rogan and Gladen 1978).
    #[serde(rename = "rogan-gladen.1")]
    RoganGladen,
    /// A mean of judged units, rectified by those that people labelled.
    #[serde(rename = "prediction-powered.1")]
    PredictionPowered,
    /// Cohen's kappa of two raters.
    #[serde(rename = "kappa.1")]
    Kappa,
    /// Pairs of runs of one suite, drawn from its answers without replacement.
    #[serde(rename = "verdict-flips.1")]
    VerdictFlips,
    /// Items that flip more often than is tolerated: exact binomial, Benjamini and Hochberg.
    #[serde(rename = "quarantine.1")]
    Quarantine,
    /// A group-sequential design; results after stopping by stagewise ordering.
    #[serde(rename = "group-sequential.1")]
    GroupSequential,
    /// The normal mixture (mSPRT).
    #[serde(rename = "normal-mixture.1")]
    NormalMixture,
    /// A uniform boundary for a sum: normal, gamma-exponential or gamma-Poisson mixture, or stitched.
    #[serde(rename = "uniform-boundary.1")]
    UniformBoundary,
    /// The beta-mixture confidence sequence of a rate.
    #[serde(rename = "bernoulli-sequence.1")]
    BernoulliSequence,
    /// The betting confidence sequence of bounded values.
    #[serde(rename = "betting.1")]
    Betting,
    /// The empirical-Bernstein confidence sequence of bounded values.
    #[serde(rename = "empirical-bernstein.1")]
    EmpiricalBernstein,
    /// Differences within epochs of one allocation, added up.
    #[serde(rename = "over-epochs.1")]
    OverEpochs,
    /// The normal posterior of an estimate.
    #[serde(rename = "normal-posterior.1")]
    NormalPosterior,
    /// Beta posteriors of rates.
    #[serde(rename = "beta-binomial.1")]
    BetaBinomial,
    /// Shares of arms by their chances to be best.
    #[serde(rename = "bandit-weights.1")]
    BanditWeights,
    /// The value of an arm under shares that changed.
    #[serde(rename = "off-policy.1")]
    OffPolicy,
    /// The Poisson CUSUM against a seasonal profile at a local level.
    #[serde(rename = "poisson-cusum.1")]
    PoissonCusum,
    /// One change in a Poisson rate, by a mixture over its time.
    #[serde(rename = "poisson-change-point.1")]
    PoissonChangePoint,
    /// The share of events of a release against its share of the traffic.
    #[serde(rename = "dose-response.1")]
    DoseResponse,
}

impl Method {
    /// The stable name with its version, as serialized.
    pub fn name(self) -> &'static str {
        match self {
            Self::TwoProportionsZ => "two-proportions-z.1",
            Self::WelchT => "welch-t.1",
            Self::AsymptoticConfidenceSequence => "asymptotic-confidence-sequence.1",
            Self::PooledT => "pooled-t.1",
            Self::LiftDelta => "lift-delta.1",
            Self::LogRatio => "log-ratio.1",
            Self::TwoProportionsWald => "two-proportions-wald.1",
            Self::TwoProportionsZCorrected => "two-proportions-z-corrected.1",
            Self::MiettinenNurminen => "miettinen-nurminen.1",
            Self::RatioScore => "ratio-score.1",
            Self::PearsonChi2 => "pearson-chi2.1",
            Self::LikelihoodRatioG => "likelihood-ratio-g.1",
            Self::FisherExact => "fisher-exact.1",
            Self::BinomialExact => "binomial-exact.1",
            Self::SampleRatioCorrected => "sample-ratio-corrected.1",
            Self::PoissonScore => "poisson-score.1",
            Self::PoissonWald => "poisson-wald.1",
            Self::PoissonSqrt => "poisson-sqrt.1",
            Self::PoissonETest => "poisson-e-test.1",
            Self::PoissonExactConditional => "poisson-exact-conditional.1",
            Self::MannWhitneyZ => "mann-whitney-z.1",
            Self::MannWhitneyExact => "mann-whitney-exact.1",
            Self::KruskalWallis => "kruskal-wallis.1",
            Self::BrunnerMunzel => "brunner-munzel.1",
            Self::KolmogorovSmirnovExact => "kolmogorov-smirnov-exact.1",
            Self::KolmogorovSmirnov => "kolmogorov-smirnov.1",
            Self::BrownForsythe => "brown-forsythe.1",
            Self::YuenT => "yuen-t.1",
            Self::Stratified => "stratified.1",
            Self::CochranQ => "cochran-q.1",
            Self::GailSimon => "gail-simon.1",
            Self::Spillover => "spillover.1",
            Self::LogRank => "log-rank.1",
            Self::RatioDelta => "ratio-delta.1",
            Self::Cuped => "cuped.1",
            Self::CupedWithoutCovariance => "cuped-without-covariance.1",
            Self::CupedRatio => "cuped-ratio.1",
            Self::Lin => "lin.1",
            Self::PostStratified => "post-stratified.1",
            Self::QuantileOrderStatistics => "quantile-order-statistics.1",
            Self::LeastSquares => "least-squares.1",
            Self::ClusterHc1 => "cluster-hc1.1",
            Self::ClusterCr2 => "cluster-cr2.1",
            Self::ClusterTwoWay => "cluster-two-way.1",
            Self::Hac => "hac.1",
            Self::MeanClustered => "mean-clustered.1",
            Self::Huber => "huber.1",
            Self::MedianOfMeans => "median-of-means.1",
            Self::Bootstrap => "bootstrap.1",
            Self::Randomisation => "randomisation.1",
            Self::Sign => "sign.1",
            Self::McNemarExact => "mcnemar-exact.1",
            Self::PairedT => "paired-t.1",
            Self::RoganGladen => "rogan-gladen.1",
            Self::PredictionPowered => "prediction-powered.1",
            Self::Kappa => "kappa.1",
            Self::VerdictFlips => "verdict-flips.1",
            Self::Quarantine => "quarantine.1",
            Self::GroupSequential => "group-sequential.1",
            Self::NormalMixture => "normal-mixture.1",
            Self::UniformBoundary => "uniform-boundary.1",
            Self::BernoulliSequence => "bernoulli-sequence.1",
            Self::Betting => "betting.1",
            Self::EmpiricalBernstein => "empirical-bernstein.1",
            Self::OverEpochs => "over-epochs.1",
            Self::NormalPosterior => "normal-posterior.1",
            Self::BetaBinomial => "beta-binomial.1",
            Self::BanditWeights => "bandit-weights.1",
            Self::OffPolicy => "off-policy.1",
            Self::PoissonCusum => "poisson-cusum.1",
            Self::PoissonChangePoint => "poisson-change-point.1",
            Self::DoseResponse => "dose-response.1",
        }
    }
}

/// How the interval of a relative lift was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelativeMethod {
    /// Delta method, the control mean's own error included.
    Delta,
    /// Fieller's interval, where the control mean is within 3 standard errors of zero.
    Fieller,
}

/// The difference as a share of the control mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Relative {
    /// `(treatment - control) / |control|`: `0.1` is ten percent more.
    pub lift: f64,
    /// Standard error of the lift by the delta method.
    pub se: f64,
    /// Its interval at the level of the comparison.
    pub interval: Interval,
    /// How the interval was made.
    pub method: RelativeMethod,
}

/// A fixed-horizon comparison of two arms: look once, at the planned end.
///
/// The p-value and the interval answer with different variances for proportions (pooled under the
/// null, unpooled around the estimate), so at the border p may lie just under `alpha` while 0 is
/// just inside. That is expected and not repaired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// `treatment - control`, in the unit of the metric.
    pub estimate: f64,
    /// Standard error of the estimate, as used by the interval.
    pub se: f64,
    /// Confidence of both intervals.
    pub level: Level,
    /// Interval of the difference.
    pub interval: Interval,
    /// z or t.
    pub statistic: f64,
    /// Degrees of freedom; none for a z test.
    pub df: Option<f64>,
    /// Two-sided p-value. Below `2.2e-308` it is reported as that number; see `ln_p`.
    pub p: f64,
    /// Natural logarithm of the p-value, exact however small that is.
    pub ln_p: f64,
    /// The lift relative to control, or why there is none.
    #[serde(with = "answer")]
    pub relative: Result<Relative, Refusal>,
    /// How the comparison was made.
    pub method: Method,
    /// Why it is to be trusted less than its level says, where the method could see that: of rates it can, of means it knows only the
    /// moments, which do not tell skew ([`Caution::of_means`] asks the values).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caution: Option<Caution>,
}

/// `ln_p` of a two-sided test as a probability that is never zero.
pub(crate) fn probability(ln_p: f64) -> f64 {
    ln_p.exp().clamp(f64::MIN_POSITIVE, 1.0)
}

/// The wire form of an answer that may be refused: the answer itself, or `{"refused": {...}}`.
mod answer {
    use crate::Refusal;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Wire<T> {
        Refused { refused: Refusal },
        Given(T),
    }

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        answer: &Result<T, Refusal>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Refused<'a> {
            refused: &'a Refusal,
        }
        match answer {
            Ok(given) => given.serialize(serializer),
            Err(refused) => Refused { refused }.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Result<T, Refusal>, D::Error> {
        Ok(match Wire::deserialize(deserializer)? {
            Wire::Refused { refused } => Err(refused),
            Wire::Given(given) => Ok(given),
        })
    }
}
