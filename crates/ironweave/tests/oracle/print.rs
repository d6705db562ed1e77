//! Prints a case as a Rust test: what `Debug` writes, made into literals.

use crate::driver::Failure;
use crate::history::Case;

/// A test for `tests/oracle/found.rs`.
pub fn test(seed: u64, case: &Case, failure: &Failure) -> String {
    let (schema, steps) = (format!("{:?}", case.schema), format!("{:?}", case.steps));
    let (schema, steps) = (literal(&schema), literal(&steps));
    let mut uses = String::new();
    for (word, what) in [
        ("Field::", "model::Field"),
        ("Who::", "model::Who"),
        ("Val::", "values::Val"),
    ] {
        if steps.contains(word) {
            uses.push_str(&format!("    use crate::{what};\n"));
        }
    }
    let Failure { kind, text, .. } = failure;
    let text = text.replace('\n', " ");
    let files = case.files;
    format!(
        "/// Seed {seed}. {kind}: {text}\n#[test]\nfn seed_{seed}() {{\n{uses}    let schema = {schema};\n    \
         let steps = {steps};\n    replay(schema, steps, {files});\n}}\n"
    )
}

/// The type of a variant whose name is of one type only.
fn of(word: &str, before: &str, after: &str) -> Option<&'static str> {
    let braces = after.starts_with(" {");
    Some(match word {
        "Equal" if before.ends_with("comparison: ") => "Comparison",
        "NotEqual" | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" => "Comparison",
        "Add" | "Subtract" => "Arithmetic",
        "One" if before.ends_with("take: ") => "Take",
        "Exactly" | "UpTo" => "Take",
        "Place" => "ChooseFrom",
        "Path" if after.starts_with('(') => "ChooseFrom",
        "Column" | "End" if after.starts_with('(') => "IndexPart",
        "One" | "Option" | "Many" if after.starts_with('(') => "Field",
        "One" | "Option" | "Many" => "Cardinality",
        "None" if before.ends_with("quantifier: ") => "Quantifier",
        "All" | "Any" => "Quantifier",
        "Each" | "Those" => "Scope",
        "Unlink" if !braces => "OnDelete",
        "Restrict" | "Cascade" => "OnDelete",
        "Key" if after.starts_with('(') => "Who",
        "Id" => "Who",
        "Handle" | "Token" | "Key" | "Ensure" | "Created" | "Chosen" => "BindBy",
        "Field" | "Time" | "Literal" | "Calculated" => "Source",
        "Entity" if braces => "Source",
        "Equal" | "Ordered" => "IndexKind",
        "Create" | "Move" | "Link" | "Unlink" | "Relink" | "Set" | "SetLink" | "Delete"
        | "When" | "Count" | "Compare" | "Choose"
            if braces =>
        {
            "Arc"
        }
        "U" | "S" | "O" | "T" | "M" | "D" if after.starts_with('(') => "Val",
        "Delete" if after.starts_with('(') => "May",
        "Value" => "Field",
        "Fire" if after.starts_with('(') => "Op",
        "Save" | "Back" | "Check" => "Op",
        "Commit" | "Drop" | "Leak" | "WhatIf" => "End",
        "Tx" | "Reopen" | "Due" => "Step",
        _ => return None,
    })
}

/// Where the value ends that a text begins with, of a field of a struct.
fn end_of_value(text: &str) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ',' | ' ' if depth == 0 && !text[at..].starts_with(" {") => return at,
            _ => {}
        }
    }
    text.len()
}

/// Rust that makes a value, from its `Debug` text.
fn literal(debug: &str) -> String {
    let mut out = String::new();
    let mut rest = debug;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let bytes = rest.as_bytes();
            let mut end = 1;
            while bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            out.push_str(&rest[..=end]);
            out.push_str(".into()");
            rest = &rest[end + 1..];
        } else if c == '[' {
            out.push_str("vec![");
            rest = &rest[1..];
        } else if c.is_ascii_alphabetic() {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if let ("left" | "right", Some(value)) = (word, after.strip_prefix(": ")) {
                // It may be in a box, which `Debug` does not show.
                let (value, after) = value.split_at(end_of_value(value));
                out.push_str(&format!("{word}: {}.into()", literal(value)));
                rest = after;
                continue;
            }
            if let Some(of) = of(word, &out, after) {
                out.push_str(of);
                out.push_str("::");
            }
            out.push_str(word);
            rest = after;
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}
