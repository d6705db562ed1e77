use shop::*;

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Person {
        #[key]
        pub name: String,
        #[inverse(Document::author)]
        pub wrote: Many<Document>,
        #[inverse(Document::reviewers)]
        pub reviews: Many<Document>,
    }

    #[entity]
    pub struct Document {
        pub author: Person,
        pub reviewers: Many<Person>,
    }

    #[event]
    #[create(document: Document)]
    #[link(document.author += author)]
    #[link(document.reviewers += reviewers)]
    pub struct Written {
        pub author: Ensure<Person>,
        pub reviewers: Vec<Ensure<Person>>,
    }
}

fn main() {
    let mut store = ironweave::Store::<shop::Model>::memory();
    let event = Written {
        author: "ada".into(),
        reviewers: vec!["bob".into(), "eve".into()],
    };
    let document = store.step(event).created.document;
    let author = document.author(&store);
    assert_eq!(
        (author.wrote_count(&store), author.reviews_count(&store)),
        (1, 0)
    );
    assert_eq!(document.reviewers_count(&store), 2);
}
