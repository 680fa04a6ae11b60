//! What to summarize, as said in JSON or in arguments.

use std::io::Read;

use serde::Deserialize;

/// More than a path and a character need. Chosen, not measured.
const INPUT_BYTES_MAX: u64 = 64 << 10;
const USAGE: &str = "usage: csv-summary [-d CHAR] FILE, or - for standard input";

#[derive(Debug, PartialEq)]
pub struct Input {
    /// `-` is standard input, in the filter's form only.
    pub path: String,
    pub delimiter: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Json {
    path: String,
    delimiter: Option<String>,
}

/// Reads the call's input.
pub fn from_json(source: impl Read) -> Result<Input, String> {
    let mut text = String::new();
    source
        .take(INPUT_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot read the input: {error}"))?;
    let json: Json = serde_json::from_str(&text).map_err(|error| {
        format!(
            "the input is not as wanted: {error}; send {{\"path\": \"FILE\"}} on standard input"
        )
    })?;
    if json.path == "-" {
        return Err(
            "the path \"-\" is standard input, which holds the call's input: name a file".into(),
        );
    }
    Ok(Input {
        path: json.path,
        delimiter: delimiter(json.delimiter.as_deref().unwrap_or(","))?,
    })
}

/// Reads the filter's arguments.
pub fn from_arguments(arguments: &[String]) -> Result<Input, String> {
    let mut path = None;
    let mut separator = b',';
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "-d" => {
                let text = rest
                    .next()
                    .ok_or_else(|| format!("-d needs a character; {USAGE}"))?;
                separator = delimiter(text)?;
            }
            option if option.starts_with('-') && option != "-" => {
                return Err(format!("unknown option {option:?}; {USAGE}"));
            }
            name if path.is_none() => path = Some(name.to_owned()),
            name => return Err(format!("{name:?} is one file too many; {USAGE}")),
        }
    }
    let path = path.ok_or_else(|| format!("there is no file; {USAGE}"))?;
    Ok(Input {
        path,
        delimiter: separator,
    })
}

/// `\t` in two characters is taken for a tab, since a tab is hard to type in a shell.
fn delimiter(text: &str) -> Result<u8, String> {
    let byte = match text.as_bytes() {
        [byte] => *byte,
        b"\\t" => b'\t',
        _ => 0,
    };
    if byte.is_ascii() && !matches!(byte, 0 | b'"' | b'\r' | b'\n') {
        return Ok(byte);
    }
    Err(format!(
        "the delimiter {text:?} cannot separate cells: it must be one ASCII character other than a quote \
         or a line end, such as \";\""
    ))
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
    fn json_names_file_and_delimiter() {
        let input = from_json(r#"{"path": "a.csv", "delimiter": "\t"}"#.as_bytes()).unwrap();
        assert_eq!(
            input,
            Input {
                path: "a.csv".into(),
                delimiter: b'\t'
            }
        );
        assert_eq!(
            from_json(r#"{"path": "a"}"#.as_bytes()).unwrap().delimiter,
            b','
        );
    }

    #[test]
    fn json_is_refused_with_the_way_out() {
        for (text, part) in [
            ("{}", "missing field `path`"),
            (r#"{"path": "a", "file": 1}"#, "unknown field `file`"),
            (
                r#"{"path": "a", "delimiter": ";;"}"#,
                "\";;\" cannot separate",
            ),
            (r#"{"path": "a", "delimiter": "é"}"#, "one ASCII character"),
            (r#"{"path": "-"}"#, "name a file"),
        ] {
            let message = from_json(text.as_bytes()).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn arguments_name_file_and_delimiter() {
        assert_eq!(
            arguments(&["-d", ";", "-"]).unwrap(),
            Input {
                path: "-".into(),
                delimiter: b';'
            }
        );
        assert_eq!(arguments(&["a", "-d", "\\t"]).unwrap().delimiter, b'\t');
        for words in [&["-x", "a"][..], &["a", "b"], &["-d"], &["-d", ","]] {
            assert!(
                arguments(words).unwrap_err().contains("usage:"),
                "{words:?}"
            );
        }
    }
}
