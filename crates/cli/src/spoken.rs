//! Cli: what the server says in the words of its API, said in the words of the command line.

use bellwether_app::{Entry, REGISTRY, arguments};

use crate::call::long;

/// Operations and routes in backticks become commands; the document of the API becomes the help of
/// the command that was called.
pub(crate) fn as_command(text: &str, called: &Entry) -> String {
    quoted(text, |_, word| {
        let route =
            |entry: &&Entry| word == entry.name || word == format!("{} {}", entry.method.word(), entry.path);
        if word == "/openapi.json" || word == "GET /openapi.json" {
            return Some(format!("{} --help", command(called)));
        }
        REGISTRY.iter().find(route).map(command)
    })
}

/// Fields of the operation that was called, where they are spoken of as such, become options.
pub(crate) fn as_option(text: &str, called: &Entry) -> String {
    let fields = arguments(called);
    quoted(text, |before, word| {
        let spoken_of = |before: &str| {
            ["in ", "give ", "send ", "leave ", "with ", "set "].iter().any(|w| before.ends_with(w))
        };
        // One of a list of which the first is spoken of: `a` (1000 at most), `b`, or `c`.
        let follows = || {
            let (so_far, between) = before.rsplit_once('`')?;
            let option = so_far.rsplit_once('`')?.1;
            let aside = between.split_once(" (").zip(between.rsplit_once(')'));
            let between = aside.map_or(between, |(_, (_, after))| after);
            Some(option.starts_with("--") && [", ", ", or ", ", and ", " or ", " and "].contains(&between))
        };
        let spoken_of = spoken_of(before) || follows().unwrap_or_default();
        let field = fields.iter().find(|field| spoken_of && field.name == word);
        field.map(|field| format!("--{}", long(&field.name)))
    })
}

fn command(entry: &Entry) -> String {
    format!("bellwether {}", entry.name.replace('.', " "))
}

/// The text with what stands in backticks replaced where there is something better. The replacement is
/// asked with what stands before it.
fn quoted(text: &str, better: impl Fn(&str, &str) -> Option<String>) -> String {
    let mut said = String::with_capacity(text.len());
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 0 {
            said.push_str(part);
        } else {
            let word = better(&said, part).unwrap_or_else(|| part.to_owned());
            said.push('`');
            said.push_str(&word);
            said.push('`');
        }
    }
    // An odd backtick at the end opens nothing.
    if text.matches('`').count() % 2 == 1 {
        said.pop();
    }
    said
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_api_is_spoken_of_as_commands() {
        let toggle = bellwether_app::find("flag.toggle").unwrap();
        for (api, cli) in [
            ("see `GET /api/flags` for what there is", "see `bellwether flag list` for what there is"),
            ("switch it on first, with `flag.toggle`", "switch it on first, with `bellwether flag toggle`"),
            (
                "see `/openapi.json` for what it takes",
                "see `bellwether flag toggle --help` for what it takes",
            ),
            ("say in `why` what this is for", "say in `--why` what this is for"),
            ("in `if_revision`: `x` is not a whole number", "in `--if-revision`: `x` is not a whole number"),
            ("there is no flag `why`", "there is no flag `why`"),
            ("give `flag`, or `environment`", "give `--flag`, or `--environment`"),
            (
                "give `flag` (1000 at most), `environment`, or `on`; `why` stays",
                "give `--flag` (1000 at most), `--environment`, or `--on`; `why` stays",
            ),
            ("give `flag`, such as `on`", "give `--flag`, such as `on`"),
            ("an odd ` stays", "an odd ` stays"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(as_option(&as_command(api, toggle), toggle), cli);
        }
    }
}
