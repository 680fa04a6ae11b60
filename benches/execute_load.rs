//! How many calls a second a running server answers, and how long each takes.
//!
//! `cargo bench --bench execute_load -- ADDRESS TOKEN_FILE CONNECTIONS SECONDS [BODY]`
//!
//! Every connection uses a session of its own, made before the clock starts: `"session":"load-N"`
//! is put into the body.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const BODY: &str = r#"{"tool":"bash","input":{"command":"echo hi"}}"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let [address, token_file, connections, seconds, body @ ..] = &*arguments else {
        writeln!(
            std::io::stdout(),
            "skipped: name ADDRESS TOKEN_FILE CONNECTIONS SECONDS [BODY]"
        )?;
        return Ok(());
    };
    let token = std::fs::read_to_string(token_file)?;
    let body = body.first().map_or(BODY, String::as_str);
    let head = format!(
        "Host: {address}\r\nAuthorization: Bearer {}\r\n",
        token.trim_end()
    );
    let mut requests = Vec::new();
    for number in 0..connections.parse::<usize>()? {
        let make =
            format!("POST /sessions/load-{number} HTTP/1.1\r\n{head}Content-Length: 0\r\n\r\n");
        client(address, make.as_bytes(), Instant::now())?;
        let body = body.replacen('{', &format!("{{\"session\":\"load-{number}\","), 1);
        let length = body.len();
        requests.push(format!(
            "POST /execute HTTP/1.1\r\n{head}Content-Length: {length}\r\n\r\n{body}"
        ));
    }
    let end = Instant::now() + Duration::from_secs(seconds.parse()?);
    let threads: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let address = address.clone();
            std::thread::spawn(move || client(&address, request.as_bytes(), end))
        })
        .collect();
    let (mut times, mut failed) = (Vec::new(), 0);
    for thread in threads {
        let (more, refused) = thread.join().map_err(|_| "a client panicked")??;
        times.extend(more);
        failed += refused;
    }
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get(times.len() * share / 1000)
            .copied()
            .unwrap_or_default()
    };
    writeln!(
        std::io::stdout(),
        "{} answers a second; p50 {:?}, p99 {:?}, p99.9 {:?}; {failed} were not 200",
        times.len() as u64 / seconds.parse::<u64>()?,
        at(500),
        at(990),
        at(999)
    )?;
    Ok(())
}

/// Sends one request after the other on one connection, at least one.
fn client(address: &str, request: &[u8], end: Instant) -> std::io::Result<(Vec<Duration>, usize)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let (mut times, mut failed) = (Vec::new(), 0);
    let mut line = String::new();
    let mut body = Vec::new();
    loop {
        let started = Instant::now();
        stream.write_all(request)?;
        let mut length = 0;
        line.clear();
        answers.read_line(&mut line)?;
        failed += usize::from(!line.contains(" 200 "));
        loop {
            line.clear();
            answers.read_line(&mut line)?;
            if line.trim_end().is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(std::io::Error::other)?;
            }
        }
        body.resize(length, 0);
        answers.read_exact(&mut body)?;
        times.push(started.elapsed());
        if Instant::now() >= end {
            return Ok((times, failed));
        }
    }
}
