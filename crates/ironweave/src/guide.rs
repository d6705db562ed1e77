//! The pages of the guide, whose code blocks are compiled and run as documentation tests.

macro_rules! pages {
    ($($name:ident: $file:literal),* $(,)?) => {
        $(
            #[doc = include_str!(concat!("../../../docs/guide/src/", $file))]
            struct $name;
        )*
    };
}

pages! {
    FirstModel: "first-model.md",
    Reading: "reading.md",
    Events: "events.md",
    Conditions: "conditions.md",
    Deadlines: "deadlines.md",
    WhatIf: "what-if.md",
    Yesterday: "yesterday.md",
    Changes: "changes.md",
    Follow: "follow.md",
    AsyncCode: "async.md",
    Service: "service.md",
    Operate: "operate.md",
    Sql: "sql.md",
    Explore: "explore.md",
    Lint: "lint.md",
    See: "see.md",
    Reference: "reference.md",
    Compiler: "compiler.md",
}

#[cfg(feature = "check")]
pages! {
    Check: "check.md",
}

#[cfg(feature = "proptest")]
pages! {
    Histories: "histories.md",
}

#[cfg(feature = "simulate")]
pages! {
    Simulate: "simulate.md",
}
