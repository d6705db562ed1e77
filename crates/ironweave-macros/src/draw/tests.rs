//! Pictures of the documentation: what they show, and that nothing in them overlaps.

use super::{Arrow, Box, Kind, Line, Picture};

#[path = "../../../ironweave-net/tests/draw/checks.rs"]
mod checks;

/// A generator of numbers below a limit (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn text(&mut self) -> String {
        let letters: Vec<char> = "abcdefgimWMIl_:<>&\" ä".chars().collect();
        (0..1 + self.below(24))
            .map(|_| letters[self.below(letters.len())])
            .collect()
    }
}

/// A picture with any arrows: loops, cycles, parallel ones.
fn random(seed: u64) -> Picture {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut picture = Picture {
        title: random.text(),
        ..Picture::default()
    };
    for at in 0..1 + random.below(10) {
        let kinds = [Kind::Plain, Kind::Terminal];
        picture.boxes.push(match at {
            0 if seed.is_multiple_of(2) => Box {
                kind: Kind::Start,
                lines: Vec::new(),
            },
            _ => Box {
                kind: kinds[random.below(2)],
                lines: (0..1 + random.below(3)).map(|_| random.text()).collect(),
            },
        });
    }
    let boxes = picture.boxes.len();
    for _ in 0..random.below(2 * boxes + 1) {
        let (from, to) = (random.below(boxes), random.below(boxes));
        if picture.boxes[from].kind == Kind::Start && from == to {
            continue;
        }
        picture.arrows.push(Arrow {
            from,
            to,
            line: [Line::Solid, Line::Dashed, Line::Dotted][random.below(3)],
            label: (0..random.below(4)).map(|_| random.text()).collect(),
        });
    }
    picture
}

#[test]
fn nothing_overlaps_in_random_pictures() {
    for seed in 0..400 {
        let picture = random(seed);
        let drawn = picture.draw();
        checks::check_svg(&format!("seed {seed}"), &drawn, picture.boxes.len());
        assert_eq!(drawn, picture.draw());
        assert!(
            !drawn.trim().contains("\n\n"),
            "a blank line ends HTML in Markdown"
        );
    }
}

#[test]
fn a_description_is_read_as_it_was_written() {
    for seed in 0..200 {
        let picture = random(seed);
        assert_eq!(Picture::read(&picture.describe()), picture);
    }
    assert_eq!(Picture::read(""), Picture::default());
    let wrong = Picture::read("t\nbox\ta\nsolid\t0\t7\nsolid\tx\nother");
    assert_eq!((wrong.boxes.len(), wrong.arrows.len()), (1, 0));
}

#[test]
fn a_picture_has_the_names_and_labels_of_its_description() {
    let text = "Lifecycle of Lamp\nstart\nbox\tOff\nbox\tOn\nsolid\t0\t1\tBought\nsolid\t1\t2\tLit\nsolid\t2\t1\tUnlit";
    let picture = Picture::read(text);
    let drawn = picture.draw();
    for text in [
        "Lifecycle of Lamp",
        ">Off<",
        ">On<",
        ">Bought<",
        ">Lit<",
        ">Unlit<",
    ] {
        assert!(drawn.contains(text), "{text}: {drawn}");
    }
}
