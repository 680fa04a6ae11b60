pub mod cell;
pub mod config { pub fn debug_guests() -> Option<std::path::PathBuf> { std::env::var_os("HOTCELL_DIST").map(Into::into) } }
pub mod limits; pub mod outcome; pub mod request;
pub mod policy { pub struct Grant(pub crate::limits::Limits); impl Grant { pub fn into_limits(self)->crate::limits::Limits{self.0} } }
