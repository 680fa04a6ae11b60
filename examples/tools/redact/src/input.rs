//! What to redact and what to take out, as said in JSON or in arguments.

use std::io::Read;

use serde::Deserialize;

use crate::redactor::Kind;

/// A call's text comes with its input. Chosen, not measured.
const INPUT_BYTES_MAX: u64 = 16 << 20;
const USAGE: &str = "usage: redact [--kinds email,ip,key,card] FILE, or - for standard input";

#[derive(Debug, PartialEq)]
pub enum Source {
    Text(String),
    File(String),
    StandardInput,
}

#[derive(Debug)]
pub struct Input {
    pub source: Source,
    pub kinds: Vec<Kind>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    text: Option<String>,
    path: Option<String>,
    kinds: Option<Vec<String>>,
}

/// Reads the call's input.
pub fn from_json(source: impl Read) -> Result<Input, String> {
    let mut text = String::new();
    source
        .take(INPUT_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot read the input: {error}"))?;
    if text.len() as u64 == INPUT_BYTES_MAX {
        return Err(format!(
            "the input has {INPUT_BYTES_MAX} bytes or more: put the text in a file and send its \"path\""
        ));
    }
    let json: Json = serde_json::from_str(&text).map_err(|error| {
        format!("the input is not as wanted: {error}; send {{\"text\": \"…\"}} or {{\"path\": \"FILE\"}}")
    })?;
    let source = match (json.text, json.path) {
        (Some(text), None) => Source::Text(text),
        (None, Some(path)) => Source::File(path),
        (None, None) => return Err("there is nothing to redact: send \"text\" or \"path\"".into()),
        (Some(_), Some(_)) => {
            return Err("\"text\" and \"path\" exclude each other: send one".into());
        }
    };
    let names = json.kinds.unwrap_or_default();
    Ok(Input {
        source,
        kinds: kinds(names.iter().map(String::as_str))?,
    })
}

/// Reads the filter's arguments.
pub fn from_arguments(arguments: &[String]) -> Result<Input, String> {
    let mut source = None;
    let mut names = "";
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--kinds" => {
                names = rest
                    .next()
                    .ok_or_else(|| format!("--kinds needs a list; {USAGE}"))?;
            }
            option if option.starts_with('-') && option != "-" => {
                return Err(format!("unknown option {option:?}; {USAGE}"));
            }
            name if source.is_some() => {
                return Err(format!("{name:?} is one file too many; {USAGE}"));
            }
            "-" => source = Some(Source::StandardInput),
            name => source = Some(Source::File(name.to_owned())),
        }
    }
    let source = source.ok_or_else(|| format!("there is no file; {USAGE}"))?;
    let kinds = kinds(names.split(',').filter(|name| !name.is_empty()))?;
    Ok(Input { source, kinds })
}

/// No names mean all kinds.
fn kinds<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<Kind>, String> {
    let kinds = names
        .map(|name| {
            Kind::ALL
                .into_iter()
                .find(|kind| kind.name() == name)
                .ok_or_else(|| {
                    format!("there is no kind {name:?}; the kinds are email, ip, key and card")
                })
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(if kinds.is_empty() {
        Kind::ALL.to_vec()
    } else {
        kinds
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Result<Input, String> {
        from_arguments(
            &words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn json_names_a_text_or_a_file() {
        let input = from_json(r#"{"text": "a", "kinds": ["ip"]}"#.as_bytes()).unwrap();
        assert_eq!(
            (input.source, input.kinds),
            (Source::Text("a".into()), vec![Kind::Ip])
        );
        let input = from_json(r#"{"path": "a"}"#.as_bytes()).unwrap();
        assert_eq!(
            (input.source, input.kinds.len()),
            (Source::File("a".into()), 4)
        );
    }

    #[test]
    fn json_is_refused_with_the_way_out() {
        for (text, part) in [
            ("{}", "send \"text\" or \"path\""),
            (r#"{"text": "a", "path": "b"}"#, "exclude each other"),
            (r#"{"text": "a", "kinds": ["name"]}"#, "the kinds are email"),
            (r#"{"text": 1}"#, "invalid type"),
        ] {
            let message = from_json(text.as_bytes()).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn arguments_name_a_file_and_kinds() {
        let input = arguments(&["--kinds", "card,key", "-"]).unwrap();
        assert_eq!(
            (input.source, input.kinds),
            (Source::StandardInput, vec![Kind::Card, Kind::Key])
        );
        assert_eq!(arguments(&["a"]).unwrap().source, Source::File("a".into()));
        for words in [
            &["-x", "a"][..],
            &["a", "b"],
            &["--kinds"],
            &["--kinds", "ip"],
        ] {
            assert!(
                arguments(words).unwrap_err().contains("usage:"),
                "{words:?}"
            );
        }
    }
}
