// says: `Line` cannot be part of a value: entities are linked by edges, fields of the entity of type `Line`, `Option<Line>` or `Many<Line>`

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    #[entity]
    pub struct Order {
        pub lines: Vec<(Line, u32)>,
    }

    #[entity]
    pub struct Line {
        pub sku: String,
    }
}

fn main() {}
