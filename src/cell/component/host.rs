//! What a component's store carries, and the interfaces it is given: those of WASI 0.2 without
//! sockets. Folders are handed over as open descriptors; there is no path of the host anywhere.

use std::{fs::File, sync::Arc};

use wasmtime::{
    ResourceLimiter,
    component::{HasData, Linker, Resource, ResourceTable},
};
use wasmtime_wasi::{
    FsPerms, OpenMode, WasiCtx, WasiCtxView, WasiView,
    cli::{WasiCli, WasiCliView as _},
    clocks::{WasiClocks, WasiClocksView as _},
    filesystem::{Descriptor, Dir, WasiFilesystem, WasiFilesystemView as _},
    p2::bindings::{cli, clocks, filesystem, random},
    random::WasiRandom,
};

use wasmtime_wasi_io::bindings::wasi::io;

use super::engine::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLES_MAX};
use crate::cell::{engine::TABLE_ELEMENTS_MAX, kernel::Call};

/// The data of a component's store.
pub struct Host {
    pub(super) wasi: WasiCtx,
    pub(super) table: ResourceTable,
    pub(super) folders: Vec<(String, File)>,
    pub(super) call: Arc<Call>,
    pub(super) fuel_seen: u64,
    /// What of the call's memory is counted for the component's memories.
    pub(super) memory_held: u64,
    pub(super) memory_refused: bool,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.call.give_memory(self.memory_held);
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// The resources of a component.
struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

/// The folders of a component, by descriptor.
struct Folders;

impl HasData for Folders {
    type Data<'a> = FoldersView<'a>;
}

struct FoldersView<'a> {
    folders: &'a [(String, File)],
    table: &'a mut ResourceTable,
}

impl filesystem::preopens::Host for FoldersView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let mut given = Vec::new();
        for (name, folder) in self.folders {
            // Operations that wait, as opening a FIFO does, must not hold up the thread that ends
            // calls: they go to threads of their own.
            let folder = Dir::new(
                folder.try_clone()?,
                FsPerms::ReadOnly,
                OpenMode::READ,
                false,
            );
            let resource = self.table.push(Descriptor::Dir(folder))?;
            given.push((resource, name.clone()));
        }
        Ok(given)
    }
}

/// Puts every interface a component may ask for under its name.
pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    io::error::add_to_linker::<Host, Table>(linker, |host| &mut host.table)?;
    io::poll::add_to_linker::<Host, Table>(linker, |host| &mut host.table)?;
    io::streams::add_to_linker::<Host, Table>(linker, |host| &mut host.table)?;
    clocks::wall_clock::add_to_linker::<Host, WasiClocks>(linker, Host::clocks)?;
    clocks::monotonic_clock::add_to_linker::<Host, WasiClocks>(linker, Host::clocks)?;
    filesystem::types::add_to_linker::<Host, WasiFilesystem>(linker, Host::filesystem)?;
    filesystem::preopens::add_to_linker::<Host, Folders>(linker, |host| FoldersView {
        folders: &host.folders,
        table: &mut host.table,
    })?;
    random::random::add_to_linker::<Host, WasiRandom>(linker, |host| host.wasi.random())?;
    random::insecure::add_to_linker::<Host, WasiRandom>(linker, |host| host.wasi.random())?;
    random::insecure_seed::add_to_linker::<Host, WasiRandom>(linker, |host| host.wasi.random())?;
    cli::exit::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::environment::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::stdin::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::stdout::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::stderr::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_input::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_output::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_stdin::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_stdout::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    cli::terminal_stderr::add_to_linker::<Host, WasiCli>(linker, Host::cli)?;
    Ok(())
}

impl ResourceLimiter for Host {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let Some(more) = desired.checked_sub(current) else {
            return Ok(false);
        };
        // Over the module's own maximum the engine refuses after us, so nothing may be taken.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let more = more as u64;
        // All its memories together are what a process has in one.
        let grows = self.call.grow_memory(self.memory_held, more);
        if grows {
            self.memory_held += more;
        }
        self.memory_refused |= !grows;
        Ok(grows)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}
