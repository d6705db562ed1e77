//! Who may ask: the names of this server, pages of the same origin, and a token.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{App, Failure};

/// The name of the cookie with the token.
const COOKIE: &str = "ironweave_explorer";
/// The parameter of a page that carries the token, which is then kept in the cookie.
const PARAMETER: &str = "token";

/// The rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    /// What requests must prove to know.
    pub token: Option<String>,
    /// The names of this server other than the loopback ones; `None` admits all.
    pub hosts: Option<Vec<String>>,
}

/// What browsers may do with what is served: load from here, and nothing else.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'; object-src 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// Answers a request if it may be asked, and adds the headers.
pub(super) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let admitted = admit(&app.access, &request);
    let mut response = match admitted {
        Ok(Admitted::Asks) => next.run(request).await,
        Ok(Admitted::Enters(cookie, location)) => enter(cookie, location),
        Err(failure) => failure.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

enum Admitted {
    Asks,
    /// A page was opened with the token: the cookie to set, and the page without the token.
    Enters(HeaderValue, HeaderValue),
}

fn admit(access: &Access, request: &Request) -> Result<Admitted, Failure> {
    let headers = request.headers();
    let host = host(request)?;
    if let Some(hosts) = &access.hosts
        && !is_loopback(host.host())
        && !hosts
            .iter()
            .any(|name| name.eq_ignore_ascii_case(host.host()))
    {
        return Err(Failure::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!(
                "this server is not `{}`; name its hosts to the explorer",
                host.host()
            ),
        ));
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"));
        let is_same = origin.is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host.as_str()));
        if !is_same {
            return Err(Failure::new(
                StatusCode::FORBIDDEN,
                "the request is of a page of another origin",
            ));
        }
    }
    let Some(token) = access.token.as_deref() else {
        return Ok(Admitted::Asks);
    };
    if [bearer(headers), cookie(headers)]
        .into_iter()
        .flatten()
        .any(|given| equal(&plain(given), token))
    {
        return Ok(Admitted::Asks);
    }
    if request.method() == Method::GET
        && let Some((given, rest)) = parameter(request)
        && equal(&plain(&given), token)
        && let (Ok(cookie), Ok(location)) = (
            HeaderValue::from_str(&format!(
                "{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict"
            )),
            HeaderValue::from_str(&rest),
        )
    {
        return Ok(Admitted::Enters(cookie, location));
    }
    Err(Failure::new(
        StatusCode::UNAUTHORIZED,
        "a token is required: open the page with `?token=..`, or send `Authorization: Bearer ..`",
    ))
}

/// The authority that the request names.
fn host(request: &Request) -> Result<Authority, Failure> {
    let named = request.headers().get(header::HOST);
    let named = named.and_then(|host| host.to_str().ok());
    let host = named.and_then(|host| host.parse::<Authority>().ok());
    host.or_else(|| request.uri().authority().cloned())
        .ok_or_else(|| {
            Failure::new(
                StatusCode::BAD_REQUEST,
                "the request does not say which host it is for",
            )
        })
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ")
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let mut pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Returns the token in the query, and the path with the rest of the query.
fn parameter(request: &Request) -> Option<(String, String)> {
    let original = request.extensions().get::<axum::extract::OriginalUri>();
    let uri = original.map_or(request.uri(), |uri| &uri.0);
    let mut token = None;
    let rest = uri.query()?.split('&').filter(|pair| {
        let value = pair
            .strip_prefix(PARAMETER)
            .and_then(|rest| rest.strip_prefix('='));
        token = token.take().or(value.map(str::to_owned));
        value.is_none()
    });
    let rest: Vec<&str> = rest.collect();
    let path = uri.path();
    let location = match rest.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", rest.join("&")),
    };
    // A path with two slashes would be another host.
    let is_path = location.starts_with('/') && !location.starts_with("//");
    token.filter(|_| is_path).map(|token| (token, location))
}

fn enter(cookie: HeaderValue, location: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// The characters of a token, which may be in a cookie and in an address.
pub(crate) fn plain(token: &str) -> String {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    token.chars().filter(is_plain).collect()
}

/// Compares a secret with what was given, in a time that does not tell where they differ. Nothing equals an empty secret.
fn equal(given: &str, secret: &str) -> bool {
    let pairs = given.bytes().zip(secret.bytes());
    let differing = pairs.fold(0, |all, (a, b)| all | (a ^ b));
    !secret.is_empty() && given.len() == secret.len() && differing == 0
}
