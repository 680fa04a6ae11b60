//! The shell links imports that only a cell has, so its pure parts are tested here, from the same
//! files. From the root of the repository: `cargo test --manifest-path guest-tools/sh-tests/Cargo.toml`.

#![allow(dead_code, unused_imports, reason = "the files serve the shell")]

mod ast {
    pub type Bytes = Vec<u8>;
}
#[path = "../../sh/src/depth.rs"]
mod depth;
#[path = "../../sh/src/expand/fields.rs"]
mod fields;
#[path = "../../sh/src/names.rs"]
mod names;
#[path = "../../sh/src/pattern.rs"]
mod pattern;
#[path = "../../sh/src/quote.rs"]
mod quote;
#[path = "../../sh/src/parse/quotes.rs"]
mod quotes;
#[path = "../../sh/src/parse/scan.rs"]
mod scan;
#[path = "../../sh/src/text.rs"]
mod text;

use quotes::unquote;

#[cfg(test)]
mod tests {
    use crate::{fields::Fields, pattern::Pattern, quote, quotes, scan};

    /// The fields that an unquoted expansion of `text` gives.
    fn split(ifs: Option<&str>, text: &str) -> Vec<String> {
        let mut fields = Fields::new(true, ifs.map(|ifs| ifs.as_bytes().to_vec()));
        fields.text(text.as_bytes(), false);
        let finished = fields.finish();
        finished
            .into_iter()
            .map(|field| String::from_utf8(field.text).expect("the input was UTF-8"))
            .collect()
    }

    #[test]
    fn blanks_divide_and_vanish() {
        assert_eq!(split(None, "  a\t b\nc "), ["a", "b", "c"]);
        assert_eq!(split(Some(" \t\n"), "   "), [""; 0]);
    }

    #[test]
    fn other_separators_keep_empty_fields_between_them() {
        assert_eq!(split(Some(":"), "a::b"), ["a", "", "b"]);
        assert_eq!(split(Some(":"), ":a:"), ["", "a"]);
        assert_eq!(split(Some(" :"), "a : b"), ["a", "b"]);
    }

    #[test]
    fn an_empty_ifs_divides_nothing() {
        assert_eq!(split(Some(""), "a b:c"), ["a b:c"]);
    }

    #[test]
    fn quoted_text_stays_in_its_field() {
        let mut fields = Fields::new(true, None);
        fields.text(b"a b", false);
        fields.quoted(b" c ");
        fields.text(b"d e", false);
        let texts: Vec<Vec<u8>> = fields.finish().into_iter().map(|f| f.text).collect();
        assert_eq!(texts, [&b"a"[..], b"b c d", b"e"]);
    }

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern.as_bytes(), true, false).matches(text.as_bytes())
    }

    #[test]
    fn stars_classes_and_escapes_match() {
        assert!(matches("a*c", "abbc") && matches("a*c", "ac") && !matches("a*c", "acd"));
        assert!(matches("[a-c]?", "bé") && !matches("[!a-c]", "b"));
        assert!(matches("[[:digit:]]*", "7x") && !matches("[[:digit:]]", "x"));
        assert!(matches("\\*", "*") && !matches("\\*", "a"));
        assert!(matches("[]x]", "]") && matches("[", "["));
    }

    #[test]
    fn groups_match_only_when_they_count() {
        assert!(matches("@(one|two)", "two") && !matches("@(one|two)", "onetwo"));
        assert!(matches("+(ab)", "abab") && matches("*(ab)", "") && !matches("+(ab)", ""));
        assert!(matches("!(a)", "b") && !matches("!(a)", "a") && matches("x?(y)", "x"));
        let plain = Pattern::new(b"@(a)", false, false);
        assert!(!plain.matches(b"a") && plain.matches(b"@(a)"));
    }

    #[test]
    fn many_stars_end_in_time() {
        let pattern = "*a".repeat(40);
        assert!(!matches(&pattern, &"b".repeat(2000)));
    }

    #[test]
    fn values_are_quoted_so_that_they_read_back() {
        assert_eq!(quote::double(b"a\"$`\\b"), br#""a\"\$\`\\b""#);
        assert_eq!(quote::double(b"a\nb"), b"$'a\\nb'");
        assert_eq!(quote::single(b"it's"), br"'it'\''s'");
        assert_eq!(quote::plain_single(b"a\tb"), b"'a\tb'");
        assert_eq!(quote::when_needed(b"plain-1.x"), b"plain-1.x");
        assert_eq!(quote::when_needed(b"a b"), b"'a b'");
        assert_eq!(quote::backslash(b""), b"''");
        assert_eq!(quote::backslash(b"a b;~"), br"a\ b\;~");
        assert_eq!(quote::backslash(b"x=~"), br"x=\~");
    }

    #[test]
    fn what_quotes_and_expansions_hide_does_not_divide() {
        let words = |text: &str| scan::split_at(text.as_bytes(), b" :");
        let expected: Vec<Vec<u8>> = [r#"a"b c""#, "$(x y)", "d\\ e", "f"]
            .map(|w| w.as_bytes().to_vec())
            .to_vec();
        assert_eq!(words(r#"a"b c" $(x y):d\ e  f"#), Some(expected));
        assert_eq!(words("${open"), None);
        assert_eq!(words("'open"), None);
    }

    #[test]
    fn dollar_quotes_are_read_like_bash_reads_them() {
        assert_eq!(
            quotes::ansi_quoted(br"a\tb\x41\u00e9\cA"),
            "a\tbA\u{e9}\u{1}".as_bytes()
        );
        assert_eq!(quotes::ansi_quoted(br"a\0b"), b"a");
        assert_eq!(
            quotes::without_dollar_quotes(br#"$'it\'s' "$'x'" $"y""#),
            br#"'it'\''s' "$'x'" "y""#
        );
        assert_eq!(quotes::unquote(br#"a'b c'"d\"e"\f"#), br#"ab cd"ef"#);
    }

    #[test]
    fn an_array_value_is_part_of_a_word_only_where_it_may_be() {
        let text = b"a=(x y) b";
        assert_eq!(scan::word(text, 0, true), Some(7));
        assert_eq!(scan::word_without_array(text, 0), Some(2));
    }
}
