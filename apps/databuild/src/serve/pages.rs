//! The pages for people, and the explorer of the daemon's own store at `/explore`. The pages use the modules and styles of the explorer.
//!
//! Each page is the same document: a script asks the API for what the address says. All files are in the binary.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use futures_util::StreamExt as _;
use ironweave_explorer::Explorer;

use crate::serve::api::Api;
use crate::serve::failure::Failure;

/// The document of all pages.
const DOCUMENT: &str = include_str!("../../web/index.html");
/// The paths of the pages.
pub const PAGES: [&str; 9] = [
    "/",
    "/grid",
    "/partition",
    "/run",
    "/want",
    "/build",
    "/plan",
    "/taint",
    "/diff",
];

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

macro_rules! files {
    ($($name:literal: $kind:ident,)*) => {
        /// The files that the pages load: name, type, content.
        pub const FILES: &[(&str, &str, &str)] = &[
            $(($name, $kind, include_str!(concat!("../../web/", $name))),)*
        ];
    };
}

files! {
    "style.css": STYLE,
    "main.js": SCRIPT,
    "api.js": SCRIPT,
    "parts.js": SCRIPT,
    "gantt.js": SCRIPT,
    "lineage.js": SCRIPT,
    "pages/home.js": SCRIPT,
    "pages/grid.js": SCRIPT,
    "pages/partition.js": SCRIPT,
    "pages/run.js": SCRIPT,
    "pages/want.js": SCRIPT,
    "pages/build.js": SCRIPT,
    "pages/plan.js": SCRIPT,
    "pages/taint.js": SCRIPT,
    "pages/diff.js": SCRIPT,
}

/// The pages, their files, and the explorer.
pub fn routes(api: &Api) -> Router<Api> {
    // The daemon has checked the request.
    let explorer = Explorer::new(api.reader.clone()).any_host().router();
    let explorer = explorer.layer(from_fn_with_state(api.clone(), until_end));
    let document = || async { ([(CONTENT_TYPE, "text/html; charset=utf-8")], DOCUMENT) };
    let pages = PAGES.iter().fold(Router::new(), |router, path| {
        router.route(path, get(document))
    });
    pages
        .route("/assets/{*file}", get(file))
        .route(
            "/explore/",
            get(|| async { Redirect::permanent("/explore") }),
        )
        .nest("/explore", explorer.with_state(()))
}

/// Ends the streams of the explorer when the daemon ends, which would wait for them.
async fn until_end(State(api): State<Api>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let kind = response.headers().get(CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "text/event-stream") {
        return response;
    }
    let mut ends = api.ends.clone();
    let ended = async move {
        let _ = ends.wait_for(|ends| *ends).await;
    };
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(ended)))
}

async fn file(Path(file): Path<String>) -> Response {
    match FILES.iter().find(|(name, ..)| *name == file) {
        Some((_, kind, text)) => ([(CONTENT_TYPE, *kind)], *text).into_response(),
        None => Failure::not_found("there is no such file").into_response(),
    }
}
