//! The policy room and the words it stands on, compiled from the host's own files.

#[path = "../../src/limits.rs"]
pub mod limits;
#[path = "../../src/policy/mod.rs"]
pub mod policy;
#[path = "../../src/quantity.rs"]
pub mod quantity;
#[path = "../../src/request.rs"]
pub mod request;
