//! What a policy decides about. Untrusted.

use crate::policy::egress::Target;
use crate::request::ToolRequest;

/// One thing an agent wants, or a process of its call.
#[derive(Debug, Clone)]
pub enum Request<'a> {
    Tool(ToolCall<'a>),
    /// A program of /bin that a guest starts.
    Program {
        agent: &'a str,
        name: &'a str,
    },
    Native(NativeCall<'a>),
    Egress(EgressCall<'a>),
    /// A guest path, as examples and explanations name one; calls meet the mount table instead.
    File {
        path: &'a str,
        write: bool,
    },
}

/// A call of a tool.
#[derive(Debug, Clone)]
pub struct ToolCall<'a> {
    /// The token's name.
    pub agent: &'a str,
    pub tool: &'a str,
    /// Variables the call brings.
    pub variables: Vec<(&'a str, &'a str)>,
    pub timeout_ms: Option<u64>,
}

impl<'a> ToolCall<'a> {
    /// What of a request the policy looks at. What a tool of the operator's own calls `env` is
    /// nobody else's business: such a call brings no variables.
    pub fn of(request: &'a ToolRequest, brings_variables: bool) -> Self {
        let env = request.input.get("env").filter(|_| brings_variables);
        let variables = env.and_then(|env| env.as_object());
        let variables = variables.into_iter().flatten();
        Self {
            agent: &request.agent,
            tool: &request.tool,
            variables: variables
                // A value that is no text never reaches a guest; it must not pass a pattern either.
                .map(|(name, value)| (&**name, value.as_str().unwrap_or("\0")))
                .collect(),
            timeout_ms: request.timeout_ms,
        }
    }
}

/// A start of a native program.
#[derive(Debug, Clone)]
pub struct NativeCall<'a> {
    pub agent: &'a str,
    /// Absolute path on the host.
    pub program: &'a str,
    /// Without the program's own name.
    pub arguments: &'a [String],
    /// Guest path of the working folder.
    pub cwd: &'a str,
}

/// A request to the outside.
#[derive(Debug, Clone)]
pub struct EgressCall<'a> {
    pub agent: &'a str,
    pub method: &'a str,
    pub target: &'a Target,
}
