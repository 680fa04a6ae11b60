//! What one native program finds: its places, its words, its environment, its limits.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use sha2::{Digest as _, Sha256};

use crate::confinement::enclose::Limits;
use crate::confinement::seal::Folder;
use crate::confinement::tree::{Place, Shows};
use crate::native::error::NativeError;
use crate::native::lane::NativeOrder;
use crate::native::order::Start;
use crate::native::overlay::Changes;
use crate::native::pin::Pins;
use crate::native::profile::{self, Recipe};
use crate::policy::{NativeTerms, Profile};
use crate::request::hexadecimal;
use crate::workspace::WORKSPACE;

/// Largest script, in bytes. Chosen: far above any that was reviewed.
const SCRIPT_BYTES_MAX: u64 = 1 << 20;

/// The host folder at a path, as it is now.
///
/// # Errors
/// It is not there.
pub(super) fn folder(path: &Path) -> Result<Folder, NativeError> {
    Folder::at(path, false).map_err(|source| NativeError::Changes {
        path: path.to_owned(),
        source,
    })
}

/// The program's words, and what it may start.
pub(super) fn words(
    pins: &Pins,
    terms: &NativeTerms,
    order: &NativeOrder,
    recipe: &Recipe,
) -> Result<(Start, Option<Vec<PathBuf>>), NativeError> {
    let start = &terms.start;
    let program = pins.pin(&start.program, start.sha256.as_deref())?;
    let mut starts = vec![program.path.clone()];
    for helper in &start.helpers {
        let helper = pins.pin(&helper.path, helper.sha256.as_deref())?;
        starts.push(helper.path.clone());
    }
    starts.extend(profile::loaders().map(Path::to_owned));
    let name = std::slice::from_ref(&start.program);
    let arguments = [name, &start.prepend, &terms.arguments].concat();
    let mut environment: Vec<(&str, &str)> = profile::ENVIRONMENT.to_vec();
    let of_profile = recipe.environment.iter();
    let of_profile = of_profile.map(|(name, value, _)| (*name, *value));
    let of_rule = start.environment.iter();
    let of_rule = of_rule.map(|(name, value)| (&**name, &**value));
    for (name, value) in of_profile.chain(of_rule) {
        match environment.iter_mut().find(|(known, _)| *known == name) {
            Some(variable) => variable.1 = value,
            None => environment.push((name, value)),
        }
    }
    let environment = environment.into_iter();
    Ok((
        Start {
            program: (*program).clone(),
            arguments,
            environment: environment
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
            cwd: order.cwd.clone(),
            within: terms.cwd.clone(),
            folders: vec!["/tmp/home".into()],
        },
        (!recipe.starts_all).then_some(starts),
    ))
}

/// All that the program sees.
pub(super) fn places(
    terms: &NativeTerms,
    order: &NativeOrder,
    workspace: &Folder,
    changes: Option<&Changes>,
) -> Result<Vec<Place>, NativeError> {
    let recipe = profile::recipe(terms.start.profile);
    let mut places = profile::system_places(recipe);
    let mut add = |at: &str, shows| {
        let at = at.to_owned();
        places.push(Place { at, shows });
    };
    for tree in &terms.start.trees {
        #[expect(
            clippy::disallowed_methods,
            reason = "a folder that only the machine's administrator changes"
        )]
        let path = std::fs::canonicalize(tree).map_err(|source| NativeError::Changes {
            path: tree.into(),
            source,
        })?;
        let executable = recipe.starts_all;
        add(tree, Shows::System { path, executable });
    }
    if !recipe.starts_all {
        let helpers = terms.start.helpers.iter().map(|helper| &helper.path);
        for path in std::iter::once(&terms.start.program).chain(helpers) {
            #[expect(
                clippy::disallowed_methods,
                reason = "what stands there is held against the pin before it starts"
            )]
            let Ok(path) = std::fs::canonicalize(path) else {
                continue; // said by its pin
            };
            let at = path.to_string_lossy().into_owned();
            let executable = true;
            add(&at, Shows::System { path, executable });
        }
    }
    for (guest, host) in &order.mounts {
        add(guest, Shows::Folder(folder(host)?));
    }
    let shows = match changes {
        None => Shows::Folder(workspace.clone()),
        Some(changes) => Shows::Overlay {
            below: workspace.clone(),
            changes: changes.folder.clone(),
            executable: recipe.starts_all,
        },
    };
    add(WORKSPACE, shows);
    Ok(places)
}

/// The script of a rule, as it was when its digest was taken: whatever guests make of the file
/// meanwhile, what runs is this.
pub(super) fn script(
    terms: &NativeTerms,
    order: &NativeOrder,
    workspace: &Folder,
    sha256: &str,
) -> Result<Place, NativeError> {
    let written = terms
        .arguments
        .first()
        .map(String::as_str)
        .unwrap_or_default();
    let at = match written.starts_with('/') {
        true => written.to_owned(),
        false => format!("{}/{written}", order.cwd),
    };
    let fault = |reason: String| NativeError::Program {
        path: at.clone(),
        reason,
    };
    let inside = at
        .strip_prefix(WORKSPACE)
        .and_then(|path| path.strip_prefix('/'));
    let inside = inside.ok_or_else(|| fault("a script lies in /workspace".to_owned()))?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let top = workspace.open().map_err(|error| fault(error.to_string()))?;
    let file = openat2(&top, inside, flags, Mode::empty(), resolve);
    let file = File::from(file.map_err(|error| fault(error.to_string()))?);
    let plain = file.metadata().is_ok_and(|about| about.is_file());
    let mut text = Vec::new();
    let read = file.take(SCRIPT_BYTES_MAX + 1).read_to_end(&mut text);
    read.map_err(|error| fault(error.to_string()))?;
    if !plain || text.len() as u64 > SCRIPT_BYTES_MAX {
        return Err(fault("it is no file, or too large for a script".to_owned()));
    }
    let found = hexadecimal(&Sha256::digest(&text));
    if found != sha256 {
        let reason = format!("its SHA-256 is {found}, and the rule names {sha256}");
        return Err(fault(reason));
    }
    let shows = Shows::TextOver(text);
    Ok(Place { at, shows })
}

pub(super) fn writable(workspace: bool) -> Vec<String> {
    let fixed = ["/tmp", "/dev/null", "/dev/zero", "/dev/full"];
    let all = fixed.into_iter().chain(workspace.then_some(WORKSPACE));
    all.map(str::to_owned).collect()
}

pub(super) fn limits(terms: &NativeTerms, recipe: &Recipe, order: &NativeOrder) -> Limits {
    let limits = terms.start.limits;
    let cpu_ms = limits.cpu_ms.unwrap_or(recipe.cpu_ms);
    let room = u64::try_from(order.room.bytes.max(0)).unwrap_or(0);
    // What is thrown away takes the disk all the same.
    let file_bytes = match terms.start.profile {
        Profile::Build => recipe.tmp_bytes.max(room),
        Profile::Plain | Profile::Git => room.min(order.written_max),
    };
    Limits {
        memory_bytes: limits.memory_bytes.unwrap_or(recipe.memory_bytes),
        processes: limits.processes.unwrap_or(recipe.processes_max),
        cpu_s: cpu_ms.div_ceil(1_000).max(1),
        file_bytes,
    }
}
