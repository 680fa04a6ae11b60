//! Variables that a call brings: none that a policy does not list, whatever its value.

use hotcell::policy::{self, Decision, Policy, Request, ToolCall};
use hotcell::request::{RequestId, ToolRequest};

use crate::{NOW, SHIPPED, shipped};

/// Variables by which something is loaded, started, read or sent that nobody asked for.
const NAMES: &[&str] = &[
    // The loader and libc.
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "LD_DEBUG",
    "LD_DEBUG_OUTPUT",
    "LD_PROFILE",
    "LD_ORIGIN_PATH",
    "LD_BIND_NOT",
    "LD_SHOW_AUXV",
    "GLIBC_TUNABLES",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "MALLOC_CHECK_",
    "MALLOC_PERTURB_",
    "MALLOC_TRACE",
    "TZDIR",
    "GETCONF_DIR",
    // Shells.
    "BASH_ENV",
    "ENV",
    "BASH_FUNC_ls%%",
    "BASH_FUNC_git%%",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "PROMPT_COMMAND",
    "IFS",
    "CDPATH",
    "GLOBIGNORE",
    "ZDOTDIR",
    "FPATH",
    "BASH_XTRACEFD",
    "SHELL",
    "HISTFILE",
    // git.
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_KEY_0",
    "GIT_CONFIG_VALUE_0",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXTERNAL_DIFF",
    "GIT_SSH_COMMAND",
    "GIT_SSH",
    "GIT_PROXY_COMMAND",
    "GIT_ASKPASS",
    "GIT_EDITOR",
    "GIT_SEQUENCE_EDITOR",
    "GIT_PAGER",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_EXEC_PATH",
    "GIT_TEMPLATE_DIR",
    "GIT_NAMESPACE",
    "GIT_TRACE",
    "GIT_ATTR_SOURCE",
    "GIT_ALLOW_PROTOCOL",
    // Pagers and editors.
    "PAGER",
    "MANPAGER",
    "LESS",
    "LESSOPEN",
    "LESSCLOSE",
    "EDITOR",
    "VISUAL",
    "BROWSER",
    "VIMINIT",
    // Languages.
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONBREAKPOINT",
    "PERL5OPT",
    "PERL5LIB",
    "PERL5DB",
    "RUBYOPT",
    "RUBYLIB",
    "NODE_OPTIONS",
    "NODE_PATH",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "CLASSPATH",
    "LUA_INIT",
    "LUA_PATH",
    "PHPRC",
    "R_PROFILE",
    // Tools.
    "TAR_OPTIONS",
    "TAPE",
    "MAKEFLAGS",
    "MAKEFILES",
    "CC",
    "CXX",
    "LD",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTC",
    "CARGO_HOME",
    "RUSTUP_TOOLCHAIN",
    "npm_config_script_shell",
    "PIP_INDEX_URL",
    "PIP_CONFIG_FILE",
    "RIPGREP_CONFIG_PATH",
    "GREP_OPTIONS",
    "ZIPOPT",
    "UNZIP",
    "RSYNC_RSH",
    "CVS_RSH",
    "SSH_ASKPASS",
    "SSH_AUTH_SOCK",
    "DISPLAY",
    "DBUS_SESSION_BUS_ADDRESS",
    // The network.
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "RES_OPTIONS",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "CURL_CA_BUNDLE",
    "CURL_HOME",
    "SSL_CERT_FILE",
    "SSLKEYLOGFILE",
    // Where things are, and our own.
    "PATH",
    "HOME",
    "TMPDIR",
    "PWD",
    "XDG_CONFIG_HOME",
    "HOTCELL_STATE",
    "HOTCELL_POLICY",
    "HOTCELL_TOKEN",
    // Near to what the policies list, and no names at all.
    "ci",
    "CI ",
    " CI",
    "CI=",
    "CI\n",
    "CI\0",
    "C",
    "CIX",
    "NO_COLORS",
    "SEEDS",
    "",
    "=",
    "\n",
];

/// Values that the rules of some policy take, and others.
const VALUES: &[&str] = &["1", "true", "42", "/workspace/x", "", "() { :; }; id"];

/// The one policy that says that a call may set what it likes (`agent = true`): it starts no
/// native program, and guests get nothing by a variable.
const ANY_VARIABLE: &str = "default";

fn ask(policy: &Policy, name: &str, value: &str) -> Result<(), String> {
    // As a call brings it.
    let request = ToolRequest {
        id: RequestId("a".to_owned()),
        agent: "ann".to_owned(),
        tool: "read".to_owned(),
        input: serde_json::json!({ "path": "a", "env": { name: value } }),
        working_dir: None,
        session: None,
        timeout_ms: None,
        idempotency_sha256: None,
    };
    match policy::decide(policy, &Request::Tool(ToolCall::of(&request, true)), NOW) {
        Decision::Allow(_) => Ok(()),
        Decision::Deny(denial) => Err(denial.to_string()),
    }
}

#[test]
fn no_variable_enters_a_call_that_its_policy_does_not_list() {
    assert!(NAMES.len() >= 120, "only {} names are left", NAMES.len());
    let mut tried = 0;
    for policy_name in SHIPPED.iter().filter(|name| **name != ANY_VARIABLE) {
        let policy = shipped(policy_name);
        for name in NAMES {
            for value in VALUES {
                let denial = ask(&policy, name, value).expect_err(name);
                let part = format!("no rule lets a call set the variable `{name}`");
                assert!(denial.contains(&part), "{policy_name}: {denial}");
                tried += 1;
            }
        }
    }
    println!("{} names, {tried} variables denied", NAMES.len());
}

/// What is listed is allowed with a fitting value, and denied with any other.
#[test]
fn listed_variables_need_a_fitting_value() {
    for (policy, name, good, bad) in [
        ("coding-agent", "CI", "true", "$(id)"),
        ("coding-agent", "CI", "1", "1\n"),
        ("coding-agent", "NO_COLOR", "0", ""),
        ("coding-agent", "FORCE_COLOR", "false", "FALSE"),
        ("data-analysis", "SEED", "42", "42 "),
        ("data-analysis", "SEED", "7", "-1"),
        ("data-analysis", "THREADS", "8", "0x8"),
        ("data-analysis", "THREADS", "999999999", "1000000000"),
    ] {
        let loaded = shipped(policy);
        assert_eq!(ask(&loaded, name, good), Ok(()), "{policy} {name}={good}");
        let denial = ask(&loaded, name, bad).unwrap_err();
        assert!(denial.contains("may not have this value"), "{denial}");
    }
    // A value that is no text fits nothing that is listed.
    let policy = shipped("coding-agent");
    for value in [
        serde_json::json!(1),
        serde_json::json!(true),
        serde_json::json!(null),
    ] {
        let request = ToolRequest {
            id: RequestId("a".to_owned()),
            agent: "ann".to_owned(),
            tool: "read".to_owned(),
            input: serde_json::json!({ "env": { "CI": value } }),
            working_dir: None,
            session: None,
            timeout_ms: None,
            idempotency_sha256: None,
        };
        let call = Request::Tool(ToolCall::of(&request, true));
        assert!(
            matches!(policy::decide(&policy, &call, NOW), Decision::Deny(_)),
            "{value}"
        );
    }
}

#[test]
fn only_one_shipped_policy_takes_any_variable_and_it_starts_no_native_program() {
    for name in SHIPPED {
        let policy = shipped(name);
        let any = ask(&policy, "LD_PRELOAD", "x").is_ok();
        assert_eq!(any, *name == ANY_VARIABLE, "{name}");
        assert_eq!(policy.environment_agent, any, "{name}");
        assert!(!any || policy.natives.is_empty(), "{name}");
    }
}
