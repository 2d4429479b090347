//! Reference values of the statistics room: cases computed by R, scipy, statsmodels, GrowthBook,
//! confseq and others, each within the tolerance that its file states.
//!
//! Every family prints `family: passed/total`. Nothing is skipped in silence: a function or an output
//! that this room does not offer yet is named in the lists of `families.rs` and printed as such, and
//! an output that is neither checked nor listed fails the test. `GOLDEN_DIR` names another folder of
//! cases; families found there that this room does not know are printed too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::print_stdout)]

mod case;
mod families;

use case::Family;

#[test]
fn reference_values() {
    let mut failures = Vec::new();
    for (name, check) in families::OFFERED {
        let family = Family::read(name);
        let outcome = family.run(*check);
        println!("{}", outcome.summary);
        failures.extend(outcome.failures);
    }
    for name in case::families_in_folder() {
        if !families::OFFERED.iter().any(|(known, _)| *known == name) {
            println!("{name}: not offered yet");
        }
    }
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
    let run = |x: f64, end: f64, not_offered: bool| {
        let outcome = family.run_with(|case| {
            if not_offered && case.function() == "h" {
                return case.not_offered();
            }
            case.number("x", x);
            if case.function() == "g" && end > 0.0 {
                case.numbers("y.z", &[1.0, end]);
            }
        });
        (outcome.passed, outcome.failures.len())
    };
    assert_eq!(run(1.0, f64::INFINITY, false), (2, 0));
    assert_eq!(run(1.0, f64::INFINITY, true), (1, 0));
    assert_eq!(run(1.0 + 1e-6, f64::INFINITY, false), (0, 2));
    assert_eq!(run(1.0, 5.0, false), (1, 1));
    assert_eq!(run(1.0, 0.0, false), (1, 1));
}
