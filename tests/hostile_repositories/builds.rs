//! Projects whose builds and tests do what they should not. Their code runs, and that is what a build
//! is for; what must hold is that nothing outside is read, written, called or left.

use crate::{Probe, Tool};

const fn cargo(name: &'static str, made: &'static str, command: &'static str) -> Probe {
    Probe::build(Tool::Cargo, name, made, command)
}

const fn make(name: &'static str, made: &'static str) -> Probe {
    Probe::build(Tool::Make, name, made, "make")
}

const fn npm(name: &'static str, made: &'static str, command: &'static str) -> Probe {
    Probe::build(Tool::Npm, name, made, command)
}

const fn python(name: &'static str, made: &'static str, command: &'static str) -> Probe {
    Probe::build(Tool::Python, name, made, command)
}

const fn pytest(name: &'static str, made: &'static str, command: &'static str) -> Probe {
    Probe::build(Tool::Pytest, name, made, command)
}

const TEST: &str = "cargo test --offline";
const NPM_TEST: &str = "NPM test";
const UNITTEST: &str = "PYTHON -m unittest";
const PYTEST: &str = "PYTHON -m pytest -q";

pub const PROBES: &[Probe] = &[
    // Build scripts.
    cargo(
        "cargo.script_writes",
        "crate; build_script; writes",
        "cargo build --offline",
    ),
    cargo(
        "cargo.script_reads",
        "crate; build_script; reads $CANARY",
        TEST,
    ),
    cargo(
        "cargo.script_reads_keys",
        "crate; build_script; reads '$HOME/.ssh/id_hostile '$USERS/.ssh/id_hostile",
        TEST,
    ),
    cargo(
        "cargo.script_reads_credentials",
        "crate; build_script; reads '$CARGO_HOME/credentials.toml '$USERS/.cargo/credentials.toml",
        TEST,
    ),
    cargo(
        "cargo.script_reads_shadow",
        "crate; build_script; reads /etc/shadow",
        TEST,
    ),
    cargo(
        "cargo.script_reads_server",
        "crate; build_script; reads '/proc/'$BROKER/environ",
        TEST,
    ),
    cargo("cargo.script_calls", "crate; build_script; calls", TEST),
    cargo(
        "cargo.script_stays",
        "crate; build_script; stays",
        "cargo check --offline",
    ),
    cargo(
        "cargo.script_spoils_sources",
        "crate; build_script; spoils",
        TEST,
    ),
    // Programs that the project's configuration names.
    cargo(
        "cargo.compiler_wrapper",
        "crate; writes; cargo_conf <<< \"build.rustc-wrapper = './evil'\"",
        "cargo check --offline",
    ),
    cargo(
        "cargo.compiler",
        "crate; writes; cargo_conf <<< \"build.rustc = './evil'\"",
        "cargo check --offline",
    ),
    cargo(
        "cargo.workspace_wrapper",
        "crate; calls; cargo_conf <<< \"build.rustc-workspace-wrapper = './evil'\"",
        "cargo check --offline",
    ),
    cargo(
        "cargo.linker",
        "crate; calls; cargo_conf <<< \"target.'cfg(unix)'.linker = './evil'\ntarget.x86_64-unknown-linux-gnu.linker = './evil'\"",
        TEST,
    ),
    cargo(
        "cargo.runner",
        "crate; reads $CANARY; cargo_conf <<< \"target.'cfg(unix)'.runner = './evil'\"",
        TEST,
    ),
    // Sources from outside.
    cargo(
        "cargo.text_included",
        "crate; echo \"#[test] fn t() { panic!(include_str!(\\\"$CANARY\\\")); }\" > src/lib.rs",
        TEST,
    ),
    cargo(
        "cargo.text_linked",
        "crate; ln -s $CANARY src/text; echo '#[test] fn t() { panic!(include_str!(\"text\")); }' > src/lib.rs",
        TEST,
    ),
    cargo(
        "cargo.crate_outside",
        "crate \"[dependencies]\nother = { path = '$OUT/other' }\"; mkdir $OUT/other; (cd $OUT/other; crate; sed -i s/hostile/other/ Cargo.toml; echo \"pub const TEXT: &str = \\\"$(cat $CANARY)\\\";\" > src/lib.rs); echo '#[test] fn t() { panic!(\"{}\", other::TEXT); }' > src/lib.rs",
        "cargo test",
    ),
    cargo(
        "cargo.registry",
        "crate \"[dependencies]\nserde = '1'\"; cargo_conf <<< \"source.crates-io.replace-with = 'near'\nsource.near.registry = 'sparse+http://127.0.0.1:$PORT/'\nnet.offline = false\nnet.retry = 0\"",
        "cargo test",
    ),
    // Macros and tests.
    cargo(
        "cargo.macro_writes",
        "crate \"[lib]\nproc-macro = true\"; writes; echo 'use proc_macro::TokenStream;\n#[proc_macro] pub fn hostile(_: TokenStream) -> TokenStream { let _ = std::process::Command::new(\"./evil\").status(); TokenStream::new() }' > src/lib.rs; sed -i 's/\\\\n/\\n/' src/lib.rs; mkdir tests; echo 'hostile::hostile!();' > tests/uses.rs",
        "cargo test --offline",
    ),
    cargo("cargo.test_writes", "crate; test_runs_it; writes", TEST),
    cargo("cargo.test_calls", "crate; test_runs_it; calls", TEST),
    cargo("cargo.test_stays", "crate; test_runs_it; stays", TEST),
    // Make.
    make(
        "make.recipe_writes",
        "writes; makefile 'all:\\n\\t./evil\\n'",
    ),
    make(
        "make.recipe_reads",
        "reads $CANARY; makefile 'all:\\n\\t./evil\\n'",
    ),
    make(
        "make.recipe_reads_keys",
        "reads '$HOME/.ssh/id_hostile '$USERS/.ssh/id_hostile; makefile 'all:\\n\\t./evil\\n'",
    ),
    make("make.recipe_calls", "calls; makefile 'all:\\n\\t./evil\\n'"),
    make("make.recipe_stays", "stays; makefile 'all:\\n\\t./evil\\n'"),
    make(
        "make.recipe_leaves_many",
        "does <<< \"for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do (setsid nohup sleep $MARK > /dev/null 2>&1 &); done\"; makefile 'all:\\n\\t./evil\\n'",
    ),
    make(
        "make.recipe_spoils_sources",
        "spoils; makefile 'all:\\n\\t./evil\\n'",
    ),
    make(
        "make.while_reading",
        "writes; makefile 'X := $(shell ./evil)\\nall:\\n\\techo $(X)\\n'",
    ),
    make(
        "make.shell",
        "reads $CANARY; makefile 'SHELL := ./evil\\nall:\\n\\techo one\\n'",
    ),
    make(
        "make.included",
        "does <<< :; echo \"\\$(info payload-ran $(cat $CANARY))\" > $OUT/more.mk; makefile \"include $OUT/more.mk\\nall:\\n\\techo one\\n\"",
    ),
    // npm.
    npm(
        "npm.test_writes",
        "writes; package '\"scripts\": {\"test\": \"./evil\"}'",
        NPM_TEST,
    ),
    npm(
        "npm.before_test_reads",
        "reads $CANARY; package '\"scripts\": {\"pretest\": \"./evil\", \"test\": \"echo\"}'",
        NPM_TEST,
    ),
    npm(
        "npm.after_test_calls",
        "calls; package '\"scripts\": {\"posttest\": \"./evil\", \"test\": \"echo\"}'",
        NPM_TEST,
    ),
    npm(
        "npm.test_stays",
        "stays; package '\"scripts\": {\"test\": \"./evil\"}'",
        NPM_TEST,
    ),
    npm(
        "npm.test_reads_token",
        "echo \"//x/:_authToken=$(cat $CANARY)\" > $USERS/.npmrc; reads '$HOME/.npmrc '$USERS/.npmrc; package '\"scripts\": {\"test\": \"./evil\"}'",
        NPM_TEST,
    ),
    npm(
        "npm.before_install_writes",
        "writes; package '\"scripts\": {\"preinstall\": \"./evil\"}'",
        "NPM install",
    ),
    npm(
        "npm.after_install_spoils_sources",
        "spoils; package '\"scripts\": {\"postinstall\": \"./evil\"}'",
        "NPM install",
    ),
    npm(
        "npm.prepare_reads_shadow",
        "reads /etc/shadow; package '\"scripts\": {\"prepare\": \"./evil\"}'",
        "NPM install --foreground-scripts",
    ),
    npm(
        "npm.shell",
        "writes; echo script-shell=./evil > .npmrc; package '\"scripts\": {\"test\": \"echo\"}'",
        NPM_TEST,
    ),
    npm(
        "npm.node_options",
        "writes; echo 'require(\"child_process\").execFileSync(\"./evil\")' > evil.js; echo \"node-options=--require $AT/evil.js\" > .npmrc; package '\"scripts\": {\"test\": \"node --version; node -e 0\"}'",
        NPM_TEST,
    ),
    npm(
        "npm.registry",
        "printf 'registry=http://127.0.0.1:%s/\\nfetch-retries=0\\noffline=false\\n' $PORT > .npmrc; package '\"dependencies\": {\"left-pad\": \"1.0.0\"}'",
        "NPM install",
    ),
    // Python.
    python("python.test_writes", "writes; python_test", UNITTEST),
    python(
        "python.test_reads_server",
        "reads /proc/$BROKER/environ; python_test",
        UNITTEST,
    ),
    python("python.test_calls", "calls; python_test", UNITTEST),
    python("python.test_stays", "stays; python_test", UNITTEST),
    python(
        "python.module_shadowed",
        "reads $CANARY; python_runs_it > pprint.py; python_test",
        UNITTEST,
    ),
    python(
        "python.setup_writes",
        "writes; { python_runs_it; echo 'from setuptools import setup; setup(name=\"hostile\")'; } > setup.py",
        "PYTHON setup.py --version",
    ),
    python(
        "pip.setup_calls",
        "calls; { python_runs_it; echo 'from setuptools import setup; setup(name=\"hostile\")'; } > setup.py",
        "PYTHON -m pip install --no-build-isolation --no-deps --target=target .",
    ),
    python(
        "pip.index",
        "printf -- '--index-url http://127.0.0.1:%s/\\nleft-pad\\n' $PORT > requirements.txt",
        "PYTHON -m pip install --retries=0 --target=target -r requirements.txt",
    ),
    pytest(
        "pytest.conftest_writes",
        "writes; python_test; conftest_runs_it",
        PYTEST,
    ),
    pytest(
        "pytest.conftest_reads_keys",
        "reads '$HOME/.ssh/id_hostile '$USERS/.ssh/id_hostile; python_test; conftest_runs_it",
        PYTEST,
    ),
    pytest(
        "pytest.plugin_named",
        "calls; python_test; python_runs_it > plug.py; printf '[pytest]\\naddopts = -p plug\\n' > pytest.ini",
        PYTEST,
    ),
    pytest(
        "pytest.plugin_in_pyproject",
        "stays; python_test; python_runs_it > plug.py; printf '[tool.pytest.ini_options]\\naddopts = \"-p plug\"\\n' > pyproject.toml",
        PYTEST,
    ),
];
