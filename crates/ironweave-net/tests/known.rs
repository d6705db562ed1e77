//! Nets with published answers, if they are there: `../shared/data/pnml` beside the project.

use std::path::Path;

use ironweave_net::{plain::Explorer, pnml};

#[test]
fn answers_are_the_published_ones() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/pnml");
    let Ok(answers) = std::fs::read_to_string(dir.join("answers.tsv")) else {
        eprintln!("skipped: there is no {}", dir.display());
        return;
    };
    for line in answers.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [
            file,
            _,
            _,
            declared,
            unfolded,
            states,
            edges,
            deadlocks,
            place,
            marking,
            ..,
        ] = fields[..]
        else {
            panic!("{line}");
        };
        let states: u64 = states.parse().unwrap();
        let text = std::fs::read(dir.join(file)).unwrap();
        let document = pnml::read(&text[..], &pnml::Limits::default()).unwrap();
        let net = &document.net;
        assert_eq!(
            format!("{}/{}", document.places, document.transitions),
            declared,
            "{file}"
        );
        let sizes = format!("{}/{}", net.places.len(), net.transitions.len());
        println!("{file}: {sizes} {unfolded}");
        // Larger ones take too long without optimization.
        if cfg!(debug_assertions) && states > 100_000 {
            continue;
        }
        let found = Explorer::new(net).threads(2).run().unwrap();
        let bytes = found.bytes as f64 / found.states as f64;
        println!(
            "  {} states in {:?}, {bytes:.1} bytes each",
            found.states, found.elapsed
        );
        let numbers = [
            found.states,
            found.edges,
            found.deadlocks,
            found.place_max,
            found.marking_max,
        ];
        let expected = [
            states,
            edges.parse().unwrap(),
            deadlocks.parse().unwrap(),
            place.parse().unwrap(),
            marking.parse().unwrap(),
        ];
        assert_eq!(numbers, expected, "{file}");
    }
}
