//! Text: its encoding, its line ends, and what it is written in where that is certain.

use super::{Finding, language, script};

/// A line longer than this is worth a word, as in libmagic.
const LONG_LINE: usize = 300;

struct Encoding {
    name: &'static str,
    charset: &'static str,
}

/// What text this is; `None` when it is none.
pub fn find(start: &[u8]) -> Option<Finding> {
    let encoding = encoding(start)?;
    let ends = line_ends(start);
    if let Some(script) = script::find(start) {
        let executable = if script.before.contains("executable") {
            ""
        } else {
            " executable"
        };
        let description = if script.encoding {
            format!(
                "{}, {} text{executable}{ends}",
                script.before, encoding.name
            )
        } else {
            script.before
        };
        return Some(Finding {
            description,
            mime: script.mime,
            charset: encoding.charset,
        });
    }
    let text = String::from_utf8_lossy(start);
    let found = |description: String, mime| {
        Some(Finding {
            description,
            mime,
            charset: encoding.charset,
        })
    };
    match json(start) {
        Some(true) => return found("JSON text data".to_owned(), "application/json"),
        Some(false) => {
            return found(
                "New Line Delimited JSON text data".to_owned(),
                "application/x-ndjson",
            );
        }
        None => {}
    }
    let head = text.trim_start_matches('\u{feff}').trim_start();
    if head.starts_with("-----BEGIN CERTIFICATE-----") {
        return found("PEM certificate".to_owned(), "text/plain");
    }
    if head.starts_with("-----BEGIN RSA PRIVATE KEY-----") {
        return found("PEM RSA private key".to_owned(), "text/plain");
    }
    if head.starts_with("<svg") {
        return found(
            "SVG Scalable Vector Graphics image".to_owned(),
            "image/svg+xml",
        );
    }
    if language::is_csv(&text, (start.len() as u64) < super::LOOK) {
        return found("CSV text".to_owned(), "text/csv");
    }
    let (before, mime) = match language::find(head) {
        Some((name, mime)) => (format!("{name}, "), mime),
        None => (String::new(), "text/plain"),
    };
    let executable = if mime == "text/x-script.python" {
        " executable"
    } else {
        ""
    };
    found(
        format!("{before}{} text{executable}{ends}", encoding.name),
        mime,
    )
}

fn encoding(start: &[u8]) -> Option<Encoding> {
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        let little = start[0] == 0xff;
        return Some(Encoding {
            name: if little {
                "Unicode text, UTF-16, little-endian"
            } else {
                "Unicode text, UTF-16, big-endian"
            },
            charset: if little { "utf-16le" } else { "utf-16be" },
        });
    }
    // What libmagic takes for text: printable, and the controls that terminals and editors know.
    let control = |byte: u8| byte < 32 && !matches!(byte, 7..=13 | 27) || byte == 127;
    if start.iter().any(|byte| control(*byte)) {
        return None;
    }
    if start.is_ascii() {
        return Some(Encoding {
            name: "ASCII",
            charset: "us-ascii",
        });
    }
    let valid = match std::str::from_utf8(start) {
        Ok(_) => true,
        // A character cut off where looking ended.
        Err(error) => error.error_len().is_none(),
    };
    if valid {
        let marked = start.starts_with("\u{feff}".as_bytes());
        return Some(Encoding {
            name: if marked {
                "Unicode text, UTF-8 (with BOM)"
            } else {
                "Unicode text, UTF-8"
            },
            charset: "utf-8",
        });
    }
    let latin = !start.iter().any(|byte| matches!(byte, 0x80..=0x9f));
    Some(Encoding {
        name: if latin {
            "ISO-8859"
        } else {
            "Non-ISO extended-ASCII"
        },
        charset: if latin { "iso-8859-1" } else { "unknown-8bit" },
    })
}

/// What follows the encoding: long lines, line ends, escapes.
fn line_ends(start: &[u8]) -> String {
    let mut out = String::new();
    // UTF-16 is judged by its letters.
    let text: Vec<u8> = if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        start.iter().copied().filter(|byte| *byte != 0).collect()
    } else {
        start.to_vec()
    };
    let (mut crlf, mut cr, mut lf, mut length, mut longest) = (0, 0, 0, 0usize, 0usize);
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' if bytes.next_if_eq(&&b'\n').is_some() => crlf += 1,
            b'\r' => cr += 1,
            b'\n' => lf += 1,
            byte => {
                // Characters, not bytes.
                length += usize::from(byte & 0xc0 != 0x80);
                longest = longest.max(length);
                continue;
            }
        }
        length = 0;
    }
    if longest > LONG_LINE {
        out.push_str(&format!(", with very long lines ({longest})"));
    }
    if crlf + cr + lf == 0 {
        out.push_str(", with no line terminators");
    } else if crlf + cr > 0 {
        let mut kinds = Vec::new();
        for (count, name) in [(crlf, "CRLF"), (cr, "CR"), (lf, "LF")] {
            if count > 0 {
                kinds.push(name);
            }
        }
        out.push_str(&format!(", with {} line terminators", kinds.join(", ")));
    }
    if text.contains(&27) {
        out.push_str(", with escape sequences");
    }
    if text.contains(&8) {
        out.push_str(", with overstriking");
    }
    out
}

/// Whether this is one JSON document (true) or one per line (false); arrays and objects only.
fn json(start: &[u8]) -> Option<bool> {
    let mut parser = Json { text: start, at: 0 };
    parser.blanks();
    if !matches!(parser.text.get(parser.at), Some(b'{' | b'[')) {
        return None;
    }
    parser.value(0)?;
    let first = parser.text.get(parser.at..).unwrap_or_default();
    parser.blanks();
    if parser.at == start.len() {
        return Some(true);
    }
    if first.first() != Some(&b'\n') {
        return None;
    }
    while parser.at < start.len() {
        parser.value(0)?;
        parser.blanks();
    }
    Some(false)
}

struct Json<'a> {
    text: &'a [u8],
    at: usize,
}

/// As libmagic: deeper documents are not taken for JSON.
const JSON_DEPTH_MAX: u32 = 500;

impl Json<'_> {
    fn blanks(&mut self) {
        while self
            .text
            .get(self.at)
            .is_some_and(|byte| b" \t\r\n".contains(byte))
        {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.text.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    fn value(&mut self, depth: u32) -> Option<()> {
        if depth > JSON_DEPTH_MAX {
            return None;
        }
        match self.text.get(self.at)? {
            b'{' => self.list(b'}', |parser| {
                parser.string()?;
                parser.blanks();
                parser.take(b':')?;
                parser.blanks();
                parser.value(depth + 1)
            }),
            b'[' => self.list(b']', |parser| parser.value(depth + 1)),
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => {
                while self
                    .text
                    .get(self.at)
                    .is_some_and(|b| b"+-.eE0123456789".contains(b))
                {
                    self.at += 1;
                }
                Some(())
            }
            _ => {
                let rest = &self.text[self.at..];
                let words: [&[u8]; 3] = [b"true", b"false", b"null"];
                let word = words.iter().find(|word| rest.starts_with(word))?;
                self.at += word.len();
                Some(())
            }
        }
    }

    fn list(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        self.blanks();
        if self.take(end).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            self.blanks();
            if self.take(end).is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.blanks();
        }
    }

    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            match self.text.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.at += 2,
                0..32 => return None,
                _ => self.at += 1,
            }
        }
    }
}
