//! Models without guards, handlers and values: what they do depends on states and links alone.

/// Wants for partitions, which jobs build. Nothing is deleted.
#[ironweave::model]
pub mod jobs {
    use ironweave::prelude::*;

    #[entity]
    pub struct Partition {
        #[key]
        pub name: String,
        #[inverse(Run::builds)]
        pub built_by: Option<Run>,
        #[inverse(Want::partitions)]
        pub wanted_by: Many<Want>,
    }
    #[states(Partition)]
    pub enum PartitionState {
        #[initial]
        #[to(Building)]
        Missing,
        #[to(Live, Failed)]
        Building,
        #[terminal]
        Live,
        #[to(Building)]
        Failed,
    }

    #[entity]
    pub struct Run {
        pub builds: Many<Partition>,
    }
    #[states(Run)]
    pub enum RunState {
        #[initial]
        #[to(Succeeded, Failed)]
        Running,
        #[terminal]
        Succeeded,
        #[terminal]
        Failed,
    }

    #[entity]
    pub struct Want {
        #[edge(min = 1)]
        pub partitions: Many<Partition>,
    }
    #[states(Want)]
    pub enum WantState {
        #[initial]
        #[to(Served, Hopeless)]
        Idle,
        #[terminal]
        Served,
        #[to(Idle, Served)]
        Hopeless,
    }

    #[event]
    #[create(want: Want)]
    #[link(want.partitions += partitions)]
    pub struct Wanted {
        pub partitions: Vec<Ensure<Partition>>,
    }

    #[event]
    #[create(run: Run)]
    #[relink(run.builds += partitions)]
    #[moves(each partitions: Missing | Failed -> Building)]
    pub struct Started {
        pub partitions: Vec<Partition>,
    }

    #[event]
    #[moves(run: Running -> Succeeded)]
    #[moves(each run.builds: Building -> Live)]
    pub struct RunSucceeded {
        pub run: Run<Running>,
    }

    #[event]
    #[moves(run: Running -> Failed)]
    #[moves(those run.builds: Building -> Failed)]
    pub struct RunFailed {
        pub run: Run,
    }

    #[immediate]
    #[when(all want.partitions in Live)]
    #[moves(want: Idle | Hopeless -> Served)]
    pub struct WantServed {
        pub want: Want,
    }

    #[immediate]
    #[when(any want.partitions in Failed)]
    #[when(none want.partitions in Building)]
    #[moves(want: Idle -> Hopeless)]
    pub struct WantGivenUp {
        pub want: Want,
    }

    #[immediate]
    #[when(none want.partitions in Failed)]
    #[moves(want: Hopeless -> Idle)]
    pub struct WantHopes {
        pub want: Want,
    }
}

/// Wards with beds, and patients in them. Everything is deleted in some way.
#[ironweave::model]
pub mod clinic {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ward {
        #[edge(max = 2, on_delete = cascade)]
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
        #[inverse(Ward::beds)]
        #[edge(on_delete = unlink)]
        pub ward: Ward,
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Occupied)]
        Free,
        #[to(Free)]
        Occupied,
    }

    #[entity]
    pub struct Patient {
        pub bed: Option<Bed>,
    }

    #[event]
    #[create(ward: Ward)]
    pub struct WardOpened {}

    #[event]
    #[delete(ward)]
    pub struct WardClosed {
        pub ward: Ward,
    }

    #[event]
    #[create(bed: Bed)]
    #[link(ward.beds += bed)]
    pub struct BedBought {
        pub ward: Ward,
    }

    #[event]
    #[relink(ward.beds += bed)]
    pub struct BedMoved {
        pub bed: Bed<Free>,
        pub ward: Ward<Open>,
    }

    #[event]
    #[create(patient: Patient)]
    #[link(patient.bed += bed)]
    #[moves(bed: Free -> Occupied)]
    pub struct Admitted {
        pub bed: Bed,
    }

    #[event]
    #[moves(patient.bed: Occupied -> Free)]
    #[moves(to: Free -> Occupied)]
    #[relink(patient.bed += to)]
    pub struct Transferred {
        pub patient: Patient,
        pub to: Bed,
    }

    #[event]
    #[moves(those patient.bed: Occupied -> Free)]
    #[delete(patient)]
    pub struct Left {
        pub patient: Patient,
    }

    #[immediate]
    #[when(any ward.beds in Occupied)]
    #[when(all ward.beds in Occupied)]
    #[moves(ward: Open -> Full)]
    pub struct WardIsFull {
        pub ward: Ward,
    }

    #[immediate]
    #[when(any ward.beds in Free)]
    #[moves(ward: Full -> Open)]
    pub struct WardIsOpen {
        pub ward: Ward,
    }
}

/// Tasks that wait for others, without a cycle. Two immediate events are enabled at the same time.
#[ironweave::model]
pub mod tasks {
    use ironweave::prelude::*;

    #[entity]
    pub struct Task {
        #[edge(acyclic)]
        pub needs: Many<Task>,
        #[inverse(Task::needs)]
        #[edge(on_delete = unlink)]
        pub needed_by: Many<Task>,
    }
    #[states(Task)]
    pub enum TaskState {
        #[initial]
        #[to(Ready, Urgent)]
        Blocked,
        #[to(Done)]
        Ready,
        #[to(Done)]
        Urgent,
        #[terminal]
        Done,
    }

    #[event]
    #[create(task: Task)]
    #[link(task.needs += needs)]
    pub struct Planned {
        pub needs: Option<Task>,
    }

    #[event]
    #[link(task.needs += needs)]
    pub struct Needed {
        pub task: Task<Blocked>,
        pub needs: Task,
    }

    #[event]
    #[moves(task: Ready | Urgent -> Done)]
    pub struct Finished {
        pub task: Task,
    }

    #[event]
    #[delete(task)]
    pub struct Dropped {
        pub task: Task,
    }

    #[immediate]
    #[when(any task.needed_by in Blocked)]
    #[when(all task.needs in Done)]
    #[moves(task: Blocked -> Urgent)]
    pub struct BecameUrgent {
        pub task: Task,
    }

    #[immediate]
    #[when(all task.needs in Done)]
    #[moves(task: Blocked -> Ready)]
    pub struct BecameReady {
        pub task: Task,
    }
}

/// Rooms that hold two guests, with conditions on how many there are.
#[ironweave::model]
pub mod rooms {
    use ironweave::prelude::*;

    #[entity]
    pub struct Room {
        #[inverse(Guest::room)]
        pub guests: Many<Guest>,
    }
    #[states(Room)]
    pub enum RoomState {
        #[initial]
        #[to(Full)]
        Open,
        #[to(Open)]
        Full,
    }

    #[entity]
    pub struct Guest {
        pub room: Option<Room>,
    }
    #[states(Guest)]
    pub enum GuestState {
        #[initial]
        #[to(Asleep)]
        Awake,
        #[to(Awake)]
        Asleep,
    }

    #[event]
    #[create(room: Room)]
    pub struct Built {}

    #[event]
    #[create(guest: Guest)]
    pub struct Arrived {}

    #[event]
    #[when(count room.guests < 2)]
    #[relink(guest.room += room)]
    pub struct Entered {
        pub guest: Guest,
        pub room: Room,
    }

    #[event]
    #[moves(guest: Awake -> Asleep)]
    pub struct Slept {
        pub guest: Guest,
    }

    #[event]
    #[moves(guest: Asleep -> Awake)]
    #[unlink(guest.room -= guest.room)]
    pub struct Left {
        pub guest: Guest,
    }

    #[event]
    #[when(count room.guests in Asleep == 2)]
    #[moves(room: Open -> Full)]
    pub struct Closed {
        pub room: Room,
    }

    #[event]
    #[when(count room.guests in Asleep != 2)]
    #[moves(room: Full -> Open)]
    pub struct Reopened {
        pub room: Room,
    }
}

/// A ward whose patients get beds: some by an event that chooses one, and others as soon as there is a bed.
#[ironweave::model]
pub mod admissions {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ward {
        #[inverse(Bed::ward)]
        pub beds: Many<Bed>,
    }
    #[states(Ward)]
    pub enum WardState {
        #[initial]
        #[to(Closed)]
        Open,
        #[to(Open)]
        Closed,
    }

    #[entity]
    pub struct Bed {
        pub ward: Option<Ward>,
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Occupied)]
        Free,
        #[to(Free)]
        Occupied,
    }

    #[entity]
    pub struct Patient {
        pub bed: Option<Bed>,
    }
    #[states(Patient)]
    pub enum PatientState {
        #[initial]
        #[to(Urgent, Lying)]
        Waiting,
        #[to(Lying)]
        Urgent,
        #[to(Waiting)]
        Lying,
    }

    #[event]
    #[create(ward: Ward)]
    pub struct Opened {}

    #[event]
    #[create(bed: Bed)]
    #[link(ward.beds += bed)]
    pub struct Bought {
        pub ward: Ward,
    }

    #[event]
    #[choose(beds: up to 1 of Bed in Free)]
    #[delete(beds)]
    pub struct Sold {}

    #[event]
    #[create(patient: Patient)]
    pub struct Arrived {}

    #[event]
    #[choose(bed: ward.beds in Free)]
    #[moves(bed: Free -> Occupied)]
    #[moves(patient: Waiting -> Lying)]
    #[link(patient.bed += bed)]
    pub struct Admitted {
        pub ward: Ward,
        pub patient: Patient,
    }

    #[event]
    #[moves(patient: Waiting -> Urgent)]
    pub struct Worsened {
        pub patient: Patient,
    }

    #[immediate]
    #[choose(bed: Bed in Free)]
    #[moves(patient: Urgent -> Lying)]
    #[moves(bed: Free -> Occupied)]
    #[link(patient.bed += bed)]
    pub struct Placed {
        pub patient: Patient,
    }

    #[event]
    #[choose(patients: 2 of Patient in Lying)]
    #[moves(each patients: Lying -> Waiting)]
    #[moves(each patients.bed: Occupied -> Free)]
    #[unlink(patients.bed -= patients.bed)]
    pub struct Emptied {}

    #[event]
    #[moves(patient: Lying -> Waiting)]
    #[moves(patient.bed: Occupied -> Free)]
    #[unlink(patient.bed -= patient.bed)]
    pub struct Left {
        pub patient: Patient,
    }
}
