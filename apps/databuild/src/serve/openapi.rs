//! The description of the API in the form of OpenAPI. It is made from the types of the handlers: what a handler takes is an [`Input`],
//! what it answers an [`Output`], and a handler with a type that has no description does not compile.
//!
//! The schemas are those of schemars: it depends on little, and has the form of OpenAPI 3.0, which generators of clients accept more
//! often than that of 3.1. The rest of a document is small enough to be written here.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::serve::api::Api;
use crate::serve::failure::{Asked, Body, Failure, Named};

/// The errors that an answer may have: status, name, what it means.
const ERRORS: [(u16, &str, &str); 13] = [
    (
        400,
        "Invalid",
        "The request is none that the daemon understands.",
    ),
    (
        401,
        "NoToken",
        "The daemon requires a token, and the request has none or a wrong one.",
    ),
    (
        403,
        "OtherOrigin",
        "The request is of a page of another origin.",
    ),
    (
        404,
        "NotFound",
        "There is no such thing, or there was none then.",
    ),
    (
        409,
        "Conflict",
        "The state of what is named does not permit it.",
    ),
    (413, "TooLarge", "The body is too large."),
    (414, "TooLong", "The path and its query are too long."),
    (
        415,
        "NoJson",
        "The header Content-Type of the body is not application/json.",
    ),
    (
        421,
        "OtherHost",
        "The header Host is no name of this daemon.",
    ),
    (
        422,
        "Refused",
        "The body has a wrong field, its partitions cannot be wanted, or the jobs file has a mistake.",
    ),
    (
        500,
        "Broken",
        "The log cannot be read, or the daemon has a bug.",
    ),
    (
        503,
        "Unavailable",
        "The daemon is ending, or has too many clients.",
    ),
    (
        504,
        "Late",
        "The answer took too long. The effect of the request, if it has one, may still come.",
    ),
];
/// Those that each answer may have.
const ALWAYS: [u16; 8] = [400, 401, 403, 414, 421, 500, 503, 504];
/// What the title of the document is followed by.
const ABOUT: &str = "A daemon that builds partitions of data. A query or a body with a field that is not described here is refused. \
                     An answer may get further fields in later versions. An error has the field `error`. If the daemon has a token, \
                     each request but `/healthz` needs it.";

/// The description that is being made.
pub struct Document {
    paths: Map<String, Value>,
    /// What requests have: a field that may be left out is not required.
    asked: SchemaGenerator,
    /// What answers have: a field that is always there is required.
    answered: SchemaGenerator,
}

/// The description of one operation.
pub struct Operation<'d> {
    document: &'d mut Document,
    /// The name of the variable part of the path.
    variable: Option<String>,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: Map<String, Value>,
}

/// What a handler takes.
pub trait Input {
    /// Adds it to the description of an operation.
    fn describe(operation: &mut Operation<'_>);
}

/// What a handler answers.
pub trait Output {
    /// Adds it to the description of an operation.
    fn describe(operation: &mut Operation<'_>);
}

/// A handler with its arguments.
pub trait Described<Arguments> {
    /// Adds what it takes and answers to the description of an operation.
    fn describe(operation: &mut Operation<'_>);
}

macro_rules! described {
    ($($argument:ident)*) => {
        impl<F, R, O: Output, $($argument: Input),*> Described<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> R,
            R: Future<Output = O>,
        {
            fn describe(operation: &mut Operation<'_>) {
                $($argument::describe(operation);)*
                O::describe(operation);
            }
        }
    };
}
described!(A);
described!(A B);
described!(A B C);
described!(A B C D);

/// Writes a schema as generators of clients expect it: what may be null without a type of null, and no formats that they do not know.
fn plain(schema: &mut Schema) {
    if let Some(Value::Array(any)) = schema.get_mut("anyOf")
        && let Some(at) = any.iter().position(|one| one["enum"] == json!([null]))
    {
        any.remove(at);
        let one = schema.remove("anyOf").unwrap_or_default();
        schema.insert("allOf".to_owned(), one);
        schema.insert("nullable".to_owned(), true.into());
    }
    let format = schema.get("format").and_then(Value::as_str);
    if format.is_some_and(|format| format.starts_with("uint")) {
        schema.remove("format");
    }
}

impl Default for Document {
    fn default() -> Self {
        let mut settings = SchemaSettings::openapi3();
        settings
            .transforms
            .push(Box::new(RecursiveTransform(plain)));
        Self {
            paths: Map::new(),
            asked: settings.clone().for_deserialize().into_generator(),
            answered: settings.for_serialize().into_generator(),
        }
    }
}

impl Document {
    /// Adds the description of a route.
    pub fn add<A, H: Described<A>>(
        &mut self,
        (method, path, id): (&str, &str, &str),
        summary: &str,
        errors: &[u16],
        _: &H,
    ) {
        // A variable that may have slashes is written `{*name}` in a route.
        let path = path.replace("{*", "{");
        let variable = path
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'));
        let mut operation = Operation {
            variable: variable.map(|(variable, _)| variable.to_owned()),
            document: self,
            parameters: Vec::new(),
            body: None,
            responses: Map::new(),
        };
        H::describe(&mut operation);
        operation.errors(&ALWAYS);
        operation.errors(errors);
        let Operation {
            parameters,
            body,
            responses,
            ..
        } = operation;
        let mut described =
            json!({ "operationId": id, "summary": summary.trim(), "responses": responses });
        if !parameters.is_empty() {
            described["parameters"] = parameters.into();
        }
        if let Some(body) = body {
            described["requestBody"] = body;
        }
        let methods = self.paths.entry(path).or_insert_with(|| json!({}));
        methods[method] = described;
    }

    /// The whole document.
    pub fn finish(mut self) -> Value {
        let error = self
            .answered
            .subschema_for::<crate::serve::failure::Error>();
        let mut schemas = self.answered.take_definitions(true);
        schemas.extend(self.asked.take_definitions(true));
        let responses: Map<String, Value> = (ERRORS.iter())
            .map(|(_, name, what)| {
                let content = json!({ "application/json": { "schema": error } });
                (
                    (*name).to_owned(),
                    json!({ "description": what, "content": content }),
                )
            })
            .collect();
        json!({
            "openapi": "3.0.3",
            "info": { "title": "databuild", "version": "1", "description": ABOUT },
            "security": [{}, { "token": [] }],
            "paths": self.paths,
            "components": {
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
                "responses": responses,
                "schemas": schemas,
            },
        })
    }
}

impl Operation<'_> {
    /// Adds a parameter.
    pub fn parameter(&mut self, place: &str, name: &str, about: &str, schema: &Value) {
        self.parameters.push(json!({
            "name": name, "in": place, "required": place == "path", "description": about, "schema": schema,
        }));
    }

    /// Adds errors by their statuses.
    pub fn errors(&mut self, statuses: &[u16]) {
        for (status, name, _) in ERRORS
            .iter()
            .filter(|(status, ..)| statuses.contains(status))
        {
            let response = json!({ "$ref": format!("#/components/responses/{name}") });
            self.responses.insert(status.to_string(), response);
        }
    }

    /// Adds an answer.
    pub fn answer(&mut self, status: StatusCode, kind: &str, schema: &Value) {
        let content = json!({ kind: { "schema": schema } });
        let response = json!({ "description": "The answer.", "content": content });
        self.responses.insert(status.as_str().to_owned(), response);
    }

    /// The schema of an answer, by a reference.
    pub fn answered<T: JsonSchema>(&mut self) -> Value {
        self.document.answered.subschema_for::<T>().to_value()
    }
}

impl Input for State<Api> {
    fn describe(_: &mut Operation<'_>) {}
}

/// Each field of the query is a parameter.
impl<T: JsonSchema> Input for Asked<T> {
    fn describe(operation: &mut Operation<'_>) {
        let mut schema = T::json_schema(&mut operation.document.asked);
        RecursiveTransform(plain).transform(&mut schema);
        let required = schema.get("required").and_then(Value::as_array);
        let required = required.cloned().unwrap_or_default();
        let fields = schema.get("properties").and_then(Value::as_object);
        for (name, field) in fields.cloned().into_iter().flatten() {
            let mut field = field;
            let about = field["description"].take();
            let Some(inner) = field.as_object_mut() else {
                continue;
            };
            inner.remove("description");
            // A field that is left out is none. There is no other way to write one.
            if let Some(Value::Array(types)) = inner.get("type") {
                let first = types.first().cloned();
                inner.insert("type".to_owned(), first.unwrap_or_default());
            }
            if let Some(Value::Array(values)) = inner.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            operation.parameters.push(json!({
                "name": name, "in": "query", "required": required.contains(&json!(name)), "description": about, "schema": field,
            }));
        }
    }
}

impl<T: JsonSchema> Input for Body<T> {
    fn describe(operation: &mut Operation<'_>) {
        let schema: Schema = operation.document.asked.subschema_for::<T>();
        let content = json!({ "application/json": { "schema": schema } });
        operation.body = Some(json!({ "required": true, "content": content }));
        operation.errors(&[413, 415, 422]);
    }
}

impl Input for Named {
    fn describe(operation: &mut Operation<'_>) {
        let name = operation.variable.clone().unwrap_or_default();
        let about = match &*name {
            "ref" => "The name of a partition, which may have slashes.",
            _ => "An id, such as `12.1`.",
        };
        operation.parameter("path", &name, about, &json!({ "type": "string" }));
        operation.errors(&[404]);
    }
}

impl<T: Output> Output for Result<T, Failure> {
    fn describe(operation: &mut Operation<'_>) {
        T::describe(operation);
    }
}

impl<T: JsonSchema> Output for Json<T> {
    fn describe(operation: &mut Operation<'_>) {
        let schema = operation.answered::<T>();
        operation.answer(StatusCode::OK, "application/json", &schema);
    }
}
