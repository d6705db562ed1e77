//! Who may ask: hosts, origins, tokens, and what the headers permit a browser.

use ironweave_explorer::Explorer;

use crate::server::{Fixture, Server};

#[test]
fn pages_and_files_are_served_with_a_strict_policy() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    for (path, kind) in [
        ("/places", "text/html"),
        ("/entity?type=Partition&id=0.1", "text/html"),
        ("/assets/main.js", "text/javascript"),
        ("/assets/pages/what-if.js", "text/javascript"),
        ("/assets/style.css", "text/css"),
        ("/assets/icon.svg", "image/svg+xml"),
        ("/api/places", "application/json"),
    ] {
        let (status, head, _) = server.send(&format!("GET {path}"), &[], "");
        let head = head.to_lowercase();
        assert_eq!(status, 200, "{path}");
        assert!(
            head.contains(&format!("content-type: {kind}")),
            "{path}: {head}"
        );
        assert!(
            head.contains(
                "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';"
            ),
            "{head}"
        );
        assert!(!head.contains("unsafe"), "{head}");
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
    }
    for path in [
        "/nothing",
        "/assets/nothing.js",
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/lib.rs",
        "/api",
        "/a/b",
    ] {
        assert_eq!(
            server.send(&format!("GET {path}"), &[], "").0,
            404,
            "{path}"
        );
    }
    let (status, head, _) = server.send("GET /", &[], "");
    assert_eq!(status, 307);
    assert!(
        head.to_lowercase().contains("location: /places\r\n"),
        "{head}"
    );
}

#[test]
fn the_router_can_be_nested() {
    let fixture = Fixture::typed();
    let router = Explorer::new(fixture.store.reader()).router();
    let nested = axum::Router::new().nest("/debug/explorer", router);
    let server = Server::serve(nested);
    assert_eq!(server.send("GET /debug/explorer/places", &[], "").0, 200);
    assert_eq!(
        server.send("GET /debug/explorer/api/places", &[], "").0,
        200
    );
    assert_eq!(
        server.send("GET /debug/explorer/assets/main.js", &[], "").0,
        200
    );
    let (status, head, _) = server.send("GET /debug/explorer?at=3", &[], "");
    assert_eq!(status, 307);
    assert!(
        head.to_lowercase()
            .contains("location: /debug/explorer/places?at=3\r\n"),
        "{head}"
    );
}

#[test]
fn other_methods_are_refused() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let (status, _, body) = server.send(&format!("{method} /api/places"), &[], "");
        assert_eq!(status, 405, "{method}");
        assert!(body.contains("does not accept this method"), "{body}");
    }
    assert_eq!(server.send("GET /api/what-if", &[], "").0, 405);
}

#[test]
fn another_host_and_another_origin_are_refused() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    let own = server.address.to_string();
    for host in [&*own, "localhost:1", "[::1]:80", "127.0.0.9", "LOCALHOST"] {
        assert_eq!(
            server.send("GET /api/places", &[("Host", host)], "").0,
            200,
            "{host}"
        );
    }
    for host in [
        "example.org",
        "127.0.0.1.example.org",
        "localhost.example.org:80",
        "10.0.0.1",
    ] {
        let (status, _, body) = server.send("GET /api/places", &[("Host", host)], "");
        assert_eq!(status, 421, "{host}: {body}");
        assert!(body.contains("not a name of this server"), "{body}");
    }
    assert_eq!(server.send("GET /api/places", &[("Host", "")], "").0, 400);
    let origin = format!("http://{own}");
    assert_eq!(
        server.send("GET /api/places", &[("Origin", &origin)], "").0,
        200
    );
    for origin in [
        "http://example.org",
        "null",
        "http://127.0.0.1:1",
        &format!("{origin}.example.org"),
        "",
    ] {
        let (status, _, body) = server.send("GET /api/places", &[("Origin", origin)], "");
        assert_eq!(status, 403, "{origin}: {body}");
    }
    let named = Server::start(Explorer::new(fixture.store.reader()).host("build.example.org"));
    assert_eq!(
        named
            .send("GET /api/places", &[("Host", "Build.example.org:8080")], "")
            .0,
        200
    );
    assert_eq!(
        named
            .send("GET /api/places", &[("Host", "other.example.org")], "")
            .0,
        421
    );
    let any = Server::start(Explorer::new(fixture.store.reader()).any_host());
    assert_eq!(
        any.send("GET /api/places", &[("Host", "other.example.org")], "")
            .0,
        200
    );
}

#[test]
fn a_token_is_required_of_everything() {
    let fixture = Fixture::typed();
    let server = Server::start(Explorer::new(fixture.store.reader()).token("s3cret-token"));
    let get =
        |path: &str, headers: &[(&str, &str)]| server.send(&format!("GET {path}"), headers, "");
    for path in ["/", "/places", "/api/places", "/api/stream", "/api/nothing"] {
        let (status, head, body) = get(path, &[]);
        assert_eq!(status, 401, "{path}");
        assert!(body.contains("a token is required"), "{body}");
        assert!(
            head.to_lowercase().contains("content-security-policy"),
            "{head}"
        );
    }
    // The files of the pages are public, and the form needs them.
    assert_eq!(get("/assets/style.css", &[]).0, 200);
    let bearer = |token: &str| format!("Bearer {token}");
    assert_eq!(
        get("/api/places", &[("Authorization", &bearer("s3cret-token"))]).0,
        200
    );
    for wrong in ["s3cret-toke", "s3cret-token2", "S3cret-token", ""] {
        assert_eq!(
            get("/api/places", &[("Authorization", &bearer(wrong))]).0,
            401,
            "{wrong}"
        );
        assert_eq!(
            get(&format!("/places?token={wrong}"), &[]).0,
            401,
            "{wrong}"
        );
    }
    // A page that is opened with the token keeps it in a cookie, and the address loses it.
    let (status, head, _) = get("/entities?type=Tag&token=s3cret-token&at=3", &[]);
    assert_eq!(status, 303);
    assert!(
        head.to_lowercase()
            .contains("location: /entities?type=tag&at=3\r\n"),
        "{head}"
    );
    let cookie = head.lines().find_map(|line| {
        line.to_lowercase()
            .starts_with("set-cookie")
            .then(|| line.to_owned())
    });
    let cookie = cookie.expect("it is set");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let pair = cookie
        .split_once(": ")
        .unwrap()
        .1
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(
        get("/api/places", &[("Cookie", &format!("other=1; {pair}"))]).0,
        200
    );
    assert_eq!(
        get("/api/places", &[("Cookie", &format!("x{pair}"))]).0,
        401
    );
    // No other site is led to.
    let (status, head, _) = get("//example.org/?token=s3cret-token", &[]);
    assert!(
        !head.to_lowercase().contains("location: //"),
        "{status} {head}"
    );
}

/// A person enters the token in a form, which is shown at the address that was asked for.
#[test]
fn a_form_asks_for_the_token_and_sets_a_cookie() {
    let fixture = Fixture::typed();
    let token = "a.secret/of=signs; 100%+ä";
    let server = Server::start(Explorer::new(fixture.store.reader()).token(token));
    let html = ("Accept", "text/html,application/xhtml+xml");
    let (status, head, body) = server.send("GET /log?event=Noted", &[html], "");
    assert_eq!(status, 401);
    assert!(
        head.to_lowercase().contains("www-authenticate: bearer"),
        "{head}"
    );
    assert!(body.contains("<form method=\"post\""), "{body}");
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let send = |headers: &[(&str, &str)], body: &str| {
        server.send("POST /log?event=Noted", &[&[form], headers].concat(), body)
    };
    for wrong in [
        "",
        "token=",
        "token=a.secret",
        "token=%ff",
        "token=%zz",
        "other=1",
    ] {
        let (status, head, body) = send(&[], wrong);
        assert_eq!(status, 401, "{wrong}");
        assert!(body.contains("This is not the token"), "{body}");
        assert!(!head.to_lowercase().contains("set-cookie"), "{head}");
    }
    let right = "token=a.secret%2Fof%3Dsigns%3B+100%25%2B%C3%A4";
    for other in [
        ("Origin", "http://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        assert_eq!(send(&[other], right).0, 403, "{other:?}");
    }
    let (status, head, _) = send(&[], right);
    let head = head.to_lowercase();
    assert_eq!(status, 303);
    assert!(head.contains("location: /log?event=noted\r\n"), "{head}");
    assert!(head.contains("httponly; samesite=strict"), "{head}");
    let pair = head
        .split_once("set-cookie: ")
        .and_then(|(_, rest)| rest.split(';').next());
    let pair = pair.expect("a cookie");
    assert_eq!(
        server.send("GET /log", &[html, ("Cookie", pair)], "").0,
        200
    );
    let cut = &pair[..pair.len() - 2];
    assert_eq!(server.send("GET /log", &[html, ("Cookie", cut)], "").0, 401);
    let long = format!("token={}", "a".repeat(20_000));
    assert_eq!(send(&[], &long).0, 413);
}

#[test]
fn a_header_that_is_there_twice_is_refused() {
    let fixture = Fixture::typed();
    let host = fixture.server.address.to_string();
    let twice = [("Host", &*host), ("Host", "rebound.example")];
    assert_eq!(fixture.server.send("GET /places", &twice, "").0, 400);
}

#[test]
fn an_empty_token_admits_nothing() {
    let fixture = Fixture::typed();
    let status = |token: &str, sent: &str| {
        let server = Server::start(Explorer::new(fixture.store.reader()).token(token));
        let bearer = format!("Bearer {sent}");
        server
            .send("GET /api/places", &[("Authorization", &bearer)], "")
            .0
    };
    assert_eq!(status("a.secret/of=signs", "a.secret/of=signs"), 200);
    assert_eq!(status("a.secret/of=signs", "a.secret/of"), 401);
    assert_eq!(status("", ""), 401);
    // Neither does one in a cookie, in an address or in the form.
    let server = Server::start(Explorer::new(fixture.store.reader()).token(""));
    let cookie = [("Cookie", "ironweave_token=")];
    assert_eq!(server.send("GET /api/places", &cookie, "").0, 401);
    assert_eq!(server.send("GET /places?token=", &[], "").0, 401);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(server.send("POST /places", &form, "token=").0, 401);
}
