//! The HTTP door without running a tool: tokens, shapes, refusals, sessions, schemas.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use hotcell::app::App;
use hotcell::config::{Flags, Settings, Tokens};
use serde_json::{Value, json};
use tower::ServiceExt as _;

struct Server {
    state: tempfile::TempDir,
    app: App,
    token: String,
}

struct Reply {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: Value,
}

async fn server() -> Server {
    server_with("").await
}

/// A server whose `hotcell.toml` has these lines.
async fn server_with(config: &str) -> Server {
    server_in(tempfile::tempdir().unwrap(), config).await
}

/// A server over a state folder that may hold something already.
async fn server_in(state: tempfile::TempDir, config: &str) -> Server {
    std::fs::write(state.path().join("hotcell.toml"), config).unwrap();
    let mut flags = Flags {
        state: Some(state.path().to_owned()),
        ..Flags::default()
    };
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache");
    flags
        .values
        .insert("cache", cache.to_string_lossy().into_owned());
    let config = Settings::collect(&flags).unwrap().check().unwrap();
    let app = App::start(&config, env!("CARGO_BIN_EXE_hotcell").into())
        .await
        .unwrap();
    let token = secret(&state.path().join("token"));
    Server { state, app, token }
}

fn secret(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap().trim_end().to_owned()
}

impl Server {
    async fn post(&self, body: impl Into<Body>) -> Reply {
        self.send(Method::POST, "/execute", body).await
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<Body>) -> Reply {
        self.send_as(&self.token, method, path, body).await
    }

    async fn send_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(body.into())
            .unwrap();
        answer(self.app.router(), request).await
    }

    fn record(&self) -> String {
        let text = std::fs::read_to_string(self.state.path().join("audit/serve.jsonl")).unwrap();
        let of_call = |line: &&str| {
            line.contains("\"event\":\"intent\"") || line.contains("\"event\":\"outcome\"")
        };
        text.lines()
            .filter(of_call)
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

async fn answer(router: Router, request: Request<Body>) -> Reply {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap();
    Reply {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str, part: &str) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.body);
    assert_eq!(reply.body["code"], code, "{}", reply.body);
    assert!(
        reply.body["error"].as_str().unwrap().contains(part),
        "{}",
        reply.body
    );
    assert!(
        !reply.body["requestId"].as_str().unwrap().is_empty(),
        "{}",
        reply.body
    );
}

#[tokio::test]
async fn every_wrong_token_gets_the_same_answer_which_says_how_to_pass_one() {
    let server = server().await;
    let right = server.token.clone();
    let mut bodies = Vec::new();
    let headers: [Option<&[u8]>; 7] = [
        None,
        Some(b""),
        Some(b"Bearer"),
        Some(b"Bearer "),
        Some(b"Bearer wrong"),
        Some(b"Bearer \xff"),
        Some(right.as_bytes()),
    ];
    for header in headers {
        let mut request = Request::builder().method("POST").uri("/execute");
        if let Some(value) = header {
            request = request.header(header::AUTHORIZATION, value);
        }
        let reply = answer(server.app.router(), request.body(Body::empty()).unwrap()).await;
        refused(&reply, 401, "unauthorized", "Authorization: Bearer TOKEN");
        assert_eq!(reply.headers[header::WWW_AUTHENTICATE], "Bearer");
        bodies.push(reply.body["error"].clone());
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    let doubled = Request::builder()
        .method("POST")
        .uri("/execute")
        .header(header::AUTHORIZATION, format!("Bearer {right}"))
        .header(header::AUTHORIZATION, format!("Bearer {right}"))
        .body(Body::empty())
        .unwrap();
    refused(
        &answer(server.app.router(), doubled).await,
        401,
        "unauthorized",
        "",
    );
    for path in ["/tools", "/sessions", "/sessions/default"] {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        refused(
            &answer(server.app.router(), request).await,
            401,
            "unauthorized",
            "",
        );
    }
}

#[tokio::test]
async fn malformed_bodies_are_refused_by_name_and_nothing_is_recorded() {
    let server = server().await;
    for (body, part) in [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        (
            r#"{"tool":"bash","tool":"bash","input":{"command":"ls"}}"#,
            "`tool` occurs twice",
        ),
        (
            r#"{"tool":"bash","input":{"command":"a","command":"b"}}"#,
            "`command` occurs twice",
        ),
        (r#"{"input":{}}"#, "`tool` is required"),
        (r#"{"tool":1,"input":{}}"#, "`tool` must be a string"),
        (r#"{"tool":"bash","input":[]}"#, "`input` must be an object"),
        (
            r#"{"tool":"bash","inputs":{}}"#,
            "no field is named `inputs`",
        ),
        (
            r#"{"tool":"bash","input":{"command":"ls"},"timeoutMs":"5"}"#,
            "`timeoutMs` must be",
        ),
        (
            r#"{"tool":"bash","input":{"command":"ls"},"timeoutMs":0}"#,
            "`timeoutMs` must be",
        ),
        (
            r#"{"tool":"bash","input":{"command":"ls"},"session":"../x"}"#,
            "session's name",
        ),
        (
            r#"{"tool":"bash","input":{"command":"ls"},"workingDir":7}"#,
            "`workingDir` must be",
        ),
        (r#"{"tool":"bash","input":{}}"#, "command is required"),
        (r#"{"tool":"read","input":{"path":"x"}}"#, "no field `path`"),
    ] {
        refused(&server.post(body).await, 400, "invalid_request", part);
    }
    server.app.executor().audit.flush().await.unwrap();
    assert_eq!(server.record(), "");
}

#[tokio::test]
async fn an_unknown_tool_is_named_with_the_list_of_those_there_are() {
    let server = server().await;
    let reply = server
        .post(r#"{"tool":"python","input":{"code":"1"}}"#)
        .await;
    refused(&reply, 400, "unknown_tool", "Unknown tool: python");
    assert_eq!(reply.body["error"], "Unknown tool: python");
    assert!(
        reply.body["tools"]
            .as_array()
            .unwrap()
            .contains(&json!("bash"))
    );
}

#[tokio::test]
async fn a_body_past_the_limit_is_413_and_a_compressed_one_415() {
    let server = server_with("body_bytes_max = \"1KiB\"\n").await;
    let at_limit = format!("{:1024}", "{}");
    refused(
        &server.post(at_limit).await,
        400,
        "invalid_request",
        "`tool` is required",
    );
    refused(
        &server.post(format!("{:1025}", "{}")).await,
        413,
        "too_large",
        "1024 bytes",
    );
    let request = Request::builder()
        .method("POST")
        .uri("/execute")
        .header(header::AUTHORIZATION, format!("Bearer {}", server.token))
        .header(header::CONTENT_ENCODING, "gzip")
        .body(Body::from("x"))
        .unwrap();
    refused(
        &answer(server.app.router(), request).await,
        415,
        "encoding",
        "compressed",
    );
}

#[tokio::test]
async fn other_methods_and_paths_are_answered_with_what_there_is() {
    let server = server().await;
    let reply = server.send(Method::GET, "/execute", "").await;
    refused(&reply, 405, "method_not_allowed", "curl -X POST");
    assert_eq!(reply.headers[header::ALLOW], "POST");
    let reply = server.send(Method::GET, "/sessions/%ff", "").await;
    refused(&reply, 400, "invalid_request", "name");
    refused(
        &server.send(Method::PUT, "/sessions/x", "").await,
        405,
        "method_not_allowed",
        "",
    );
    refused(
        &server.send(Method::GET, "/exec", "").await,
        404,
        "not_found",
        "/execute",
    );
}

#[tokio::test]
async fn tools_are_listed_with_schemas_and_health_needs_no_token() {
    let server = server().await;
    let reply = server.send(Method::GET, "/tools", "").await;
    let tools = reply.body["tools"].as_array().unwrap();
    let names: Vec<_> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "bash",
            "read",
            "write",
            "edit",
            "glob",
            "grep",
            "native",
            "read_file",
            "write_file"
        ]
    );
    let read = &tools[1]["input_schema"];
    assert_eq!(read["required"], json!(["file_path"]));
    assert_eq!(read["additionalProperties"], false);
    let request = Request::builder()
        .uri("/livez")
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        answer(server.app.router(), request).await.status,
        StatusCode::OK
    );
    let request = Request::builder()
        .uri("/readyz")
        .body(Body::empty())
        .unwrap();
    let reply = answer(server.app.router(), request).await;
    let confinement = reply.body["confinement"].as_str().unwrap();
    let level = confinement.split(':').next().unwrap();
    assert!(
        ["full", "strong", "basic"].contains(&level),
        "{confinement}"
    );
    assert_eq!(
        reply.body["ready"].as_bool(),
        Some(reply.status == StatusCode::OK)
    );
}

#[tokio::test]
async fn sessions_are_made_listed_and_deleted_by_their_owner_only() {
    let server = server().await;
    let other = {
        let tokens = hotcell::config::Tokens::open(server.state.path()).unwrap();
        secret(&tokens.add("bob").unwrap())
    };
    let reply = server.send_as(&other, Method::GET, "/sessions", "").await;
    refused(&reply, 401, "unauthorized", ""); // not yet read again
    let reply = server.send(Method::POST, "/sessions/build.1", "").await;
    assert_eq!(
        (reply.status, &reply.body["name"]),
        (StatusCode::CREATED, &json!("build.1"))
    );
    assert_eq!(
        server
            .send(Method::POST, "/sessions/build.1", "")
            .await
            .status,
        StatusCode::OK
    );
    let reply = server.send(Method::GET, "/sessions", "").await;
    assert_eq!(reply.body["sessions"].as_array().unwrap().len(), 1);
    refused(
        &server.send(Method::POST, "/sessions/a%2Fb", "").await,
        400,
        "invalid_request",
        "name",
    );
    refused(
        &server.send(Method::GET, "/sessions/nope", "").await,
        404,
        "unknown_session",
        "nope",
    );
    let body = r#"{"tool":"bash","input":{"command":"ls"},"session":"nope"}"#;
    refused(
        &server.post(body).await,
        404,
        "unknown_session",
        "POST /sessions/nope",
    );
    assert_eq!(
        server
            .send(Method::DELETE, "/sessions/build.1", "")
            .await
            .status,
        StatusCode::OK
    );
    refused(
        &server.send(Method::DELETE, "/sessions/build.1", "").await,
        404,
        "unknown_session",
        "",
    );
    assert!(
        !server
            .state
            .path()
            .join("sessions/default/build.1")
            .exists()
    );
}

#[tokio::test]
async fn a_token_with_a_policy_of_its_own_is_held_to_that_one() {
    let state = tempfile::tempdir().unwrap();
    let (own, all) = (state.path().join("ann.toml"), state.path().join("all.toml"));
    let head = |name: &str| format!("version = 1\nname = \"{name}\"\ndescription = \"d\"\n");
    let rule = "[[deny]]\ntools = [\"bash\"]\nreason = \"nobody\"\n";
    std::fs::write(&own, head("ann")).unwrap();
    std::fs::write(&all, head("all") + rule).unwrap();
    let tokens = Tokens::open(state.path()).unwrap();
    tokens.add("default").unwrap();
    let ann = secret(&tokens.add_with_policy("ann", Some(&own)).unwrap());
    let config = format!("policy = {:?}\n", all.to_str().unwrap());
    let server = server_in(state, &config).await;
    let body = r#"{"tool":"bash","input":{"command":"echo hi"}}"#;
    let reply = server.send_as(&ann, Method::POST, "/execute", body).await;
    refused(&reply, 403, "denied", "no rule allows the tool `bash`");
    refused(&server.post(body).await, 403, "denied", "nobody");
    let record = server.record();
    let lines = record
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let intents = lines.filter(|line| line["event"] == "intent");
    let policies: Vec<Value> = intents.map(|line| line["policy"]["name"].clone()).collect();
    assert_eq!(policies, [json!("ann"), json!("all")], "{record}");
}

#[tokio::test]
async fn a_denied_call_names_rule_line_and_reason_and_is_recorded_without_running() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let text = "version = 1\nname = \"n\"\ndescription = \"d\"\n\
                [[tool]]\nnames = [\"bash\", \"write\"]\nreason = \"r\"\n\
                [[deny]]\ntools = [\"write\"]\nreason = \"look, do not touch\"\n";
    std::fs::write(&policy, text).unwrap();
    let server = server_with(&format!("policy = {:?}\n", policy.to_str().unwrap())).await;
    let body = r#"{"tool":"write","input":{"file_path":"f","content":"canary-7"}}"#;
    let reply = server.post(body).await;
    refused(&reply, 403, "denied", "look, do not touch");
    assert_eq!(
        (&reply.body["rule"], &reply.body["line"]),
        (&json!("deny"), &json!(7))
    );
    let reply = server
        .post(r#"{"tool":"read","input":{"file_path":"f"}}"#)
        .await;
    refused(&reply, 403, "denied", "no rule allows the tool `read`");
    let record = server.record();
    let lines: Vec<Value> = record
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{record}");
    assert_eq!(lines[0]["event"], "intent");
    assert_eq!(lines[0]["decision"], "deny");
    assert_eq!(
        (&lines[0]["rule"], &lines[0]["line"]),
        (&json!("deny"), &json!(7))
    );
    assert_eq!(lines[0]["agent"], "default");
    assert_eq!(lines[0]["policy"]["sha256"].as_str().unwrap().len(), 64);
    assert!(!record.contains("canary-7") && !record.contains(&server.token));
    assert!(
        !server
            .state
            .path()
            .join("sessions/default/default/workspace/f")
            .exists()
    );
}

#[tokio::test]
async fn host_paths_outside_are_answered_with_the_name_of_the_workspace() {
    let server = server().await;
    let body = json!({"tool": "read", "input": {"file_path": "/home/ann/.ssh/id"}, "timeoutMs": 999_999_999});
    let reply = server.post(body.to_string()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    assert_eq!(reply.body["exitCode"], 1);
    assert!(
        reply.body["error"].as_str().unwrap().contains("/workspace"),
        "{}",
        reply.body
    );
    assert_eq!(reply.body["clamped"]["timeoutMs"], 120_000);
    let body = json!({"tool": "bash", "input": {"command": "ls"}, "workingDir": "/home/ann"});
    refused(
        &server.post(body.to_string()).await,
        400,
        "invalid_request",
        "/workspace",
    );
}

#[tokio::test]
async fn restart_without_a_command_answers_and_both_records_are_written() {
    let server = server().await;
    let reply = server
        .post(r#"{"tool":"bash","input":{"restart":true}}"#)
        .await;
    assert_eq!(reply.body["output"], "bash session restarted");
    assert_eq!(reply.body["stateKept"], true);
    server.app.executor().audit.flush().await.unwrap();
    let record = server.record();
    let lines: Vec<Value> = record
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&lines[0]["event"], &lines[1]["event"]),
        (&json!("intent"), &json!("outcome"))
    );
    assert_eq!(lines[0]["requestId"], reply.body["requestId"]);
    assert_eq!(lines[1]["requestId"], reply.body["requestId"]);
    assert_eq!(lines[1]["exitCode"], 0);
}

#[tokio::test]
async fn an_idempotency_key_replays_refuses_other_bodies_and_must_be_sane() {
    let server = server().await;
    let send = async |key: &str, body: &str| {
        let request = Request::builder()
            .method("POST")
            .uri("/execute")
            .header(header::AUTHORIZATION, format!("Bearer {}", server.token))
            .header("Idempotency-Key", key)
            .body(Body::from(body.to_owned()))
            .unwrap();
        answer(server.app.router(), request).await
    };
    let body = r#"{"tool":"bash","input":{"restart":true}}"#;
    let first = send("k", body).await;
    let again = send("k", body).await;
    assert_eq!(first.body, again.body);
    let other = send(
        "k",
        r#"{"tool":"bash","input":{"restart":true},"timeoutMs":5}"#,
    )
    .await;
    refused(&other, 422, "idempotency_mismatch", "another body");
    refused(
        &send(&"k".repeat(256), body).await,
        400,
        "invalid_request",
        "Idempotency-Key",
    );
    server.app.executor().audit.flush().await.unwrap();
    assert_eq!(
        server.record().lines().count(),
        2,
        "it ran once: {}",
        server.record()
    );
}

#[tokio::test]
async fn a_second_server_on_the_same_state_is_refused() {
    let server = server().await;
    let flags = Flags {
        state: Some(server.state.path().to_owned()),
        ..Flags::default()
    };
    let config = Settings::collect(&flags).unwrap().check().unwrap();
    let error = App::start(&config, env!("CARGO_BIN_EXE_hotcell").into())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("another hotcell server"),
        "{error:#}"
    );
}
