//! Reference values of the statistics room: cases computed by R, scipy, statsmodels, GrowthBook,
//! confseq and others, each within the tolerance that its file states.
//!
//! Every family prints `family: passed/total`, and nothing is skipped: a family or a function that is not
//! known, and an output that nobody looked at, fail the test. What the README of the cases calls untrue is
//! not looked at, and printed as such. `GOLDEN_DIR` names another folder of cases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout)]

mod case;
mod families;

use case::Family;

#[test]
fn reference_values() {
    let mut failures = Vec::new();
    let there = case::families_in_folder();
    for (name, check) in families::OFFERED {
        if there.contains(*name) {
            let outcome = Family::read(name).run(*check);
            println!("{}", outcome.summary);
            failures.extend(outcome.failures);
        } else if case::own() {
            failures.push(format!("{name}: its cases are missing"));
        }
    }
    for name in there.iter().filter(|name| !families::OFFERED.iter().any(|(known, _)| known == name)) {
        failures.push(format!("{name}: nobody knows this family"));
    }
    assert!(!there.is_empty(), "no cases in the folder");
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// The harness itself can fail: a wrong value, and an output that nobody looked at.
#[test]
fn a_wrong_or_forgotten_value_is_noticed() {
    let family = Family::parse(
        r#"{"family": "f", "cases": [
            {"id": "a", "function": "g", "inputs": {}, "outputs": {"x": 1.0, "y": {"z": [1.0, "inf"]}},
             "tol": {"rel": 1e-9, "abs": 0}},
            {"id": "b", "function": "h", "inputs": {}, "outputs": {"x": 1.0}, "tol": {"rel": 0, "abs": 0}}]}"#,
    );
    let run = |x: f64, end: f64, forgotten: bool| {
        let outcome = family.run_with(|case| {
            assert!(x.is_finite(), "a check that panics");
            if forgotten && case.function() == "h" {
                return;
            }
            case.number("x", x);
            if case.function() == "g" && end > 0.0 {
                case.numbers("y.z", &[1.0, end]);
            }
        });
        (outcome.passed, outcome.failures.len())
    };
    assert_eq!(run(1.0, f64::INFINITY, false), (2, 0));
    assert_eq!(run(1.0, f64::INFINITY, true), (1, 1));
    assert_eq!(run(1.0 + 1e-6, f64::INFINITY, false), (0, 2));
    assert_eq!(run(1.0, 5.0, false), (1, 1));
    assert_eq!(run(1.0, 0.0, false), (1, 1));
    // Of each case: it panicked, and nobody looked at its one output or its two.
    assert_eq!(run(f64::NAN, 0.0, false), (0, 5));
}
