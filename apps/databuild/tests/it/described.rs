//! The description of the API, as tests use it: which answers of an operation are as described.

use databuild::serve::routes::OPENAPI;
use serde_json::{Value, json};

/// The description.
pub struct Document(pub Value);

impl Document {
    pub fn new() -> Self {
        Self(serde_json::from_str(&OPENAPI).expect("it is JSON"))
    }

    /// What a reference points to.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(name) = value["$ref"].as_str() else {
            return value;
        };
        let pointer = name
            .strip_prefix('#')
            .expect("a reference into the document");
        let found = self.0.pointer(pointer);
        self.resolve(found.unwrap_or_else(|| panic!("no {name}")))
    }

    /// The schema of an answer in JSON with a status, if an operation has such answers.
    pub fn schema(&self, method: &str, path: &str, status: u16) -> Option<&Value> {
        let responses = &self.0["paths"][path][method]["responses"];
        let response = self.resolve(responses.get(status.to_string())?);
        response["content"]["application/json"].get("schema")
    }

    /// Why an answer is not as described, if it is not. Fields that are not described are not permitted here, although clients must
    /// permit them: each field of an answer is described.
    pub fn wrong(&self, method: &str, path: &str, status: u16, answer: &Value) -> Option<String> {
        match self.schema(method, path, status) {
            Some(schema) => self.differs(answer, schema, "the answer"),
            None => Some(format!(
                "{method} {path} has no answer with status {status}: {answer}"
            )),
        }
    }

    /// Why a value is not of a schema, if it is not.
    pub fn differs(&self, value: &Value, schema: &Value, at: &str) -> Option<String> {
        let schema = self.resolve(schema);
        if value.is_null() && schema["nullable"] == true {
            return None;
        }
        if let Some(all) = schema["allOf"].as_array() {
            return all
                .iter()
                .find_map(|schema| self.differs(value, schema, at));
        }
        if let Some(any) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
            let inner = any.iter().map(|schema| self.differs(value, schema, at));
            return inner.reduce(Option::and).flatten();
        }
        let is = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let wrong = |what: &Value| Some(format!("{at} is {value}, not of {what}"));
        if schema["type"] != is && !(schema["type"] == "number" && is == "integer") {
            return wrong(&schema["type"]);
        }
        let among = schema["enum"].as_array();
        if among.is_some_and(|among| !among.contains(value)) {
            return wrong(&schema["enum"]);
        }
        let below = |most: &Value, is: Option<f64>| {
            most.as_f64().zip(is).is_some_and(|(most, is)| is > most)
        };
        let length = match value {
            Value::Array(items) => Some(items.len()),
            _ => None,
        };
        if below(&schema["maximum"], value.as_f64())
            || below(&value.clone(), schema["minimum"].as_f64())
            || below(&schema["maxItems"], length.map(|length| length as f64))
        {
            return wrong(schema);
        }
        let items = value.as_array().into_iter().flatten();
        let inner = items.map(|item| self.differs(item, &schema["items"], &format!("{at}[]")));
        if let Some(why) = inner.flatten().next() {
            return Some(why);
        }
        let Value::Object(fields) = value else {
            return None;
        };
        let required = schema["required"].as_array().into_iter().flatten();
        for field in required.filter_map(Value::as_str) {
            if !fields.contains_key(field) {
                return Some(format!("{at} has no `{field}`"));
            }
        }
        fields.iter().find_map(|(name, value)| {
            let schema = match (
                schema["properties"].get(name),
                &schema["additionalProperties"],
            ) {
                (Some(schema), _) | (None, schema @ Value::Object(_)) => schema,
                // The document itself is an object of any kind.
                (None, Value::Null) if schema.get("properties").is_none() => return None,
                (None, _) => return Some(format!("{at} has `{name}`, which is not described")),
            };
            self.differs(value, schema, &format!("{at}.{name}"))
        })
    }

    /// Why the data of an event is not as described, if it is not.
    pub fn wrong_event(&self, event: &Value) -> Option<String> {
        let schema = json!({ "$ref": "#/components/schemas/Event" });
        self.differs(event, &schema, "the event")
    }
}
