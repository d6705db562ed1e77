//! The model of the rows of `forms`: an event for each form of the language.

use std::cmp::Reverse;

#[ironweave::model]
pub mod forms {
    use super::Reverse;
    use ironweave::prelude::*;

    #[entity]
    pub struct Account {
        pub balance: u64,
    }

    /// A value is compared, and another calculated.
    #[event]
    #[when(account.balance >= amount)]
    #[set(account.balance = account.balance - amount)]
    pub struct Paid {
        pub account: Account,
        pub amount: u64,
    }

    #[event]
    #[create(account: Account { balance })]
    pub struct AccountOpened {
        pub balance: u64,
    }

    #[entity]
    pub struct Ward {
        pub staffed: u64,
        pub beds: Many<Bed>,
    }
    #[states(Ward)]
    pub enum WardState {
        #[initial]
        #[to(Full)]
        Open,
        #[to(Open)]
        Full,
    }

    #[entity]
    pub struct Bed {
        pub number: u64,
        #[inverse(Ward::beds)]
        pub ward: Ward,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Occupied)]
        Free,
        #[to(Free)]
        Occupied,
    }

    #[event]
    #[create(ward: Ward { staffed })]
    pub struct WardOpened {
        pub staffed: u64,
    }

    #[event]
    #[create(bed: Bed { number })]
    #[link(ward.beds += bed)]
    pub struct BedAdded {
        pub ward: Ward,
        pub number: u64,
    }

    /// The beds of a ward are counted.
    #[event]
    #[when(count bed.ward.beds in Occupied < bed_limit)]
    #[moves(bed: Free -> Occupied)]
    pub struct Occupy {
        pub bed: Bed,
        pub bed_limit: u64,
    }

    #[event]
    #[moves(bed: Occupied -> Free)]
    pub struct Leave {
        pub bed: Bed,
    }

    /// The free bed with the least number is chosen.
    #[event]
    #[choose(bed: ward.beds in Free by number)]
    #[moves(bed: Free -> Occupied)]
    pub struct Admit {
        pub ward: Ward,
    }

    /// A watched count.
    #[immediate]
    #[when(count ward.beds in Occupied >= ward.staffed)]
    #[moves(ward: Open -> Full)]
    pub struct Filled {
        pub ward: Ward,
    }

    #[immediate]
    #[when(count ward.beds in Occupied < ward.staffed)]
    #[moves(ward: Full -> Open)]
    pub struct HasRoom {
        pub ward: Ward,
    }

    #[entity]
    #[index(ordered, fields = [urgency], while = Waiting)]
    pub struct Task {
        pub urgency: Reverse<u64>,
    }
    #[states(Task)]
    pub enum TaskState {
        #[initial]
        #[to(Taken)]
        Waiting,
        #[to(Waiting)]
        Taken { until: Timestamp },
    }

    #[event]
    #[create(task: Task { urgency })]
    pub struct TaskAdded {
        pub urgency: Reverse<u64>,
    }

    /// The most urgent task is chosen among all, in an ordered index of those that wait, and due later.
    #[event]
    #[choose(task: Task in Waiting by urgency)]
    #[moves(task: Waiting -> Taken { until })]
    pub struct Take {
        pub until: Timestamp,
    }

    #[event]
    #[due(task.Taken.until)]
    #[moves(task: Taken -> Waiting)]
    pub struct Expire {
        pub task: Task,
    }
}
