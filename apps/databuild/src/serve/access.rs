//! Who may send requests, and bounds of these: on the time, the path with its query, and the body.
//!
//! The checks of hosts, origins and the token are those of the explorer, [`Access`]. Without a token, a daemon listens at a loopback
//! address only. With one, requests may name any host, because they prove that they know it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ironweave_explorer::Access;

use crate::serve::api::Api;
use crate::serve::failure::Failure;

/// The number of bytes of a body at most.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// The number of bytes of a path with its query at most.
const PATH_BYTES_MAX: usize = 4096;
/// How long an answer may take to begin, with the time in which the body of the request arrives.
const TIME_MAX: Duration = Duration::from_secs(60);
/// The number of bytes of a token at least, and at most.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=4096;
/// The paths that need no token: whether the daemon works, and the files of the pages, which are the same for everybody.
const OPEN: [&str; 3] = ["/healthz", "/assets/", "/explore/assets/"];

/// Who may send requests to a daemon, with a token if there is one, and by names of hosts.
pub fn access(token: Option<&str>, hosts: &[String]) -> Access {
    let access = OPEN
        .iter()
        .fold(Access::default(), |access, path| access.open(path));
    let access = hosts.iter().fold(access, |access, host| access.host(host));
    match token {
        Some(token) => access.token(token).any_host(),
        None => access,
    }
}

/// Returns why a request is refused, if it is too large.
fn check_size(request: &Request) -> Result<(), Failure> {
    let uri = request.uri();
    if uri.path_and_query().map_or(0, |path| path.as_str().len()) > PATH_BYTES_MAX {
        let why = format!("the path and its query have more than {PATH_BYTES_MAX} bytes");
        return Err(Failure::new(StatusCode::URI_TOO_LONG, why));
    }
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > BODY_BYTES_MAX as u64) {
        let why = format!("the body has more than {BODY_BYTES_MAX} bytes");
        return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, why));
    }
    Ok(())
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

/// Checks a request, answers it, and counts the answer.
pub async fn guard(State(api): State<Api>, request: Request, next: Next) -> Response {
    let answer = |request| async {
        if let Err(failure) = check_size(&request) {
            return failure.into_response();
        }
        match tokio::time::timeout(TIME_MAX, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                let why = "the request was not answered in time; its effect, if it has one, may still come";
                Failure::new(StatusCode::GATEWAY_TIMEOUT, why).into_response()
            }
        }
    };
    let response = api.access.answer(request, answer).await;
    api.metrics.answered(response.status());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn status(access: &Access, method: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri("/api/status");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        let answered = access.answer(request, |_| async { ().into_response() });
        answered.await.status().as_u16()
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn without_a_token_requests_name_the_loopback_interface_or_an_allowed_host() {
        let access = access(None, &["build.example".into()]);
        for (method, headers, expect) in [
            ("GET", &[("host", "127.0.0.1:7171")][..], 200),
            ("GET", &[("host", "LocalHost:1")], 200),
            ("GET", &[("host", "[::1]:7171")], 200),
            ("GET", &[("host", "build.example:80")], 200),
            ("GET", &[("host", "rebound.example:7171")], 421),
            ("GET", &[("host", "10.0.0.1:7171")], 421),
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
            (
                "DELETE",
                &[("host", "localhost"), ("sec-fetch-site", "cross-site")],
                403,
            ),
        ] {
            let status = block_on(status(&access, method, headers));
            assert_eq!(status, expect, "{method} {headers:?}");
        }
    }

    #[test]
    fn with_a_token_any_host_may_be_named() {
        let access = access(Some("0123456789abcdef"), &[]);
        for (authorization, expect) in [
            ("Bearer 0123456789abcdef", 200),
            ("Bearer 0123456789abcdeg", 401),
            ("Bearer 0123456789abcde", 401),
            ("Bearer ", 401),
            ("0123456789abcdef", 401),
        ] {
            let headers = [("host", "10.0.0.1"), ("authorization", authorization)];
            let status = block_on(status(&access, "GET", &headers));
            assert_eq!(status, expect, "{authorization}");
        }
        let other = [
            ("host", "10.0.0.1"),
            ("authorization", "Bearer 0123456789abcdef"),
            ("origin", "http://evil.example"),
        ];
        assert_eq!(block_on(status(&access, "GET", &other)), 403);
    }
}
