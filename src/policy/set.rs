//! The policies in force: one for each agent that has its own, one for all others. A reload
//! replaces all of them or none; a call keeps the policy it began with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::policy::complaint::{Complaint, PolicyError};
use crate::policy::document::Policy;
use crate::policy::load::{Loader, load_default};

/// Where policies come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The file for agents without one of their own; none: the embedded default.
    pub default: Option<PathBuf>,
    pub by_agent: BTreeMap<String, PathBuf>,
}

/// The policies in force.
#[derive(Debug)]
pub struct Policies {
    loader: Loader,
    /// Allows nothing.
    nothing: Arc<Policy>,
    held: RwLock<Arc<Held>>,
    /// Where policies should come from; what is held may lag behind when a file does not load.
    wanted: RwLock<Wanted>,
    /// Why the last reload changed nothing.
    failure: RwLock<Option<String>>,
    /// One reload at a time.
    reloading: Mutex<()>,
}

#[derive(Debug)]
struct Wanted {
    sources: Sources,
    /// Agents that are to have another policy than the one held for them: until it loads they
    /// may do nothing.
    barred: BTreeSet<String>,
}

#[derive(Debug)]
struct Held {
    /// Counts successful loads, from 1.
    generation: u64,
    sources: Sources,
    default: Arc<Policy>,
    by_agent: HashMap<String, Arc<Policy>>,
}

/// One policy in force, for readiness and records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The agent it is for; none: all others.
    pub agent: Option<String>,
    pub name: String,
    pub serial: u64,
    pub digest: String,
}

impl Policies {
    /// Loads every policy.
    ///
    /// # Errors
    /// The first file that does not load.
    pub fn load(sources: Sources, loader: Loader) -> Result<Self, PolicyError> {
        let held = hold(sources.clone(), &loader, 1)?;
        let barred = BTreeSet::new();
        Ok(Self {
            wanted: RwLock::new(Wanted { sources, barred }),
            nothing: Arc::new(nothing(&loader)?),
            loader,
            held: RwLock::new(Arc::new(held)),
            failure: RwLock::new(None),
            reloading: Mutex::new(()),
        })
    }

    /// The policy for an agent.
    pub fn of(&self, agent: &str) -> Arc<Policy> {
        if self.wanted.read().barred.contains(agent) {
            return Arc::clone(&self.nothing);
        }
        let held = self.held.read();
        let own = held.by_agent.get(agent);
        Arc::clone(own.unwrap_or(&held.default))
    }

    /// Takes policies from other sources, if these are other ones; answers whether they are. An
    /// agent whose file is another one now may do nothing until it loads.
    ///
    /// # Errors
    /// As [`Self::reload`], once; after that [`Self::failure`] tells.
    pub fn keep_to(&self, sources: Sources) -> Result<bool, PolicyError> {
        {
            let mut wanted = self.wanted.write();
            if wanted.sources == sources {
                return Ok(false);
            }
            let held = Arc::clone(&self.held.read());
            let agents = sources.by_agent.iter();
            let other =
                agents.filter(|(agent, path)| held.sources.by_agent.get(*agent) != Some(*path));
            // One that loses its own policy must not have the wider of the two meanwhile, either.
            let held = held.sources.by_agent.keys();
            let lost = held.filter(|agent| !sources.by_agent.contains_key(*agent));
            let barred = other.map(|(agent, _)| agent).chain(lost).cloned().collect();
            *wanted = Wanted { sources, barred };
        }
        self.reload().map(|_| true)
    }

    /// Loads every file again. A file that does not load, or an older serial than the one in
    /// force, leaves everything as it is.
    ///
    /// # Errors
    /// Why nothing was changed; [`Self::failure`] keeps it.
    pub fn reload(&self) -> Result<u64, PolicyError> {
        let _alone = self.reloading.lock();
        let before = Arc::clone(&self.held.read());
        let sources = self.wanted.read().sources.clone();
        let fresh = hold(sources, &self.loader, before.generation + 1).and_then(|fresh| {
            not_older(&before, &fresh)?;
            Ok(fresh)
        });
        match fresh {
            Ok(fresh) => {
                let generation = fresh.generation;
                let loaded = fresh.sources.clone();
                *self.held.write() = Arc::new(fresh);
                let mut wanted = self.wanted.write();
                if wanted.sources == loaded {
                    wanted.barred.clear();
                }
                drop(wanted);
                *self.failure.write() = None;
                Ok(generation)
            }
            Err(error) => {
                *self.failure.write() = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// Why the last reload changed nothing; none when it did, or there was none.
    pub fn failure(&self) -> Option<String> {
        self.failure.read().clone()
    }

    /// How often policies were loaded.
    pub fn generation(&self) -> u64 {
        self.held.read().generation
    }

    /// Every policy in force, the one for all others first.
    pub fn versions(&self) -> Vec<Version> {
        let held = Arc::clone(&self.held.read());
        let version = |agent: Option<&String>, policy: &Policy| Version {
            agent: agent.cloned(),
            name: policy.name.clone(),
            serial: policy.serial,
            digest: policy.digest.clone(),
        };
        let mut versions = vec![version(None, &held.default)];
        let agents = held.sources.by_agent.keys();
        let own = agents.filter_map(|agent| Some((agent, held.by_agent.get(agent)?)));
        versions.extend(own.map(|(agent, policy)| version(Some(agent), policy)));
        versions
    }
}

/// The policy of an agent whose own does not load.
fn nothing(loader: &Loader) -> Result<Policy, PolicyError> {
    let text =
        "version = 1\nname = \"none\"\ndescription = \"This agent's policy does not load.\"\n";
    loader.text("none", text)
}

fn hold(sources: Sources, loader: &Loader, generation: u64) -> Result<Held, PolicyError> {
    // Agents that share a file share its policy.
    let mut loaded: HashMap<PathBuf, Arc<Policy>> = HashMap::new();
    let mut load = |path: &Path| match loaded.get(path) {
        Some(policy) => Ok(Arc::clone(policy)),
        None => {
            let policy = Arc::new(loader.file(path)?);
            loaded.insert(path.to_owned(), Arc::clone(&policy));
            Ok(policy)
        }
    };
    let default = match &sources.default {
        Some(path) => load(path)?,
        None => Arc::new(load_default()?),
    };
    let mut by_agent = HashMap::new();
    for (agent, path) in &sources.by_agent {
        by_agent.insert(agent.clone(), load(path)?);
    }
    Ok(Held {
        generation,
        sources,
        default,
        by_agent,
    })
}

/// An old, perhaps wider, release of a policy must not come back unnoticed.
fn not_older(before: &Held, fresh: &Held) -> Result<(), PolicyError> {
    let agents = fresh.by_agent.iter();
    let pairs = agents.filter_map(|(agent, policy)| Some((before.by_agent.get(agent)?, policy)));
    for (old, new) in pairs.chain([(&before.default, &fresh.default)]) {
        let (old, new) = (serials(old), serials(new));
        for (name, (serial, file)) in new {
            let Some((in_force, _)) = old.get(name).filter(|(old, _)| serial < *old) else {
                continue;
            };
            return Err(PolicyError::Refused(vec![Complaint {
                file: file.to_owned(),
                line: 1,
                column: 1,
                key: "serial".to_owned(),
                fault: format!("{serial} is older than {in_force}, which is in force"),
                remedy: "release the policy with a larger serial, or start again".to_owned(),
            }]));
        }
    }
    Ok(())
}

/// The oldest serial of every name among a policy and its ancestors, with its file.
fn serials(policy: &Policy) -> BTreeMap<&str, (u64, &str)> {
    let mut oldest: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for layer in policy.layers() {
        let own = (layer.serial, &*layer.file);
        let known = oldest.entry(&layer.name).or_insert(own);
        if own.0 < known.0 {
            *known = own;
        }
    }
    oldest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::decide::{Decision, decide};
    use crate::policy::request::{Request, ToolCall};

    #[test]
    fn an_agent_whose_own_file_does_not_load_may_do_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ann.toml");
        std::fs::write(&file, "colour = 1\n").unwrap();
        let policies = Policies::load(Sources::default(), Loader::default()).unwrap();
        let bash = |agent: &str| {
            let call = ToolCall {
                agent,
                tool: "bash",
                variables: Vec::new(),
                timeout_ms: None,
            };
            let now = std::time::UNIX_EPOCH;
            let decision = decide(&policies.of(agent), &Request::Tool(call), now);
            matches!(decision, Decision::Allow(_))
        };
        assert!(bash("ann") && bash("bob"));
        let sources = Sources {
            by_agent: [("ann".to_owned(), file.clone())].into(),
            ..Sources::default()
        };
        assert!(policies.keep_to(sources.clone()).is_err());
        assert!(!bash("ann") && bash("bob"));
        assert!(policies.failure().unwrap().contains("colour"));
        // Told once; a reload tries again.
        assert!(!policies.keep_to(sources).unwrap());
        let tool = "[[tool]]\nnames = [\"bash\"]\nreason = \"r\"\n";
        std::fs::write(&file, text("ann", 1, tool)).unwrap();
        policies.reload().unwrap();
        assert!(bash("ann") && policies.failure().is_none());
        // Without a policy of its own it waits for the others' like for one of its own.
        let absent = Sources {
            default: Some(folder.path().join("absent.toml")),
            ..Sources::default()
        };
        assert!(policies.keep_to(absent).is_err());
        assert!(!bash("ann") && bash("bob"));
        assert!(policies.keep_to(Sources::default()).unwrap());
        assert!(bash("ann"));
        assert_eq!(policies.versions().len(), 1);
    }

    fn text(name: &str, serial: u64, rest: &str) -> String {
        format!("version = 1\nname = \"{name}\"\ndescription = \"d\"\nserial = {serial}\n{rest}")
    }

    #[test]
    fn a_reload_replaces_everything_or_nothing_and_calls_keep_what_they_have() {
        let folder = tempfile::tempdir().unwrap();
        let (all, ann) = (
            folder.path().join("all.toml"),
            folder.path().join("ann.toml"),
        );
        std::fs::write(&all, text("all", 1, "")).unwrap();
        std::fs::write(&ann, text("ann", 1, "")).unwrap();
        let sources = Sources {
            default: Some(all.clone()),
            by_agent: [("ann".to_owned(), ann.clone())].into(),
        };
        let policies = Policies::load(sources, Loader::default()).unwrap();
        let names = |policies: &Policies| {
            (
                policies.of("ann").name.clone(),
                policies.of("bob").name.clone(),
            )
        };
        assert_eq!(names(&policies), ("ann".to_owned(), "all".to_owned()));
        let begun = policies.of("ann");

        std::fs::write(&all, text("all2", 2, "")).unwrap();
        std::fs::write(&ann, text("ann", 2, "colour = 1\n")).unwrap();
        assert!(policies.reload().is_err());
        assert_eq!(names(&policies).1, "all", "half of a reload");
        let failure = policies.failure().unwrap();
        assert!(
            failure.contains("ann.toml: line 5") && failure.contains("colour"),
            "{failure}"
        );
        assert_eq!(policies.generation(), 1);

        std::fs::write(&ann, text("ann", 2, "")).unwrap();
        assert_eq!(policies.reload().unwrap(), 2);
        assert_eq!(policies.failure(), None);
        assert_eq!(names(&policies).1, "all2");
        assert_eq!((begun.serial, policies.of("ann").serial), (1, 2));
        assert_eq!(policies.versions().len(), 2);
    }

    #[test]
    fn an_older_serial_does_not_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.toml");
        let sources = Sources {
            default: Some(file.clone()),
            ..Sources::default()
        };
        std::fs::write(&file, text("p", 7, "")).unwrap();
        let policies = Policies::load(sources, Loader::default()).unwrap();
        std::fs::write(&file, text("p", 6, "")).unwrap();
        let error = policies.reload().unwrap_err().to_string();
        assert!(error.contains("6 is older than 7"), "{error}");
        assert_eq!(policies.of("ann").serial, 7);
        // Nor does one of a policy that others extend.
        let below = folder.path().join("below.toml");
        let extends = "extends = [\"p.toml\"]\n";
        std::fs::write(&file, text("p", 7, "")).unwrap();
        std::fs::write(&below, text("below", 1, extends)).unwrap();
        let sources = Sources {
            default: Some(below),
            ..Sources::default()
        };
        let policies = Policies::load(sources, Loader::default()).unwrap();
        policies.reload().unwrap();
        std::fs::write(&file, text("p", 6, "")).unwrap();
        let error = policies.reload().unwrap_err().to_string();
        assert!(
            error.contains("p.toml") && error.contains("6 is older"),
            "{error}"
        );
    }
}
