//! Cli, codegen: names and texts of a plan as they may stand in code, whatever is in them.

use heck::{ToSnakeCase, ToUpperCamelCase};

/// A name as that of a type, such as `OrderCompleted`: it begins with a letter and holds letters and digits.
pub(super) fn pascal(name: &str) -> String {
    let plain = plain(name).to_upper_camel_case();
    // Rust has a type of that name, which is no name.
    let fine = plain.starts_with(|c: char| c.is_ascii_alphabetic()) && plain != "Self";
    if fine { plain } else { format!("N{plain}") }
}

/// A name as that of a function or a field, such as `order_completed`.
pub(super) fn snake(name: &str) -> String {
    let plain = plain(name).to_snake_case();
    if plain.starts_with(|c: char| c.is_ascii_alphabetic()) { plain } else { format!("n{plain}") }
}

/// A name as that of a function, such as `orderCompleted`.
pub(super) fn camel(name: &str) -> String {
    let pascal = pascal(name);
    let mut rest = pascal.chars();
    rest.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(rest).collect()
}

/// Letters of ASCII and digits as they are; another letter by its code, so that two names stay two; spaces for the rest.
fn plain(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => plain.push(c),
            c if c.is_ascii() => plain.push(' '),
            c => plain.push_str(&format!(" u{:x} ", u32::from(c))),
        }
    }
    plain
}

/// The lines of a text, without what ends a line or a comment, or turns the direction of writing.
pub(super) fn lines(text: &str) -> Vec<String> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let turns =
        |c: &char| !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let lines =
        text.split(breaks).map(|line| line.chars().filter(turns).collect::<String>().trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

/// A text as it is written in TypeScript and in Python, with what is seen badly by its code.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || (0x2000..0x2070).contains(&u32::from(c)) || c == '\u{feff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
