//! The nodes of a net in PNML.

use std::collections::HashMap;
use std::io::BufRead;

use super::sorts::Sorts;
use super::terms::{Condition, Multiset, Scope};
use super::unfold;
use super::xml::{Element, Start, Token, Xml};
use super::{Document, Kind, Limits, PnmlError};
use crate::plain::{Net, PlaceIx};

/// The nodes and declarations of a net, in the order of the file.
#[derive(Default)]
struct Nodes {
    name: Option<String>,
    places: Vec<Element>,
    transitions: Vec<Element>,
    arcs: Vec<Element>,
    references: Vec<Element>,
    declarations: Vec<Element>,
}

/// Positions of nodes by their ids.
type Ids<'a> = HashMap<&'a str, usize>;

/// A place of a symmetric net.
pub(super) struct ColouredPlace {
    pub id: String,
    pub sort: usize,
    pub initial: Multiset,
    pub line: u64,
}

/// An arc of a symmetric net at a transition.
pub(super) struct ColouredArc {
    pub place: usize,
    pub tokens: Multiset,
    pub line: u64,
}

/// A transition of a symmetric net.
pub(super) struct ColouredTransition {
    pub id: String,
    pub condition: Option<Condition>,
    pub inputs: Vec<ColouredArc>,
    pub outputs: Vec<ColouredArc>,
    pub line: u64,
}

pub(super) fn read(file: impl BufRead, limits: &Limits) -> Result<Document, PnmlError> {
    let mut xml = Xml::new(file, limits);
    let root = next_start(&mut xml)?;
    let Some((root, _)) = root.filter(|(root, _)| root.name == "pnml") else {
        return Err(PnmlError::at(
            xml.line(),
            "this is not PNML: the outermost element is not `<pnml>`",
        ));
    };
    let mut read: Option<(Start, Kind, Nodes)> = None;
    while let Some((start, is_empty)) = next_start(&mut xml)? {
        if start.name != "net" {
            xml.skip(is_empty)?;
        } else if read.is_some() {
            let what = "the file has a second net; only files with one net are supported";
            return Err(PnmlError::at(start.line, what));
        } else {
            let kind = kind(&start)?;
            let mut nodes = Nodes::default();
            if !is_empty {
                nodes.read(&mut xml)?;
            }
            read = Some((start, kind, nodes));
        }
    }
    // The element `pnml` has ended. What follows must be well-formed.
    while !matches!(xml.next()?, Token::Eof) {}
    let Some((start, kind, nodes)) = read else {
        return Err(PnmlError::at(root.line, "the file has no `<net>`"));
    };
    let net = match kind {
        Kind::PlaceTransition => nodes.plain(limits)?,
        Kind::Symmetric => nodes.symmetric(limits)?,
    };
    Ok(Document {
        name: (nodes.name.clone())
            .or_else(|| start.attribute("id").map(str::to_owned))
            .unwrap_or_default(),
        kind,
        places: nodes.places.len(),
        transitions: nodes.transitions.len(),
        net,
    })
}

fn kind(start: &Start) -> Result<Kind, PnmlError> {
    let kind = start.required("type")?;
    let last = kind.rsplit(['/', '#']).next().unwrap_or(kind);
    match &*last.to_ascii_lowercase() {
        "ptnet" => Ok(Kind::PlaceTransition),
        "symmetricnet" => Ok(Kind::Symmetric),
        _ => Err(PnmlError::at(
            start.line,
            format!(
                "nets of type `{kind}` are not supported; place/transition nets (`ptnet`) and symmetric nets (`symmetricnet`) are"
            ),
        )),
    }
}

/// Returns the next element within the one that is open, or `None` at its end.
fn next_start(xml: &mut Xml<impl BufRead>) -> Result<Option<(Start, bool)>, PnmlError> {
    loop {
        match xml.next()? {
            Token::Start(start, is_empty) => return Ok(Some((start, is_empty))),
            Token::End | Token::Eof => return Ok(None),
            Token::Text(_) => {}
        }
    }
}

/// Returns the content of `<text>` in a child.
fn text<'e>(element: &'e Element, child: &str) -> Option<(&'e str, u64)> {
    let child = element.child(child)?;
    match child.child("text") {
        Some(text) => Some((&text.text, text.line())),
        None => Some((&child.text, child.line())),
    }
}

impl Nodes {
    /// Reads what is in a net or, as pages may contain pages, in a page.
    fn read(&mut self, xml: &mut Xml<impl BufRead>) -> Result<(), PnmlError> {
        let mut pages = 0;
        loop {
            let Some((start, is_empty)) = next_start(xml)? else {
                if pages == 0 {
                    return Ok(());
                }
                pages -= 1;
                continue;
            };
            let to = match &*start.name {
                "page" => {
                    pages += usize::from(!is_empty);
                    continue;
                }
                "place" => &mut self.places,
                "transition" => &mut self.transitions,
                "arc" => &mut self.arcs,
                "referencePlace" | "referenceTransition" => &mut self.references,
                "declaration" => &mut self.declarations,
                "name" if pages == 0 => {
                    let name = xml.element(start, is_empty)?;
                    let text = name.child("text").map_or(&name.text, |text| &text.text);
                    self.name = Some(text.clone()).filter(|text| !text.is_empty());
                    continue;
                }
                "name" | "graphics" | "toolspecific" => {
                    xml.skip(is_empty)?;
                    continue;
                }
                other => {
                    let what = format!("`<{other}>` in a net is not supported");
                    return Err(PnmlError::at(start.line, what));
                }
            };
            to.push(xml.element(start, is_empty)?);
        }
    }

    /// Returns the positions of places and transitions by their ids. References have the position of their node.
    fn ids(&self) -> Result<(Ids<'_>, Ids<'_>), PnmlError> {
        let (mut places, mut transitions) = (Ids::new(), Ids::new());
        let nodes = [&self.places, &self.transitions];
        for (kind, nodes) in nodes.into_iter().enumerate() {
            for (at, node) in nodes.iter().enumerate() {
                let id = node.start.required("id")?;
                let known = places.contains_key(id) || transitions.contains_key(id);
                if known {
                    return Err(node.error(format!("a second node has the id `{id}`")));
                }
                let of_kind = if kind == 0 {
                    &mut places
                } else {
                    &mut transitions
                };
                of_kind.insert(id, at);
            }
        }
        let mut references: HashMap<&str, &Element> = HashMap::new();
        for reference in &self.references {
            let id = reference.start.required("id")?;
            let known = places.contains_key(id) || transitions.contains_key(id);
            if known || references.insert(id, reference).is_some() {
                return Err(reference.error(format!("a second node has the id `{id}`")));
            }
        }
        // A reference may refer to a reference. Each is followed once, and then known with all on its way.
        for reference in &self.references {
            let (of_kind, of_other) = match reference.name() {
                "referencePlace" => (&mut places, &transitions),
                _ => (&mut transitions, &places),
            };
            let mut way = Vec::new();
            let mut next = reference;
            let at = loop {
                let (id, to) = (next.start.required("id")?, next.start.required("ref")?);
                if let Some(at) = of_kind.get(id) {
                    break *at;
                }
                way.push(id);
                if let Some(at) = of_kind.get(to) {
                    break *at;
                }
                let other = references.get(to);
                if of_other.contains_key(to) || other.is_some_and(|o| o.name() != reference.name())
                {
                    let what = format!("the reference leads to `{to}`, which is of another kind");
                    return Err(next.error(what));
                }
                next = match other {
                    Some(_) if way.len() > references.len() => {
                        return Err(reference.error("the reference leads back to itself"));
                    }
                    Some(other) => other,
                    None => {
                        let what = format!("the reference leads to `{to}`, which does not exist");
                        return Err(next.error(what));
                    }
                };
            };
            of_kind.extend(way.into_iter().map(|id| (id, at)));
        }
        Ok((places, transitions))
    }

    /// For each arc, the position of its transition and of its place, and whether it leads to the transition.
    fn ends(&self) -> Result<Vec<(usize, usize, bool)>, PnmlError> {
        let (places, transitions) = self.ids()?;
        let ends = |arc: &Element| {
            let kind = arc
                .child("type")
                .and_then(|kind| kind.start.attribute("value"));
            if let Some(kind) = kind
                .or(arc.start.attribute("type"))
                .filter(|k| *k != "normal")
            {
                return Err(arc.error(format!("arcs of type `{kind}` are not supported")));
            }
            let (source, target) = (arc.start.required("source")?, arc.start.required("target")?);
            let ends = (places.get(source), transitions.get(target));
            if let (Some(place), Some(transition)) = ends {
                return Ok((*transition, *place, true));
            }
            let ends = (transitions.get(source), places.get(target));
            if let (Some(transition), Some(place)) = ends {
                return Ok((*transition, *place, false));
            }
            let missing = [source, target]
                .into_iter()
                .find(|id| !places.contains_key(id) && !transitions.contains_key(id));
            Err(arc.error(match missing {
                Some(id) => format!("the arc refers to `{id}`, which does not exist"),
                None => format!("the arc leads from `{source}` to `{target}`, but one of them must be a place and the other a transition"),
            }))
        };
        self.arcs.iter().map(ends).collect()
    }

    fn plain(&self, limits: &Limits) -> Result<Net, PnmlError> {
        let number = |element: &Element, child: &str, absent: u64| {
            let Some((text, line)) = text(element, child) else {
                return Ok(absent);
            };
            let number: u64 = text
                .trim()
                .parse()
                .map_err(|_| PnmlError::at(line, format!("`{text}` is not a number of tokens")))?;
            checked(number, line, limits)
        };
        let mut net = Net::default();
        let mut total = 0;
        for place in &self.places {
            let tokens = number(place, "initialMarking", 0)?;
            total = checked(u64::saturating_add(total, tokens), place.line(), limits)?;
            net.place(place.start.required("id")?, tokens);
        }
        let mut arcs = vec![(Vec::new(), Vec::new()); self.transitions.len()];
        for (arc, (transition, place, is_input)) in self.arcs.iter().zip(self.ends()?) {
            let weight = number(arc, "inscription", 1)?;
            let (inputs, outputs) = &mut arcs[transition];
            let to = if is_input { inputs } else { outputs };
            to.push((PlaceIx(place as u32), weight));
        }
        for (transition, (inputs, outputs)) in self.transitions.iter().zip(arcs) {
            net.transition(transition.start.required("id")?, inputs, outputs);
        }
        Ok(net)
    }

    fn symmetric(&self, limits: &Limits) -> Result<Net, PnmlError> {
        let sorts = Sorts::read(&self.declarations, limits)?;
        let mut places = Vec::new();
        for place in &self.places {
            let sort = match place.child("type").and_then(|ty| ty.child("structure")) {
                Some(structure) => sorts.used(structure)?,
                None => return Err(place.error("the place has no type")),
            };
            let mut scope = Scope::new(&sorts, limits);
            let initial = match place.child("hlinitialMarking") {
                Some(marking) => scope.multiset(structure(marking)?, sort)?,
                None => Multiset::empty(),
            };
            places.push(ColouredPlace {
                id: place.start.required("id")?.to_owned(),
                sort,
                initial,
                line: place.line(),
            });
        }
        let ends = self.ends()?;
        let mut at: Vec<Vec<usize>> = vec![Vec::new(); self.transitions.len()];
        for (arc, (transition, ..)) in ends.iter().enumerate() {
            at[*transition].push(arc);
        }
        let mut unfolding = unfold::Unfolding::new(&sorts, places, limits)?;
        for (transition, arcs) in self.transitions.iter().zip(at) {
            let mut scope = Scope::new(&sorts, limits);
            let condition = match transition.child("condition") {
                Some(condition) => Some(scope.condition(structure(condition)?)?),
                None => None,
            };
            let mut coloured = ColouredTransition {
                id: transition.start.required("id")?.to_owned(),
                condition,
                inputs: Vec::new(),
                outputs: Vec::new(),
                line: transition.line(),
            };
            for arc in arcs {
                let (_, place, is_input) = ends[arc];
                let arc = &self.arcs[arc];
                let sort = unfolding.places[place].sort;
                let tokens = match arc.child("hlinscription") {
                    Some(inscription) => scope.multiset(structure(inscription)?, sort)?,
                    None if sorts.size(sort) == 1 => Multiset::one(),
                    None => return Err(arc.error("the arc has no inscription")),
                };
                let line = arc.line();
                let to = if is_input {
                    &mut coloured.inputs
                } else {
                    &mut coloured.outputs
                };
                to.push(ColouredArc {
                    place,
                    tokens,
                    line,
                });
            }
            unfolding.add(&coloured, &scope.variables())?;
        }
        Ok(unfolding.net)
    }
}

/// Returns the term in the structure of an annotation.
fn structure(element: &Element) -> Result<&Element, PnmlError> {
    let found = element.child("structure").unwrap_or(element);
    let mut terms = found.children.iter().filter(|child| child.name() != "text");
    let term = terms.next();
    term.ok_or_else(|| element.error(format!("`<{}>` has no structure", element.name())))
}

/// Returns a number of tokens, if it is within the limit.
pub(super) fn checked(tokens: u64, line: u64, limits: &Limits) -> Result<u64, PnmlError> {
    if tokens > limits.tokens {
        let most = limits.tokens;
        let what = format!("{tokens} tokens exceed the limit of {most}");
        return Err(PnmlError::at(line, what));
    }
    Ok(tokens)
}
