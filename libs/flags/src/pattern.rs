//! Flags: patterns in other engines. A regular expression is said in JavaScript and in Python exactly
//! or not at all: the two and we differ in what a dot, a class of letters or the end of a text is, and
//! they go back where we do not. A pattern that makes them go back further than the square of the text is
//! not said to them.

use bellwether_model::operand;
use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{
    AssertionKind, Ast, ClassAsciiKind, ClassPerl, ClassPerlKind, ClassSet, ClassSetItem, GroupKind,
    RepetitionKind, RepetitionRange,
};

use regex_syntax::hir::translate::Translator;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use crate::format::END;

/// The pattern as JavaScript (without flags) and Python (`re`) read it alike and as we do.
///
/// # Errors
/// The reason why there is none.
pub(crate) fn portable(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let tree = Parser::new().parse(pattern).map_err(|e| e.to_string())?;
    patient(&tree)
        .map_err(|why| format!("the pattern `{pattern}` {why} (engines that go back may take for ever)"))?;
    write(&tree, &mut out)
        .map_err(|why| format!("the pattern `{pattern}` {why}, which its SDKs read otherwise"))?;
    Ok(out)
}

/// Of how many ways to match one stretch of text an engine may have to try each.
const WAYS: u64 = 1_000;

/// A repeat of more than this is one without end.
const MANY: u32 = 100;

/// Checks that an engine that goes back tries at most [`WAYS`] times the square of the text's length.
///
/// What repeats without end must be a single letter of some class. It costs a factor of the text's length
/// where it may end in several places; where what follows cannot be a letter of the class (as in `[^@]+@`) it
/// ends in one, and is only read over. To begin anywhere costs the same factor.
fn patient(tree: &Ast) -> Result<(), &'static str> {
    let mut branches = vec![tree];
    while let Some(branch) = branches.pop() {
        match branch {
            Ast::Group(group) => branches.push(&group.ast),
            Ast::Alternation(alternation) => branches.extend(&alternation.asts),
            branch => {
                let parts = parts(branch);
                let anchored = parts.first().is_some_and(|part| is_anchor(part, true));
                let effort = Effort::of(&parts, true)?;
                let repeats = effort.open > 0 || effort.reads;
                let factors = effort.open + u32::from(effort.reads) + u32::from(repeats && !anchored);
                if factors > 2 || effort.ways > WAYS {
                    return Err("can match one text in too many ways");
                }
            }
        }
    }
    Ok(())
}

/// What it takes to match something in all ways.
struct Effort {
    /// The number of ways, but for those of repeats without end.
    ways: u64,
    /// How many repeats without end may end in several places.
    open: u32,
    /// Whether there is one that ends in a single place.
    reads: bool,
}

impl Effort {
    /// Of parts that follow each other. After the `last` ones the pattern has matched, and nobody goes back.
    fn of(parts: &[&Ast], last: bool) -> Result<Self, &'static str> {
        let mut all = Self { ways: 1, open: 0, reads: false };
        for (at, part) in parts.iter().enumerate() {
            let part = match part {
                Ast::Alternation(alternation) => {
                    let mut any = Self { ways: 0, open: 0, reads: false };
                    for branch in &alternation.asts {
                        let branch = Self::of(&self::parts(branch), false)?;
                        any.ways = any.ways.saturating_add(branch.ways);
                        any.open = any.open.max(branch.open);
                        any.reads |= branch.reads;
                    }
                    any
                }
                Ast::Repetition(repetition) => {
                    let (least, most) = bounds(&repetition.op.kind);
                    if most <= MANY {
                        let once = Self::of(&self::parts(&repetition.ast), false)?;
                        let ways = (least..=most).map(|n| once.ways.saturating_pow(n));
                        let ways = ways.fold(0_u64, u64::saturating_add);
                        Self { ways, open: once.open.saturating_mul(most), reads: once.reads }
                    } else {
                        let repeated = letters(&repetition.ast).ok_or("repeats more than single letters")?;
                        let ends = match parts.get(at + 1) {
                            None => last,
                            Some(next) => first(next).is_some_and(|mut next| {
                                next.intersect(&repeated);
                                next.ranges().is_empty()
                            }),
                        };
                        let over = last && at + 1 == parts.len();
                        Self { ways: 1, open: u32::from(!ends), reads: ends && !over }
                    }
                }
                _ => Self { ways: 1, open: 0, reads: false },
            };
            all.ways = all.ways.saturating_mul(part.ways);
            all.open = all.open.saturating_add(part.open);
            all.reads |= part.reads;
        }
        Ok(all)
    }
}

/// What follows each other in a pattern, without the brackets around it.
fn parts(tree: &Ast) -> Vec<&Ast> {
    match tree {
        Ast::Group(group) => parts(&group.ast),
        Ast::Concat(concat) => concat.asts.iter().flat_map(parts).collect(),
        other => vec![other],
    }
}

/// The letters of which one stands here, where it is exactly one.
fn letters(tree: &Ast) -> Option<ClassUnicode> {
    let text = match tree {
        Ast::Group(group) => return letters(&group.ast),
        Ast::Literal(_) | Ast::Dot(_) | Ast::ClassPerl(_) | Ast::ClassBracketed(_) => tree.to_string(),
        _ => return None,
    };
    let tree = operand::syntax(&text).ok()?;
    match Translator::new().translate(&text, &tree).ok()?.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class),
        HirKind::Literal(literal) => {
            let mut chars = std::str::from_utf8(&literal.0).ok()?.chars();
            let c = chars.next().filter(|_| chars.next().is_none())?;
            Some(ClassUnicode::new([ClassUnicodeRange::new(c, c)]))
        }
        _ => None,
    }
}

/// The letters with which what must stand here begins. None where there is no more text.
fn first(tree: &Ast) -> Option<ClassUnicode> {
    match tree {
        Ast::Repetition(repetition) if bounds(&repetition.op.kind).0 > 0 => letters(&repetition.ast),
        Ast::Repetition(_) => None,
        end if is_anchor(end, false) => Some(ClassUnicode::empty()),
        other => letters(other),
    }
}

fn is_anchor(tree: &Ast, start: bool) -> bool {
    let Ast::Assertion(assertion) = tree else { return false };
    match assertion.kind {
        AssertionKind::StartLine | AssertionKind::StartText => start,
        AssertionKind::EndLine | AssertionKind::EndText => !start,
        _ => false,
    }
}

/// How often something is repeated at least and at most.
fn bounds(kind: &RepetitionKind) -> (u32, u32) {
    match kind {
        RepetitionKind::ZeroOrOne => (0, 1),
        RepetitionKind::ZeroOrMore => (0, u32::MAX),
        RepetitionKind::OneOrMore => (1, u32::MAX),
        RepetitionKind::Range(RepetitionRange::Exactly(n)) => (*n, *n),
        RepetitionKind::Range(RepetitionRange::AtLeast(n)) => (*n, u32::MAX),
        RepetitionKind::Range(RepetitionRange::Bounded(n, m)) => (*n, *m),
    }
}

/// One code point of JavaScript's that is not in a class of the first plane: JavaScript sees a pair.
const PAIR: &str = "[\\uD800-\\uDBFF][\\uDC00-\\uDFFF]";
const HALVES: &str = "\\uD800-\\uDFFF";

fn write(tree: &Ast, out: &mut String) -> Result<(), &'static str> {
    match tree {
        Ast::Empty(_) => out.push_str("(?:)"),
        Ast::Flags(_) => return Err("sets flags"),
        Ast::Literal(literal) => literally(literal.c, out),
        Ast::Dot(_) => outside("\\n", out),
        Ast::Assertion(assertion) => match assertion.kind {
            AssertionKind::StartLine | AssertionKind::StartText => out.push('^'),
            AssertionKind::EndLine | AssertionKind::EndText => out.push_str(END),
            AssertionKind::WordBoundary => {
                out.push_str("(?:(?<![0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<=[0-9A-Za-z_])(?![0-9A-Za-z_]))");
            }
            _ => return Err("has an unusual boundary"),
        },
        Ast::ClassUnicode(_) => return Err("has a Unicode class"),
        Ast::ClassPerl(class) => {
            if class.negated {
                outside(perl_members(class), out);
            } else {
                out.push('[');
                out.push_str(perl_members(class));
                out.push(']');
            }
        }
        Ast::ClassBracketed(class) => {
            let mut members = String::new();
            set(&class.kind, &mut members)?;
            if class.negated {
                outside(&members, out);
            } else {
                out.push('[');
                out.push_str(&members);
                out.push(']');
            }
        }
        Ast::Repetition(repetition) => {
            let bounds = match bounds(&repetition.op.kind) {
                (0, 1) => "?".to_owned(),
                (0, u32::MAX) => "*".to_owned(),
                (1, u32::MAX) => "+".to_owned(),
                (n, u32::MAX) => format!("{{{n},}}"),
                (n, m) if n == m => format!("{{{n}}}"),
                (n, m) => format!("{{{n},{m}}}"),
            };
            out.push_str("(?:");
            write(&repetition.ast, out)?;
            out.push(')');
            out.push_str(&bounds);
        }
        Ast::Group(group) => {
            if let GroupKind::NonCapturing(flags) = &group.kind
                && !flags.items.is_empty()
            {
                return Err("sets flags");
            }
            out.push_str("(?:");
            write(&group.ast, out)?;
            out.push(')');
        }
        Ast::Alternation(alternation) => {
            out.push_str("(?:");
            for (i, branch) in alternation.asts.iter().enumerate() {
                if i > 0 {
                    out.push('|');
                }
                write(branch, out)?;
            }
            out.push(')');
        }
        Ast::Concat(concat) => {
            for part in &concat.asts {
                write(part, out)?;
            }
        }
    }
    Ok(())
}

/// One code point that is none of these members of a class.
fn outside(members: &str, out: &mut String) {
    for part in ["(?:", PAIR, "|[^", members, HALVES, "])"] {
        out.push_str(part);
    }
}

fn perl_members(class: &ClassPerl) -> &'static str {
    match class.kind {
        ClassPerlKind::Digit => "0-9",
        ClassPerlKind::Space => "\\t\\n\\x0B\\f\\r ",
        ClassPerlKind::Word => "0-9A-Za-z_",
    }
}

fn set(set: &ClassSet, out: &mut String) -> Result<(), &'static str> {
    match set {
        ClassSet::Item(of) => item(of, out),
        ClassSet::BinaryOp(_) => Err("has an operation on classes"),
    }
}

fn item(of: &ClassSetItem, out: &mut String) -> Result<(), &'static str> {
    match of {
        ClassSetItem::Empty(_) => {}
        ClassSetItem::Literal(literal) => member(literal.c, out)?,
        ClassSetItem::Range(range) => {
            if u32::from(range.start.c) < 0xd800 && u32::from(range.end.c) > 0xdfff {
                return Err("has a class across the surrogates");
            }
            member(range.start.c, out)?;
            out.push('-');
            member(range.end.c, out)?;
        }
        ClassSetItem::Perl(class) if !class.negated => out.push_str(perl_members(class)),
        ClassSetItem::Ascii(class) if !class.negated => out.push_str(match class.kind {
            ClassAsciiKind::Alnum => "0-9A-Za-z",
            ClassAsciiKind::Alpha => "A-Za-z",
            ClassAsciiKind::Digit => "0-9",
            ClassAsciiKind::Lower => "a-z",
            ClassAsciiKind::Upper => "A-Z",
            ClassAsciiKind::Word => "0-9A-Za-z_",
            ClassAsciiKind::Xdigit => "0-9A-Fa-f",
            _ => return Err("has an unusual class"),
        }),
        ClassSetItem::Bracketed(class) if !class.negated => set(&class.kind, out)?,
        ClassSetItem::Union(union) => {
            for of in &union.items {
                item(of, out)?;
            }
        }
        _ => return Err("has a negation within a class"),
    }
    Ok(())
}

/// A member of a class, in the form that needs no thought.
fn member(c: char, out: &mut String) -> Result<(), &'static str> {
    if c > '\u{ffff}' {
        return Err("has a class with letters beyond the first plane");
    }
    if c.is_ascii_alphanumeric() {
        out.push(c);
    } else {
        out.push_str(&format!("\\u{:04X}", u32::from(c)));
    }
    Ok(())
}

/// A character that stands for itself.
pub(crate) fn literally(c: char, out: &mut String) {
    if matches!(c, '\\' | '^' | '$' | '.' | '|' | '?' | '*' | '+' | '(' | ')' | '[' | ']' | '{' | '}') {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said(pattern: &str) -> String {
        portable(pattern).unwrap_or_else(|why| format!("! {why}"))
    }

    #[test]
    fn patterns_are_said_exactly_or_not_at_all() {
        insta::assert_snapshot!(
            [r"^\d{2,}$", "a.b|c", r"[\w.-]+@x\.io", r"[^a-z]", r"\bfoo", "(a+)+", "(?i)a", r"\p{L}", "[a-z&&[^b]]"]
                .map(said).join("\n"),
            @r"
        ^(?:[0-9]){2,}(?![\s\S])
        (?:a(?:[\uD800-\uDBFF][\uDC00-\uDFFF]|[^\n\uD800-\uDFFF])b|c)
        (?:[0-9A-Za-z_\u002E\u002D])+@x\.io
        (?:[\uD800-\uDBFF][\uDC00-\uDFFF]|[^a-z\uD800-\uDFFF])
        (?:(?<![0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<=[0-9A-Za-z_])(?![0-9A-Za-z_]))foo
        ! the pattern `(a+)+` repeats more than single letters (engines that go back may take for ever)
        ! the pattern `(?i)a` sets flags, which its SDKs read otherwise
        ! the pattern `\p{L}` has a Unicode class, which its SDKs read otherwise
        ! the pattern `[a-z&&[^b]]` has an operation on classes, which its SDKs read otherwise
        "
        );
    }
    #[test]
    fn what_makes_other_engines_go_back_for_ever_is_not_said() {
        for pattern in [
            "(a|a)*b",
            "a*a*a*a*a*b",
            "(a+)+",
            "(a*)*b",
            "(?:ab)*c",
            "(a|ab)+c",
            "a*a*b",
            "^a*a*a*b",
            "(a|a){10}",
            "((a|a){9}){9}b",
            "(?:a?){30}b",
            "(?:a{0,9}){9}b",
            "a{0,1000}a{0,1000}b",
            ".*a.*b",
            "^.*a.*b.*c$",
            "(a*|b)(a*|c)(a*|d)e",
            "(?:a+b?){9}c",
            r"\w+\d+x",
            "^(?:[a-z]+[0-9]*)+$",
        ] {
            let said = said(pattern);
            assert!(said.ends_with("(engines that go back may take for ever)"), "{said}");
        }
        for pattern in [
            r"^\d+$",
            "a.*b|FI",
            r"[\w.-]+@x\.io",
            r"^[^@]+@.+\.com$",
            r"^(\d+)\.(\d+)\.(\d+)$",
            "^.*foo.*bar",
            ".*foo.*",
            "^(fi|se|de)$",
            r"^\d{3}-?\d{3}-?\d{4}$",
            "^[a-z0-9_-]{1,64}$",
            r"^(?:[0-9]{1,3}\.){3}[0-9]{1,3}$",
            "^qa-[0-9]+",
            r"\d+\.\d+",
            "a*",
            r"^[a-z]+-[0-9]+-[a-z]+$",
            r"^https?://[^/]+/",
        ] {
            let said = said(pattern);
            assert!(!said.starts_with('!'), "{said}");
        }
    }
}
