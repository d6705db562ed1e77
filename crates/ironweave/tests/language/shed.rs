//! A model whose events have `#[serde(..)]` attributes and options: tools that are lent.

pub use model::*;

use ironweave::prelude::*;

#[ironweave::model]
pub mod model {
    use ironweave::prelude::*;

    #[entity]
    pub struct Tool {
        #[key]
        pub name: String,
        pub lent_to: Option<String>,
        pub note: Option<String>,
        pub fee: Option<u16>,
        #[default]
        pub due: Timestamp,
    }
    #[states(Tool)]
    pub enum ToolState {
        #[initial]
        #[to(Lent)]
        Here,
        #[to(Here)]
        Lent { at: Timestamp },
    }

    #[event]
    #[create(tool: Tool { name, note = None, fee = 3 })]
    pub struct Bought {
        pub name: String,
    }

    #[event]
    #[moves(tool: Here -> Lent { at })]
    #[set(tool.lent_to = to)]
    #[set(tool.fee = fee)]
    #[set(tool.note = "lent")]
    #[set(tool.due = due)]
    pub struct Lending {
        pub tool: Tool<Here>,
        #[serde(default)]
        pub to: Option<String>,
        #[serde(rename = "lentAt", alias = "at", alias = "lent_at")]
        pub at: Timestamp,
        #[serde(default = "super::standard_fee")]
        pub fee: Option<u16>,
        #[serde(default = "Timestamp::now")]
        pub due: Timestamp,
        #[serde(default)]
        pub witnesses: Vec<Key<Tool>>,
    }

    #[event]
    #[moves(tool: Lent -> Here)]
    #[set(tool.lent_to = None)]
    #[set(tool.fee = Some(7))]
    #[set(tool.note = Some("back"))]
    pub struct Return {
        pub tool: Key<Tool>,
        pub others: Vec<Ensure<Tool>>,
        pub seen: Option<Tool>,
    }

    #[event]
    pub struct Closed;
}

pub fn standard_fee() -> Option<u16> {
    Some(5)
}

pub fn with_saw() -> (Store<Model>, Tool) {
    let mut store = Store::paranoid();
    let saw = store.step(Bought { name: "saw".into() }).created.tool;
    (store, saw)
}
