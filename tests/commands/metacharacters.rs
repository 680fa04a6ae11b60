//! CMD-01: what a shell would act on is data. Where a rule takes any text it runs letter by letter as
//! it came; everywhere else one letter more is another word, another program, another folder.

use crate::cases::{Case, Want, git_first, words};

/// A text, and whether git may get it as the name of a file.
const TEXTS: &[(&str, bool)] = &[
    (";", true),
    ("; id", true),
    (";id;", true),
    ("&", true),
    ("&&", true),
    ("&& id", true),
    ("|", true),
    ("||", true),
    ("|sh", true),
    ("|& sh", true),
    ("\n", true),
    ("\nid\n", true),
    ("\r", true),
    ("\r\n", true),
    ("\t", true),
    (" ", true),
    ("  ", true),
    ("\u{b}", true),
    ("\u{c}", true),
    ("\u{1b}[2J", true),
    ("\u{7f}", true),
    ("\u{7}", true),
    ("$(id)", true),
    ("$(", true),
    ("$()", true),
    ("`id`", true),
    ("`", true),
    ("<(id)", true),
    (">(id)", true),
    ("=(id)", true),
    ("${IFS}", true),
    ("$IFS", true),
    ("${IFS}id", true),
    ("$[1+1]", true),
    ("$((1))", true),
    ("$[ x='a[$(id)]', x ]", true),
    ("${x:-id}", false),
    ("${x@P}", true),
    ("$'\\n'", true),
    ("$\"id\"", true),
    ("$0", true),
    ("$@", true),
    ("]", true),
    ("[", true),
    ("[a-z]", true),
    ("[[", true),
    ("{a,b}", true),
    ("{", true),
    ("}", true),
    ("{1..9}", true),
    ("~", false),
    ("~root", false),
    ("~+", false),
    ("*", true),
    ("?", true),
    ("**", true),
    ("!", true),
    ("!!", true),
    ("!-1", true),
    ("^a^b", true),
    ("\\", true),
    ("\\\n", true),
    ("\\;", true),
    ("\\x2d\\x2dexec", true),
    ("''", true),
    ("\"\"", true),
    ("'", true),
    ("\"", true),
    ("' ; id ; '", true),
    ("\"; id; \"", true),
    ("#", true),
    ("# x", true),
    (">", true),
    (">x", true),
    (">>x", true),
    ("2>&1", true),
    ("<x", true),
    ("<<E", true),
    ("<<<x", true),
    ("&>x", true),
    (">|x", true),
    ("(id)", true),
    ("(", true),
    (")", true),
    ("()", true),
    ("%", true),
    ("%0a", true),
    ("%00", true),
    ("%n%s", true),
    ("=", true),
    ("+", true),
    (",", true),
    ("^", true),
    ("\u{85}", true),
    ("\u{a0}", true),
    ("\u{1680}", true),
    ("\u{2003}", true),
    ("\u{200b}", true),
    ("\u{2028}", true),
    ("\u{2029}", true),
    ("\u{202e}", true),
    ("\u{2066}", true),
    ("\u{3000}", true),
    ("\u{feff}", true),
    // Look like `;`, `-`, `|`, `$` and `.` and are none.
    ("\u{ff1b}", true),
    ("\u{37e}", true),
    ("\u{2010}", true),
    ("\u{2212}c", true),
    ("\u{ff5c}", true),
    ("\u{ff04}(id)", true),
    ("\u{ff0e}\u{ff0e}", true),
    ("\u{fffd}", true),
    ("\u{1f980}", true),
    ("e\u{301}", true),
];

/// The 100,000 letters of a long word, and words that are too long.
const LONG: usize = 100_000;
const TOO_LONG: usize = 131_073;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, (text, name)) in TEXTS.iter().enumerate() {
        cases.extend(of_text(number, text, *name));
    }
    cases.extend(chained());
    cases.extend(of_sizes());
    cases
}

fn case(twin: &str, words: &[&str], want: Want) -> Case {
    Case {
        plan: "CMD-01".to_owned(),
        twin: format!("CMD-01 {twin}"),
        policy: "coding-agent".to_owned(),
        program: "/usr/bin/git".to_owned(),
        words: crate::cases::words(words),
        cwd: "/workspace".to_owned(),
        want,
    }
}

fn runs(list: &[&str]) -> Want {
    Want::Runs([git_first(), words(list)].concat())
}

fn denied(part: &str) -> Want {
    Want::Denied(vec![part.to_owned()])
}

fn of_text(number: usize, text: &str, name: bool) -> Vec<Case> {
    let twin = format!("text {number}");
    let case = |words: &[&str], want| case(&twin, words, want);
    let behind = |word: &str| format!("{word}{text}");
    let message = behind("--message=");
    let count = behind("--max-count=1");
    let mut cases = vec![
        case(&["commit", "-m", text], runs(&["commit", "-m", text])),
        case(&["commit", &message], runs(&["commit", &message])),
        case(&[text], denied("as word 1")),
        case(&[&behind("status")], denied("as word 1")),
        case(&["status", text], denied("as word 2")),
        case(&["status", &behind("--short")], denied("as word 2")),
        case(&["log", "-n", &behind("1")], denied("as word 3")),
        case(&["log", &count], denied("as word 2")),
        case(&["log", &behind("HEAD")], denied("as word 2")),
        case(&["commit", "-m", "x", text], denied("as word 4")),
        case(&["clone", "a", "b", text], denied("as word 4")),
    ];
    cases.push(match name {
        true => case(&["add", text], runs(&["add", "--", text])),
        false => case(&["add", text], denied("as word 2")),
    });
    let deeper = format!("src/a{text}b");
    cases.push(case(&["add", &deeper], runs(&["add", "--", &deeper])));
    let mut program = case(&["status"], denied("no rule allows the native program"));
    program.program = behind("/usr/bin/git");
    cases.push(program);
    let mut folder = case(&["status"], denied("in this folder"));
    folder.cwd = behind("/workspace");
    cases.push(folder);
    cases
}

/// CMD-02: further commands behind an allowed one, however many.
fn chained() -> Vec<Case> {
    let mut cases = Vec::new();
    for separator in [";", "&&", "||", "|", "&", "\n"] {
        for count in [1, 2, 10, 49, 50, 51, 999, 2_046, 9_999] {
            let mut words = vec!["status"];
            for _ in 0..count {
                words.extend([separator, "status"]);
            }
            let part = match words.len() > 4_096 {
                true => "as word 4097",
                false => "as word 2",
            };
            let mut case = case("chained", &words, denied(part));
            case.plan = "CMD-02".to_owned();
            cases.push(case);
        }
    }
    // In one word they are a message.
    for count in [1, 50, 51, 9_999] {
        let text = "status; ".repeat(count);
        cases.push(case(
            "chained",
            &["commit", "-m", &text],
            runs(&["commit", "-m", &text]),
        ));
    }
    cases
}

/// NUL ends a word for the kernel, so no word has one; and sizes are the kernel's.
fn of_sizes() -> Vec<Case> {
    let mut cases = Vec::new();
    for (place, words) in [
        (1, vec!["status\0"]),
        (1, vec!["\0status"]),
        (2, vec!["status", "\0"]),
        (2, vec!["status", "--short\0"]),
        (2, vec!["status", "--short\0--exec"]),
        (2, vec!["add", "src/a\0b"]),
        (2, vec!["add", "src/a\0/../../x"]),
        (3, vec!["add", "--", "\0"]),
        (3, vec!["commit", "-m", "a\0b"]),
        (2, vec!["commit", "--message=a\0"]),
        (2, vec!["log", "HEAD\0"]),
        (3, vec!["log", "-n", "1\0"]),
        (4, vec!["commit", "-a", "-m", "\0"]),
    ] {
        let part = format!("as word {place}");
        cases.push(case("NUL", &words, denied(&part)));
    }
    let (long, too_long) = ("a".repeat(LONG), "a".repeat(TOO_LONG));
    let message = ["commit", "-m", &long];
    cases.push(case("sizes", &message, runs(&message)));
    for words in [["commit", "-m", &too_long], ["add", "--", &too_long]] {
        cases.push(case("sizes", &words, denied("as word 3")));
    }
    let many = vec!["a"; 4_096];
    cases.push(case("sizes", &many, denied("as word 1")));
    cases
}
