//! Flags: patterns in other engines. A regular expression is said in JavaScript and in Python exactly
//! or not at all: the two and we differ in what a dot, a class of letters or the end of a text is, and
//! they go back where we do not.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{
    AssertionKind, Ast, ClassAsciiKind, ClassPerl, ClassPerlKind, ClassSet, ClassSetItem, GroupKind,
    RepetitionKind, RepetitionRange,
};

use crate::format::END;

/// The pattern as JavaScript (without flags) and Python (`re`) read it alike and as we do.
///
/// # Errors
/// The reason why there is none.
pub(crate) fn portable(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let tree = Parser::new().parse(pattern).map_err(|e| e.to_string())?;
    write(&tree, false, &mut out).map_err(|why| match why {
        NESTED => format!("the pattern `{pattern}` {NESTED}"),
        why => format!("the pattern `{pattern}` {why}, which its SDKs read otherwise"),
    })?;
    Ok(out)
}

/// Why a pattern that takes linear time here is not given to engines that go back.
const NESTED: &str = "repeats what repeats (other engines may take for ever)";

/// One code point of JavaScript's that is not in a class of the first plane: JavaScript sees a pair.
const PAIR: &str = "[\\uD800-\\uDBFF][\\uDC00-\\uDFFF]";
const HALVES: &str = "\\uD800-\\uDFFF";

fn write(tree: &Ast, repeated: bool, out: &mut String) -> Result<(), &'static str> {
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
            let (bounds, unbounded) = match &repetition.op.kind {
                RepetitionKind::ZeroOrOne => ("?".to_owned(), false),
                RepetitionKind::ZeroOrMore => ("*".to_owned(), true),
                RepetitionKind::OneOrMore => ("+".to_owned(), true),
                RepetitionKind::Range(RepetitionRange::Exactly(n)) => (format!("{{{n}}}"), *n > 9),
                RepetitionKind::Range(RepetitionRange::AtLeast(n)) => (format!("{{{n},}}"), true),
                RepetitionKind::Range(RepetitionRange::Bounded(n, m)) => (format!("{{{n},{m}}}"), *m > 9),
            };
            if repeated && unbounded {
                return Err(NESTED);
            }
            out.push_str("(?:");
            write(&repetition.ast, repeated || unbounded, out)?;
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
            write(&group.ast, repeated, out)?;
            out.push(')');
        }
        Ast::Alternation(alternation) => {
            out.push_str("(?:");
            for (i, branch) in alternation.asts.iter().enumerate() {
                if i > 0 {
                    out.push('|');
                }
                write(branch, repeated, out)?;
            }
            out.push(')');
        }
        Ast::Concat(concat) => {
            for part in &concat.asts {
                write(part, repeated, out)?;
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

    #[test]
    fn patterns_are_said_exactly_or_not_at_all() {
        let said = |pattern: &str| portable(pattern).unwrap_or_else(|why| format!("! {why}"));
        insta::assert_snapshot!(
            [r"^\d{2,}$", "a.b|c", r"[\w.-]+@x\.io", r"[^a-z]", r"\bfoo", "(a+)+", "(?i)a", r"\p{L}", "[a-z&&[^b]]"]
                .map(said).join("\n"),
            @r"
        ^(?:[0-9]){2,}(?![\s\S])
        (?:a(?:[\uD800-\uDBFF][\uDC00-\uDFFF]|[^\n\uD800-\uDFFF])b|c)
        (?:[0-9A-Za-z_\u002E\u002D])+@x\.io
        (?:[\uD800-\uDBFF][\uDC00-\uDFFF]|[^a-z\uD800-\uDFFF])
        (?:(?<![0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<=[0-9A-Za-z_])(?![0-9A-Za-z_]))foo
        ! the pattern `(a+)+` repeats what repeats (other engines may take for ever)
        ! the pattern `(?i)a` sets flags, which its SDKs read otherwise
        ! the pattern `\p{L}` has a Unicode class, which its SDKs read otherwise
        ! the pattern `[a-z&&[^b]]` has an operation on classes, which its SDKs read otherwise
        "
        );
    }
}
