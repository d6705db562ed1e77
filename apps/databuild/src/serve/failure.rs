//! Errors of requests as JSON, `{"error": ".."}` with a sentence, and extractors whose errors are of that form.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::reports::Fault;

/// The answer to a request that failed.
#[derive(Serialize, JsonSchema)]
pub struct Error {
    /// A sentence that says what happened and what to do.
    error: String,
    /// The status of the answer.
    status: u16,
}

/// A failed request.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    message: String,
}

impl Failure {
    /// A failure with a sentence that says what happened and what to do.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, message }
    }

    /// 400: the request is none that this daemon understands.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404: there is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 503: the daemon is ending.
    pub fn ending() -> Self {
        let message = "the daemon is ending, and takes no more requests; start it again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// 500: the log cannot be read.
    pub fn unreadable(e: impl std::fmt::Display) -> Self {
        let message = format!("the log cannot be read: {e}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// What could not be reported. 422 if that is due to the question.
impl From<anyhow::Error> for Failure {
    fn from(e: anyhow::Error) -> Self {
        let status = match e.is::<Fault>() {
            true => StatusCode::INTERNAL_SERVER_ERROR,
            false => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, format!("{e:#}"))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self {
            error: failure.message,
            status: failure.status.as_u16(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(Error::from(self))).into_response()
    }
}

macro_rules! rejections {
    ($($rejection:ty),*) => { $(impl From<$rejection> for Failure {
        fn from(e: $rejection) -> Self {
            Self::new(e.status(), e.body_text())
        }
    })* };
}
rejections!(JsonRejection, QueryRejection, PathRejection);

/// The body of a request as JSON.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let Json(body) = Json::<T>::from_request(request, state).await?;
        Ok(Self(body))
    }
}

/// The query of a request, `?limit=3&state=Live`.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Query(query) = Query::<T>::from_request_parts(parts, state).await?;
        Ok(Self(query))
    }
}

/// The variable part of a path.
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Path(name) = Path::<String>::from_request_parts(parts, state).await?;
        Ok(Self(name))
    }
}

/// A query without anything.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}
