//! Mistakes in PNML, each with its line.

use super::*;
use crate::plain::Net;

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
fn names_that_xml_cannot_hold_are_escaped_or_refused() {
    let mut net = Net::default();
    let a = net.place("a\nb\tc\r\n", 1);
    net.transition("\t'\"<&>", [(a, 1)], []);
    let mut text = Vec::new();
    write(&net, "n", &mut text).unwrap();
    assert_eq!(read(&text[..], &Limits::default()).unwrap().net, net);
    for (name, expected) in [
        ("a\nb\tc\r\n", "two nodes of the net have the name"),
        ("bell \u{7}", "has a control character"),
    ] {
        let mut net = net.clone();
        net.transition(name, [], []);
        let error = write(&net, "n", Vec::new()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(expected), "{error}");
    }
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
            "line 4: the reference leads back to itself",
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

const RING: &str = r#"<namedsort id="R" name="R"><cyclicenumeration>
    <feconstant id="r0" name="0"/><feconstant id="r1" name="1"/><feconstant id="r2" name="2"/>
</cyclicenumeration></namedsort>
<namedsort id="N" name="N"><finiteintrange start="2" end="4"/></namedsort>
<namedsort id="D" name="D"><dot/></namedsort>
<namedsort id="P" name="P"><productsort><usersort declaration="R"/><usersort declaration="N"/></productsort></namedsort>
<variabledecl id="x" name="x"><usersort declaration="R"/></variabledecl>
<variabledecl id="y" name="y"><usersort declaration="R"/></variabledecl>
<variabledecl id="n" name="n"><usersort declaration="N"/></variabledecl>"#;

fn symmetric(declarations: &str, body: &str) -> String {
    let ty = "http://www.pnml.org/version-2009/grammar/symmetricnet";
    format!(
        "<pnml><net id=\"n\" type=\"{ty}\"><declaration><structure><declarations>{declarations}\
         </declarations></structure></declaration><page id=\"g\">\n{body}</page></net></pnml>"
    )
}

fn place(id: &str, sort: &str, marking: &str) -> String {
    let marking = match marking {
        "" => String::new(),
        term => format!("<hlinitialMarking><structure>{term}</structure></hlinitialMarking>"),
    };
    format!(
        "<place id=\"{id}\"><type><structure><usersort declaration=\"{sort}\"/></structure></type>{marking}</place>"
    )
}

fn subterms(name: &str, parts: &[&str]) -> String {
    let parts: String = parts
        .iter()
        .map(|part| format!("<subterm>{part}</subterm>"))
        .collect();
    format!("<{name}>{parts}</{name}>")
}

fn variable(id: &str) -> String {
    format!("<variable refvariable=\"{id}\"/>")
}

fn constant(id: &str) -> String {
    format!("<useroperator declaration=\"{id}\"/>")
}

fn number(n: u32, term: &str) -> String {
    subterms(
        "numberof",
        &[
            &format!("<numberconstant value=\"{n}\"><positive/></numberconstant>"),
            term,
        ],
    )
}

fn all(sort: &str) -> String {
    format!("<all><usersort declaration=\"{sort}\"/></all>")
}

/// The marked places of a net with one place, marked with a term.
fn marked(sort: &str, term: &str) -> String {
    let text = symmetric(RING, &place("p", sort, term));
    let document =
        read(text.as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{term}: {e}"));
    let marked = document.net.places.iter().filter(|place| place.tokens > 0);
    let marked = marked.map(|place| format!("{} {}", place.tokens, place.name));
    marked.collect::<Vec<_>>().join(", ")
}

#[test]
fn terms_of_markings_are_multisets() {
    let (r0, r1) = (&*constant("r0"), &*constant("r1"));
    let three = "<finiteintrangeconstant value=\"3\"><finiteintrange start=\"2\" end=\"4\"/></finiteintrangeconstant>";
    for (sort, term, expected) in [
        ("D", "<dotconstant/>".to_owned(), "1 p"),
        ("R", all("R"), "1 p(0), 1 p(1), 1 p(2)"),
        ("R", number(4, r1), "4 p(1)"),
        (
            "R",
            subterms("add", &[r0, r1, &number(2, r0)]),
            "3 p(0), 1 p(1)",
        ),
        (
            "R",
            subterms("subtract", &[&all("R"), r1]),
            "1 p(0), 1 p(2)",
        ),
        (
            "R",
            subterms("add", &[&subterms("subtract", &[r0, r1]), r1]),
            "1 p(0), 1 p(1)",
        ),
        (
            "R",
            subterms(
                "scalarproduct",
                &[
                    "<numberconstant value=\"2\"/>",
                    &subterms("subtract", &[&all("R"), r0]),
                ],
            ),
            "2 p(1), 2 p(2)",
        ),
        ("R", subterms("successor", &[&constant("r2")]), "1 p(0)"),
        ("R", subterms("predecessor", &[r0]), "1 p(2)"),
        ("R", "<empty/>".to_owned(), ""),
        ("N", three.to_owned(), "1 p(3)"),
        ("P", subterms("tuple", &[r1, three]), "1 p(1,3)"),
        (
            "P",
            subterms("tuple", &[&all("R"), three]),
            "1 p(0,3), 1 p(1,3), 1 p(2,3)",
        ),
        (
            "P",
            number(2, &subterms("tuple", &[&number(3, r1), three])),
            "6 p(1,3)",
        ),
        (
            "P",
            subterms(
                "tuple",
                &[&subterms("subtract", &[&all("R"), r0]), &all("N")],
            ),
            "1 p(1,2), 1 p(1,3), 1 p(1,4), 1 p(2,2), 1 p(2,3), 1 p(2,4)",
        ),
    ] {
        assert_eq!(marked(sort, &term), expected, "{term}");
    }
}

/// The names of the transitions of a net with one transition from `p`, of sort `R`, to `p` again.
fn fired(condition: &str) -> String {
    let arc = |id: &str, from: &str, to: &str, term: &str| {
        format!(
            "<arc id=\"{id}\" source=\"{from}\" target=\"{to}\"><hlinscription><structure>{term}</structure></hlinscription></arc>"
        )
    };
    let condition = format!("<condition><structure>{condition}</structure></condition>");
    let body = [
        place("p", "R", &all("R")),
        format!("<transition id=\"t\">{condition}</transition>"),
        arc("a", "p", "t", &variable("x")),
        arc("b", "t", "p", &variable("y")),
    ];
    let text = symmetric(RING, &body.join("\n"));
    let document =
        read(text.as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{condition}: {e}"));
    let names = document
        .net
        .transitions
        .iter()
        .map(|transition| &*transition.name);
    let names = names.map(|name| name.replace("t(x=", "").replace(",y=", "").replace(')', ""));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.join(" ")
}

#[test]
fn conditions_choose_bindings() {
    let (x, y, r1) = (&*variable("x"), &*variable("y"), &*constant("r1"));
    let equal = subterms("equality", &[x, y]);
    let less = subterms("lessthan", &[x, y]);
    let first = subterms("equality", &[x, r1]);
    for (condition, expected) in [
        (equal.clone(), "00 11 22"),
        (subterms("inequality", &[x, y]), "01 02 10 12 20 21"),
        (less.clone(), "01 02 12"),
        (subterms("lessthanorequal", &[x, y]), "00 01 02 11 12 22"),
        (subterms("greaterthan", &[x, y]), "10 20 21"),
        (subterms("greaterthanorequal", &[x, y]), "00 10 11 20 21 22"),
        (
            subterms("equality", &[&subterms("successor", &[x]), y]),
            "01 12 20",
        ),
        (
            subterms(
                "equality",
                &[
                    x,
                    &subterms("predecessor", &[&subterms("predecessor", &[y])]),
                ],
            ),
            "02 10 21",
        ),
        (subterms("and", &[&first, &less]), "12"),
        (subterms("or", &[&first, &less]), "01 02 10 11 12"),
        (
            subterms("not", &[&subterms("or", &[&first, &less])]),
            "00 20 21 22",
        ),
        (subterms("imply", &[&first, &less]), "00 01 02 12 20 21 22"),
        (
            subterms(
                "and",
                &["<booleanconstant value=\"true\"/>", &first, &equal],
            ),
            "11",
        ),
        (
            subterms("or", &["<booleanconstant value=\"false\"/>", &equal]),
            "00 11 22",
        ),
        (
            "<booleanconstant value=\"true\"/>".to_owned(),
            "00 01 02 10 11 12 20 21 22",
        ),
        ("<booleanconstant value=\"false\"/>".to_owned(), ""),
    ] {
        assert_eq!(fired(&condition), expected, "{condition}");
    }
}

#[test]
fn each_mistake_of_a_symmetric_net_has_its_message() {
    let sort =
        |id: &str, of: &str| format!("<namedsort id=\"{id}\" name=\"{id}\">{of}</namedsort>");
    let user = |id: &str| format!("<usersort declaration=\"{id}\"/>");
    for (declarations, body, expected) in [
        (
            sort("A", &user("B")),
            String::new(),
            "line 1: the sort uses a sort that is not declared, or itself",
        ),
        (
            sort("A", &user("B")) + &sort("B", &user("A")),
            String::new(),
            "line 1: the sort uses a sort that is not declared, or itself",
        ),
        (
            sort("A", "<dot/>") + &sort("A", "<dot/>"),
            String::new(),
            "line 1: a second sort has the id `A`",
        ),
        (
            sort("A", "<integer/>"),
            String::new(),
            "line 1: the sort `<integer>` is not supported",
        ),
        (
            sort("A", "<finiteintrange start=\"1\" end=\"0\"/>"),
            String::new(),
            "line 1: the sort has no colour",
        ),
        (
            sort("A", "<finiteintrange start=\"1\" end=\"9999999999\"/>"),
            String::new(),
            "line 1: the sort has more colours than the limit of 50000000",
        ),
        (
            sort(
                "A",
                "<finiteintrange start=\"-9223372036854775808\" end=\"9223372036854775807\"/>",
            ),
            String::new(),
            "line 1: the sort has more colours than the limit of 50000000",
        ),
        (
            sort("A", "<finiteintrange start=\"x\" end=\"0\"/>"),
            String::new(),
            "line 1: `x` is not an integer",
        ),
        (
            "<partition/>".to_owned(),
            String::new(),
            "line 1: declarations of the kind `<partition>` are not supported",
        ),
        (
            RING.to_owned(),
            "<place id=\"p\"/>".to_owned(),
            "line 10: the place has no type",
        ),
        (
            RING.to_owned(),
            place("p", "X", ""),
            "line 10: the sort `X` is not declared",
        ),
        (
            RING.to_owned(),
            place("p", "R", &all("N")),
            "line 10: `<all>` is of another sort than its place",
        ),
        (
            RING.to_owned(),
            place("p", "R", &constant("z")),
            "line 10: the constant `z` is not declared",
        ),
        (
            RING.to_owned(),
            place("p", "R", &variable("z")),
            "line 10: the variable `z` is not declared",
        ),
        (
            RING.to_owned(),
            place("p", "N", &constant("r0")),
            "line 10: the term has another sort than its place",
        ),
        (
            RING.to_owned(),
            place("p", "N", "<finiteintrangeconstant value=\"5\"/>"),
            "line 10: `5` is not in the range",
        ),
        (
            RING.to_owned(),
            place("p", "R", &subterms("tuple", &[&constant("r0")])),
            "line 10: a tuple is used where the sort is not a product",
        ),
        (
            RING.to_owned(),
            place("p", "P", &subterms("tuple", &[&constant("r0")])),
            "line 10: the tuple has 1 components, and its sort has 2",
        ),
        (
            RING.to_owned(),
            place("p", "R", "<other/>"),
            "line 10: `<other>` is not supported as a colour",
        ),
        (
            RING.to_owned(),
            place("p", "R", &number(1_000_000_000, &constant("r0"))),
            "line 10: 1000000000 tokens exceed the limit of 100000000",
        ),
        (
            RING.to_owned(),
            place(
                "p",
                "R",
                &number(
                    90_000_000,
                    &number(90_000_000, &number(90_000_000, &constant("r0"))),
                ),
            ),
            "line 10: a number of tokens is too large",
        ),
    ] {
        assert_eq!(
            message(&symmetric(&declarations, &body)),
            expected,
            "{body}"
        );
    }
}

#[test]
fn references_are_followed_in_any_order_and_their_ids_are_their_own() {
    let mut body = "<place id=\"p\"/><transition id=\"t\"/>".to_owned();
    for i in (1..20_000).rev() {
        body += &format!("<referencePlace id=\"r{i}\" ref=\"r{}\"/>", i - 1);
    }
    body += "<referencePlace id=\"r0\" ref=\"p\"/><arc id=\"a\" source=\"r19999\" target=\"t\"/>";
    let document = read(plain(&body).as_bytes(), &Limits::default()).unwrap();
    assert_eq!(
        document.net.transitions[0].inputs,
        [(crate::plain::PlaceIx(0), 1)]
    );
    for (nodes, expected) in [
        (
            "<place id=\"a\"/><place id=\"b\"/><referencePlace id=\"a\" ref=\"b\"/>",
            "line 4: a second node has the id `a`",
        ),
        (
            "<place id=\"a\"/><referencePlace id=\"b\" ref=\"a\"/><referenceTransition id=\"b\" ref=\"a\"/>",
            "line 4: a second node has the id `b`",
        ),
        (
            "<place id=\"a\"/><referenceTransition id=\"b\" ref=\"a\"/>",
            "line 4: the reference leads to `a`, which is of another kind",
        ),
        (
            "<place id=\"a\"/><referencePlace id=\"b\" ref=\"a\"/><referenceTransition id=\"c\" ref=\"b\"/>",
            "line 4: the reference leads to `b`, which is of another kind",
        ),
        (
            "<referencePlace id=\"b\" ref=\"a\"/>",
            "line 4: the reference leads to `a`, which does not exist",
        ),
    ] {
        assert_eq!(message(&plain(nodes)), expected, "{nodes}");
    }
}

#[test]
fn sorts_are_declared_in_any_order() {
    let mut declarations = String::new();
    for i in (1..20_000).rev() {
        let of = format!("<usersort declaration=\"S{}\"/>", i - 1);
        declarations += &format!("<namedsort id=\"S{i}\" name=\"s\">{of}</namedsort>");
    }
    declarations += "<namedsort id=\"Q\" name=\"q\"><productsort><productsort><usersort declaration=\"S7\"/></productsort><dot/></productsort></namedsort>";
    declarations += "<namedsort id=\"S0\" name=\"s\"><finiteenumeration><feconstant id=\"a\" name=\"same\"/><feconstant id=\"b\" name=\"same\"/></finiteenumeration></namedsort>";
    let text = symmetric(
        &declarations,
        &(place("p", "S19999", "") + &place("q", "Q", "")),
    );
    let document = read(text.as_bytes(), &Limits::default()).unwrap();
    let names: Vec<&str> = document
        .net
        .places
        .iter()
        .map(|place| &*place.name)
        .collect();
    // Equal names of constants would make equal names of places.
    assert_eq!(names, ["p(a)", "p(b)", "q(a,dot)", "q(b,dot)"]);
}

#[test]
fn hostile_files_end_at_a_limit() {
    let limits = Limits {
        unfolded: 10_000,
        ..Limits::default()
    };
    let refused = |text: &str, expected: &str| {
        let error = read(text.as_bytes(), &limits).map(|_| "it was read");
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let too_large = "unfolding the net takes more than the limit of 10000 nodes, arcs and bindings";
    // Names of doubling length, of a sort with two colours.
    let mut doubling = "<namedsort id=\"B\" name=\"B\"><finiteintrange start=\"0\" end=\"1\"/></namedsort><namedsort id=\"S0\" name=\"s\"><dot/></namedsort>".to_owned();
    let mut chain = doubling.clone()
        + "<namedsort id=\"T0\" name=\"s\"><productsort><usersort declaration=\"B\"/></productsort></namedsort>";
    for i in 1..60 {
        let half = format!("<usersort declaration=\"S{}\"/>", i - 1);
        doubling += &format!(
            "<namedsort id=\"S{i}\" name=\"s\"><productsort>{half}{half}</productsort></namedsort>"
        );
    }
    for i in 1..1_000 {
        let of = format!("<usersort declaration=\"T{}\"/>", i - 1);
        chain += &format!(
            "<namedsort id=\"T{i}\" name=\"s\"><productsort>{of}</productsort></namedsort>"
        );
    }
    for declarations in [doubling, chain] {
        refused(
            &symmetric(&declarations, ""),
            "the sort has more than 1000 components, or nests deeper than the limit of 200",
        );
    }
    // A tuple of sums with many equal terms, and what is subtracted again.
    let r0 = constant("r0");
    let many = subterms("add", &vec![&*r0; 1_000]);
    let tuple = subterms(
        "tuple",
        &[&many, &subterms("add", &vec![&*all("N"); 1_000])],
    );
    refused(&symmetric(RING, &place("p", "P", &tuple)), too_large);
    let mut wide = RING.to_owned();
    wide += "<namedsort id=\"W\" name=\"W\"><finiteintrange start=\"1\" end=\"4000\"/></namedsort>";
    let nothing = subterms("subtract", &[&all("W"), &all("W")]);
    refused(&symmetric(&wide, &place("p", "W", &nothing)), too_large);
    // Many bindings, and long names.
    let mut variables = RING.to_owned();
    let mut terms = Vec::new();
    for i in 0..20 {
        variables += &format!(
            "<variabledecl id=\"v{i}\" name=\"v\"><usersort declaration=\"R\"/></variabledecl>"
        );
        terms.push(variable(&format!("v{i}")));
    }
    let terms: Vec<&str> = terms.iter().map(|term| &**term).collect();
    let arc = format!(
        "<transition id=\"t\"/><arc id=\"a\" source=\"p\" target=\"t\"><hlinscription><structure>{}</structure></hlinscription></arc>",
        subterms("add", &terms)
    );
    refused(
        &symmetric(&variables, &(place("p", "R", "") + &arc)),
        too_large,
    );
    refused(
        &symmetric(RING, &place(&"p".repeat(300_000), "R", "")),
        too_large,
    );
    // Many elements, and many attributes.
    let many = "<place id=\"a\"><b/><b/><b/></place>".repeat(2_600);
    refused(
        &plain(&many),
        "the net has more elements than the limit of 10000",
    );
    let attributes: String = (0..200).map(|i| format!(" a{i}=\"\"")).collect();
    refused(
        &plain(&format!("<place{attributes}/>")),
        "line 4: an element has more attributes than the limit of 100",
    );
}
