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
            head.contains("content-security-policy: default-src 'self';"),
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
        assert!(body.contains("name its hosts"), "{body}");
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
    for path in [
        "/",
        "/places",
        "/api/places",
        "/api/stream",
        "/assets/main.js",
        "/api/nothing",
    ] {
        let (status, head, body) = get(path, &[]);
        assert_eq!(status, 401, "{path}");
        assert!(body.contains("a token is required"), "{body}");
        assert!(
            head.to_lowercase().contains("content-security-policy"),
            "{head}"
        );
    }
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

/// Characters that no cookie can have count neither in the token nor in what is sent. A token of nothing else admits no request.
#[test]
fn the_signs_of_a_token_do_not_count_and_an_empty_one_admits_nothing() {
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
    for empty in ["", "=/.="] {
        assert_eq!(
            (status(empty, ""), status(empty, empty)),
            (401, 401),
            "{empty:?}"
        );
    }
}
