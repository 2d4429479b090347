//! Reading reference cases and keeping account of what was checked.

use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// How one function of a family is checked.
pub(crate) type Check = fn(&Case<'_>);

/// Whether the cases are those of this room, and not of another folder.
pub(crate) fn own() -> bool {
    std::env::var_os("GOLDEN_DIR").is_none()
}

fn folder() -> PathBuf {
    std::env::var_os("GOLDEN_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden"), PathBuf::from)
}

/// Names of the families whose files lie in the folder.
pub(crate) fn families_in_folder() -> BTreeSet<String> {
    std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".json").map(str::to_owned)
        })
        .collect()
}

/// One file of cases.
pub(crate) struct Family {
    name: String,
    cases: Vec<Value>,
}

/// What came of a family.
pub(crate) struct Outcome {
    pub(crate) summary: String,
    pub(crate) passed: usize,
    pub(crate) failures: Vec<String>,
}

impl Family {
    pub(crate) fn read(name: &str) -> Self {
        let path = folder().join(format!("{name}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        Self::parse(&text)
    }

    pub(crate) fn parse(text: &str) -> Self {
        let file: Value = serde_json::from_str(text).unwrap();
        Self {
            name: file["family"].as_str().unwrap().to_owned(),
            cases: file["cases"].as_array().unwrap().clone(),
        }
    }

    pub(crate) fn run(&self, check: Check) -> Outcome {
        self.run_with(check)
    }

    pub(crate) fn run_with(&self, check: impl Fn(&Case<'_>)) -> Outcome {
        let mut passed = 0;
        let mut failures = Vec::new();
        let mut untrue: BTreeSet<String> = BTreeSet::new();
        for value in &self.cases {
            let case = Case::new(value);
            // A panic is the failure of its case, and not of those after it.
            let panicked = catch_unwind(AssertUnwindSafe(|| check(&case))).is_err();
            let account = case.account.into_inner();
            let mut wrong = account.wrong;
            if panicked {
                wrong.push("panicked, see above".to_owned());
            }
            for name in case.outputs.keys() {
                if !account.seen.contains(name) {
                    wrong.push(format!("{name}: nobody looked at it"));
                }
            }
            let of_function = |name: &String| format!("{}.{name}", case.function);
            untrue.extend(account.untrue.iter().map(of_function));
            if wrong.is_empty() {
                passed += 1;
            }
            let place = format!("{} {}", self.name, case.id);
            failures.extend(wrong.into_iter().map(|w| format!("{place}: {w}")));
        }
        let mut summary = format!("{}: {passed}/{}", self.name, self.cases.len());
        if !untrue.is_empty() {
            let list: Vec<_> = untrue.into_iter().collect();
            summary += &format!("\n    known to be wrong in the reference: {}", list.join(", "));
        }
        Outcome { summary, passed, failures }
    }
}

/// One case: inputs, reference outputs, and the account of what was looked at.
pub(crate) struct Case<'a> {
    id: String,
    function: String,
    version: String,
    inputs: &'a Value,
    /// Nested objects are flattened to dotted names.
    outputs: BTreeMap<String, Value>,
    rel: f64,
    abs: f64,
    tolerances: &'a Value,
    account: RefCell<Account>,
}

#[derive(Default)]
struct Account {
    seen: BTreeSet<String>,
    /// Named as untrue by the README of the cases.
    untrue: BTreeSet<String>,
    wrong: Vec<String>,
}

fn flatten(prefix: &str, object: &Map<String, Value>, into: &mut BTreeMap<String, Value>) {
    for (name, value) in object {
        let name = format!("{prefix}{name}");
        match value {
            Value::Object(inner) => flatten(&format!("{name}."), inner, into),
            _ => {
                into.insert(name, value.clone());
            }
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.parse().unwrap()),
        _ => Some(value.as_f64().unwrap()),
    }
}

impl<'a> Case<'a> {
    fn new(value: &'a Value) -> Self {
        let mut outputs = BTreeMap::new();
        flatten("", value["outputs"].as_object().unwrap(), &mut outputs);
        Self {
            id: value["id"].as_str().unwrap().to_owned(),
            function: value["function"].as_str().unwrap().to_owned(),
            version: value["source"]["version"].as_str().unwrap_or_default().to_owned(),
            inputs: &value["inputs"],
            outputs,
            rel: value["tol"]["rel"].as_f64().unwrap(),
            abs: value["tol"]["abs"].as_f64().unwrap(),
            tolerances: &value["tol"],
            account: RefCell::default(),
        }
    }

    pub(crate) fn function(&self) -> &str {
        &self.function
    }

    /// Version of the package that computed the case.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The absolute tolerance of the case.
    pub(crate) fn abs(&self) -> f64 {
        self.abs
    }

    /// A number among the inputs.
    pub(crate) fn input(&self, name: &str) -> f64 {
        number(&self.inputs[name]).unwrap_or_else(|| panic!("{} has no input {name}", self.id))
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        let value = self.input(name);
        assert!(value >= 0.0 && value.fract() == 0.0);
        value as u64
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.inputs[name].as_str().unwrap()
    }

    pub(crate) fn list(&self, name: &str) -> Vec<f64> {
        numbers(&self.inputs[name])
    }

    pub(crate) fn raw(&self, name: &str) -> &Value {
        &self.inputs[name]
    }

    pub(crate) fn has(&self, output: &str) -> bool {
        self.outputs.contains_key(output)
    }

    /// An output, for a check that depends on it; a null is none, and one instead of a list is an empty list.
    pub(crate) fn output(&self, name: &str) -> Vec<Option<f64>> {
        match &self.outputs[name] {
            Value::Null => Vec::new(),
            Value::Array(items) => items.iter().map(number).collect(),
            one => vec![number(one)],
        }
    }

    /// A tolerance of some outputs only.
    pub(crate) fn tolerance(&self, name: &str) -> f64 {
        self.tolerances[name].as_f64().unwrap_or_else(|| panic!("{} has no tolerance {name}", self.id))
    }

    /// The root of a function that the reference searched for. Where its search stopped early the definition
    /// decides: ours must be a root to rounding, theirs must not be one, and the output is listed as wrong.
    pub(crate) fn root(&self, output: &str, ours: f64, f: impl Fn(f64) -> f64) {
        let theirs = self.outputs.get(output).and_then(number);
        match theirs {
            Some(theirs)
                if (ours - theirs).abs() > self.abs + self.rel * theirs.abs()
                    && f(ours).abs() < 1e-12
                    && f(theirs).abs() > 1e-6
                    && (ours / theirs - 1.0).abs() < 0.05 =>
            {
                self.untrue(&[output]);
            }
            _ => self.number(output, ours),
        }
    }

    /// Outputs that the README of the cases calls untrue, where the case has them; the caller says why.
    pub(crate) fn untrue(&self, outputs: &[&str]) {
        let mut account = self.account.borrow_mut();
        for name in outputs.iter().filter(|name| self.has(name)) {
            account.seen.insert((*name).to_owned());
            account.untrue.insert((*name).to_owned());
        }
    }

    /// An output that is not applicable: null, or infinite.
    pub(crate) fn absent(&self, output: &str) {
        let mut account = self.account.borrow_mut();
        account.seen.insert(output.to_owned());
        match self.outputs.get(output).map(number) {
            Some(Some(value)) if value.is_finite() => {
                account.wrong.push(format!("{output}: no answer, reference {value:e}"));
            }
            _ => {}
        }
    }

    /// Decisions, which are right or wrong.
    pub(crate) fn decisions(&self, output: &str, ours: &[bool]) {
        let mut account = self.account.borrow_mut();
        account.seen.insert(output.to_owned());
        let reference = self.outputs.get(output).and_then(Value::as_array).cloned().unwrap_or_default();
        let reference: Vec<_> = reference.iter().map(Value::as_bool).collect();
        if reference != ours.iter().map(|decision| Some(*decision)).collect::<Vec<_>>() {
            account.wrong.push(format!("{output}: {ours:?}, reference {reference:?}"));
        }
    }

    /// Lists within a list, some of which may be single numbers there.
    pub(crate) fn nested(&self, output: &str, ours: &[&[f64]]) {
        let mut account = self.account.borrow_mut();
        account.seen.insert(output.to_owned());
        let Some(Value::Array(items)) = self.outputs.get(output) else {
            account.wrong.push(format!("{output}: no such list"));
            return;
        };
        let flat: Vec<f64> = items
            .iter()
            .flat_map(|item| item.as_array().map_or_else(|| vec![number(item).unwrap()], |_| numbers(item)))
            .collect();
        let ours: Vec<f64> = ours.iter().flat_map(|list| list.iter().copied()).collect();
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= self.abs + self.rel * b.abs();
        if flat.len() != ours.len() || !ours.iter().zip(&flat).all(near) {
            account.wrong.push(format!("{output}: {ours:?}, reference {flat:?}"));
        }
    }

    pub(crate) fn number(&self, output: &str, ours: f64) {
        self.numbers_within(output, &[ours], self.rel, self.abs);
    }

    pub(crate) fn numbers(&self, output: &str, ours: &[f64]) {
        self.numbers_within(output, ours, self.rel, self.abs);
    }

    /// `|x - y| <= abs + rel·|y|`; a null in the reference is not applicable.
    pub(crate) fn numbers_within(&self, output: &str, ours: &[f64], rel: f64, abs: f64) {
        let mut account = self.account.borrow_mut();
        account.seen.insert(output.to_owned());
        let Some(reference) = self.outputs.get(output) else {
            account.wrong.push(format!("{output}: no such output"));
            return;
        };
        let reference = match reference {
            // Not applicable, or not converged: of a list as of a number.
            Value::Null => return,
            Value::Array(items) => items.iter().map(number).collect(),
            one => vec![number(one)],
        };
        if reference.len() != ours.len() {
            let lengths = format!("{output}: {} values for {}", ours.len(), reference.len());
            account.wrong.push(lengths);
            return;
        }
        for (i, (theirs, ours)) in reference.iter().zip(ours).enumerate() {
            let Some(theirs) = *theirs else { continue };
            let near = (ours - theirs).abs() <= abs + rel * theirs.abs();
            let same_infinity = theirs.is_infinite() && *ours == theirs;
            if !(near && theirs.is_finite() || same_infinity) {
                let error = (ours - theirs).abs() / theirs.abs();
                account.wrong.push(format!(
                    "{output}[{i}]: {ours:e}, reference {theirs:e} (relative error {error:.1e})"
                ));
            }
        }
    }
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    let items = value.as_array().unwrap();
    items.iter().map(|item| number(item).unwrap()).collect()
}
