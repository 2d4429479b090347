"""One peer on the columns of bellwether-bench-stats, in a process of its own.

    peer.py NAME raw USERS FOLDER              10 metrics with CUPED, from columns in memory
    peer.py gbstats moments USERS FOLDER       the same, from sums
    peer.py NAME bootstrap USERS FOLDER DRAWS  the difference of one metric's means

Prints one object of JSON: times in seconds, memory in bytes beyond the columns, answers (effect, standard error,
p-value) and the version. A peer gets the columns in the form that it likes best, made before the clock starts.
"""

import importlib.metadata
import json
import sys
import time

import numpy as np

METRICS = 10


def columns(users, folder, metrics=METRICS):
    arm = np.fromfile(f"{folder}/{users}-arm.bin", dtype=np.uint8)
    read = lambda name: np.fromfile(f"{folder}/{users}-{name}.bin", dtype="<f8")
    return arm, [read(f"y{m}") for m in range(metrics)], [read(f"x{m}") for m in range(metrics)]


def status(field):
    for line in open("/proc/self/status"):
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def sums(arm, y, x):
    """What GrowthBook keeps of each arm."""
    out = []
    for a in (0, 1):
        mask = arm == a
        ya, xa = y[mask], x[mask]
        out.append((len(ya), ya.sum(), ya @ ya, xa.sum(), xa @ xa, ya @ xa))
    return out


def gbstats(moments):
    from gbstats.frequentist.tests import FrequentistConfig, TwoSidedTTest
    from gbstats.models.statistics import RegressionAdjustedStatistic, SampleMeanStatistic, compute_theta

    arms = [
        RegressionAdjustedStatistic(
            n=n,
            post_statistic=SampleMeanStatistic(n=n, sum=float(sy), sum_squares=float(syy)),
            pre_statistic=SampleMeanStatistic(n=n, sum=float(sx), sum_squares=float(sxx)),
            post_pre_sum_of_products=float(sxy),
            theta=0,
        )
        for n, sy, syy, sx, sxx, sxy in moments
    ]
    theta = compute_theta(*arms)
    for arm in arms:
        arm.theta = theta
    absolute = TwoSidedTTest(*arms, FrequentistConfig(difference_type="absolute")).compute_result()
    TwoSidedTTest(*arms, FrequentistConfig(difference_type="relative")).compute_result()
    return absolute.expected, absolute.uplift.stddev, absolute.p_value


class Gbstats:
    package = "gbstats"

    def __init__(self, arm, y, x):
        self.columns = arm, y, x

    def raw(self):
        arm, ys, xs = self.columns
        return [gbstats(sums(arm, y, x)) for y, x in zip(ys, xs)]


class TeaTasting:
    package = "tea-tasting"

    def __init__(self, arm, y, x):
        import polars as pl
        import tea_tasting as tt

        named = {f"y{m}": v for m, v in enumerate(y)} | {f"x{m}": v for m, v in enumerate(x)}
        self.frame = pl.DataFrame({"variant": arm} | named)
        self.experiment = tt.Experiment(
            {f"m{m}": tt.Mean(f"y{m}", f"x{m}") for m in range(len(y))}, variant="variant"
        )

    def raw(self):
        out = []
        for result in self.experiment.analyze(self.frame).values():
            effect = result.effect_size
            out.append((effect, effect / result.statistic, result.pvalue))
        return out


class Duckdb:
    """Sums only: no test is made of them."""

    package = "duckdb"

    def __init__(self, arm, y, x):
        import duckdb
        import pyarrow as pa

        named = {f"y{m}": v for m, v in enumerate(y)} | {f"x{m}": v for m, v in enumerate(x)}
        table = pa.table({"variant": arm} | named)
        self.database = duckdb.connect()
        self.database.execute("SET threads = 2")
        self.database.register("arrow", table)
        self.database.execute("CREATE TABLE users AS SELECT * FROM arrow")
        parts = [
            f"sum(y{m}), sum(y{m}*y{m}), sum(x{m}), sum(x{m}*x{m}), sum(y{m}*x{m})" for m in range(len(y))
        ]
        self.query = f"SELECT variant, count(*), {', '.join(parts)} FROM users GROUP BY variant"

    def raw(self):
        self.database.execute(self.query).fetchall()
        return []


class Statsmodels:
    package = "statsmodels"

    def __init__(self, arm, y, x):
        self.columns = arm, y, x

    def raw(self):
        import statsmodels.api as sm

        arm, ys, xs = self.columns
        out = []
        for y, x in zip(ys, xs):
            fit = sm.OLS(y, np.column_stack([np.ones(len(y)), arm, x])).fit(cov_type="HC1")
            out.append((fit.params[1], fit.bse[1], fit.pvalues[1]))
        return out


class Spotify:
    package = "spotify-confidence"

    def __init__(self, arm, y, x):
        import pandas as pd

        self.pd = pd
        named = {f"y{m}": v for m, v in enumerate(y)} | {f"x{m}": v for m, v in enumerate(x)}
        self.frame = pd.DataFrame({"variant": arm} | named)
        self.metrics = len(y)

    def raw(self):
        from spotify_confidence import ZTestLinreg

        out = []
        for m in range(self.metrics):
            y, x = self.frame[f"y{m}"], self.frame[f"x{m}"]
            parts = {"variant": self.frame["variant"], "y": y, "x": x, "yy": y * y, "xx": x * x, "xy": x * y, "n": 1}
            groups = self.pd.DataFrame(parts).groupby("variant", as_index=False).sum()
            test = ZTestLinreg(
                groups,
                numerator_column="y",
                numerator_sum_squares_column="yy",
                denominator_column="n",
                feature_column="x",
                feature_sum_squares_column="xx",
                feature_cross_sum_column="xy",
                categorical_group_columns="variant",
            )
            row = test.difference(level_1=0, level_2=1).iloc[0]
            se = (row["ci_upper"] - row["ci_lower"]) / 2 / 1.959963984540054
            out.append((row["difference"], se, row["p-value"]))
        return out


class Scipy:
    package = "scipy"

    def __init__(self, arm, y, x):
        self.arms = [y[0][arm == a] for a in (0, 1)]

    def bootstrap(self, draws):
        import scipy.stats

        difference = lambda c, t, axis: t.mean(axis=axis) - c.mean(axis=axis)
        result = scipy.stats.bootstrap(
            self.arms, difference, n_resamples=draws, vectorized=True, method="percentile", batch=4, rng=1
        )
        c, t = self.arms
        return t.mean() - c.mean(), result.standard_error, result.confidence_interval.high


PEERS = {
    "gbstats": Gbstats,
    "tea-tasting": TeaTasting,
    "duckdb": Duckdb,
    "statsmodels": Statsmodels,
    "spotify-confidence": Spotify,
    "scipy": Scipy,
}


def main(name, what, users, folder, draws="0", rounds="3"):
    peer = PEERS[name]
    version = importlib.metadata.version(peer.package)
    arm, y, x = columns(users, folder, METRICS if what != "bootstrap" else 1)
    subject = peer(arm, y, x)
    times, answers = [], []
    if what == "moments":
        stored = [sums(arm, y, x) for y, x in zip(y, x)]
        for _ in range(int(rounds)):
            start = time.perf_counter()
            for _ in range(20):
                answers = [gbstats(moments) for moments in stored]
            times.append((time.perf_counter() - start) / 20)
        memory = 0
    else:
        open("/proc/self/clear_refs", "w").write("5")
        before = status("VmRSS")
        for _ in range(1 if what == "bootstrap" else int(rounds)):
            start = time.perf_counter()
            answers = [subject.bootstrap(int(draws))] if what == "bootstrap" else subject.raw()
            times.append(time.perf_counter() - start)
        memory = status("VmHWM") - before
    answers = [[float(number) for number in row] for row in answers]
    print(json.dumps({"seconds": times, "memory": memory, "answers": answers, "version": version}))


if __name__ == "__main__":
    main(*sys.argv[1:])
