//! Access control: the names of this server, pages of the same origin, and a token.
//!
//! | against | what is done |
//! |---|---|
//! | a page whose name was made to resolve to this machine (DNS rebinding) | `Host` names a loopback address or a host that was named |
//! | a page of another origin that sends requests (CSRF) | `Origin`, if there is one, is that of the request, `Sec-Fetch-Site` of what is not read is not another site, and the cookie is `SameSite=Strict` |
//! | others in the network | a token, which programs send in a header and people enter once in a form |
//! | text that a page would take for a script | a content security policy that permits what the server itself serves |

use std::fmt;

use axum::body::{Body, to_bytes};
use axum::extract::{OriginalUri, Request};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::http::Failure;

/// The name of the cookie with the token.
const COOKIE: &str = "ironweave_token";
/// The parameter of a page and the field of the form with the token, which is then kept in the cookie.
const PARAMETER: &str = "token";
/// The greatest length of the body of the form, in bytes.
const FORM_MAX: usize = 16 << 10;
/// The page with the form, which is sent to the address that was asked for.
const FORM: &str = include_str!("../web/login.html");

/// Who may send requests: checks before each of them, and headers on each answer. By default, requests may name the loopback interface
/// only, and need no token.
///
/// A token is accepted in the header `Authorization: Bearer ..`, in a cookie, and in the parameter `token` of a page, which sets that
/// cookie. A page that is opened without it is answered with a form that asks for the token and sets the cookie. Browsers cannot read
/// the cookie (`HttpOnly`), and send it only with requests of pages of this server (`SameSite=Strict`).
#[derive(Clone, Default)]
#[must_use]
pub struct Access {
    token: Option<String>,
    /// The names of this server other than the loopback ones.
    hosts: Vec<String>,
    is_any_host: bool,
    /// The paths that need no token. Those that end with `/` are prefixes.
    open: Vec<String>,
}

/// Without the token.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("has_token", &self.token.is_some())
            .field("hosts", &self.hosts)
            .field("is_any_host", &self.is_any_host)
            .finish_non_exhaustive()
    }
}

/// What browsers may do with what is served: load from here, and nothing else.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // With none, browsers would not say of which origin a form is.
    (header::REFERRER_POLICY, "same-origin"),
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

impl Access {
    /// Requires a token. An empty one admits no request.
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Accepts requests for a host of this name too.
    pub fn host(mut self, name: &str) -> Self {
        self.hosts.push(name.to_owned());
        self
    }

    /// Accepts requests for all hosts.
    pub fn any_host(mut self) -> Self {
        self.is_any_host = true;
        self
    }

    /// Answers a path without the token, or all paths that begin with it if it ends with `/`.
    pub fn open(mut self, path: &str) -> Self {
        self.open.push(path.to_owned());
        self
    }

    /// Answers a request by `next` if it may be sent, and otherwise with a refusal, or with the form that asks for the token. Adds the
    /// headers to each answer.
    pub async fn answer<F>(&self, request: Request, next: impl FnOnce(Request) -> F) -> Response
    where
        F: Future<Output = Response>,
    {
        let mut response = match self.admit(&request) {
            Ok(Admitted::Asks) => next(request).await,
            Ok(Admitted::Enters(location)) => self.enter(&location),
            Ok(Admitted::SendsForm) => self.log_in(request).await,
            Err(failure) => failure.into_response(),
        };
        let is_unknown = response.status() == StatusCode::UNAUTHORIZED;
        let headers = response.headers_mut();
        if is_unknown {
            let scheme = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    fn admit(&self, request: &Request) -> Result<Admitted, Failure> {
        let headers = request.headers();
        let host = host(request)?;
        if !self.is_any_host && !self.is_own(host.host()) {
            return Err(Failure::new(
                StatusCode::MISDIRECTED_REQUEST,
                format!(
                    "the header Host is `{}`, which is not a name of this server: use its address, or allow the name when it is started",
                    host.host().chars().take(80).collect::<String>()
                ),
            ));
        }
        if let Some(origin) = single(headers, &header::ORIGIN)? {
            let own = ["http://", "https://"].map(|scheme| origin.strip_prefix(scheme));
            let is_same = |own: &&str| own.eq_ignore_ascii_case(host.as_str());
            if !own.iter().flatten().any(is_same) {
                return Err(Failure::new(
                    StatusCode::FORBIDDEN,
                    "the request is of a page of another origin",
                ));
            }
        }
        let is_read = [Method::GET, Method::HEAD].contains(request.method());
        let site = single(headers, &HeaderName::from_static("sec-fetch-site"))?;
        if !is_read && site.is_some_and(|site| site == "cross-site" || site == "same-site") {
            return Err(Failure::new(
                StatusCode::FORBIDDEN,
                "the request is of a page of another site",
            ));
        }
        let Some(token) = self.token.as_deref() else {
            return Ok(Admitted::Asks);
        };
        let content = single(headers, &header::CONTENT_TYPE)?.unwrap_or_default();
        if request.method() == Method::POST
            && content.starts_with("application/x-www-form-urlencoded")
        {
            return Ok(Admitted::SendsForm);
        }
        let cookie = cookie(headers);
        let bearer = single(headers, &header::AUTHORIZATION)?;
        let given = [
            bearer.and_then(|bearer| bearer.strip_prefix("Bearer ")),
            cookie.as_deref(),
        ];
        let is_open = self.is_open(request.uri().path());
        if is_open || given.into_iter().flatten().any(|given| equal(given, token)) {
            return Ok(Admitted::Asks);
        }
        if request.method() == Method::GET {
            if let Some((given, location)) = parameter(request)
                && equal(&given, token)
            {
                return Ok(Admitted::Enters(location));
            }
            let accepts = single(headers, &header::ACCEPT)?.unwrap_or_default();
            if accepts.contains("text/html") {
                return Err(Failure::page(StatusCode::UNAUTHORIZED, form("")));
            }
        }
        Err(Failure::new(
            StatusCode::UNAUTHORIZED,
            "a token is required: send `Authorization: Bearer ..`, or enter it in a page",
        ))
    }

    /// Returns whether a host is this server.
    fn is_own(&self, host: &str) -> bool {
        is_loopback(host)
            || self
                .hosts
                .iter()
                .any(|name| name.eq_ignore_ascii_case(host))
    }

    fn is_open(&self, path: &str) -> bool {
        self.open.iter().any(|open| match open.ends_with('/') {
            true => path.starts_with(open),
            false => path == open,
        })
    }

    /// Sets the cookie if the form has the token, and asks again if not.
    async fn log_in(&self, request: Request) -> Response {
        let location = path(&request).unwrap_or_else(|| "/".to_owned());
        let Ok(body) = to_bytes(request.into_body(), FORM_MAX).await else {
            let why = format!("the form has more than {FORM_MAX} bytes");
            return Failure::new(StatusCode::PAYLOAD_TOO_LARGE, why).into_response();
        };
        let body = String::from_utf8_lossy(&body);
        let given = pairs(&body).find(|(name, _)| *name == PARAMETER);
        let given = given.and_then(|(_, value)| decoded(value));
        match (given, self.token.as_deref()) {
            (Some(given), Some(token)) if equal(given.trim(), token) => self.enter(&location),
            _ => {
                let wrong = "<p role=\"alert\" class=\"problem\">This is not the token.</p>";
                Failure::page(StatusCode::UNAUTHORIZED, form(wrong)).into_response()
            }
        }
    }

    /// Leads to a path with the token in a cookie.
    fn enter(&self, location: &str) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SEE_OTHER;
        // In hexadecimal digits, because a cookie cannot have all signs.
        let token = self.token.as_deref().unwrap_or_default();
        let token: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
        let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict");
        for (name, value) in [(header::SET_COOKIE, &*cookie), (header::LOCATION, location)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

enum Admitted {
    Asks,
    /// A page was opened with the token: the page without it.
    Enters(String),
    SendsForm,
}

fn form(problem: &str) -> Html<String> {
    Html(FORM.replace("<!-- problem -->", problem))
}

/// The value of a header that may be there once.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Failure> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(HeaderValue::to_str).transpose();
    let refused = |why| Err(Failure::new(StatusCode::BAD_REQUEST, why));
    match (value, values.next()) {
        (Ok(value), None) => Ok(value),
        (Ok(_), Some(_)) => refused(format!("there are two headers {name}")),
        (Err(_), _) => refused(format!("the header {name} is not text")),
    }
}

/// The authority that the request names.
fn host(request: &Request) -> Result<Authority, Failure> {
    let named = single(request.headers(), &header::HOST)?;
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

/// The token in the cookie.
fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let mut pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    let hex = pairs.find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))?;
    let digits: Vec<u8> = hex.bytes().collect();
    let bytes = digits.chunks(2).map(|pair| match pair {
        [high, low] => hex_value(*high, *low),
        _ => None,
    });
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

fn hex_value(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// The pairs of a query, or of a form.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// A value of a query or a form without its escapes, if that is text.
fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex_value(rest.next()?, rest.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Returns the token in the query, and the path with the rest of the query.
fn parameter(request: &Request) -> Option<(String, String)> {
    let location = path(request)?;
    let (path, query) = location.split_once('?')?;
    let is_token = |pair: &&str| pair.split('=').next() == Some(PARAMETER);
    let (_, token) = pairs(query).find(|(name, _)| *name == PARAMETER)?;
    let rest: Vec<&str> = query.split('&').filter(|pair| !is_token(pair)).collect();
    let rest = match rest.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", rest.join("&")),
    };
    Some((decoded(token)?, rest))
}

/// The path and the query of a request, wherever the router is nested, if they can be led to.
fn path(request: &Request) -> Option<String> {
    let original = request.extensions().get::<OriginalUri>();
    let uri = original.map_or(request.uri(), |uri| &uri.0);
    let location = uri.path_and_query()?.as_str();
    // A path with two slashes would be another host.
    let is_path = location.starts_with('/') && !location.starts_with("//");
    is_path.then(|| location.to_owned())
}

/// Compares a secret with what was given, in a time that does not tell where they differ. Nothing equals an empty secret.
fn equal(given: &str, secret: &str) -> bool {
    let pairs = given.bytes().zip(secret.bytes());
    let differing = pairs.fold(0, |all, (a, b)| all | (a ^ b));
    !secret.is_empty() && given.len() == secret.len() && differing == 0
}
