//! The table of calibration: every method, what it promises, and what was measured.

use super::simulation::{Row, check, full};
use super::{adjusted, designs, fixed, sequential};
use std::fmt::Write as _;

/// A heading of the page, and the rows below it.
type Group = (&'static str, fn() -> Vec<Row>);

const GROUPS: &[Group] = &[
    ("Tests of one look, without an effect", fixed::errors_of_the_first_kind),
    ("Intervals of one look", fixed::coverage),
    ("Where the assumptions of tests of one look hurt", fixed::where_it_hurts),
    ("The power of plans", fixed::power),
    ("Several hypotheses", fixed::families),
    ("Means and rates", adjusted::means),
    ("Ratios, covariates and strata", adjusted::adjustments),
    ("Clusters and series", adjusted::dependence),
    ("Quantiles, draws and evals", adjusted::resampling),
    ("Evals", designs::evals),
    ("A/A replays", designs::replays),
    ("Designs", designs::designs),
    ("Always valid: peeked at a thousand times", sequential::peeked_at_a_thousand_times),
    ("Group-sequential", sequential::group_sequential),
    ("Bayesian", sequential::bayesian),
    ("Bandits", sequential::off_policy),
];

#[test]
fn methods_do_as_they_promise() {
    let groups: Vec<(&str, Vec<Row>)> = std::thread::scope(|scope| {
        let running: Vec<_> = GROUPS.iter().map(|(name, rows)| (*name, scope.spawn(rows))).collect();
        running.into_iter().map(|(name, rows)| (name, rows.join().unwrap())).collect()
    });
    if full() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/calibration.md");
        std::fs::write(path, page(&groups)).unwrap();
    }
    check(&groups.into_iter().flat_map(|(_, rows)| rows).collect::<Vec<_>>());
}

fn page(groups: &[(&str, Vec<Row>)]) -> String {
    let mut page = String::from(
        "# Calibration\n\n\
         Written by `PROOF=full cargo test -p bellwether-stats --test calibration`; not by hand. Seeded: the same numbers every time.\n\n\
         Intervals at 95 % are measured by how often they cover the truth, tests and boundaries by how often they reject without an effect. \
         \"No promise\" stands where the assumptions of a method do not hold: what it does there is said here, and the library says a \
         `Caution` or refuses. ± is one standard error of the measurement, had the promise been kept to the letter; a row fails beyond two and a half.\n",
    );
    for (name, rows) in groups {
        write!(page, "\n## {name}\n\n| method | condition | promise | measured | ± | runs |\n|---|---|---|---:|---:|---:|\n").unwrap();
        for row in rows {
            let Row { method, condition, measured, runs, .. } = row;
            let measured = format!("{:.2} %", 100.0 * measured);
            let error = format!("{:.2}", 100.0 * row.mc_error());
            writeln!(page, "| {method} | {condition} | {} | {measured} | {error} | {runs} |", row.promised())
                .unwrap();
        }
    }
    page
}
