//! Xtask: the code of a room without its comments, texts and tests, so that a rule about code is not
//! broken by prose. Bytes keep their place: what is left out becomes spaces.

use crate::house::House;

/// The code of a room that ends up in the binary, by file.
pub(crate) fn of(house: &House, folder: &str) -> Vec<(String, String)> {
    let files = house.files(&format!("{folder}/src"), &[".rs"]);
    let mut only_tests = Vec::new();
    let mut code = Vec::new();
    for file in files {
        let text = house.read(&file);
        let (plain, modules) = without_tests(&text, &bare(&text));
        only_tests.extend(modules.iter().flat_map(|module| places(&file, module)));
        code.push((file, plain));
    }
    code.retain(|(file, _)| !only_tests.iter().any(|place| file.starts_with(place.as_str())));
    code
}

/// A module that exists in tests only: its name, or the path that its attribute gives.
#[derive(Debug, PartialEq)]
enum Module {
    Named(String),
    At(String),
}

/// Where the files of a module are, as beginnings of paths.
fn places(file: &str, module: &Module) -> Vec<String> {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    match module {
        Module::At(path) => vec![format!("{folder}/{path}")],
        Module::Named(module) => {
            let stem = name.trim_end_matches(".rs");
            let own = if ["lib", "main", "mod"].contains(&stem) {
                folder.to_owned()
            } else {
                format!("{folder}/{stem}")
            };
            vec![format!("{own}/{module}.rs"), format!("{own}/{module}/")]
        }
    }
}

/// The text with comments and the insides of texts and characters blanked.
fn bare(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let end = if rest.starts_with(b"//") {
            at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            at + comment(rest)
        } else if let Some(length) = raw(rest).filter(|_| at == 0 || !word(bytes[at - 1])) {
            at + length
        } else if rest[0] == b'"' {
            at + quoted(rest)
        } else if let Some(length) = character(rest) {
            at + length
        } else {
            at += 1;
            continue;
        };
        for byte in out.iter_mut().take(end).skip(at).filter(|b| **b != b'\n') {
            *byte = b' ';
        }
        at = end.max(at + 1);
    }
    String::from_utf8(out).unwrap_or_default()
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Length of a block comment, which may hold others.
fn comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Length of a raw text such as `br##"…"##`, if one begins here.
fn raw(rest: &[u8]) -> Option<usize> {
    let prefix = rest.iter().take_while(|b| b"brc".contains(b)).count();
    if prefix == 0 || prefix > 2 || rest[prefix - 1] != b'r' {
        return None;
    }
    let hashes = rest[prefix..].iter().take_while(|b| **b == b'#').count();
    let begin = prefix + hashes;
    if rest.get(begin) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let inside = rest[begin + 1..].windows(close.len()).position(|w| w == close)?;
    Some(begin + 1 + inside + close.len())
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of a character literal, if one begins here and not a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    let inside = rest.strip_prefix(b"'")?;
    if inside.first() == Some(&b'\\') {
        return inside.iter().skip(2).position(|b| *b == b'\'').map(|n| n + 4);
    }
    // One character takes up to four bytes.
    let end = (1..=4).find(|&n| inside.get(n) == Some(&b'\''))?;
    let one = std::str::from_utf8(inside.get(..end)?).ok()?.chars().count() == 1;
    one.then_some(end + 2)
}

const TEST: &str = "#[cfg(test)]";

/// The code without items that exist in tests only, and the modules among them that are files.
fn without_tests(text: &str, bare: &str) -> (String, Vec<Module>) {
    let mut out = bare.as_bytes().to_vec();
    let mut modules = Vec::new();
    for (begin, _) in bare.match_indices(TEST) {
        let end = item(bare, begin);
        let inside = &bare[begin..end];
        if let Some(name) = inside.split("mod ").nth(1).and_then(|m| m.strip_suffix(';')) {
            let path = text[begin..end].split("#[path = \"").nth(1).and_then(|p| p.split('"').next());
            modules.push(
                path.map_or_else(
                    || Module::Named(name.trim().to_owned()),
                    |path| Module::At(path.to_owned()),
                ),
            );
        }
        for byte in out.iter_mut().take(end).skip(begin).filter(|b| **b != b'\n') {
            *byte = b' ';
        }
    }
    (String::from_utf8(out).unwrap_or_default(), modules)
}

/// Where the item ends that the attribute at `begin` belongs to.
fn item(bare: &str, begin: usize) -> usize {
    let (mut braces, mut others) = (0usize, 0usize);
    for (at, byte) in bare.bytes().enumerate().skip(begin) {
        match byte {
            b'{' => braces += 1,
            b'}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return at + 1;
                }
            }
            b'(' | b'[' => others += 1,
            b')' | b']' => others = others.saturating_sub(1),
            b';' if braces == 0 && others == 0 => return at + 1,
            _ => {}
        }
    }
    bare.len()
}

/// The lines on which a name stands as a name of its own.
pub(crate) fn lines_with(code: &str, name: &str) -> Vec<usize> {
    let alone = |line: &str| {
        line.match_indices(name).any(|(at, _)| {
            let before = line[..at].bytes().next_back();
            let after = line[at + name.len()..].bytes().next();
            !before.is_some_and(word) && !after.is_some_and(word)
        })
    };
    code.lines().enumerate().filter(|(_, line)| alone(line)).map(|(n, _)| n + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(text: &str) -> String {
        without_tests(text, &bare(text)).0.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn prose_is_not_code() {
        let check = |text: &str, left: &str| assert_eq!(stripped(text), left, "{text}");
        check("let a = 1; // Instant", "let a = 1;");
        check("a /* x /* y */ Instant */ b", "a b");
        check(r#"f("Instant \" x", 'a', '"', b)"#, "f( , , , b)");
        check(r##"f(r#"In"stant"#, b"x", br"y")"##, "f( , b , )");
        check("fn f<'a>(x: &'a str) -> char { '\\'' }", "fn f<'a>(x: &'a str) -> char { }");
        check("let bar = x(\"é\", 'é');", "let bar = x( , );");
    }

    #[test]
    fn tests_are_not_code() {
        let check = |text: &str, left: &str| assert_eq!(stripped(text), left, "{text}");
        check("a(); #[cfg(test)] mod tests { fn b() { c } } d();", "a(); d();");
        check("#[cfg(test)]\nmod tests;\nmod a;", "mod a;");
        check("#[cfg(test)] fn f(x: [u8; 4]) { g } h", "h");
        check("#[cfg(test)] extern crate self as x; use a;", "use a;");
    }

    #[test]
    fn files_of_tests_are_found() {
        let text = "#[cfg(test)] mod tests; #[cfg(test)] #[path = \"../tests/common/shop.rs\"] mod shop;";
        let (_, modules) = without_tests(text, &bare(text));
        assert_eq!(modules, [Module::Named("tests".into()), Module::At("../tests/common/shop.rs".into())]);
        assert_eq!(places("a/src/lib.rs", &modules[0]), ["a/src/tests.rs", "a/src/tests/"]);
        assert_eq!(places("a/src/deep.rs", &modules[0]), ["a/src/deep/tests.rs", "a/src/deep/tests/"]);
    }

    #[test]
    fn a_name_is_a_whole_word() {
        assert_eq!(lines_with("Instantly\nuse Instant;\nx::Instant::now()", "Instant"), [2, 3]);
    }
}
