//! Flags: attributes in engines that are written in JavaScript, where a name may find what nobody put
//! there.

/// The steps of an attribute's name, if JavaScript finds by them what we find.
///
/// # Errors
/// The reason why it does not.
pub(crate) fn steps(attribute: &str) -> Result<impl Iterator<Item = &str>, String> {
    for (depth, step) in attribute.split('.').enumerate() {
        if step.is_empty() {
            return Err(format!("the attribute `{attribute}` has an empty step, which its SDKs never find"));
        }
        let index = depth > 0 && (step.bytes().all(|b| b.is_ascii_digit()) || LIST_MEMBERS.contains(&step));
        if index || OBJECT_MEMBERS.contains(&step) {
            return Err(format!(
                "the attribute `{attribute}` has the step `{step}`, which JavaScript finds where there is no such property"
            ));
        }
    }
    Ok(attribute.split('.'))
}

/// What every object has in JavaScript without being given it.
const OBJECT_MEMBERS: [&str; 12] = [
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// What every list has besides.
const LIST_MEMBERS: [&str; 37] = [
    "at",
    "concat",
    "copyWithin",
    "entries",
    "every",
    "fill",
    "filter",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "flat",
    "flatMap",
    "forEach",
    "includes",
    "indexOf",
    "join",
    "keys",
    "lastIndexOf",
    "length",
    "map",
    "pop",
    "push",
    "reduce",
    "reduceRight",
    "reverse",
    "shift",
    "slice",
    "some",
    "sort",
    "splice",
    "toReversed",
    "toSorted",
    "toSpliced",
    "unshift",
    "values",
    "with",
];
