//! A clinic whose immediate events have each form of condition that is watched: counts, with literals and with fields, by state and
//! of all; fields and data of states, compared; and each of these over two edges.

#[ironweave::model]
pub mod clinic {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ward {
        #[key]
        pub number: u64,
        pub capacity: u64,
        pub spent: u64,
        pub budget: u64,
        pub parent: Option<Ward>,
        #[inverse(Ward::parent)]
        #[edge(on_delete = unlink)]
        pub wings: Many<Ward>,
        #[inverse(Bed::ward)]
        #[edge(on_delete = unlink)]
        pub beds: Many<Bed>,
        #[inverse(Transfer::target)]
        #[edge(on_delete = unlink)]
        pub inbound: Many<Transfer>,
    }
    #[states(Ward)]
    pub enum WardState {
        #[initial]
        #[to(Full, Alarmed)]
        Open,
        #[to(Open, Shared)]
        Full,
        #[to(Open)]
        Alarmed,
        #[to(Full)]
        Shared,
    }

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u64,
        pub ward: Option<Ward>,
        #[inverse(Patient::bed)]
        #[edge(on_delete = unlink)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Taken, Broken)]
        Free,
        #[to(Free)]
        Taken,
        #[to(Free)]
        Broken,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub number: u64,
        pub bed: Option<Bed>,
        #[inverse(Transfer::patient)]
        #[edge(on_delete = unlink)]
        pub transfers: Many<Transfer>,
    }

    #[entity]
    pub struct Transfer {
        #[key]
        pub number: u64,
        pub urgency: u64,
        pub patience: u64,
        pub target: Option<Ward>,
        pub patient: Option<Patient>,
    }
    #[states(Transfer)]
    pub enum TransferState {
        #[initial]
        #[to(Ready, Held)]
        Asked,
        #[to(Asked, Moved)]
        Ready,
        #[to(Asked, Held)]
        Held { level: u64 },
        #[to(Asked)]
        Moved,
    }

    #[immediate]
    #[when(count ward.beds in Taken >= ward.capacity)]
    #[moves(ward: Open -> Full)]
    pub struct Filled {
        pub ward: Ward,
    }
    #[immediate]
    #[when(count ward.beds in Taken < ward.capacity)]
    #[moves(ward: Full -> Open)]
    pub struct Freed {
        pub ward: Ward,
    }
    #[immediate]
    #[when(ward.spent > ward.budget + 1)]
    #[when(count ward.beds != 2)]
    #[moves(ward: Open -> Alarmed)]
    pub struct Overspent {
        pub ward: Ward,
    }
    #[immediate]
    #[when(ward.spent <= ward.budget + 1)]
    #[moves(ward: Alarmed -> Open)]
    pub struct Calmed {
        pub ward: Ward,
    }
    #[immediate]
    #[when(any transfer.target.beds in Free)]
    #[when(count transfer.target.beds in Broken == 0)]
    #[moves(transfer: Asked -> Ready)]
    pub struct MadeReady {
        pub transfer: Transfer,
    }
    #[immediate]
    #[when(none transfer.target.beds in Free)]
    #[moves(transfer: Ready -> Asked)]
    pub struct Unready {
        pub transfer: Transfer,
    }
    #[immediate]
    #[when(transfer.urgency >= 5)]
    #[moves(transfer.patient.bed: Free -> Taken)]
    #[moves(transfer: Ready -> Moved)]
    pub struct Arrived {
        pub transfer: Transfer,
    }
    #[immediate]
    #[when(transfer.Held.level >= transfer.patience)]
    #[moves(transfer: Held -> Asked)]
    pub struct Released {
        pub transfer: Transfer,
    }
    #[immediate]
    #[when(count transfer.target.inbound >= 3)]
    #[when(all transfer.target.beds in Taken | Broken)]
    #[moves(transfer: Asked -> Held { level = 0 })]
    pub struct Queued {
        pub transfer: Transfer,
    }
    #[immediate]
    #[when(any ward.parent.wings in Alarmed)]
    #[when(count ward.parent.wings < ward.budget)]
    #[moves(ward: Full -> Shared)]
    pub struct Opened {
        pub ward: Ward,
    }
    #[immediate]
    #[when(none ward.parent.wings in Alarmed)]
    #[moves(ward: Shared -> Full)]
    pub struct Closed {
        pub ward: Ward,
    }

    #[event]
    #[create(ward: Ward { number, capacity, spent = 0, budget })]
    pub struct WardBuilt {
        pub number: u64,
        pub capacity: u64,
        pub budget: u64,
    }
    #[event]
    #[create(bed: Bed { number })]
    #[link(bed.ward += ward)]
    pub struct BedBought {
        pub number: u64,
        pub ward: Option<Ward>,
    }
    #[event]
    #[create(patient: Patient { number })]
    pub struct Admitted {
        pub number: u64,
    }
    #[event]
    #[create(transfer: Transfer { number, urgency, patience })]
    #[link(transfer.target += ward)]
    #[link(transfer.patient += patient)]
    pub struct TransferAsked {
        pub number: u64,
        pub urgency: u64,
        pub patience: u64,
        pub ward: Option<Ward>,
        pub patient: Option<Patient>,
    }
    #[event]
    #[unlink(bed.ward -= bed.ward)]
    pub struct BedTakenAway {
        pub bed: Bed,
    }
    #[event]
    #[relink(bed.ward += ward)]
    pub struct BedPut {
        pub bed: Bed,
        pub ward: Ward,
    }
    #[event]
    #[unlink(ward.parent -= ward.parent)]
    pub struct WingLeft {
        pub ward: Ward,
    }
    #[event]
    #[relink(ward.parent += parent)]
    pub struct WingJoined {
        pub ward: Ward,
        pub parent: Ward,
    }
    #[event]
    #[unlink(transfer.target -= transfer.target)]
    pub struct TargetDropped {
        pub transfer: Transfer,
    }
    #[event]
    #[relink(transfer.target += ward)]
    pub struct TargetChosen {
        pub transfer: Transfer,
        pub ward: Ward,
    }
    #[event]
    #[unlink(patient.bed -= patient.bed)]
    pub struct Rose {
        pub patient: Patient,
    }
    #[event]
    #[relink(patient.bed += bed)]
    pub struct Lay {
        pub patient: Patient,
        pub bed: Bed,
    }
    #[event]
    #[moves(each beds: Free -> Taken)]
    pub struct Taking {
        pub beds: Vec<Bed>,
    }
    #[event]
    #[moves(bed: Taken | Broken -> Free)]
    pub struct Freeing {
        pub bed: Bed,
    }
    #[event]
    #[moves(bed: Free -> Broken)]
    pub struct Breaking {
        pub bed: Bed,
    }
    #[event]
    #[set(ward.capacity = capacity)]
    pub struct Resized {
        pub ward: Ward,
        pub capacity: u64,
    }
    #[event]
    #[set(ward.spent = spent)]
    pub struct Spent {
        pub ward: Ward,
        pub spent: u64,
    }
    #[event]
    #[set(transfer.urgency = urgency)]
    pub struct Urged {
        pub transfer: Transfer,
        pub urgency: u64,
    }
    #[event]
    #[set(transfer.Held.level = level)]
    pub struct Leveled {
        pub transfer: Transfer,
        pub level: u64,
    }
    #[event]
    #[moves(transfer: Asked | Held -> Held { level })]
    pub struct HeldBack {
        pub transfer: Transfer,
        pub level: u64,
    }
    #[event]
    #[moves(transfer: Moved -> Asked)]
    pub struct AskedAgain {
        pub transfer: Transfer,
    }
    #[event]
    #[delete(ward)]
    pub struct WardClosed {
        pub ward: Ward,
    }
    #[event]
    #[delete(bed)]
    pub struct BedSold {
        pub bed: Bed,
    }
    #[event]
    #[delete(patient)]
    pub struct Discharged {
        pub patient: Patient,
    }
    #[event]
    #[delete(transfer)]
    pub struct Withdrawn {
        pub transfer: Transfer,
    }
}
