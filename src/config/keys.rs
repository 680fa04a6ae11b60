//! Every key, where its value came from, and the checks that make a [`Config`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::{Cells, Config};
use crate::quantity;
use crate::telemetry::LogFormat;

/// A key's name, its default and what it means. `None` as default: absent.
const KEYS: &[(&str, Option<&str>, &str)] = &[
    (
        "listen",
        Some("127.0.0.1:8080"),
        "address and port of the HTTP door",
    ),
    (
        "insecure_listen",
        Some("false"),
        "allow `listen` beyond loopback without TLS",
    ),
    (
        "policy",
        None,
        "policy file; without it the embedded default",
    ),
    (
        "policy_keys",
        None,
        "file of public keys; every policy file must be signed by one of them",
    ),
    (
        "cache",
        None,
        "folder of compiled guests; without it $XDG_CACHE_HOME/hotcell",
    ),
    ("log", Some("info"), "log filter"),
    ("log_format", Some("text"), "log lines as `text` or `json`"),
    (
        "otlp_endpoint",
        None,
        "OpenTelemetry collector that gets a span a call, as http://127.0.0.1:4318",
    ),
    ("connections_max", Some("1024"), "connections open at once"),
    ("body_bytes_max", Some("16MiB"), "largest request body"),
    (
        "cells",
        Some("per-session"),
        "which calls share a cell process: per-session or per-token",
    ),
    (
        "confinement",
        Some("basic"),
        "cells are confined at least so much, or nothing starts: full, strong or basic",
    ),
    (
        "cell_user",
        Some("65534"),
        "number of the user that cells become when hotcell and the workspace are root's",
    ),
    ("cell_memory", Some("4GiB"), "memory of one cell process"),
    ("calls_max", Some("64"), "calls running at once"),
    (
        "calls_waiting_max",
        Some("512"),
        "calls waiting for a place",
    ),
    ("sessions_max", Some("1000"), "sessions of one token"),
    (
        "session_idle",
        Some("7d"),
        "a session unused for this long is deleted",
    ),
    (
        "drain",
        Some("10s"),
        "time running calls get when the server stops",
    ),
    (
        "record_file_bytes",
        Some("64MiB"),
        "a file of the record that reaches this is full",
    ),
    (
        "record_files_max",
        Some("256"),
        "full files of the record that are kept",
    ),
    (
        "record_reserve",
        Some("64MiB"),
        "room kept on the disk for closing calls when it is full",
    ),
    (
        "record_age",
        Some("400d"),
        "full files of the record older than this are deleted",
    ),
];

/// What the command line gave, by key; plus where state and file are.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub state: Option<PathBuf>,
    pub config: Option<PathBuf>,
    pub values: BTreeMap<&'static str, String>,
}

/// Why the configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration `{path}`")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the configuration `{path}` does not parse: {reason}")]
    Syntax { path: PathBuf, reason: String },
    #[error("the configuration `{path}` has no key `{key}`; known keys: {known}")]
    UnknownKey {
        path: PathBuf,
        key: String,
        known: String,
    },
    #[error("`{key}` ({origin}): {reason}")]
    Value {
        key: &'static str,
        origin: Origin,
        reason: String,
    },
    #[error("no state folder: set --state, HOTCELL_STATE or HOME")]
    NoState,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Flag,
    Environment(String),
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("command line"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One key as it is in force.
#[derive(Debug, Clone)]
pub struct Setting {
    pub key: &'static str,
    pub value: Option<String>,
    pub origin: Origin,
    pub meaning: &'static str,
}

/// Every key as it is in force, before the checks of [`Settings::check`].
#[derive(Debug, Clone)]
pub struct Settings {
    state: PathBuf,
    settings: Vec<Setting>,
}

impl Settings {
    /// Collects every value from flags, the process's environment and the file.
    ///
    /// # Errors
    /// When the file cannot be read, does not parse, or has an unknown key.
    pub fn collect(flags: &Flags) -> Result<Self, ConfigError> {
        Self::collect_from(flags, &environment)
    }

    fn collect_from(
        flags: &Flags,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let state = state_folder(flags, environment).ok_or(ConfigError::NoState)?;
        let (path, file) = read_file(flags, environment, &state)?;
        let settings = KEYS.iter().map(|(key, default, meaning)| {
            let variable = format!("HOTCELL_{}", key.to_uppercase());
            let (value, origin) = if let Some(value) = flags.values.get(key) {
                (Some(value.clone()), Origin::Flag)
            } else if let Some(value) = environment(&variable) {
                (Some(value), Origin::Environment(variable))
            } else if let Some(value) = file.get(*key) {
                (Some(value.clone()), Origin::File(path.clone()))
            } else {
                (default.map(str::to_owned), Origin::Default)
            };
            let value = match (*key, value) {
                ("cache", None) => cache_folder(environment),
                (_, value) => value,
            };
            Setting {
                key,
                value,
                origin,
                meaning,
            }
        });
        Ok(Self {
            state,
            settings: settings.collect(),
        })
    }

    /// The state folder.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Every key with its value and origin, in the order of the documentation.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter()
    }

    /// Checks every value.
    ///
    /// # Errors
    /// Names the key, where its value came from and what is wrong.
    pub fn check(&self) -> Result<Config, ConfigError> {
        let config = Config {
            listen: self.read("listen", |v| {
                v.parse()
                    .map_err(|_| format!("`{v}` is not an address and port, as 127.0.0.1:8080"))
            })?,
            insecure_listen: self.read("insecure_listen", |v| {
                v.parse()
                    .map_err(|_| format!("`{v}` is neither true nor false"))
            })?,
            state: self.state.clone(),
            cache: self
                .path("cache")
                .unwrap_or_else(|| self.state.join("cache")),
            policy: self.path("policy"),
            policy_keys: self.path("policy_keys"),
            log: self.read("log", |v| Ok(v.to_owned()))?,
            log_format: self.read("log_format", |v| {
                LogFormat::read(v).ok_or_else(|| format!("`{v}` is neither text nor json"))
            })?,
            otlp_endpoint: self
                .setting("otlp_endpoint")
                .and_then(|setting| setting.value.clone()),
            connections_max: self.read("connections_max", count)?,
            body_bytes_max: self.read("body_bytes_max", |v| {
                quantity::bytes(v).and_then(|n| usize::try_from(n).map_err(|e| e.to_string()))
            })?,
            cells: self.read("cells", |v| match v {
                "per-session" => Ok(Cells::PerSession),
                "per-token" => Ok(Cells::PerToken),
                _ => Err(format!("`{v}` is neither per-session nor per-token")),
            })?,
            confinement: self.read("confinement", str::parse)?,
            cell_user: self.read("cell_user", |v| {
                let number = v.parse::<u32>().ok().filter(|number| *number < u32::MAX);
                number.ok_or_else(|| format!("`{v}` is not a user's number, as 65534"))
            })?,
            cell_memory: self.read("cell_memory", |v| {
                let least = 256 << 20;
                let bytes = quantity::bytes(v)?;
                let enough = (bytes >= least).then_some(bytes);
                enough.ok_or_else(|| format!("`{v}` is less than 256MiB, which one guest may have"))
            })?,
            calls_max: self.read("calls_max", count)?,
            calls_waiting_max: self.read("calls_waiting_max", count)?,
            sessions_max: self.read("sessions_max", count)?,
            session_idle: self.read("session_idle", quantity::duration)?,
            drain: self.read("drain", quantity::duration)?,
            record_file_bytes: self.read("record_file_bytes", record_file)?,
            record_files_max: self.read("record_files_max", count)?,
            record_reserve: self.read("record_reserve", record_file)?,
            record_age: self.read("record_age", quantity::duration)?,
        };
        if !config.listen.ip().is_loopback() && !config.insecure_listen {
            return Err(self.fault(
                "listen",
                format!(
                    "{} is beyond loopback and tokens would travel unencrypted: \
                     put a TLS proxy in front, or add --insecure-listen",
                    config.listen
                ),
            ));
        }
        Ok(config)
    }

    fn setting(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        self.setting(key)
            .and_then(|setting| setting.value.as_ref())
            .map(PathBuf::from)
    }

    fn read<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        let value = self
            .setting(key)
            .and_then(|setting| setting.value.as_deref())
            .unwrap_or_default();
        parse(value).map_err(|reason| self.fault(key, reason))
    }

    fn fault(&self, key: &'static str, reason: String) -> ConfigError {
        let origin = self
            .setting(key)
            .map_or(Origin::Default, |setting| setting.origin.clone());
        ConfigError::Value {
            key,
            origin,
            reason,
        }
    }
}

/// One record can be 1 MiB long; smaller files would hold one each.
fn record_file(value: &str) -> Result<u64, String> {
    let bytes = quantity::bytes(value)?;
    let fits = (1 << 20..=1 << 40).contains(&bytes);
    let fault = || format!("`{value}` is not a size from 1MiB to 1024GiB");
    fits.then_some(bytes).ok_or_else(fault)
}

fn count(value: &str) -> Result<usize, String> {
    let number = value
        .parse::<usize>()
        .ok()
        .filter(|n| (1..=1_000_000).contains(n));
    number.ok_or_else(|| format!("`{value}` is not a whole number from 1 to 1000000"))
}

fn state_folder(flags: &Flags, environment: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| {
        environment(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    flags
        .state
        .clone()
        .or_else(|| set("HOTCELL_STATE"))
        .or_else(|| set("XDG_STATE_HOME").map(|folder| folder.join("hotcell")))
        .or_else(|| set("HOME").map(|folder| folder.join(".local/state/hotcell")))
}

fn cache_folder(environment: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let set = |name: &str| environment(name).filter(|v| !v.is_empty());
    set("XDG_CACHE_HOME")
        .map(|folder| format!("{folder}/hotcell"))
        .or_else(|| set("HOME").map(|folder| format!("{folder}/.cache/hotcell")))
}

/// The operator's home folder, when the environment names one.
pub fn home_folder() -> Option<PathBuf> {
    environment("HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from)
}

/// A folder of guests to use instead of the shipped ones (`HOTCELL_DIST`), in debug builds only.
pub fn debug_guests() -> Option<PathBuf> {
    cfg!(debug_assertions)
        .then(|| environment("HOTCELL_DIST").map(PathBuf::from))
        .flatten()
}

/// The variables that processes of ours are started with: none but [`debug_guests`]'s.
pub fn debug_variables() -> Option<(&'static str, PathBuf)> {
    debug_guests().map(|folder| ("HOTCELL_DIST", folder))
}

/// All of our environment, as `NAME=value`: what a test has a process inherit.
#[cfg(feature = "test-without-walls")]
#[expect(
    clippy::disallowed_methods,
    reason = "beside the one place that reads the environment"
)]
pub fn whole_environment() -> Vec<String> {
    let variables = std::env::vars();
    variables
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

type FileValues = BTreeMap<String, String>;

fn read_file(
    flags: &Flags,
    environment: &dyn Fn(&str) -> Option<String>,
    state: &Path,
) -> Result<(PathBuf, FileValues), ConfigError> {
    let named = flags
        .config
        .clone()
        .or_else(|| environment("HOTCELL_CONFIG").map(PathBuf::from));
    let path = named.clone().unwrap_or_else(|| state.join("hotcell.toml"));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if named.is_none() && e.kind() == std::io::ErrorKind::NotFound => {
            return Ok((path, BTreeMap::new()));
        }
        Err(source) => return Err(ConfigError::Read { path, source }),
    };
    let syntax = |reason: String| ConfigError::Syntax {
        path: path.clone(),
        reason,
    };
    let table: toml::Table = toml::from_str(&text).map_err(|e| syntax(e.to_string()))?;
    let mut values = BTreeMap::new();
    for (key, value) in table {
        if !KEYS.iter().any(|(known, ..)| *known == key) {
            let known = KEYS
                .iter()
                .map(|(known, ..)| *known)
                .collect::<Vec<_>>()
                .join(" ");
            return Err(ConfigError::UnknownKey { path, key, known });
        }
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(flag) => flag.to_string(),
            toml::Value::Float(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_) => {
                return Err(syntax(format!(
                    "`{key}` takes a string, a whole number or a boolean"
                )));
            }
        };
        values.insert(key, value);
    }
    Ok((path, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(flags: &Flags, variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        Settings::collect_from(flags, &|name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    fn flags(folder: &Path) -> Flags {
        Flags {
            state: Some(folder.to_owned()),
            ..Flags::default()
        }
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let mut flags = flags(folder.path());
        let origin = |flags: &Flags, variables: &[(&str, &str)]| {
            let settings = collect(flags, variables).unwrap();
            let setting = settings.setting("drain").unwrap().clone();
            (setting.value.unwrap(), setting.origin)
        };
        assert_eq!(origin(&flags, &[]), ("10s".to_owned(), Origin::Default));
        let file = folder.path().join("hotcell.toml");
        std::fs::write(&file, "drain = \"1s\"\n").unwrap();
        assert_eq!(origin(&flags, &[]), ("1s".to_owned(), Origin::File(file)));
        let (value, from) = origin(&flags, &[("HOTCELL_DRAIN", "2s")]);
        assert_eq!(
            (value.as_str(), from),
            ("2s", Origin::Environment("HOTCELL_DRAIN".to_owned()))
        );
        flags.values.insert("drain", "3s".to_owned());
        assert_eq!(
            origin(&flags, &[("HOTCELL_DRAIN", "2s")]),
            ("3s".to_owned(), Origin::Flag)
        );
    }

    #[test]
    fn the_state_folder_follows_its_four_sources() {
        let mut given = Flags::default();
        let state = |flags: &Flags, variables: &[(&str, &str)]| {
            collect(flags, variables).map(|settings| settings.state().to_owned())
        };
        assert!(matches!(state(&given, &[]), Err(ConfigError::NoState)));
        let mut variables = vec![("HOME", "/nowhere/h")];
        assert_eq!(
            state(&given, &variables).unwrap(),
            Path::new("/nowhere/h/.local/state/hotcell")
        );
        variables.push(("XDG_STATE_HOME", "/nowhere/x"));
        assert_eq!(
            state(&given, &variables).unwrap(),
            Path::new("/nowhere/x/hotcell")
        );
        variables.push(("HOTCELL_STATE", "/nowhere/s"));
        assert_eq!(state(&given, &variables).unwrap(), Path::new("/nowhere/s"));
        given.state = Some("/nowhere/f".into());
        assert_eq!(state(&given, &variables).unwrap(), Path::new("/nowhere/f"));
    }

    #[test]
    fn an_unknown_key_or_a_bad_value_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hotcell.toml");
        for (text, part) in [
            ("liste = \"x\"\n", "no key `liste`"),
            ("drain = [1]\n", "`drain` takes a string"),
            ("drain = \"soon\"\n", "`soon` is not a duration"),
            ("calls_max = 0\n", "`0` is not a whole number from 1"),
            ("listen = \"here\"\n", "`here` is not an address"),
            ("listen = \"0.0.0.0:80\"\n", "--insecure-listen"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = collect(&flags(folder.path()), &[])
                .and_then(|settings| settings.check())
                .expect_err(text)
                .to_string();
            assert!(error.contains(part), "{error}");
        }
        std::fs::write(&file, "listen = \"0.0.0.0:80\"\ninsecure_listen = true\n").unwrap();
        assert!(collect(&flags(folder.path()), &[]).unwrap().check().is_ok());
    }

    #[test]
    fn a_named_file_must_exist() {
        let folder = tempfile::tempdir().unwrap();
        let mut flags = flags(folder.path());
        flags.config = Some(folder.path().join("absent.toml"));
        assert!(matches!(
            collect(&flags, &[]),
            Err(ConfigError::Read { .. })
        ));
    }
}
