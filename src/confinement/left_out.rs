//! Walls that a test leaves out of a sealed process, to see what the others stop. Only a build with
//! the feature `test-without-walls` has a way to name one, and no such build is without debug
//! assertions; in every other the value has no content.

use serde::{Deserialize, Serialize};

use crate::confinement::probe::Wall;

/// The walls that are left out: none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    #[cfg(feature = "test-without-walls")]
    walls: u16,
}

impl LeftOut {
    /// Every wall stands.
    pub const NOTHING: Self = Self {
        #[cfg(feature = "test-without-walls")]
        walls: 0,
    };

    /// Leaves these out.
    #[cfg(feature = "test-without-walls")]
    pub fn these(walls: &[Wall]) -> Self {
        let walls = walls.iter().map(|wall| 1 << *wall as u16);
        Self {
            walls: walls.fold(0, |all, wall: u16| all | wall),
        }
    }

    /// Whether this wall is put up.
    #[cfg(feature = "test-without-walls")]
    pub fn keeps(self, wall: Wall) -> bool {
        self.walls & 1 << wall as u16 == 0
    }

    /// Whether this wall is put up: it is.
    #[cfg(not(feature = "test-without-walls"))]
    pub const fn keeps(self, _: Wall) -> bool {
        true
    }
}
