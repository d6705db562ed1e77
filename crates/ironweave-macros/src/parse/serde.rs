//! `#[serde(..)]` on the fields of events. ironweave itself serializes events, as variants of `AnyEvent`, so these attributes are
//! parsed here rather than by a derive.

use proc_macro2::Ident;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, ExprPath, LitStr, Result, Token};

use super::ast::{FieldDefault, Json};
use crate::errors::Errors;

/// The supported attributes, for messages.
const KNOWN: &str = "`default`, `default = \"path\"`, `rename = \"name\"` and `alias = \"name\"`";

/// Whether an item derives serde's traits itself, so that serde's attributes have an effect on it.
pub fn is_derived(attrs: &[Attribute]) -> bool {
    let derives = |attr: &&Attribute| attr.path().is_ident("derive");
    attrs.iter().filter(derives).any(|attr| {
        let mut found = false;
        // rustc reports what does not parse.
        let _ = attr.parse_nested_meta(|meta| {
            let last = meta.path.segments.last();
            found |= last.is_some_and(|l| l.ident == "Serialize" || l.ident == "Deserialize");
            Ok(())
        });
        found
    })
}

/// Parses the attributes for `AnyEvent`. The attributes are kept if the event derives serde's traits itself.
pub fn event_field(
    field: &Ident,
    attrs: &mut Vec<Attribute>,
    derived: bool,
    errors: &mut Errors,
) -> Json {
    let mut json = Json::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        let read = attr.parse_nested_meta(|meta| one(&mut json, field, &meta));
        errors.take(read);
    }
    attrs.retain(|attr| derived || !attr.path().is_ident("serde"));
    json
}

fn one(json: &mut Json, field: &Ident, meta: &ParseNestedMeta<'_>) -> Result<()> {
    let word = meta.path.get_ident().map(Ident::to_string);
    let is_given = meta.input.peek(Token![=]);
    match word.as_deref() {
        Some("default") if is_given => {
            let path: LitStr = meta.value()?.parse()?;
            let message = "write the path of a function that returns the value: `default = \"path::of::function\"`";
            let read = path.parse::<ExprPath>();
            let path = read.map_err(|_| syn::Error::new(path.span(), message))?;
            json.default = Some(FieldDefault::Call(path));
        }
        Some("default") => json.default = Some(FieldDefault::OfType),
        Some("rename") if is_given => json.rename = Some(meta.value()?.parse()?),
        Some("alias") if is_given => json.aliases.push(meta.value()?.parse()?),
        word => {
            let word = word.unwrap_or_default();
            return Err(meta.error(format!(
                "`#[serde({word})]` is not supported on `{field}`: a field of an event takes {KNOWN}. The type of a \
                 value determines how it is serialized"
            )));
        }
    }
    Ok(())
}
