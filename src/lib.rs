//! Hotcell runs the tool calls of AI agents as WebAssembly processes, behind an HTTP API.
//!
//! Rooms, top floor first; imports point down only, which `tests/it/architecture.rs` checks.
//! Start reading at [`executor::Executor::execute`].

#[cfg(all(feature = "test-without-walls", not(debug_assertions)))]
compile_error!(
    "the feature `test-without-walls` lets walls be left out: build without it, or with debug assertions for tests"
);

pub mod cli;

pub mod app;

pub mod http;

pub mod executor;

pub mod cell;
pub mod native;

pub mod confinement;

pub mod audit;
pub mod session;
pub mod workspace;

pub mod config;
pub mod policy;

pub mod descriptors;
pub mod frame;
pub mod limits;
pub mod outcome;
pub mod quantity;
pub mod request;
pub mod telemetry;
