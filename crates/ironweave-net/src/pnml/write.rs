//! Writing place/transition nets.

use std::collections::HashSet;
use std::io::{self, Write};

use quick_xml::escape::escape;

use crate::plain::Net;

/// Writes a net as PNML. O(size of the net).
///
/// ```
/// use ironweave_net::{plain::Net, pnml};
///
/// let mut net = Net::default();
/// let a = net.place("a", 2);
/// net.transition("t", [(a, 1)], []);
/// let mut text = Vec::new();
/// pnml::write(&net, "example", &mut text)?;
/// assert_eq!(pnml::read(&text[..], &pnml::Limits::default())?.net, net);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The names of the nodes become their ids.
///
/// # Errors
/// If writing fails; with the kind [`io::ErrorKind::InvalidInput`] if two nodes have the same name, or a name has a control character,
/// which XML cannot represent.
pub fn write(net: &Net, name: &str, mut to: impl Write) -> io::Result<()> {
    let mut names = HashSet::new();
    let nodes = (net.places.iter().map(|place| &*place.name))
        .chain(net.transitions.iter().map(|transition| &*transition.name));
    for node in nodes {
        if !names.insert(node) {
            return Err(invalid(format!(
                "two nodes of the net have the name `{node}`"
            )));
        }
    }
    for name in names.into_iter().chain([name]) {
        if name.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            return Err(invalid(format!(
                "the name {name:?} has a control character"
            )));
        }
    }
    let to = &mut to;
    writeln!(to, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        to,
        r#"<pnml xmlns="http://www.pnml.org/version-2009/grammar/pnml">"#
    )?;
    let ty = "http://www.pnml.org/version-2009/grammar/ptnet";
    writeln!(to, r#"<net id="net" type="{ty}">"#)?;
    writeln!(to, "<name><text>{}</text></name>", escaped(name))?;
    writeln!(to, r#"<page id="page">"#)?;
    for place in &net.places {
        let name = escaped(&place.name);
        write!(to, r#"<place id="{name}"><name><text>{name}</text></name>"#)?;
        if place.tokens > 0 {
            let tokens = place.tokens;
            write!(to, "<initialMarking><text>{tokens}</text></initialMarking>")?;
        }
        writeln!(to, "</place>")?;
    }
    let mut arcs = 0u64;
    for transition in &net.transitions {
        let name = escaped(&transition.name);
        writeln!(
            to,
            r#"<transition id="{name}"><name><text>{name}</text></name></transition>"#
        )?;
        let inputs = transition.inputs.iter().map(|arc| (arc, true));
        let outputs = transition.outputs.iter().map(|arc| (arc, false));
        for ((place, weight), is_input) in inputs.chain(outputs) {
            let place = escaped(&net.places[place.0 as usize].name);
            let (source, target) = if is_input {
                (&place, &name)
            } else {
                (&name, &place)
            };
            write!(
                to,
                r#"<arc id="arc {arcs}" source="{source}" target="{target}">"#
            )?;
            arcs += 1;
            writeln!(to, "<inscription><text>{weight}</text></inscription></arc>")?;
        }
    }
    writeln!(to, "</page>\n</net>\n</pnml>")
}

/// Escapes a text, with the white space that a reader of XML would make a space of.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for part in escape(text).split_inclusive(['\n', '\r', '\t']) {
        let rest = part.trim_end_matches(['\n', '\r', '\t']);
        escaped.push_str(rest);
        for c in part[rest.len()..].chars() {
            escaped.push_str(&format!("&#{};", u32::from(c)));
        }
    }
    escaped
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
