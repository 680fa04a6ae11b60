//! What an operator sees: metrics and logs of the real program.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::process::{Server, eventually, hang_up};

fn server(config: &str) -> (tempfile::TempDir, Server) {
    let state = tempfile::tempdir().unwrap();
    std::fs::write(state.path().join("hotcell.toml"), config).unwrap();
    let server = Server::start(state.path());
    (state, server)
}

fn metrics(server: &Server) -> String {
    let mut stream = server.begin("GET", "/metrics", "Connection: close\r\n", "");
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|known| known == line), "{line}\n{text}");
}

#[test]
fn metrics_count_calls_decisions_limits_and_what_waits() {
    let (_state, server) = server("");
    server.bash("echo marker-of-a-caller; exit 3");
    let slow = json!({"tool": "bash", "input": {"command": "sleep 50"}, "timeoutMs": 50});
    assert_eq!(server.execute(&slow).body["stoppedBy"], "wall");
    let unknown = server.execute(&json!({"tool": "marker-of-a-tool", "input": {}}));
    assert_eq!(unknown.status, 400);
    let text = metrics(&server);
    assert!(text.contains("application/openmetrics-text"), "{text}");
    has(
        &text,
        "hotcell_decisions_total{tool=\"bash\",decision=\"allow\"} 2",
    );
    has(
        &text,
        "hotcell_calls_total{tool=\"bash\",ended=\"failed\"} 1",
    );
    has(&text, "hotcell_calls_total{tool=\"bash\",ended=\"wall\"} 1");
    has(
        &text,
        "hotcell_call_duration_seconds_count{tool=\"bash\"} 2",
    );
    has(&text, "hotcell_http_requests_total{status=\"400\"} 1");
    has(&text, "hotcell_calls_running 0");
    has(&text, "hotcell_cells_living 1");
    has(&text, "hotcell_cells_died 0");
    has(&text, "hotcell_record_healthy 1");
    has(&text, "# EOF");
    assert!(!text.contains("marker"), "a caller's words became a label");

    let running = server.begin(
        "POST",
        "/execute",
        "",
        &json!({"tool": "bash", "input": {"command": "sleep 100"}}).to_string(),
    );
    eventually("the running call shows", || {
        metrics(&server).contains("\nhotcell_calls_running 1\n")
    });
    let waiting = server.begin(
        "POST",
        "/execute",
        "",
        &json!({"tool": "bash", "input": {"command": "true"}}).to_string(),
    );
    eventually("the waiting call shows", || {
        metrics(&server).contains("\nhotcell_calls_waiting 1\n")
    });
    hang_up(&waiting);
    hang_up(&running);
    eventually("the cancelled call is counted", || {
        metrics(&server).contains("{tool=\"bash\",ended=\"cancelled\"} 1\n")
    });
}

#[test]
fn metrics_are_for_those_with_a_token() {
    let (_state, mut server) = server("");
    server.token = "hotcell_wrong".to_owned();
    let text = metrics(&server);
    assert!(text.starts_with("HTTP/1.1 401"), "{text}");
    assert!(!text.contains("hotcell_calls"));
}

#[test]
fn a_log_line_is_json_names_the_request_and_shows_nothing_of_the_call() {
    let (_state, server) = server("log = \"hotcell=debug\"\nlog_format = \"json\"\n");
    let command = "echo marker-in-command > marker-in-path; echo marker-in-output";
    let id = server.bash(command)["requestId"].clone();
    let mut found = None;
    eventually("the call is logged", || {
        let log = server.log.lock().unwrap().clone();
        let lines = log.lines().filter(|line| line.starts_with('{'));
        found = lines
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .find(|line| line["message"] == "call ended");
        found.is_some()
    });
    let line = found.unwrap();
    assert_eq!(
        (&line["request_id"], &line["ended"]),
        (&id, &json!("succeeded"))
    );
    assert!(line["duration_us"].as_u64().unwrap() > 0, "{line}");
    let log = server.log.lock().unwrap().clone();
    assert!(
        !log.contains("marker") && !log.contains(&server.token),
        "{log}"
    );
}

#[cfg(not(feature = "otlp"))]
#[test]
fn a_build_without_spans_refuses_to_start_for_a_collector() {
    let state = tempfile::tempdir().unwrap();
    let config = "otlp_endpoint = \"http://127.0.0.1:9\"\n";
    std::fs::write(state.path().join("hotcell.toml"), config).unwrap();
    let mut command = crate::process::hotcell(state.path());
    let ended = command.args(["serve", "--listen", "127.0.0.1:0"]).output();
    let ended = ended.unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(
        !ended.status.success() && told.contains("--features otlp"),
        "{told}"
    );
}

#[cfg(feature = "otlp")]
#[test]
fn a_collector_gets_a_span_a_call_with_nothing_of_what_was_run() {
    let collector = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let (_state, server) = server(&format!("otlp_endpoint = {endpoint:?}\n"));
    let id = server.bash("echo marker-of-a-caller; exit 3")["requestId"].clone();
    let (mut stream, _) = collector.accept().unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(1)))
        .unwrap();
    let mut request = Vec::new();
    // The client keeps the connection: what came within the time is the request.
    let _timed_out = stream.read_to_end(&mut request);
    let text = String::from_utf8_lossy(&request);
    assert!(text.starts_with("POST /v1/traces"), "{text}");
    for part in [id.as_str().unwrap(), "hotcell.tool", "bash", "failed"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("marker"), "{text}");
}
