//! Widths of text, for a font that the reader of a picture has and the writer does not know.

/// The advance widths of the printable ASCII characters in hundredths of the font size, from DejaVu Sans. It is as wide as Verdana and
/// wider than the other usual fonts for screens, so text in these fits too.
const WIDTHS: [u8; 95] = [
    32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 34, 34, 84, 84, 84, 54, 100, 69, 69, 70, 78, 64, 58, 78, 76, 30, 30, 66, 56, 87, 75,
    79, 61, 79, 70, 64, 62, 74, 69, 99, 69, 62, 69, 40, 34, 40, 84, 50, 50, 62, 64, 55, 64, 62, 36,
    64, 64, 28, 28, 58, 28, 98, 64, 62, 64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84,
];

/// The largest quotient of the widths of a bold and of a regular character that occur in a name.
const BOLD: f64 = 1.16;

/// A way to write text.
#[derive(Clone, Copy, PartialEq)]
pub struct Style {
    pub size: f64,
    pub bold: bool,
}

/// Returns the width of a line of text. Of characters that are not ASCII, it is that of the widest.
pub fn width(text: &str, style: Style) -> f64 {
    let of = |c: char| {
        let at = (c as usize).wrapping_sub(' ' as usize);
        f64::from(WIDTHS.get(at).copied().unwrap_or(100))
    };
    let sum: f64 = text.chars().map(of).sum();
    sum / 100.0 * style.size * if style.bold { BOLD } else { 1.0 }
}
