//! One bad thing, as told by `{"do": …}`. The command and the typed tool share it, so that a test can
//! hold each host against the same behaviour.
//!
//! | `do` | what happens |
//! |---|---|
//! | `loop` | runs for ever, without a call |
//! | `allocate` | takes and touches memory until it is refused, then says how much it got |
//! | `recurse` | calls itself for ever |
//! | `flood` | writes standard output for ever; the typed tool builds an answer for ever |
//! | `flood-stdout`, `flood-stderr` | writes that stream for ever |
//! | `sleep` | sleeps an hour |
//! | `spin-io` | reads the file `path` for ever |
//! | `read`, `write`, `list` | the file or folder `path`; `write` puts `text` there |
//! | `environment`, `arguments` | says what it was given |
//! | `echo` | `text`, or else the rest of standard input |
//! | `exit` | ends with `code` |
//! | `trap` | an `unreachable` instruction |
//! | `connect` | to 127.0.0.1 and `port`; says what came of it |
//! | `spawn` | starts `/bin/sh`; says what came of it |
//! | `read-stdin-forever` | reads standard input, also after its end |
//! | `many-files` | opens `path` until it is refused, and says how often it was opened |
//! | `canary` | says what a static holds, then has it hold `set` |

mod files;
mod forever;

use std::sync::Mutex;

use serde::Deserialize;

#[derive(Deserialize)]
pub struct Order {
    #[serde(rename = "do")]
    pub action: String,
    #[serde(default)]
    pub path: String,
    pub text: Option<String>,
    pub set: Option<String>,
    #[serde(default)]
    pub code: i32,
    #[serde(default)]
    pub port: u16,
}

/// How the tool was built.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    Command,
    Typed,
}

impl Order {
    /// Reads an order.
    pub fn read(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("the order is not as wanted: {error}"))
    }
}

/// Does what the order says. `Ok` is the answer's text.
pub fn perform(order: &Order, form: Form) -> Result<String, String> {
    match order.action.as_str() {
        "loop" => forever::turn(),
        "allocate" => Ok(allocate()),
        "recurse" => Ok(forever::recurse(1).to_string()),
        "flood" if form == Form::Typed => Ok(forever::answer()),
        "flood" | "flood-stdout" => forever::flood(std::io::stdout().lock()),
        "flood-stderr" => forever::flood(std::io::stderr().lock()),
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_secs(3600));
            Ok("slept an hour".into())
        }
        "spin-io" => forever::reread(&order.path),
        "read-stdin-forever" => forever::read_standard_input(),
        "read" => files::read(&order.path),
        "write" => files::write(&order.path, order.text.as_deref().unwrap_or_default()),
        "list" => files::list(&order.path),
        "many-files" => files::open_many(&order.path),
        "environment" => Ok(std::env::vars()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect()),
        "arguments" => Ok(std::env::args()
            .map(|argument| format!("{argument}\n"))
            .collect()),
        "echo" => match &order.text {
            Some(text) => Ok(text.clone()),
            None => std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string()),
        },
        "exit" => std::process::exit(order.code),
        "trap" => trap(),
        "connect" => Ok(
            match std::net::TcpStream::connect(("127.0.0.1", order.port)) {
                Ok(_) => "connected".into(),
                Err(error) => format!("not connected: {error}"),
            },
        ),
        "spawn" => Ok(match std::process::Command::new("/bin/sh").spawn() {
            Ok(_) => "started".into(),
            Err(error) => format!("not started: {error}"),
        }),
        "canary" => Ok(canary(order.set.as_deref())),
        other => Err(format!("there is no {other:?}")),
    }
}

fn allocate() -> String {
    const CHUNK: usize = 1 << 20;
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut chunk = Vec::new();
        if chunk.try_reserve_exact(CHUNK).is_err() || chunks.try_reserve(1).is_err() {
            break format!("refused after {} MiB", chunks.len());
        }
        // Written byte by byte, so that every page is touched.
        chunk.resize(CHUNK, 1);
        chunks.push(std::hint::black_box(chunk));
    }
}

fn trap() -> ! {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    std::process::abort();
}

/// A fresh instance answers with nothing.
fn canary(set: Option<&str>) -> String {
    static HELD: Mutex<String> = Mutex::new(String::new());
    let mut held = HELD
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = held.clone();
    if let Some(text) = set {
        *held = text.to_owned();
    }
    before
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Result<String, String> {
        perform(&Order::read(text).unwrap(), Form::Command)
    }

    #[test]
    fn orders_are_performed() {
        assert_eq!(answer(r#"{"do": "echo", "text": "x"}"#).unwrap(), "x");
        assert!(
            answer(r#"{"do": "read", "path": "no/such"}"#)
                .unwrap_err()
                .contains("no/such")
        );
        assert!(answer(r#"{"do": "sing"}"#).unwrap_err().contains("sing"));
    }

    #[test]
    fn the_canary_tells_what_was_held() {
        assert_eq!(answer(r#"{"do": "canary", "set": "a"}"#).unwrap(), "");
        assert_eq!(answer(r#"{"do": "canary"}"#).unwrap(), "a");
    }
}
