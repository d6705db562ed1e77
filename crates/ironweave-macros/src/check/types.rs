//! Classifies types by their names: edges, entity fields of events, and types that cannot be values.

use proc_macro2::Ident;
use quote::{ToTokens, quote};
use syn::{GenericArgument, PathArguments, Type, TypePath};

use crate::errors::Errors;

/// A type that consists of one name with type arguments: `Option<JobRun>` (also `self::Option<JobRun>`).
pub struct Named<'t> {
    /// The name.
    pub name: &'t Ident,
    /// Its type arguments.
    pub args: Vec<&'t Type>,
}

/// A type without the invisible group that a `macro_rules` metavariable puts around it.
fn bare(mut ty: &Type) -> &Type {
    while let Type::Group(group) = ty {
        ty = &group.elem;
    }
    ty
}

/// Reads a type as one name, if it is one.
pub fn named(ty: &Type) -> Option<Named<'_>> {
    let Type::Path(TypePath {
        qself: None, path, ..
    }) = bare(ty)
    else {
        return None;
    };
    let segments = path.segments.len();
    let from_self = segments == 2 && path.segments[0].ident == "self";
    if path.leading_colon.is_some() || !(segments == 1 || from_self) {
        return None;
    }
    let last = path.segments.last()?;
    Some(Named {
        name: &last.ident,
        args: arguments(&last.arguments),
    })
}

/// The type arguments of a path segment.
fn arguments(arguments: &PathArguments) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return Vec::new();
    };
    arguments
        .args
        .iter()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
        .collect()
}

/// The type argument of `Vec<T>`; the type itself if it has none.
pub fn argument(ty: &Type) -> &Type {
    named(ty)
        .and_then(|ty| ty.args.first().copied())
        .unwrap_or(ty)
}

/// The last segment of a path type: `Queued` of `state::Queued`.
pub fn last_segment(ty: &Type) -> Option<&Ident> {
    match bare(ty) {
        Type::Path(TypePath { path, .. }) => path.segments.last().map(|segment| &segment.ident),
        _ => None,
    }
}

/// Calls `visit` for every path in a type.
fn walk<'t>(ty: &'t Type, visit: &mut dyn FnMut(&'t TypePath)) {
    match ty {
        Type::Path(path) => {
            visit(path);
            for segment in &path.path.segments {
                for argument in arguments(&segment.arguments) {
                    walk(argument, visit);
                }
            }
        }
        Type::Array(ty) => walk(&ty.elem, visit),
        Type::Group(ty) => walk(&ty.elem, visit),
        Type::Paren(ty) => walk(&ty.elem, visit),
        Type::Reference(ty) => walk(&ty.elem, visit),
        Type::Slice(ty) => walk(&ty.elem, visit),
        Type::Tuple(ty) => ty.elems.iter().for_each(|ty| walk(ty, visit)),
        _ => {}
    }
}

/// The first entity type that occurs anywhere in a type.
pub fn mentions(ty: &Type, is_entity: impl Fn(&Ident) -> bool) -> Option<&Ident> {
    let mut found = None;
    walk(ty, &mut |path| {
        if found.is_none() && path.path.segments.len() == 1 {
            found = path
                .path
                .segments
                .last()
                .map(|s| &s.ident)
                .filter(|name| is_entity(name));
        }
    });
    found
}

/// Refuses types that cannot be stored: hash tables, whose order differs from run to run, and references.
///
/// A reference is replaced by the owned type, so that it causes only one error.
pub fn value(ty: &mut Type, errors: &mut Errors) {
    walk(ty, &mut |path| {
        let Some(name) = path.path.segments.last().map(|segment| &segment.ident) else {
            return;
        };
        let instead = match name.to_string().as_str() {
            "HashMap" | "FxHashMap" => "BTreeMap",
            "HashSet" | "FxHashSet" => "BTreeSet",
            _ => return,
        };
        errors.at(
            name,
            format!(
                "`{name}` cannot be stored: use `{instead}` (field types must serialize in a fixed order)"
            ),
        );
    });
    if let Type::Reference(reference) = ty {
        let owned = match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => syn::parse_quote!(String),
            owned => owned.clone(),
        };
        let message = format!("a field owns its value: write `{}`", text(&owned));
        errors.at(&*reference, message);
        *ty = owned;
    }
}

/// Whether a type is a float, which has values that are not equal to themselves.
pub fn is_float(ty: &Type) -> bool {
    named(ty).is_some_and(|ty| ty.name == "f32" || ty.name == "f64")
}

/// Types that accessors return by value.
const BY_VALUE: [&str; 18] = [
    "bool",
    "char",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "f32",
    "f64",
    "Timestamp",
    "Duration",
];

/// Whether accessors return a type by value, judged by its name.
pub fn by_value(ty: &Type) -> bool {
    named(ty).is_some_and(|ty| ty.args.is_empty() && BY_VALUE.iter().any(|name| ty.name == name))
}

/// A type as source text: `Vec<Ensure<Partition>>`.
pub fn text(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (from, to) in [
        (" < ", "<"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" :: ", "::"),
        (":: ", "::"),
        (" ::", "::"),
        (" ,", ","),
        ("- ", "-"),
    ] {
        text = text.replace(from, to);
    }
    text
}

/// `JobRun<Queued>` becomes `JobRun<self::state::Queued>`, at any depth of `Vec` and `Option`.
pub fn qualify_state(ty: &mut Type, state: &Ident) {
    if let Type::Group(group) = ty {
        return qualify_state(&mut group.elem, state);
    }
    let Type::Path(path) = ty else { return };
    let Some(last) = path.path.segments.last_mut() else {
        return;
    };
    let PathArguments::AngleBracketed(arguments) = &mut last.arguments else {
        return;
    };
    for argument in &mut arguments.args {
        let GenericArgument::Type(inner) = argument else {
            continue;
        };
        if last_segment(inner) == Some(state) {
            *inner = Type::Verbatim(quote!(self::state::#state));
        } else {
            qualify_state(inner, state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Type {
        syn::parse_str(text).expect("a type")
    }

    #[test]
    fn types_are_formatted_as_source_text() {
        for written in ["Vec<Ensure<Partition>>", "std::time::Duration", "(u32, i8)"] {
            assert_eq!(text(parse(written)), written);
        }
    }

    #[test]
    fn states_are_qualified_inside_wrappers() {
        let mut ty = parse("Vec<JobRun<Queued>>");
        let state: Ident = syn::parse_str("Queued").expect("a name");
        qualify_state(&mut ty, &state);
        assert_eq!(text(&ty), "Vec<JobRun<self::state::Queued>>");
    }

    #[test]
    fn an_entity_is_found_anywhere_in_a_type() {
        let is = |name: &Ident| name == "Want";
        assert!(mentions(&parse("BTreeMap<String, (u8, Want)>"), is).is_some());
        assert!(mentions(&parse("[Want; 2]"), is).is_some());
        assert!(mentions(&parse("other::Want"), is).is_none());
    }
}
