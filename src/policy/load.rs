//! Reads policy files. A file loads as a whole or not at all: an unknown key, a missing reason, an
//! example that fails or an ancestor that does not load refuses it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::policy::check::{self, Checker};
use crate::policy::complaint::{Complaint, PolicyError, nearest, quoted};
use crate::policy::document::Policy;
use crate::policy::examples;
use crate::policy::own_tool::{Compiler, read_tool};
use crate::policy::places::{At, Places};
use crate::policy::schema::schema;
use crate::policy::shape;
use crate::policy::sign::{self, Trust};
use crate::policy::text::{PolicyText, SignatureText};
use crate::request::hexadecimal;

/// The policy in force when no file is named.
const DEFAULT: &str = include_str!("../../policies/default.toml");
/// Name of that policy's file in complaints.
const DEFAULT_FILE: &str = "policies/default.toml";
/// Largest policy file. Chosen: 100,000 rules fit.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Deepest chain of `extends`.
const DEPTH_MAX: usize = 8;
/// Most files one policy extends, at any depth.
const ANCESTORS_MAX: usize = 32;

/// How policies are loaded.
#[derive(Debug, Clone, Default)]
pub struct Loader {
    /// Names that rules may be about; none: every name.
    pub vocabulary: Option<Arc<Vocabulary>>,
    pub trust: Trust,
    /// What compiles tools of the operator's own; none: they are read and cannot run.
    pub compiler: Option<Arc<dyn Compiler>>,
    /// Loads a file although examples fail, for the command that shows which.
    pub examples_may_fail: bool,
}

/// The tools and guest programs there are.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    pub tools: Vec<String>,
    pub programs: Vec<String>,
}

/// Loads the policy that is part of the program.
///
/// # Errors
/// None, unless the program was built with a broken default; a test says it was not.
pub fn load_default() -> Result<Policy, PolicyError> {
    Loader::default().text(DEFAULT_FILE, DEFAULT)
}

/// Loads a policy from a file, with any names and without signatures.
///
/// # Errors
/// As [`Loader::file`].
pub fn load_file(path: &Path) -> Result<Policy, PolicyError> {
    Loader::default().file(path)
}

/// Loads a policy from its text, with any names and without signatures.
///
/// # Errors
/// As [`Loader::text`].
pub fn load_text(text: &str) -> Result<Policy, PolicyError> {
    Loader::default().text("policy", text)
}

impl Loader {
    /// Loads a policy from a file.
    ///
    /// # Errors
    /// When the file cannot be read, is not signed as it must be, or says anything that is not
    /// understood.
    pub fn file(&self, path: &Path) -> Result<Policy, PolicyError> {
        self.file_below(path, 0, &mut 0)
    }

    /// Loads a policy from its text, which may extend nothing.
    ///
    /// # Errors
    /// When it says anything that is not understood.
    pub fn text(&self, file: &str, text: &str) -> Result<Policy, PolicyError> {
        self.checked((file, Path::new(".")), text, |_, _| None)
    }

    fn file_below(
        &self,
        path: &Path,
        depth: usize,
        files: &mut usize,
    ) -> Result<Policy, PolicyError> {
        let bytes = read(path)?;
        let file = path.display().to_string();
        let signed = sign::verify(path, &bytes, &self.trust);
        let text = String::from_utf8(bytes)
            .map_err(|_| refused(&file, "the file is not UTF-8", "save it as UTF-8 text"))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let policy = self.checked((&file, folder), &text, |checker, extends| {
            let mut ancestors = Vec::new();
            for (index, name) in extends.iter().enumerate() {
                *files += 1;
                let at = At::default().key("extends").index(index);
                if depth >= DEPTH_MAX || *files > ANCESTORS_MAX {
                    let fault = "files extend each other in a circle, or too many of them";
                    checker.fault(&at, fault, "extend fewer files");
                    return None;
                }
                match self.file_below(&folder.join(name), depth + 1, files) {
                    Ok(ancestor) => ancestors.push(Arc::new(ancestor)),
                    Err(PolicyError::Read { source, .. }) => {
                        let fault = format!("{} cannot be read: {source}", quoted(name));
                        let remedy = "name a policy file, relative to this one";
                        checker.fault(&at, fault, remedy);
                    }
                    Err(PolicyError::Refused(faults)) => checker.complaints.extend(faults),
                }
            }
            Some(ancestors)
        })?;
        let in_file = policy.text.signature == Some(SignatureText::Required);
        if let Err(fault) = signed
            && (in_file || self.trust.required)
        {
            return Err(refused(
                &file,
                &fault,
                "sign it: hotcell policy sign FILE --key KEY",
            ));
        }
        Ok(policy)
    }

    fn checked(
        &self,
        (file, folder): (&str, &Path),
        text: &str,
        ancestors: impl FnOnce(&mut Checker<'_>, &[String]) -> Option<Vec<Arc<Policy>>>,
    ) -> Result<Policy, PolicyError> {
        let places = Places::parse(text).map_err(|(line, column, fault)| {
            PolicyError::Refused(vec![Complaint {
                file: file.to_owned(),
                line,
                column,
                key: String::new(),
                fault,
                remedy: "correct the TOML here".to_owned(),
            }])
        })?;
        let misshapen = shape::check(&places, schema());
        if !misshapen.is_empty() {
            let complaint = |wrong: shape::Misshapen| Complaint {
                file: file.to_owned(),
                line: wrong.line,
                column: wrong.column,
                key: wrong.key,
                fault: wrong.fault,
                remedy: wrong.remedy,
            };
            let complaints = misshapen.into_iter().map(complaint).collect();
            return Err(PolicyError::Refused(complaints));
        }
        let written: PolicyText = toml::from_str(text).map_err(|error| {
            refused(
                file,
                error.message(),
                "compare the file with `hotcell policy schema`",
            )
        })?;
        let mut checker = Checker {
            file,
            places: &places,
            complaints: Vec::new(),
        };
        let digest = hexadecimal(&Sha256::digest(text.as_bytes()));
        let mut policy = check::policy(&mut checker, written, digest);
        if let Some(vocabulary) = &self.vocabulary {
            check_names(&mut checker, &policy.text, vocabulary);
        }
        let extends = policy.text.extends.clone();
        match ancestors(&mut checker, &extends) {
            Some(found) => policy.ancestors = found,
            None if extends.is_empty() => {}
            None if checker.complaints.is_empty() => {
                let at = At::default().key("extends");
                let remedy = "save the policy in a file beside the one it extends";
                checker.fault(&at, "only a file can extend another", remedy);
            }
            None => {}
        }
        policy.digest = whole_digest(&policy);
        if checker.complaints.is_empty()
            && let Some(compiler) = &self.compiler
        {
            compile_tools(&mut checker, &mut policy, folder, &**compiler);
        }
        if checker.complaints.is_empty() && !self.examples_may_fail {
            for failed in examples::run(&policy).into_iter().filter(|e| !e.holds()) {
                checker.fault(&failed.at, failed.fault(), failed.remedy());
            }
        }
        match checker.complaints.is_empty() {
            true => Ok(policy),
            false => Err(PolicyError::Refused(checker.complaints)),
        }
    }
}

/// Reads and compiles the tools of the operator's own; their files may change afterwards.
fn compile_tools(
    checker: &mut Checker<'_>,
    policy: &mut Policy,
    folder: &Path,
    compiler: &dyn Compiler,
) {
    for (index, text) in policy.text.tool.iter().enumerate() {
        let own = text.name.as_ref();
        let Some(own) = own.and_then(|name| policy.own_tools.get_mut(name)) else {
            continue;
        };
        let at = At::default().key("tool").index(index);
        let path = folder.join(&own.file);
        let (bytes, sha256) = match read_tool(&path) {
            Ok(read) => read,
            Err(fault) => {
                let remedy = "name the tool's file, relative to this policy";
                let fault = format!("{} {fault}", quoted(&path.display().to_string()));
                checker.fault(&at.key("file"), fault, remedy);
                continue;
            }
        };
        if sha256 != own.start.sha256 {
            let fault = format!("the file has the digest {sha256}, not {}", own.start.sha256);
            let remedy = "look at what changed in the file, then name its new digest";
            checker.fault(&at.key("sha256"), fault, remedy);
            continue;
        }
        match compiler.compile(own.start.kind, &bytes, &sha256) {
            Ok(code) => own.start.code = Some(Arc::new(code)),
            Err(fault) => {
                let remedy = "`hotcell tool check FILE` says what the file is and needs";
                checker.fault(&at.key("file"), fault, remedy);
            }
        }
    }
}

/// One digest for everything that decides.
fn whole_digest(policy: &Policy) -> String {
    if policy.ancestors.is_empty() {
        return policy.digest.clone();
    }
    let ancestors = policy.ancestors.iter();
    let digests = ancestors.map(|ancestor| &*ancestor.digest);
    let digests: Vec<_> = std::iter::once(&*policy.digest).chain(digests).collect();
    hexadecimal(&Sha256::digest(digests.join("\n")))
}

fn read(path: &Path) -> Result<Vec<u8>, PolicyError> {
    let fault = |source| PolicyError::Read {
        path: PathBuf::from(path),
        source,
    };
    let file = File::open(path).map_err(fault)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(fault)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let fault = format!("the file has over {FILE_BYTES_MAX} bytes");
        return Err(refused(&path.display().to_string(), &fault, "split it"));
    }
    Ok(bytes)
}

fn refused(file: &str, fault: &str, remedy: &str) -> PolicyError {
    PolicyError::Refused(vec![Complaint {
        file: file.to_owned(),
        line: 1,
        column: 1,
        key: String::new(),
        fault: fault.to_owned(),
        remedy: remedy.to_owned(),
    }])
}

/// A rule for a name that does not exist would allow or deny nothing.
fn check_names(checker: &mut Checker<'_>, text: &PolicyText, vocabulary: &Vocabulary) {
    let mut check = |at: &At, names: &[String], known: &[String], kind: &str| {
        for (index, name) in names.iter().enumerate() {
            if name == "*" || known.contains(name) {
                continue;
            }
            let remedy = match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("write `{near}`"),
                None if known.len() > 40 => "`ls /bin` in a call lists them".to_owned(),
                None => format!("write one of {}", known.join(", ")),
            };
            let fault = format!("no {kind} is called {}", quoted(name));
            checker.fault(&at.index(index), fault, remedy);
        }
    };
    let top = At::default();
    let programs = &vocabulary.programs;
    let own = text.tool.iter().filter_map(|rule| rule.name.clone());
    let tools: &Vec<String> = &own.chain(vocabulary.tools.iter().cloned()).collect();
    for (index, rule) in text.tool.iter().enumerate() {
        let at = top.key("tool").index(index).key("names");
        check(&at, &rule.names, &vocabulary.tools, "tool");
    }
    for (index, rule) in text.program.iter().enumerate() {
        let at = top.key("program").index(index).key("names");
        check(&at, &rule.names, programs, "program");
    }
    for (index, rule) in text.deny.iter().enumerate() {
        let at = top.key("deny").index(index);
        check(&at.key("tools"), &rule.tools, tools, "tool");
        check(&at.key("programs"), &rule.programs, programs, "program");
    }
    for (index, rule) in text.tool.iter().enumerate() {
        let name = rule.name.as_ref();
        let Some(name) = name
            .filter(|name| vocabulary.tools.contains(name) || vocabulary.programs.contains(name))
        else {
            continue;
        };
        let fault = format!("{} is there already", quoted(name));
        let at = top.key("tool").index(index).key("name");
        checker.fault(&at, fault, "give the tool another name");
    }
}
