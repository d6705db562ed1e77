//! A bank: customers arrive, wait for a clerk and are served.

#[ironweave::model]
pub mod bank {
    use ironweave::prelude::*;

    #[entity]
    pub struct Customer {
        pub arrived: Timestamp,
        pub called: Timestamp,
    }
    #[states(Customer)]
    pub enum CustomerState {
        #[initial]
        #[to(Served)]
        Waiting,
        #[terminal]
        Served,
    }

    #[entity]
    pub struct Clerk {}
    #[states(Clerk)]
    pub enum ClerkState {
        #[initial]
        #[to(Busy)]
        Idle,
        #[to(Idle)]
        Busy,
    }

    #[event]
    #[create(clerk: Clerk)]
    pub struct Hired {}

    /// The time is a field, and also that of the transaction.
    #[event]
    #[create(customer: Customer { arrived = meta.time, called })]
    pub struct Arrived {
        pub called: Timestamp,
    }

    #[event]
    #[moves(customer: Waiting -> Served)]
    #[moves(clerk: Idle -> Busy)]
    pub struct Started {
        pub customer: Customer<Waiting>,
        pub clerk: Clerk<Idle>,
    }

    #[event]
    #[delete(customer)]
    #[moves(clerk: Busy -> Idle)]
    pub struct Finished {
        pub customer: Customer<Served>,
        pub clerk: Clerk<Busy>,
    }
}
