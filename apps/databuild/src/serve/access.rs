//! Who may send requests: checks before each of them, and headers on each answer.
//!
//! | against | what is done |
//! |---|---|
//! | others in the network | without a token, a daemon listens at a loopback address only |
//! | a page whose name was made to resolve to 127.0.0.1 (DNS rebinding) | without a token, the header `Host` names a loopback address, or a host that was allowed |
//! | a page of another origin that sends requests (CSRF) | `Origin`, if there is one, is that of the daemon, and `Sec-Fetch-Site` is not `cross-site` |
//! | text that a page would take for a script | a content security policy that permits what the daemon itself serves |
//! | requests without end | bounds on the time, the path with its query, and the body |

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, HOST, ORIGIN,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::serve::api::Api;
use crate::serve::failure::Failure;
use crate::text::shown;

/// The number of bytes of a body at most.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// The number of bytes of a path with its query at most.
const PATH_BYTES_MAX: usize = 4096;
/// How long an answer may take to begin, with the time in which the body of the request arrives.
const TIME_MAX: Duration = Duration::from_secs(60);
/// The number of bytes of a token at least, and at most.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=4096;
/// The path that needs no token.
const HEALTH: &str = "/healthz";

/// What a page that the daemon serves may load, which is what the daemon serves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Who may send requests.
pub struct Access {
    token: Option<String>,
    /// Names of hosts, apart from loopback addresses.
    hosts: Vec<String>,
}

impl Access {
    /// Access with a token, if there is one, and by names of hosts.
    pub fn new(token: Option<String>, hosts: Vec<String>) -> Self {
        Self { token, hosts }
    }

    /// Returns why a request is refused, if it is.
    fn check(&self, request: &Request) -> Result<(), Failure> {
        let uri = request.uri();
        if uri.path_and_query().map_or(0, |path| path.as_str().len()) > PATH_BYTES_MAX {
            let why = format!("the path and its query have more than {PATH_BYTES_MAX} bytes");
            return Err(Failure::new(StatusCode::URI_TOO_LONG, why));
        }
        let headers = request.headers();
        let length = text(headers, &CONTENT_LENGTH)?.and_then(|length| length.parse().ok());
        if length.is_some_and(|length: u64| length > BODY_BYTES_MAX as u64) {
            let why = format!("the body has more than {BODY_BYTES_MAX} bytes");
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, why));
        }
        let forbidden = |why| Err(Failure::new(StatusCode::FORBIDDEN, why));
        let host = text(headers, &HOST)?.or(uri.authority().map(|a| a.as_str()));
        let host = host.unwrap_or_default();
        if self.token.is_none() && !self.is_own(host) {
            return forbidden(format!(
                "the header Host is `{}`, which is not a name of this daemon: use its address, or allow the name with --allow-host",
                shown(host)
            ));
        }
        if let Some(origin) = text(headers, &ORIGIN)? {
            let own = ["http://", "https://"].map(|scheme| origin.strip_prefix(scheme));
            if !own.contains(&Some(host)) {
                return forbidden(format!(
                    "the request comes from a page of `{}`, which is another origin than this daemon's",
                    shown(origin)
                ));
            }
        }
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        let site = text(headers, &HeaderName::from_static("sec-fetch-site"))?;
        if !is_read && site.is_some_and(|site| site == "cross-site" || site == "same-site") {
            return forbidden("the request comes from a page of another site".to_owned());
        }
        let Some(token) = self.token.as_deref().filter(|_| uri.path() != HEALTH) else {
            return Ok(());
        };
        let given = text(headers, &AUTHORIZATION)?.and_then(|given| given.strip_prefix("Bearer "));
        match given.is_some_and(|given| same(given.as_bytes(), token.as_bytes())) {
            true => Ok(()),
            false => {
                let why = "the request has no valid token: send the header `Authorization: Bearer TOKEN` with the text of the token file";
                Err(Failure::new(StatusCode::UNAUTHORIZED, why))
            }
        }
    }

    /// Returns whether a header `Host` names this daemon.
    fn is_own(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        let is_loopback = name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        let is_allowed = |allowed: &String| allowed.eq_ignore_ascii_case(name);
        is_loopback || name.eq_ignore_ascii_case("localhost") || self.hosts.iter().any(is_allowed)
    }
}

/// Compares two texts in a time that does not depend on where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Failure> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(HeaderValue::to_str).transpose();
    match (value, values.next()) {
        (Ok(value), None) => Ok(value),
        (Ok(_), Some(_)) => Err(Failure::invalid(format!("there are two headers {name}"))),
        (Err(_), _) => Err(Failure::invalid(format!("the header {name} is not text"))),
    }
}

/// Reads a token from a file: its text without the spaces and line ends around it.
///
/// # Errors
/// If it cannot be read, is too short or too long, or has characters that a header cannot have.
pub fn read_token(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the token in {}", file.display()))?;
    let token = text.trim();
    if !TOKEN_BYTES.contains(&token.len()) || !token.chars().all(|c| c.is_ascii_graphic()) {
        bail!(
            "the token in {} has {} characters: write {} to {} ASCII letters, digits or signs without spaces, \
             for example by `openssl rand -hex 32`",
            file.display(),
            token.chars().count(),
            TOKEN_BYTES.start(),
            TOKEN_BYTES.end()
        );
    }
    Ok(token.to_owned())
}

/// Checks a request, answers it, and adds headers to the answer.
pub async fn guard(State(api): State<Api>, request: Request, next: Next) -> Response {
    let mut response = match api.access.check(&request) {
        Err(failure) => failure.into_response(),
        Ok(()) => match tokio::time::timeout(TIME_MAX, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                let why = "the request was not answered in time; its effect, if it has one, may still come";
                Failure::new(StatusCode::GATEWAY_TIMEOUT, why).into_response()
            }
        },
    };
    api.metrics.answered(response.status());
    if response.status() == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    }
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        // What a nested page says about itself stays.
        let header = response.headers_mut().entry(name);
        header.or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(access: &Access, method: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri("/api/status");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        let checked = access.check(&request);
        checked.map_or_else(
            |failure| failure.into_response().status().as_u16(),
            |()| 200,
        )
    }

    #[test]
    fn hosts_and_origins() {
        let access = Access::new(None, vec!["build.example".into()]);
        for (method, headers, expect) in [
            ("GET", &[("host", "127.0.0.1:7171")][..], 200),
            ("GET", &[("host", "localhost")], 200),
            ("GET", &[("host", "LocalHost:1")], 200),
            ("GET", &[("host", "[::1]:7171")], 200),
            ("GET", &[("host", "build.example:80")], 200),
            ("GET", &[("host", "rebound.example:7171")], 403),
            ("GET", &[("host", "127.0.0.1.rebound.example")], 403),
            ("GET", &[("host", "10.0.0.1:7171")], 403),
            (
                "GET",
                &[("host", "localhost"), ("host", "rebound.example")],
                400,
            ),
            ("GET", &[], 403),
            (
                "POST",
                &[("host", "localhost:1"), ("origin", "http://localhost:1")],
                200,
            ),
            (
                "POST",
                &[("host", "localhost:1"), ("origin", "http://localhost:2")],
                403,
            ),
            ("POST", &[("host", "localhost:1"), ("origin", "null")], 403),
            (
                "GET",
                &[("host", "localhost:1"), ("origin", "https://evil.example")],
                403,
            ),
            (
                "DELETE",
                &[("host", "localhost"), ("sec-fetch-site", "cross-site")],
                403,
            ),
            (
                "GET",
                &[("host", "localhost"), ("sec-fetch-site", "cross-site")],
                200,
            ),
        ] {
            assert_eq!(
                status(&access, method, headers),
                expect,
                "{method} {headers:?}"
            );
        }
    }

    #[test]
    fn tokens() {
        let access = Access::new(Some("0123456789abcdef".into()), Vec::new());
        for (authorization, expect) in [
            ("Bearer 0123456789abcdef", 200),
            ("Bearer 0123456789abcdeg", 401),
            ("Bearer 0123456789abcde", 401),
            ("Bearer ", 401),
            ("0123456789abcdef", 401),
        ] {
            let headers = [("host", "10.0.0.1"), ("authorization", authorization)];
            assert_eq!(status(&access, "GET", &headers), expect, "{authorization}");
        }
        let other = [
            ("host", "10.0.0.1"),
            ("authorization", "Bearer 0123456789abcdef"),
            ("origin", "http://evil.example"),
        ];
        assert_eq!(status(&access, "GET", &other), 403);
        assert_eq!(status(&access, "GET", &[("host", "10.0.0.1")]), 401);
    }
}
