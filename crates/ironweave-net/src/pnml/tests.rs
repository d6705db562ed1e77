//! Mistakes in PNML, each with its line.

use super::*;
use crate::net::Net;

fn plain(body: &str) -> String {
    let ty = "http://www.pnml.org/version-2009/grammar/ptnet";
    format!("<pnml>\n<net id=\"n\" type=\"{ty}\">\n<page id=\"g\">\n{body}\n</page></net></pnml>")
}

fn message(text: &str) -> String {
    read(text.as_bytes(), &Limits::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn a_net_that_was_written_is_read() {
    let mut net = Net::default();
    let (a, b) = (net.place("a & <b>", 3), net.place("c", 0));
    net.transition("t \"x\"", [(a, 2)], [(b, 1), (a, 1)]);
    let mut text = Vec::new();
    write(&net, "a < b", &mut text).unwrap();
    let document = read(&text[..], &Limits::default()).unwrap();
    assert_eq!((document.net, &*document.name), (net, "a < b"));
}

#[test]
fn each_mistake_has_its_line() {
    let cases = [
        (
            "this is text",
            "line 1: this is not PNML: the outermost element is not `<pnml>`",
        ),
        ("<pnml>\n<net>", "line 2: `<net>` has no attribute `type`"),
        (
            "<pnml>\n<net type=\"x/timednet\"/></pnml>",
            "line 2: nets of type `x/timednet` are not supported; place/transition nets (`ptnet`) and symmetric nets (`symmetricnet`) are",
        ),
        (
            &plain("<place id=\"a\"/>\n<arc id=\"x\" source=\"a\" target=\"b\"/>"),
            "line 5: the arc refers to `b`, which does not exist",
        ),
        (
            &plain(
                "<place id=\"a\"/>\n<place id=\"b\"/>\n<arc id=\"x\" source=\"a\" target=\"b\"/>",
            ),
            "line 6: the arc leads from `a` to `b`, but one of them must be a place and the other a transition",
        ),
        (
            &plain("<place id=\"a\"/>\n\n<place id=\"a\"/>"),
            "line 6: a second node has the id `a`",
        ),
        (
            &plain(
                "<place id=\"a\"><initialMarking>\n<text>1000000000</text></initialMarking></place>",
            ),
            "line 5: 1000000000 tokens exceed the limit of 100000000",
        ),
        (
            &plain("<place id=\"a\"><initialMarking>\n<text>-1</text></initialMarking></place>"),
            "line 5: `-1` is not a number of tokens",
        ),
        (
            &plain("<unit id=\"a\"/>"),
            "line 4: `<unit>` in a net is not supported",
        ),
        (
            &plain(
                "<place id=\"a\"/><transition id=\"t\"/>\n<arc id=\"x\" source=\"a\" target=\"t\"><type value=\"inhibitor\"/></arc>",
            ),
            "line 5: arcs of type `inhibitor` are not supported",
        ),
        (
            &plain("<referencePlace id=\"a\" ref=\"b\"/>\n<referencePlace id=\"b\" ref=\"a\"/>"),
            "line 4: the reference leads to `b`, which does not exist",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(message(text), expected, "{text}");
    }
    assert!(message("<pnml>\n<net></pnml>").starts_with("line 2: "));
    assert!(message(&plain("<place id=\"a\">")).contains("this is not well-formed XML"));
    assert!(message("<pnml>\n<net").contains("this is not well-formed XML"));
    let deep = format!("<pnml>{}", "<a>".repeat(1_000_000));
    assert_eq!(
        message(&deep),
        "line 1: elements nest deeper than the limit of 200"
    );
}

#[test]
fn files_that_are_too_large_are_refused() {
    let text = plain(&"<place id=\"a\"/>".repeat(1_000));
    let limits = Limits {
        bytes: 1_000,
        ..Limits::default()
    };
    let error = read(text.as_bytes(), &limits).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("larger than the limit of 1000 bytes"),
        "{error}"
    );
}
