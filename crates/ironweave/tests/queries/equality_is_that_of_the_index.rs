//! Values that are equal and are stored differently: an index has them as different ones, and so have filters, whichever way
//! they take.

use ironweave::prelude::*;
use serde::{Deserialize, Serialize};

/// A code in which case does not matter.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Code(pub String);

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Code {}

#[ironweave::model]
mod catalogue {
    use ironweave::prelude::*;

    use super::Code;

    #[entity]
    pub struct Article {
        #[index]
        pub indexed: Code,
        pub plain: Code,
    }

    #[event]
    #[create(article: Article { indexed, plain })]
    pub struct Listed {
        pub indexed: Code,
        pub plain: Code,
    }
}

use catalogue::*;

#[test]
fn equal_values_that_are_stored_differently_are_as_the_index_has_them() {
    let mut store = Store::<Model>::memory();
    let [lower, upper] = ["a1", "A1"].map(|code| {
        let code = Code(code.to_owned());
        let (indexed, plain) = (code.clone(), code);
        store.step(Listed { indexed, plain }).created.article
    });
    let code = || Code("a1".to_owned());
    let by_index: Vec<Article> = Article::by_indexed(&store, &code()).collect();
    assert_eq!(by_index, [lower]);
    let indexed = Article::INDEXED.eq(code());
    assert_eq!(store.select(indexed.clone()).collect::<Vec<_>>(), by_index);
    assert!(indexed.accepts(&store, lower) && !indexed.accepts(&store, upper));
    assert_eq!(Article::INDEXED.ne(code()).first(&store), Some(upper));
    let others = Article::INDEXED.one_of([code(), Code("b".to_owned())]) | Filter::of([lower]);
    assert_eq!(others.count(&store), 1);
    // Without an index, values are equal as their type says.
    assert_eq!(Article::PLAIN.eq(code()).count(&store), 2);
    assert_eq!(Article::PLAIN.ne(code()).count(&store), 0);
}
