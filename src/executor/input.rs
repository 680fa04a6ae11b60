//! One call's input after its check, and what is particular to each tool.

use serde_json::Value;

use crate::executor::answer::Encoding;
use crate::executor::error::ExecuteError;
use crate::executor::tools::{self, TOOLS, Tool};
use crate::outcome::Outcome;
use crate::policy::{OwnTool, Policy};
use crate::request::ToolRequest;
use crate::session::Session;

/// What metrics call every tool of the operator's own.
pub(super) const OWN_LABEL: &str = "own";

/// A request whose tool exists and whose fields have the right types.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) tool: Which,
    encoding: Encoding,
}

/// Who does what is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    BuiltIn(&'static Tool),
    /// A tool of the operator's own.
    Own,
}

impl Call {
    /// Checks the request and takes out of its input what concerns the call, not the tool.
    pub(super) fn read(request: &mut ToolRequest, policy: &Policy) -> Result<Self, ExecuteError> {
        if let Some(own) = policy.own_tools.get(&request.tool) {
            return Self::read_own(request, own);
        }
        let Some(tool) = tools::find(&request.tool) else {
            let name = request.tool.chars().take(100).collect();
            let known = TOOLS.iter().map(|tool| tool.name.to_owned());
            let known = known.chain(policy.own_tools.keys().cloned()).collect();
            return Err(ExecuteError::UnknownTool { name, known });
        };
        let encoding = Encoding::asked(&request.input);
        let Value::Object(input) = &mut request.input else {
            return Err(ExecuteError::Invalid(
                "`input` must be an object".to_owned(),
            ));
        };
        tool.check(input).map_err(ExecuteError::Invalid)?;
        input.retain(|_, value| !value.is_null());
        if let Some(asked_ms) = input
            .get("timeout_ms")
            .and_then(Value::as_u64)
            .filter(|ms| *ms > 0)
        {
            request.timeout_ms = Some(request.timeout_ms.map_or(asked_ms, |ms| ms.min(asked_ms)));
        }
        let call = Self {
            tool: Which::BuiltIn(tool),
            encoding,
        };
        if call.is_bash() {
            match input.get("command").and_then(Value::as_str) {
                Some(command) if command.contains('\0') => {
                    return Err(ExecuteError::Invalid(
                        "bash: input.command has a NUL".to_owned(),
                    ));
                }
                None if input.get("restart") != Some(&Value::Bool(true)) => {
                    return Err(ExecuteError::Invalid(
                        "bash: command is required".to_owned(),
                    ));
                }
                _ => {}
            }
        }
        Ok(call)
    }

    /// All of the input is the tool's; its schema says what it may be.
    fn read_own(request: &ToolRequest, own: &OwnTool) -> Result<Self, ExecuteError> {
        if !request.input.is_object() {
            let fault = "`input` must be an object".to_owned();
            return Err(ExecuteError::Invalid(fault));
        }
        let fits = own.input.check(&request.input);
        fits.map_err(|fault| ExecuteError::Invalid(format!("{}: input: {fault}", own.name)))?;
        Ok(Self {
            tool: Which::Own,
            encoding: Encoding::Text,
        })
    }

    /// What metrics and logs call the tool: tools of the operator's own are one of them, so that
    /// their number is known.
    pub(super) fn label(&self) -> &'static str {
        match self.tool {
            Which::BuiltIn(tool) => tool.name,
            Which::Own => OWN_LABEL,
        }
    }

    pub(super) fn is_bash(&self) -> bool {
        self.label() == "bash"
    }

    pub(super) fn is_native(&self) -> bool {
        self.label() == "native"
    }

    /// Whether calls of this kind run one after the other in their session.
    pub(super) fn in_order(&self) -> bool {
        self.is_bash()
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Keeps the shell state that a shell left which ended by itself. Answers whether it did,
    /// or nothing where there is no state to keep.
    pub(super) async fn keep_state(
        &self,
        session: &Session,
        outcome: &mut Outcome,
    ) -> Option<bool> {
        if !self.is_bash() || !session.keeps_state() {
            return None;
        }
        // A cell hands out a state only of a shell that ended by itself.
        let Some(state) = outcome.state.take() else {
            return Some(false);
        };
        match session.commit_state(state).await {
            Ok(()) => Some(true),
            Err(error) => {
                tracing::warn!(%error, session = session.name(), "shell state not kept");
                Some(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::load_default;
    use crate::request::RequestId;
    use serde_json::json;

    fn request(tool: &str, input: Value) -> ToolRequest {
        ToolRequest {
            id: RequestId("r".to_owned()),
            agent: "ann".to_owned(),
            tool: tool.to_owned(),
            input,
            working_dir: None,
            session: None,
            timeout_ms: None,
            idempotency_sha256: None,
        }
    }

    #[track_caller]
    fn refused(tool: &str, input: Value, part: &str) {
        let error = Call::read(&mut request(tool, input), &load_default().unwrap())
            .expect_err("accepted")
            .to_string();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn every_wrong_field_of_bash_is_named() {
        refused("python", json!({}), "Unknown tool: python");
        refused("bash", json!("ls"), "`input` must be an object");
        refused("bash", json!({}), "command is required");
        refused("bash", json!({"restart": false}), "command is required");
        refused(
            "bash",
            json!({"command": 1}),
            "input.command must be a string",
        );
        refused("bash", json!({"command": "a\0b"}), "NUL");
        refused(
            "bash",
            json!({"command": "ls", "cmd": 1}),
            "no field `cmd`; it takes command",
        );
        refused(
            "bash",
            json!({"command": "ls", "timeout_ms": -1}),
            "input.timeout_ms must be",
        );
        refused(
            "bash",
            json!({"command": "ls", "timeout_ms": 1.5}),
            "input.timeout_ms must be",
        );
        refused(
            "bash",
            json!({"command": "ls", "env": {"A=B": "x"}}),
            "input.env must be",
        );
        refused(
            "bash",
            json!({"command": "ls", "env": {"A": 1}}),
            "input.env must be",
        );
        refused(
            "bash",
            json!({"command": "ls", "env": {"1A": "x"}}),
            "input.env must be",
        );
        refused(
            "bash",
            json!({"command": "ls", "encoding": "hex"}),
            "input.encoding must be",
        );
    }

    #[test]
    fn every_wrong_field_of_a_file_tool_is_named() {
        refused("read", json!({}), "read: input.file_path is required");
        refused(
            "read",
            json!({"file_path": null}),
            "input.file_path must be",
        );
        refused("read", json!({"file_path": ""}), "input.file_path must be");
        refused(
            "read",
            json!({"file_path": "a\0"}),
            "input.file_path must be",
        );
        refused(
            "read",
            json!({"file_path": "a", "view_range": [1]}),
            "input.view_range must be",
        );
        refused(
            "write",
            json!({"file_path": "a"}),
            "write: input.content is required",
        );
        refused(
            "edit",
            json!({"file_path": "a", "old_string": "b"}),
            "input.new_string is required",
        );
        refused("glob", json!({"path": "a"}), "input.pattern is required");
        refused(
            "read_file",
            json!({"file_path": "a"}),
            "no field `file_path`",
        );
    }

    #[test]
    fn good_inputs_are_taken_and_the_smaller_time_counts() {
        let read = |tool: &str, input: Value| {
            let mut request = request(tool, input);
            request.timeout_ms = Some(500);
            Call::read(&mut request, &load_default().unwrap())
                .map(|call| (call.encoding(), request.timeout_ms))
        };
        assert_eq!(
            read("bash", json!({"restart": true})).unwrap(),
            (Encoding::Text, Some(500))
        );
        let input = json!({"command": "ls", "timeout_ms": 100, "encoding": "base64", "env": null});
        assert_eq!(read("bash", input).unwrap(), (Encoding::Base64, Some(100)));
        assert!(read("read", json!({"file_path": "a", "view_range": [1, -1]})).is_ok());
        assert!(read("write_file", json!({"path": "a", "content": ""})).is_ok());
    }
}
