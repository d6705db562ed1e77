//! Failed requests: a status, and a sentence in JSON.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use crate::problem::Problem;

/// A failed request.
pub(crate) struct Failure {
    status: StatusCode,
    message: String,
    /// The page that a browser shows instead of the sentence.
    page: Option<Html<String>>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            page: None,
        }
    }

    /// A failure that is shown as a page.
    pub(crate) fn page(status: StatusCode, page: Html<String>) -> Self {
        Self {
            status,
            message: String::new(),
            page: Some(page),
        }
    }

    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the question could not be answered, because the code that answers it panicked",
        )
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.kind().http_status());
        Self::new(
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            problem.message(),
        )
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if let Some(page) = self.page {
            return (self.status, page).into_response();
        }
        let body = json!({ "error": self.message, "status": self.status.as_u16() });
        (self.status, Json(body)).into_response()
    }
}
