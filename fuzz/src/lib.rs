//! The rooms under test and the words they stand on, compiled from the host's own files.

#[path = "../../src/audit/mod.rs"]
pub mod audit;
#[path = "../../src/limits.rs"]
pub mod limits;
#[path = "../../src/outcome.rs"]
pub mod outcome;
#[path = "../../src/policy/mod.rs"]
pub mod policy;
#[path = "../../src/quantity.rs"]
pub mod quantity;
#[path = "../../src/request.rs"]
pub mod request;
