//! Formatting for messages: shortens long lists and texts, and escapes control characters, which could control a
//! terminal.

use std::fmt::Display;
use std::time::Duration;

/// The number of items of a shortened list.
pub const LIST_MAX: usize = 6;
/// The number of characters that are shown of a text from outside.
const TEXT_MAX: usize = 200;

/// The first items of a list, and the number of the others: `a, b, c and 7 more`.
pub fn few<T: Display>(list: impl IntoIterator<Item = T>) -> String {
    let mut list = list.into_iter();
    let first: Vec<String> = list
        .by_ref()
        .take(LIST_MAX)
        .map(|t| t.to_string())
        .collect();
    match list.count() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// A chain of `len` names, without its middle if it is long: `a -> b -> .. 7 more .. -> y -> z`. If not all names are given, the
/// middle ones are missing, and at least three of each end are there.
pub fn chain(names: &[&str], len: usize) -> String {
    if len <= LIST_MAX + 1 {
        return names.join(" -> ");
    }
    let ends = LIST_MAX / 2;
    let first = names[..ends].join(" -> ");
    let last = names[names.len() - ends..].join(" -> ");
    format!("{first} -> .. {} more .. -> {last}", len - LIST_MAX)
}

/// A text from outside, on one line and shortened.
pub fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.by_ref().take(TEXT_MAX).collect();
    let line = one_line(&first);
    match chars.count() {
        0 => line,
        more => format!("{line}.. ({more} more characters)"),
    }
}

/// A duration as a jobs file and the command line have it: `90s`, `1.5h`. The units are `ms`, `s`, `m`, `h` and `d`.
///
/// # Errors
/// A message, if it is none, or longer than a hundred years.
pub fn duration(text: &str) -> Result<Duration, String> {
    const LONGEST: f64 = 100.0 * 365.0 * 86_400.0;
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => f64::NAN,
    };
    let number: f64 = text[..text.len() - unit.len()].parse().unwrap_or(f64::NAN);
    let all = number * seconds;
    match all <= LONGEST {
        true => Ok(Duration::from_secs_f64(all)),
        false => Err(format!(
            "`{}` is no duration: write a number with a unit, such as 500ms, 90s, 10m, 1.5h or 2d",
            shown(text)
        )),
    }
}

/// A duration for people: `250 ms`, `1.5 s`, `10 min`.
pub fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let (number, unit) = match seconds {
        _ if seconds < 1.0 => (seconds * 1000.0, "ms"),
        _ if seconds < 120.0 => (seconds, "s"),
        _ if seconds < 7200.0 => (seconds / 60.0, "min"),
        _ => (seconds / 3600.0, "h"),
    };
    let text = format!("{number:.1}");
    format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
}

/// A text with line ends and other control characters escaped.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// The longest comment of a want and reason of a taint, in bytes.
pub const COMMENT_MAX: usize = 200;

/// Reads what a want is for: one line.
pub fn comment(text: &str) -> Result<String, String> {
    line_of_text(text, "comment")
}

fn line_of_text(text: &str, what: &str) -> Result<String, String> {
    if text.len() > COMMENT_MAX || text.chars().any(char::is_control) {
        return Err(format!(
            "`{}` is no {what}: write one line of at most {COMMENT_MAX} bytes",
            shown(text)
        ));
    }
    Ok(text.to_owned())
}

/// Reads why data is wrong: one line that is not empty.
pub fn reason(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("the reason is empty: write what is wrong with the data".to_owned());
    }
    line_of_text(text, "reason")
}

/// A word quoted for a shell.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !word.is_empty() && !word.starts_with('=') && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_shell() {
        assert_eq!(quoted("target/databuild"), "target/databuild");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("~root/x"), "'~root/x'");
        assert_eq!(quoted("=ls"), "'=ls'");
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(few(0..0), "");
        assert_eq!(few(0..6), "0, 1, 2, 3, 4, 5");
        assert_eq!(few(0..50_000), "0, 1, 2, 3, 4, 5 and 49994 more");
        assert_eq!(chain(&["a", "b", "a"], 3), "a -> b -> a");
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        assert_eq!(chain(&names[..7], 7), "a -> b -> c -> d -> e -> f -> g");
        let cut = "a -> b -> c -> .. 2 more .. -> f -> g -> h";
        assert_eq!(chain(&names, 8), cut);
        let ends = ["a", "b", "c", "f", "g", "h"];
        assert_eq!(chain(&ends, 8), cut);
    }

    #[test]
    fn durations() {
        for (text, milliseconds, words) in [
            ("0s", 0, "0 ms"),
            ("250ms", 250, "250 ms"),
            ("1.5s", 1500, "1.5 s"),
            ("90s", 90_000, "90 s"),
            ("10m", 600_000, "10 min"),
            ("1.5h", 5_400_000, "90 min"),
            ("2d", 172_800_000, "48 h"),
        ] {
            let read = duration(text).unwrap();
            assert_eq!(read, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(in_words(read), words, "{text}");
        }
        let long = "9".repeat(400) + "d";
        for text in [
            "", "s", "10", "-1s", "1e3s", "1 s", "1w", "1.2.3s", "NaNs", &long,
        ] {
            let error = duration(text).unwrap_err();
            assert!(
                error.contains("is no duration") && error.len() < 400,
                "{error}"
            );
        }
    }

    #[test]
    fn texts_from_outside_are_shortened_and_escaped() {
        assert_eq!(shown("a\n\u{1b}[31m"), "a\\n\\u{1b}[31m");
        let long = shown(&"x".repeat(60_000));
        assert!(long.ends_with("x.. (59800 more characters)"), "{long}");
    }
}
