//! The pages: one document, and the scripts and styles that it refers to. All are in the binary.

use axum::extract::{OriginalUri, Path};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::Failure;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// The pages, each of which is the same document: a script shows what the path says.
pub(crate) const PAGES: [&str; 8] = [
    "places",
    "entities",
    "entity",
    "log",
    "transaction",
    "net",
    "diff",
    "what-if",
];

macro_rules! files {
    ($($name:literal: $kind:ident,)*) => {
        const FILES: &[(&str, &str, &str)] = &[
            $(($name, $kind, include_str!(concat!("../../web/", $name))),)*
        ];
    };
}

files! {
    "style.css": STYLE,
    "net.css": STYLE,
    "icon.svg": PICTURE,
    "main.js": SCRIPT,
    "shell.js": SCRIPT,
    "api.js": SCRIPT,
    "dom.js": SCRIPT,
    "timebar.js": SCRIPT,
    "parts.js": SCRIPT,
    "pages/places.js": SCRIPT,
    "pages/entities.js": SCRIPT,
    "pages/entity.js": SCRIPT,
    "pages/log.js": SCRIPT,
    "pages/transaction.js": SCRIPT,
    "pages/net.js": SCRIPT,
    "pages/diff.js": SCRIPT,
    "pages/what-if.js": SCRIPT,
}

/// Leads to the first page, wherever the router is nested.
pub(super) async fn root(OriginalUri(uri): OriginalUri) -> Redirect {
    let base = uri.path().trim_end_matches('/');
    let query = uri.query().map(|query| format!("?{query}"));
    Redirect::temporary(&format!("{base}/places{}", query.unwrap_or_default()))
}

pub(super) async fn page(Path(page): Path<String>) -> Response {
    match PAGES.contains(&&*page) {
        true => content(HTML, include_str!("../../web/index.html")),
        false => Failure::new(StatusCode::NOT_FOUND, "there is no such page").into_response(),
    }
}

pub(super) async fn file(Path(file): Path<String>) -> Response {
    match FILES.iter().find(|(name, ..)| *name == file) {
        Some((_, kind, text)) => content(kind, text),
        None => Failure::new(StatusCode::NOT_FOUND, "there is no such file").into_response(),
    }
}

fn content(kind: &'static str, text: &'static str) -> Response {
    let kind = HeaderValue::from_static(kind);
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
