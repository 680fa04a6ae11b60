//! Golden files, and every form against text that wants out of its field.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::audit::calls::{Calls, Entry};
use crate::audit::export::Format;
use crate::audit::line::{Stamp, body, treacherous};
use crate::audit::reader::Stored;
use crate::audit::tests::{intent, outcome};
use crate::audit::{Asked, Changed, ChangedState, Finished, Granted, Intent, Interrupted, Verdict};
use crate::limits::Limits;
use crate::outcome::{StoppedBy, Usage};

const FORMATS: [(&str, Format); 4] = [
    ("ocsf", Format::Ocsf),
    ("ecs", Format::Ecs),
    ("cef", Format::Cef),
    ("otel", Format::Otel),
];

/// A small log in memory, with stamps that are the same every time.
#[derive(Default)]
struct Lines {
    chain: crate::audit::chain::Chain,
    lines: Vec<Stored>,
}

impl Lines {
    fn add(&mut self, event: &str, record: &impl serde::Serialize) {
        let id = format!("01890a5d-ac96-774b-bcce-{:012}", self.lines.len());
        let stamp = Stamp {
            id: &id,
            mono_us: 1_000_000,
            boot: "6e32029d-000b-43e3-8b7b-dc1f94cb716f",
        };
        let mut line = Vec::new();
        let body = body("2026-11-17T09:12:03.500Z", event, record, &stamp);
        self.chain.append(&mut line, &body);
        line.pop();
        let file: Arc<Path> = PathBuf::from("t.jsonl").into();
        self.lines.push(Stored {
            line,
            file,
            line_number: 1,
        });
    }

    fn entries(self) -> Vec<Entry> {
        Calls::of(self.lines.into_iter().map(Ok))
            .map(Result::unwrap)
            .collect()
    }
}

fn examples() -> Vec<Entry> {
    let mut lines = Lines::default();
    let limits = Some(Granted::from(&Limits::default()));
    lines.add(
        "intent",
        &Intent {
            limits,
            ..intent("call-1")
        },
    );
    let usage = Some(Usage {
        fuel: 9,
        wall_us: 1200,
        memory_peak_bytes: 65536,
        processes: 2,
        written_bytes: 6,
    });
    let changed = vec![Changed {
        path: "/workspace/a".into(),
        state: ChangedState::File,
        bytes: Some(6),
        sha256: Some("22".repeat(32)),
    }];
    lines.add(
        "outcome",
        &Finished {
            usage,
            changed,
            ..outcome("call-1")
        },
    );
    lines.add(
        "intent",
        &Intent {
            decision: Verdict::Deny,
            rule: "deny".into(),
            line: 7,
            reason: Some("no secrets | here = never".into()),
            tool: "read".into(),
            request: Asked {
                fields: vec![("file_path".into(), "/workspace/.env".into())],
                ..Asked::default()
            },
            ..intent("call-2")
        },
    );
    lines.add("intent", &intent("call-3"));
    lines.add(
        "outcome",
        &Finished {
            exit_code: Some(124),
            stopped_by: Some(StoppedBy::Wall),
            ..outcome("call-3")
        },
    );
    lines.add("intent", &intent("call-4"));
    lines.add(
        "interrupted",
        &Interrupted {
            request_id: "call-4".to_owned(),
        },
    );
    lines.entries()
}

/// `HOTCELL_BLESS=1` writes the files anew.
#[test]
fn each_form_is_as_its_golden_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit/golden");
    for (name, format) in FORMATS {
        let lines: Vec<_> = examples()
            .iter()
            .map(|entry| format.line("serve", &entry.call().unwrap()) + "\n")
            .collect();
        assert_eq!(lines.len(), 4);
        let path = folder.join(format!("{name}.txt"));
        if option_env!("HOTCELL_BLESS").is_some() {
            std::fs::write(&path, lines.concat()).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            lines.concat().lines().collect::<Vec<_>>(),
            golden.lines().collect::<Vec<_>>()
        );
    }
}

/// Text that agents control, with what log readers have stumbled over.
fn injections() -> Vec<String> {
    let mut corpus: Vec<String> = [
        "a\nb",
        "a\r\nCEF:0|x|y|z|1|2|3|",
        "\u{1b}[31mred\u{1b}[0m",
        "\u{1b}]0;title\u{7}",
        "\u{2028}\u{2029}\u{85}",
        "nul\0nul",
        "\"},{\"event\":\"intent\"",
        "${jndi:ldap://x/a}",
        "=cmd|' /C calc'!A0",
        "+1",
        "-1",
        "@SUM(1)",
        "a|b\\|c\\\\|",
        "k=v act=allowed outcome=success",
        "\\",
        "\\n",
        "\u{202e}txt.exe",
        "\u{2066}x\u{2069}",
        "\u{feff}",
        "\u{200b}",
        "\u{fffd}",
        "<script>alert(1)</script>",
        "%0a%0d",
        "{{7*7}}",
        "';--",
        "\u{e0041}",
        "\t",
        "\u{9b}31m",
        "漢字 🦀",
    ]
    .map(str::to_owned)
    .into();
    corpus.push("x".repeat(4096));
    corpus.push("\u{1b}".repeat(4096));
    corpus
}

#[test]
fn no_text_leaves_its_field_in_any_form() {
    for text in injections() {
        let mut lines = Lines::default();
        let hostile = || std::borrow::Cow::Owned(text.clone());
        let asked = Asked {
            cwd: Some(hostile()),
            env: vec![hostile()],
            fields: vec![("command".into(), hostile()), ("path".into(), hostile())],
            ..Asked::default()
        };
        lines.add(
            "intent",
            &Intent {
                agent: hostile(),
                session: hostile(),
                tool: hostile(),
                door: hostile(),
                reason: Some(hostile()),
                request: asked.clone(),
                ..intent("call-1")
            },
        );
        lines.add(
            "outcome",
            &Finished {
                error: Some(hostile()),
                ..outcome("call-1")
            },
        );
        let entries = lines.entries();
        let call = entries[0].call().unwrap();
        assert_eq!(
            (&*call.intent.agent, &call.intent.request),
            (&*text, &asked)
        );
        for (name, format) in FORMATS {
            let line = format.line("serve", &call);
            assert!(!line.chars().any(treacherous), "{name}: {line:?}");
            if format == Format::Cef {
                check_cef(&line, &text);
            } else {
                let value: Value = serde_json::from_str(&line).unwrap();
                let user = match format {
                    Format::Ocsf => &value["actor"]["user"]["name"],
                    Format::Ecs => &value["user"]["name"],
                    Format::Cef | Format::Otel => {
                        &value["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["attributes"][5]
                            ["value"]["stringValue"]
                    }
                };
                assert_eq!(user, &Value::String(text.clone()), "{name}");
            }
        }
    }
}

/// Reads a CEF line as its specification says and checks that no field was added.
fn check_cef(line: &str, text: &str) {
    let mut bars = 0;
    let mut escaped = false;
    let mut rest = "";
    for (at, character) in line.char_indices() {
        if character == '|' && !escaped {
            bars += 1;
            if bars == 7 {
                rest = &line[at + 1..];
                break;
            }
        }
        escaped = character == '\\' && !escaped;
    }
    assert_eq!(bars, 7, "{line}");
    let mut equals = 0;
    let mut escaped = false;
    for character in rest.chars() {
        equals += usize::from(character == '=' && !escaped);
        escaped = character == '\\' && !escaped;
    }
    assert_eq!(equals, 26, "{text:?}: {rest}");
}
