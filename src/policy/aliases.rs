//! Names under which one guest program stands in `/bin`.

/// Names that can do the same. A denied program must not be had by another name of it; allowing
/// one name still allows no other.
const SAME: &[&[&str]] = &[
    // One interpreter.
    &["awk", "gawk", "mawk", "nawk"],
    // One shell.
    &["bash", "sh"],
    // One search, with other defaults.
    &["egrep", "fgrep", "grep"],
    // One pager.
    &["less", "more"],
    // One dump, in other forms.
    &["hd", "hexdump"],
    // One compressor: flags turn it round.
    &["gunzip", "gzip", "zcat"],
];

/// The names, and every other name of the same programs.
pub(super) fn of_all(names: &[String]) -> Vec<String> {
    let mut all = names.to_vec();
    let named = |group: &&&[&str]| names.iter().any(|name| group.contains(&&**name));
    for name in SAME.iter().filter(named).copied().flatten() {
        if !all.iter().any(|known| known == name) {
            all.push((*name).to_owned());
        }
    }
    all
}
