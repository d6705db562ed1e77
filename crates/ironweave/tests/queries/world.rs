//! The same hospital as plain rows, which random events change beside the store. No row is ever removed.

use ironweave::{StepError, Transaction};

use super::hospital::*;
use crate::harness::random::Random;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BedIs {
    Free,
    Occupied(u64),
    Broken,
}

#[derive(Clone, Debug)]
pub struct WardRow {
    pub ward: Ward,
    pub alive: bool,
    pub hospital: u32,
    pub name: String,
    pub rank: i64,
}

#[derive(Clone, Debug)]
pub struct BedRow {
    pub bed: Bed,
    pub alive: bool,
    pub state: BedIs,
    pub number: u64,
    pub colour: Option<String>,
    pub weight: f64,
    pub ward: usize,
}

#[derive(Clone, Debug)]
pub struct PatientRow {
    pub patient: Patient,
    pub alive: bool,
    pub name: String,
    pub age: Option<i64>,
    pub bed: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct DoctorRow {
    pub doctor: Doctor,
    pub alive: bool,
    pub name: String,
}

/// Rows are referred to by their numbers, in order of creation.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub wards: Vec<WardRow>,
    pub beds: Vec<BedRow>,
    pub patients: Vec<PatientRow>,
    pub doctors: Vec<DoctorRow>,
    /// Pairs of patient and doctor.
    pub treats: Vec<(usize, usize)>,
    /// Pairs of patients.
    pub met: Vec<(usize, usize)>,
    made: u64,
}

/// The number of a random row that is alive.
fn one<R>(rng: &mut Random, rows: &[R], alive: impl Fn(&R) -> bool) -> Option<usize> {
    let living: Vec<usize> = (0..rows.len()).filter(|i| alive(&rows[*i])).collect();
    (!living.is_empty()).then(|| living[rng.below(living.len())])
}

pub fn age(rng: &mut Random) -> Option<i64> {
    rng.chance(80).then(|| rng.below(12) as i64 - 2)
}

pub fn colour(rng: &mut Random) -> Option<String> {
    let colours = ["red", "blue", "white"];
    rng.chance(70).then(|| colours[rng.below(3)].to_owned())
}

pub fn weight(rng: &mut Random) -> f64 {
    [0.0, -0.0, 1.5, 80.0, f64::NAN, f64::INFINITY][rng.below(6)]
}

pub const NAMES: [&str; 4] = ["icu", "er", "lab", "spa"];

impl World {
    fn ward(&self, rng: &mut Random) -> Option<usize> {
        one(rng, &self.wards, |row| row.alive)
    }

    fn bed(&self, rng: &mut Random) -> Option<usize> {
        one(rng, &self.beds, |row| row.alive)
    }

    fn patient(&self, rng: &mut Random) -> Option<usize> {
        one(rng, &self.patients, |row| row.alive)
    }

    fn doctor(&self, rng: &mut Random) -> Option<usize> {
        one(rng, &self.doctors, |row| row.alive)
    }

    fn scrap(&mut self, bed: usize) {
        self.beds[bed].alive = false;
        for row in &mut self.patients {
            row.bed = row.bed.filter(|of| *of != bed);
        }
    }

    /// Fires a random event, if it can happen, and changes the rows as it does.
    pub fn step(
        &mut self,
        rng: &mut Random,
        t: &mut Transaction<'_, Model>,
    ) -> Result<(), StepError> {
        self.made += 1;
        let made = self.made;
        match rng.below(20) {
            0 => {
                let (hospital, name, rank) =
                    (rng.below(3) as u32, NAMES[rng.below(4)], made as i64 % 5);
                let taken =
                    |row: &WardRow| row.alive && row.hospital == hospital && row.name == name;
                if self.wards.iter().any(taken) {
                    return Ok(());
                }
                let name = name.to_owned();
                let event = WardOpened {
                    hospital,
                    name: name.clone(),
                    rank,
                };
                let ward = t.apply(event)?.created.ward;
                self.wards.push(WardRow {
                    ward,
                    alive: true,
                    hospital,
                    name,
                    rank,
                });
            }
            1..=4 => {
                let Some(ward) = self.ward(rng) else {
                    return Ok(());
                };
                let (colour, weight) = (colour(rng), weight(rng));
                let event = BedBought {
                    number: made,
                    colour: colour.clone(),
                    weight,
                    ward: self.wards[ward].ward,
                };
                let bed = t.apply(event)?.created.bed;
                let (alive, state, number) = (true, BedIs::Free, made);
                self.beds.push(BedRow {
                    bed,
                    alive,
                    state,
                    number,
                    colour,
                    weight,
                    ward,
                });
            }
            5..=7 => {
                let (name, age) = (format!("p{}", made % 7), age(rng));
                let event = Admitted {
                    name: name.clone(),
                    age,
                };
                let patient = t.apply(event)?.created.patient;
                self.patients.push(PatientRow {
                    patient,
                    alive: true,
                    name,
                    age,
                    bed: None,
                });
            }
            8 => {
                let name = format!("d{made}");
                let doctor = t.apply(Hired { name: name.clone() })?.created.doctor;
                self.doctors.push(DoctorRow {
                    doctor,
                    alive: true,
                    name,
                });
            }
            9 | 10 => {
                let (Some(patient), Some(bed)) = (self.patient(rng), self.bed(rng)) else {
                    return Ok(());
                };
                if self.beds[bed].state != BedIs::Free {
                    return Ok(());
                }
                t.apply(Bedded {
                    patient: self.patients[patient].patient,
                    bed: self.beds[bed].bed,
                    since: made % 9,
                })?;
                for row in &mut self.patients {
                    row.bed = row.bed.filter(|of| *of != bed);
                }
                self.beds[bed].state = BedIs::Occupied(made % 9);
                self.patients[patient].bed = Some(bed);
            }
            11 => {
                let Some(bed) = self.bed(rng) else {
                    return Ok(());
                };
                if self.beds[bed].state == BedIs::Broken {
                    t.apply(Freed {
                        bed: self.beds[bed].bed,
                    })?;
                    self.beds[bed].state = BedIs::Free;
                } else {
                    t.apply(Broke {
                        bed: self.beds[bed].bed,
                    })?;
                    self.beds[bed].state = BedIs::Broken;
                }
            }
            12 | 13 => {
                let (Some(patient), Some(doctor)) = (self.patient(rng), self.doctor(rng)) else {
                    return Ok(());
                };
                let pair = (patient, doctor);
                let (patient, doctor) =
                    (self.patients[patient].patient, self.doctors[doctor].doctor);
                if let Some(at) = self.treats.iter().position(|p| *p == pair) {
                    if rng.chance(30) {
                        t.apply(Unassigned { patient, doctor })?;
                        self.treats.remove(at);
                    }
                } else {
                    t.apply(Assigned { patient, doctor })?;
                    self.treats.push(pair);
                }
            }
            14 => {
                let (Some(a), Some(b)) = (self.patient(rng), self.patient(rng)) else {
                    return Ok(());
                };
                if !self.met.contains(&(a, b)) {
                    let (patient, other) = (self.patients[a].patient, self.patients[b].patient);
                    t.apply(Met { patient, other })?;
                    self.met.push((a, b));
                }
            }
            15 => {
                let Some(patient) = self.patient(rng) else {
                    return Ok(());
                };
                let age = age(rng);
                t.apply(Aged {
                    patient: self.patients[patient].patient,
                    age,
                })?;
                self.patients[patient].age = age;
            }
            16 => {
                let Some(bed) = self.bed(rng) else {
                    return Ok(());
                };
                let (colour, weight) = (colour(rng), weight(rng));
                let row = &mut self.beds[bed];
                t.apply(Painted {
                    bed: row.bed,
                    colour: colour.clone(),
                    weight,
                })?;
                (row.colour, row.weight) = (colour, weight);
            }
            17 => {
                let (Some(bed), Some(ward)) = (self.bed(rng), self.ward(rng)) else {
                    return Ok(());
                };
                t.apply(Rolled {
                    bed: self.beds[bed].bed,
                    ward: self.wards[ward].ward,
                })?;
                self.beds[bed].ward = ward;
            }
            18 => {
                let Some(patient) = self.patient(rng) else {
                    return Ok(());
                };
                t.apply(Discharged {
                    patient: self.patients[patient].patient,
                })?;
                self.patients[patient].alive = false;
                self.treats.retain(|(of, _)| *of != patient);
                self.met.retain(|(a, b)| *a != patient && *b != patient);
            }
            _ => match rng.below(8) {
                0 => {
                    let Some(ward) = self.ward(rng) else {
                        return Ok(());
                    };
                    t.apply(WardClosed {
                        ward: self.wards[ward].ward,
                    })?;
                    self.wards[ward].alive = false;
                    for bed in 0..self.beds.len() {
                        if self.beds[bed].alive && self.beds[bed].ward == ward {
                            self.scrap(bed);
                        }
                    }
                }
                1..=4 => {
                    let Some(bed) = self.bed(rng) else {
                        return Ok(());
                    };
                    t.apply(Scrapped {
                        bed: self.beds[bed].bed,
                    })?;
                    self.scrap(bed);
                }
                _ => {
                    let Some(doctor) = self.doctor(rng) else {
                        return Ok(());
                    };
                    t.apply(Left {
                        doctor: self.doctors[doctor].doctor,
                    })?;
                    self.doctors[doctor].alive = false;
                    self.treats.retain(|(_, of)| *of != doctor);
                }
            },
        }
        Ok(())
    }
}

/// What the oracle knows of an entity type.
pub trait Rows: ironweave::Entity + PartialEq + std::fmt::Debug {
    /// How many rows there are.
    fn len(world: &World) -> usize;
    /// The entity of a row, if it is alive.
    fn living(world: &World, row: usize) -> Option<Self>;
    /// The numbers of the living rows, in order of slots.
    fn in_order(world: &World) -> Vec<usize> {
        let mut all: Vec<usize> = (0..Self::len(world))
            .filter(|row| Self::living(world, *row).is_some())
            .collect();
        all.sort_by_key(|row| Self::living(world, *row).map(|e| e.id().slot()));
        all
    }
}

macro_rules! rows {
    ($($entity:ident $rows:ident $handle:ident),*) => {
        $(impl Rows for $entity {
            fn len(world: &World) -> usize {
                world.$rows.len()
            }

            fn living(world: &World, row: usize) -> Option<Self> {
                let row = &world.$rows[row];
                row.alive.then_some(row.$handle)
            }
        })*
    };
}

rows!(Ward wards ward, Bed beds bed, Patient patients patient, Doctor doctors doctor);
