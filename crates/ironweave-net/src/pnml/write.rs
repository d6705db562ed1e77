//! Writing place/transition nets.

use std::io::{self, Write};

use quick_xml::escape::escape;

use crate::net::Net;

/// Writes a net as PNML. O(size of the net).
///
/// ```
/// use ironweave_net::{Net, pnml};
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
/// # Errors
/// If writing fails.
pub fn write(net: &Net, name: &str, mut to: impl Write) -> io::Result<()> {
    let to = &mut to;
    writeln!(to, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        to,
        r#"<pnml xmlns="http://www.pnml.org/version-2009/grammar/pnml">"#
    )?;
    let ty = "http://www.pnml.org/version-2009/grammar/ptnet";
    writeln!(to, r#"<net id="net" type="{ty}">"#)?;
    writeln!(to, "<name><text>{}</text></name>", escape(name))?;
    writeln!(to, r#"<page id="page">"#)?;
    for place in &net.places {
        let name = escape(&*place.name);
        write!(to, r#"<place id="{name}"><name><text>{name}</text></name>"#)?;
        if place.tokens > 0 {
            let tokens = place.tokens;
            write!(to, "<initialMarking><text>{tokens}</text></initialMarking>")?;
        }
        writeln!(to, "</place>")?;
    }
    let mut arcs = 0u64;
    for transition in &net.transitions {
        let name = escape(&*transition.name);
        writeln!(
            to,
            r#"<transition id="{name}"><name><text>{name}</text></name></transition>"#
        )?;
        let inputs = transition.inputs.iter().map(|arc| (arc, true));
        let outputs = transition.outputs.iter().map(|arc| (arc, false));
        for ((place, weight), is_input) in inputs.chain(outputs) {
            let place = escape(&*net.places[place.0 as usize].name);
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
