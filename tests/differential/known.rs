//! `divergences.toml` of a suite: where Hotcell knowingly differs, each with its reason.

use std::collections::HashMap;

use super::case::{Case, folder};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    divergence: Vec<Divergence>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Divergence {
    case: String,
    reason: String,
}

/// Returns the reason for each case that is known to differ; a suite without the file has none.
pub fn load(suite: &str, cases: &[Case]) -> Result<HashMap<String, String>, String> {
    let path = folder(suite).join("divergences.toml");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(HashMap::new());
    };
    let document: Document =
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut known = HashMap::new();
    for Divergence { case, reason } in document.divergence {
        if !cases.iter().any(|existing| existing.name == case) {
            return Err(format!("{}: no case is called {case:?}", path.display()));
        }
        if reason.trim().is_empty() {
            return Err(format!("{}: {case:?} has no reason", path.display()));
        }
        if known.insert(case.clone(), reason).is_some() {
            return Err(format!("{}: {case:?} is listed twice", path.display()));
        }
    }
    Ok(known)
}
