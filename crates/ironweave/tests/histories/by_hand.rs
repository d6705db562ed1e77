//! The rules of the ward by hand, in plain maps, as the oracle of its histories. It reads events as JSON.

use std::collections::BTreeMap;

use serde_json::Value;

/// The entities of a type, by id. Ids are given out as the store does: a slot that became free last is used first.
struct Table<T> {
    name: &'static str,
    rows: BTreeMap<String, T>,
    generations: Vec<u32>,
    free: Vec<usize>,
}

impl<T> Table<T> {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            rows: BTreeMap::new(),
            generations: Vec::new(),
            free: Vec::new(),
        }
    }

    fn add(&mut self, row: T) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.generations.push(0);
            self.generations.len() - 1
        });
        self.generations[slot] += 1;
        let id = format!("{}/{slot}.{}", self.name, self.generations[slot]);
        self.rows.insert(id, row);
    }

    fn remove(&mut self, id: &str) {
        self.rows.remove(id);
        let slot = id.split(['/', '.']).nth(1).expect("a slot");
        self.free.push(slot.parse().expect("a number"));
    }
}

struct Bed {
    number: u64,
    is_free: bool,
}

#[derive(PartialEq)]
enum PatientState {
    Waiting,
    Admitted,
    Discharged,
}

struct Patient {
    name: String,
    state: PatientState,
    bed: Option<String>,
}

pub struct Ward {
    beds: Table<Bed>,
    patients: Table<Patient>,
    /// With the patients of each.
    doctors: Table<Vec<String>>,
}

impl Ward {
    pub fn new() -> Self {
        Self {
            beds: Table::new("Bed"),
            patients: Table::new("Patient"),
            doctors: Table::new("Doctor"),
        }
    }

    pub fn len(&self) -> [usize; 3] {
        [
            self.beds.rows.len(),
            self.patients.rows.len(),
            self.doctors.rows.len(),
        ]
    }

    pub fn free_beds(&self) -> usize {
        self.beds.rows.values().filter(|bed| bed.is_free).count()
    }

    /// Does what an event does; `None` if it is rejected.
    pub fn step(&mut self, event: &Value) -> Option<()> {
        let (name, fields) = event.as_object()?.iter().next()?;
        let text = |field: &str| fields[field].as_str().map(str::to_owned);
        match name.as_str() {
            "BedAdded" => {
                let number = fields["number"].as_u64()?;
                let is_new = self.beds.rows.values().all(|bed| bed.number != number);
                is_new.then(|| {
                    self.beds.add(Bed {
                        number,
                        is_free: true,
                    });
                })
            }
            "BedRemoved" => {
                let bed = text("bed")?;
                let is_free = self.beds.rows.get(&bed)?.is_free;
                is_free.then(|| self.beds.remove(&bed))
            }
            "Arrived" => {
                let name = text("name")?;
                let is_new = self.patients.rows.values().all(|p| p.name != name);
                is_new.then(|| {
                    self.patients.add(Patient {
                        name,
                        state: PatientState::Waiting,
                        bed: None,
                    });
                })
            }
            "PatientAdmitted" => {
                let number = fields["bed"].as_u64()?;
                let patient = self.patients.rows.get_mut(&text("patient")?)?;
                let mut beds = self.beds.rows.iter_mut();
                let (id, bed) = beds.find(|(_, bed)| bed.number == number)?;
                (bed.is_free && patient.state == PatientState::Waiting).then(|| {
                    bed.is_free = false;
                    patient.state = PatientState::Admitted;
                    patient.bed = Some(id.clone());
                })
            }
            "PatientDischarged" => {
                let patient = self.patients.rows.get_mut(&text("patient")?)?;
                (patient.state == PatientState::Admitted).then(|| {
                    patient.state = PatientState::Discharged;
                    let bed = patient.bed.take().expect("an admitted patient has one");
                    self.beds.rows.get_mut(&bed).expect("it is there").is_free = true;
                })
            }
            "Hired" => {
                let patients = fields["patients"].as_array()?.iter();
                let patients: Vec<String> = patients
                    .map(|p| p.as_str().expect("an id").to_owned())
                    .collect();
                for (at, patient) in patients.iter().enumerate() {
                    let is_new = !patients[..at].contains(patient);
                    (is_new && self.patients.rows.contains_key(patient)).then_some(())?;
                }
                self.doctors.add(patients);
                Some(())
            }
            "Reassigned" => {
                let patient = text("patient");
                if let Some(patient) = &patient {
                    self.patients.rows.get(patient)?;
                }
                let patients = self.doctors.rows.get_mut(&text("doctor")?)?;
                *patients = patient.into_iter().collect();
                Some(())
            }
            other => panic!("there is no event {other}"),
        }
    }
}
