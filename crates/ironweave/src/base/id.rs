//! Identity of an entity: a slot in the tables of its type, and the generation of that slot.

use std::fmt;

/// Which entity of its type: 8 bytes.
///
/// A slot is used again after a delete, with the next generation, so an `Id` never names two entities.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// The state of a slot in which no entity is.
pub(crate) const FREE: u8 = u8::MAX;
/// The last generation of a slot: it is not used again.
pub(crate) const GENERATION_MAX: u32 = 0x00ff_ffff;

impl Id {
    /// The place of the entity in the tables of its type; ids of a type are ordered by it.
    #[must_use]
    pub fn slot(self) -> u32 {
        self.slot
    }

    /// How often the slot was taken, from 1; 24 bits.
    #[must_use]
    pub fn generation(self) -> u32 {
        self.generation
    }

    /// Both numbers in one, as the log writes them.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        u64::from(self.slot) << 24 | u64::from(self.generation)
    }

    /// The inverse of [`Id::to_bits`]; `None` where the slot does not fit.
    #[must_use]
    pub fn from_bits(bits: u64) -> Option<Self> {
        let slot = u32::try_from(bits >> 24).ok()?;
        Some(Self {
            slot,
            generation: (bits & 0x00ff_ffff) as u32,
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (slot, generation) = text
            .split_once('.')
            .ok_or_else(|| format!("`{text}` is no id: expected SLOT.GENERATION"))?;
        let number = |part: &str| {
            part.parse::<u32>()
                .map_err(|e| format!("`{text}` is no id: {e}"))
        };
        Ok(Self {
            slot: number(slot)?,
            generation: number(generation)?,
        })
    }
}
