//! Core module to component: the adapter answers preview-1 imports out of wasi 0.2.

use anyhow::Result;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

use crate::manifest::{Kind, World};

/// The tool's bytes: the module itself, or a component of it.
pub fn make(core: &[u8], kind: Kind, world: World) -> Result<Vec<u8>> {
    let adapter = match (kind, world) {
        (Kind::Module, _) => return Ok(core.to_vec()),
        (Kind::Component, World::Command) => WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        (Kind::Component, World::Tool) => WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
    };
    ComponentEncoder::default()
        .validate(true)
        .module(core)?
        .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)?
        .encode()
}
