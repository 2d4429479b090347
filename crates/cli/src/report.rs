//! Cli: an experiment's results as a report: the verdict's sentence, the arms, what they were judged
//! by, and what is wrong with the evidence, if anything is.

use bellwether_model::Share;
use serde_json::Value;

use crate::show::{Table, thousands, time};

/// The answer of `experiment.results` in words.
pub(crate) fn report(results: &Value) -> String {
    let judgement = &results["judgement"];
    let metric = &results["metric"];
    let rate = metric["measure"]["measure"] == "conversion";
    let mut parts = vec![text(&judgement["sentence"]).to_owned(), arms(judgement, rate)];
    let ratio = &judgement["sample_ratio"];
    let mut notes = vec![ran(results), measured(metric, &judgement["alpha"])];
    notes.push(match (ratio["p"].as_f64(), ratio["refused"].as_str()) {
        (Some(p), _) if ratio["broken"] == true => {
            format!(
                "sample ratio: broken, {}: units did not split as planned, no number can be trusted",
                p_said(p)
            )
        }
        (Some(p), _) if ratio["warn"] == true => {
            format!("sample ratio: warning, {}: look for the reason before acting", p_said(p))
        }
        (Some(p), _) => format!("sample ratio: as planned, {}", p_said(p)),
        (None, why) => format!("sample ratio: not tested, {}", why.unwrap_or("no reason was given")),
    });
    if let Some(crossed) = judgement["crossed"].as_u64().filter(|crossed| *crossed > 0) {
        notes.push(format!("{} units saw several variants and are in no arm", thousands(crossed)));
    }
    for warning in results["warnings"].as_array().into_iter().flatten() {
        notes.push(format!("warning: {}\n  hint: {}", text(&warning["message"]), text(&warning["hint"])));
    }
    parts.push(notes.join("\n"));
    parts.join("\n\n")
}

/// The arms, and how each compares with the control.
fn arms(judgement: &Value, rate: bool) -> String {
    let mut table = Table::default();
    let mut refused = Vec::new();
    let means = judgement["counts"].as_array().into_iter().flatten().filter_map(|c| c["mean"].as_f64());
    let largest = means.fold(0.0, |most: f64, mean| most.max(mean.abs()));
    let digits = if largest >= 100.0 {
        1
    } else if largest >= 1.0 {
        2
    } else {
        4
    };
    let amount = |value: f64| format!("{value:.digits$}");
    for counts in judgement["counts"].as_array().into_iter().flatten() {
        let variant = text(&counts["variant"]);
        let control = judgement["control"] == variant;
        let mut cells = vec![
            ("variant", if control { format!("{variant} (control)") } else { variant.to_owned() }),
            ("units", thousands(counts["units"].as_u64().unwrap_or_default())),
        ];
        if rate {
            cells.push(("converted", thousands(counts["converted"].as_u64().unwrap_or_default())));
        }
        let mean = counts["mean"].as_f64().map(|mean| if rate { percent(mean) } else { amount(mean) });
        cells.push((if rate { "rate" } else { "mean" }, mean.unwrap_or_default()));
        let mut comparisons = judgement["comparisons"].as_array().into_iter().flatten();
        let compared = comparisons.find(|one| one["variant"] == variant).map(|one| &one["compared"]);
        if let Some(reason) = compared.and_then(|compared| compared["reason"].as_str()) {
            refused.push(format!("\n`{variant}` is not compared: {reason}"));
        }
        let number = |name: &str| compared.and_then(|compared| compared[name].as_f64());
        let interval = compared.map(|compared| &compared["interval"]);
        let end = |name: &str| interval.and_then(|interval| interval[name].as_f64());
        let signed =
            |value: f64| if rate { points(value) } else { format!("{}{}", plus(value), amount(value)) };
        if let (Some(estimate), Some(low), Some(high)) = (number("estimate"), end("low"), end("high")) {
            cells.push(("difference", signed(estimate)));
            cells.push(("interval", format!("{} to {}", signed(low), signed(high))));
        }
        if let Some(lift) = compared.and_then(|compared| compared["relative"]["lift"].as_f64()) {
            cells.push(("relative", format!("{}{}", plus(lift), percent(lift))));
        }
        // With regard to the other comparisons, as in the sentence above.
        // Before the horizon a p-value invites to stop when it pleases.
        if let Some(p) = number("p_adjusted").filter(|_| judgement["interim"] != true) {
            cells.push(("p", p_value(p)));
        }
        table.say(&cells);
    }
    format!("{}{}", table.plain(), refused.concat())
}

fn ran(results: &Value) -> String {
    let view = &results["experiment"];
    let experiment = &view["experiment"];
    let at = |value: &Value| value.as_i64().map_or_else(|| "?".to_owned(), time);
    let planned: Vec<String> = experiment["plan"]["arms"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|arm| {
            let share = arm["share"].as_u64().and_then(|s| u16::try_from(s).ok());
            let share = share.and_then(|s| Share::basis_points(s).ok()).unwrap_or(Share::NONE);
            format!("{} {share}", text(&arm["variant"]))
        })
        .collect();
    format!(
        "experiment {} on flag {} in {}, {} to {} UTC, planned {}",
        text(&experiment["key"]),
        text(&experiment["flag"]),
        text(&experiment["environment"]),
        at(&experiment["state"]["since"]),
        at(&view["ends"]),
        planned.join(", "),
    )
}

fn measured(metric: &Value, alpha: &Value) -> String {
    let event = text(&metric["event"]);
    let what = match text(&metric["measure"]["measure"]) {
        "conversion" => format!("who did `{event}`"),
        "count" => format!("how often `{event}` per unit"),
        _ => format!("the sum of `{}` of `{event}` per unit", text(&metric["measure"]["property"])),
    };
    let level = alpha
        .as_f64()
        .map_or_else(String::new, |a| format!(", intervals at {}", trimmed(100.0 * (1.0 - a), 3)));
    format!("metric {}: {what}{level}%", text(&metric["key"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn plus(value: f64) -> &'static str {
    if value > 0.0 { "+" } else { "" }
}

fn percent(rate: f64) -> String {
    format!("{:.2}%", 100.0 * rate)
}

fn points(difference: f64) -> String {
    format!("{}{:.2} points", plus(difference), 100.0 * difference)
}

/// A p-value in a sentence: `p = 0.0123`, `p < 0.0001`.
fn p_said(p: f64) -> String {
    let value = p_value(p);
    if value.starts_with('<') { format!("p {value}") } else { format!("p = {value}") }
}

/// Three digits that count.
fn p_value(p: f64) -> String {
    match p {
        p if p < 0.0001 => "< 0.0001".to_owned(),
        p if p < 0.001 => trimmed(p, 6),
        p if p < 0.01 => trimmed(p, 5),
        p if p < 0.1 => trimmed(p, 4),
        p => trimmed(p, 3),
    }
}

/// At most so many decimals, and none that are zero.
fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn results(ratio: Value, compared: Value) -> Value {
        json!({
            "experiment": {"ends": 1_796_548_320_000_i64, "experiment": {"key": "gate", "flag": "gate", "environment": "production",
                "state": {"state": "running", "since": 1_794_215_520_000_i64},
                "plan": {"arms": [{"variant": "gate_30", "share": 5000}, {"variant": "gate_40", "share": 5000}]}}},
            "metric": {"key": "retention_7", "event": "retention_7", "measure": {"measure": "conversion"}},
            "warnings": [{"message": "`12` units can never convert", "hint": "send longer ids"}],
            "judgement": {"sentence": "keep `gate_30`: it is better", "control": "gate_30", "alpha": 0.05, "crossed": 3,
                "counts": [{"variant": "gate_30", "units": 44_700, "converted": 8_502, "mean": 0.190_201},
                    {"variant": "gate_40", "units": 45_489, "converted": 8_279, "mean": 0.182}],
                "comparisons": [{"variant": "gate_40", "compared": compared}],
                "sample_ratio": ratio},
        })
    }

    #[test]
    fn a_report_has_the_sentence_the_arms_and_the_warning() {
        let compared = json!({"compared": "given", "estimate": -0.008_201, "p": 0.001_554, "p_adjusted": 0.001_554, "interval": {"low": -0.013_28, "high": -0.003_12},
            "relative": {"relative": "given", "lift": -0.043_1}});
        let ratio = json!({"warn": true, "broken": false, "p": 0.008_608});
        insta::assert_snapshot!(report(&results(ratio, compared)), @"
        keep `gate_30`: it is better

        variant             units  converted    rate    difference                      interval  relative        p
        gate_30 (control)  44,700      8,502  19.02%
        gate_40            45,489      8,279  18.20%  -0.82 points  -1.33 points to -0.31 points    -4.31%  0.00155

        experiment gate on flag gate in production, 2026-11-09 09:12 to 2026-12-06 09:12 UTC, planned gate_30 50%, gate_40 50%
        metric retention_7: who did `retention_7`, intervals at 95%
        sample ratio: warning, p = 0.00861: look for the reason before acting
        3 units saw several variants and are in no arm
        warning: `12` units can never convert
          hint: send longer ids
        ");
    }

    #[test]
    fn a_p_too_small_to_say_is_below_and_not_equal() {
        let compared = json!({"compared": "refused", "reason": "there are no units", "hint": "wait"});
        let kinds = [(true, true, "broken"), (true, false, "warning"), (false, false, "as planned")];
        for (warn, broken, name) in kinds {
            for (p, wanted) in [(1e-9, "p < 0.0001"), (0.000_123_4, "p = 0.000123"), (0.4, "p = 0.4")] {
                let ratio = json!({"warn": warn, "broken": broken, "p": p});
                let said = report(&results(ratio, compared.clone()));
                assert!(said.contains(&format!("sample ratio: {name}, {wanted}")), "{said}");
            }
        }
    }

    #[test]
    fn before_the_horizon_there_is_no_p() {
        let compared = json!({"compared": "given", "estimate": -0.008_201, "p": 0.25, "p_adjusted": 0.5, "interval": {"low": -0.013_28, "high": 0.003_12},
            "relative": {"relative": "refused", "reason": "the control may be zero"}});
        let mut running = results(json!({"warn": false, "broken": false, "p": 0.4}), compared);
        assert!(report(&running).contains("  0.5"));
        running["judgement"]["interim"] = json!(true);
        let said = report(&running);
        assert!(!said.contains("  0.5") && said.contains("-0.82 points"), "{said}");
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        let compared = json!({"compared": "refused", "reason": "there are no units", "hint": "wait"});
        let ratio = json!({"warn": false, "broken": false, "p": null, "refused": "there are no units"});
        let said = report(&results(ratio, compared));
        assert!(said.contains("`gate_40` is not compared: there are no units"), "{said}");
        assert!(said.contains("sample ratio: not tested, there are no units"), "{said}");
    }
}
