//! Pictures as SVG: what overlaps, is clipped or is crossed.

use ironweave_net::draw::{Arrow, Diagram, Line, Node, Shape};
use ironweave_net::{EntityIx, Net};

use crate::checks::{Picture, check_svg};
use crate::{expect, lifecycle, net, tokens};

fn diagrams(net: &Net) -> Vec<Diagram> {
    let all = EntityIx::all(net.entities.len());
    let mut diagrams: Vec<Diagram> = all.map(|e| Diagram::lifecycle(net, e)).collect();
    diagrams.extend([Diagram::edges(net), Diagram::net(net)]);
    let counted = diagrams.clone().into_iter();
    diagrams.extend(counted.map(|diagram| diagram.with_tokens(&tokens(net))));
    diagrams
}

#[test]
fn nothing_overlaps_in_pictures_of_models() {
    for model in ["shop", "ward", "build"] {
        for diagram in diagrams(&net(model)) {
            check_svg(&diagram.title, &diagram.to_svg(), diagram.nodes.len());
        }
    }
}

#[test]
fn equal_diagrams_give_equal_text() {
    for diagram in diagrams(&net("build")) {
        assert_eq!(diagram.to_svg(), diagram.clone().to_svg());
    }
    let line = lifecycle(&net("shop"), "Line");
    expect(
        "line.svg",
        &line.with_tokens(&tokens(&net("shop"))).to_svg(),
    );
}

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

/// A diagram with nodes of all shapes, and any arrows: loops, cycles, parallel ones.
fn random(seed: u64) -> Diagram {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut diagram = match seed % 3 {
        0 => Diagram::edges(&Net::default()),
        1 => Diagram::net(&Net::default()),
        _ => lifecycle(&net("shop"), "Badge"),
    };
    let shapes = [
        Shape::Start,
        Shape::State {
            initial: true,
            terminal: false,
        },
        Shape::State {
            initial: false,
            terminal: true,
        },
        Shape::Entity,
        Shape::Links,
        Shape::Event { immediate: false },
        Shape::Event { immediate: true },
    ];
    diagram.groups = vec![random.text(), random.text()];
    for _ in 0..1 + random.below(14) {
        let shape = shapes[random.below(shapes.len())];
        let mut node = Node::new(shape, &random.text());
        node.remarks = (0..random.below(4)).map(|_| random.text()).collect();
        node.group = Some(random.below(3)).filter(|group| *group < 2);
        node.tokens = Some(random.below(100_000) as u64).filter(|tokens| tokens % 2 == 0);
        diagram.nodes.push(node);
    }
    let nodes = diagram.nodes.len();
    for _ in 0..random.below(2 * nodes + 1) {
        let (from, to) = (random.below(nodes), random.below(nodes));
        let mut arrow = Arrow::new(from, to, [Line::Solid, Line::Dashed][random.below(2)]);
        arrow.label = (0..random.below(4)).map(|_| random.text()).collect();
        diagram.arrows.push(arrow);
    }
    diagram.notes = (0..random.below(3)).map(|_| random.text()).collect();
    diagram
}

#[test]
fn nothing_overlaps_in_random_pictures() {
    for seed in 0..120 {
        let diagram = random(seed);
        check_svg(
            &format!("seed {seed}"),
            &diagram.to_svg(),
            diagram.nodes.len(),
        );
        assert!(diagram.to_dot().ends_with("}\n") && !diagram.to_mermaid().is_empty());
    }
}

#[test]
fn what_overlaps_is_found() {
    let svg = lifecycle(&net("shop"), "Line").to_svg();
    assert_eq!(Picture::read(&svg).problems(), Vec::<String>::new());
    let mut picture = Picture::read(&svg);
    picture.nodes.push(picture.nodes[0]);
    assert!(
        picture.problems()[0].contains("overlap"),
        "{:?}",
        picture.problems()
    );
    let mut picture = Picture::read(&svg);
    picture
        .arrows
        .push(vec![(-1000.0, -1000.0), (1000.0, 1000.0)]);
    picture.arrows.push(vec![(0.0, -1000.0), (0.0, 1000.0)]);
    let mut picture = Picture::read(&svg.replace("Wanted", &"Wanted".repeat(5)));
    assert!(picture.problems().iter().any(|p| p.contains("clipped")));
    let (node, text) = (picture.nodes[1], picture.texts[0].clone());
    picture.texts = vec![text.clone(), text, (node, "label".into(), Some(0))];
    let problems = picture.problems().join("\n");
    assert!(
        problems.contains("overlap") && problems.contains("is on a node"),
        "{problems}"
    );
}
