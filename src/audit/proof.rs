//! Proofs for someone who does not have the log: that a record is in it, and that one signed
//! state of it grew out of another.
//!
//! Made by the recursive definitions of RFC 6962 in one pass over the log; checked by the
//! iterative algorithms of RFC 9162, section 2.1. The text form of the first is C2SP `tlog-proof`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::audit::checkpoint::{self, Checkpoint, Verifier};
use crate::audit::tree::{self, Frontier, Hash};

const INCLUSION: &str = "c2sp.org/tlog-proof@v1";
const CONSISTENCY: &str = "hotcell-consistency-proof@v1";
/// Most hashes in a proof: two for every level a tree of 2^64 leaves can have.
const HASHES_MAX: usize = 128;

/// Leaves `from..to`.
pub type Range = (u64, u64);

/// The subtrees whose roots prove that leaf `index` is in a tree, nearest first.
pub fn inclusion_ranges(index: u64, size: u64) -> Vec<Range> {
    let (mut from, mut to) = (0, size);
    let mut ranges = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            ranges.push((middle, to));
            to = middle;
        } else {
            ranges.push((from, middle));
            from = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The subtrees whose roots prove that a tree of size `old` grew into one of size `new`.
pub fn consistency_ranges(old: u64, new: u64) -> Vec<Range> {
    let (mut from, mut to, mut whole) = (0, new, true);
    let mut ranges = Vec::new();
    while old < to && old > 0 {
        let middle = from + split(to - from);
        if old <= middle {
            ranges.push((middle, to));
            to = middle;
        } else {
            ranges.push((from, middle));
            (from, whole) = (middle, false);
        }
    }
    if !whole {
        ranges.push((from, to));
    }
    ranges.reverse();
    ranges
}

/// The largest power of two below `width`.
fn split(width: u64) -> u64 {
    1 << (63 - (width - 1).leading_zeros())
}

/// Computes the roots of some subtrees while the leaves of a log go by.
#[derive(Debug)]
pub struct Collector {
    subtrees: Vec<(Range, Frontier)>,
}

impl Collector {
    /// `start` is the tree of what the log no longer holds.
    pub fn new(ranges: Vec<Range>, start: &Frontier) -> Self {
        let collect = |(from, to): Range| {
            let mut subtree = Frontier::default();
            for (first, end, node) in start.ranges() {
                if first >= from && end <= to {
                    subtree.push_subtree(end - first, *node);
                }
            }
            ((from, to), subtree)
        };
        Self {
            subtrees: ranges.into_iter().map(collect).collect(),
        }
    }

    pub fn leaf(&mut self, index: u64, leaf: Hash) {
        for ((from, to), subtree) in &mut self.subtrees {
            if (*from..*to).contains(&index) {
                subtree.push(leaf);
            }
        }
    }

    /// The roots; `None` when the log no longer holds what one of them needs.
    pub fn roots(&self) -> Option<Vec<Hash>> {
        let root = |((from, to), subtree): &(Range, Frontier)| {
            (subtree.size() == to - from).then(|| subtree.root())
        };
        self.subtrees.iter().map(root).collect()
    }
}

/// Whether a leaf is in the tree a checkpoint signed.
pub fn includes(signed: &Checkpoint, index: u64, leaf: Hash, proof: &[Hash]) -> bool {
    if index >= signed.size {
        return false;
    }
    let (mut node, mut last, mut root) = (index, signed.size - 1, leaf);
    for hash in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            root = tree::node_hash(hash, &root);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            root = tree::node_hash(&root, hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && root == signed.root
}

/// Whether the tree that `new` signed grew out of the one that `old` signed.
pub fn grew(old: &Checkpoint, new: &Checkpoint, proof: &[Hash]) -> bool {
    if old.size == 0 || old.size >= new.size {
        let same = old.size == new.size && old.root == new.root;
        return proof.is_empty() && (same || (old.size == 0 && new.size > 0));
    }
    let (mut node, mut last) = (old.size - 1, new.size - 1);
    let shift = node.trailing_ones();
    (node, last) = (node >> shift, last >> shift);
    let mut hashes = proof.iter();
    // A tree that is one perfect subtree of the new one is its own first hash.
    let first = if old.size.is_power_of_two() {
        Some(&old.root)
    } else {
        hashes.next()
    };
    let Some(first) = first else {
        return false;
    };
    let (mut old_root, mut new_root) = (*first, *first);
    for hash in hashes {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_root = tree::node_hash(hash, &old_root);
            new_root = tree::node_hash(hash, &new_root);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new_root = tree::node_hash(&new_root, hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && old_root == old.root && new_root == new.root
}

/// A proof as it was read and found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proven {
    /// The stored line is record `index` of the log.
    Included {
        index: u64,
        line: Vec<u8>,
        signed: Checkpoint,
    },
    Grew {
        old: Checkpoint,
        new: Checkpoint,
    },
}

fn encoded(hashes: &[Hash]) -> String {
    let line = |hash| STANDARD.encode(hash) + "\n";
    hashes.iter().map(line).collect()
}

/// Writes a proof that a line is in the log; the line itself goes with it.
pub fn inclusion_text(index: u64, line: &[u8], hashes: &[Hash], signed: &Checkpoint) -> String {
    format!(
        "{INCLUSION}\nextra {}\nindex {index}\n{}\n{}",
        STANDARD.encode(line),
        encoded(hashes),
        signed.note
    )
}

/// Writes a proof that one signed state grew into another.
pub fn consistency_text(hashes: &[Hash], old: &Checkpoint, new: &Checkpoint) -> String {
    format!(
        "{CONSISTENCY}\n{}\n{}\n{}",
        encoded(hashes),
        old.note,
        new.note
    )
}

/// Reads a proof of either form and checks it under a log's key.
///
/// # Errors
/// Says what is wrong.
pub fn check(text: &str, verifier: &Verifier) -> Result<Proven, String> {
    let (head, notes) = text.split_once("\n\n").ok_or("it holds no checkpoint")?;
    let mut lines = head.split('\n');
    match lines.next() {
        Some(INCLUSION) => {
            let line = lines.next().and_then(|line| line.strip_prefix("extra "));
            let line = line.and_then(|line| STANDARD.decode(line).ok());
            let line = line.ok_or("it does not hold the record, as `extra` and Base64")?;
            let index = lines.next().and_then(|line| line.strip_prefix("index "));
            let index = index.and_then(|index| index.parse().ok());
            let index = index.ok_or("it does not say the record's number, as `index N`")?;
            let hashes = decoded(lines)?;
            let signed = verifier.check(notes)?;
            if includes(&signed, index, tree::leaf_hash(&line), &hashes) {
                return Ok(Proven::Included {
                    index,
                    line,
                    signed,
                });
            }
            Err("its hashes do not lead from the record to the checkpoint".to_owned())
        }
        Some(CONSISTENCY) => {
            let hashes = decoded(lines)?;
            let notes = checkpoint::notes(notes);
            let [old, new] = &*notes else {
                return Err("it does not hold two checkpoints".to_owned());
            };
            let (old, new) = (verifier.check(old)?, verifier.check(new)?);
            if grew(&old, &new, &hashes) {
                return Ok(Proven::Grew { old, new });
            }
            Err("its hashes do not lead from one checkpoint to the other".to_owned())
        }
        _ => Err(format!(
            "it begins with neither `{INCLUSION}` nor `{CONSISTENCY}`"
        )),
    }
}

fn decoded<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<Hash>, String> {
    let mut hashes = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let hash = STANDARD
            .decode(line)
            .ok()
            .and_then(|hash| hash.try_into().ok());
        hashes.push(hash.ok_or("one of its hashes cannot be read")?);
        if hashes.len() > HASHES_MAX {
            return Err(format!("it has more than {HASHES_MAX} hashes"));
        }
    }
    Ok(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::checkpoint::Signer;

    /// RFC 6962, section 2.1, as it is written there: independent of what is tested.
    fn root_of(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => unreachable!(),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                tree::node_hash(&root_of(&leaves[..split]), &root_of(&leaves[split..]))
            }
        }
    }

    fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let split = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(split);
        if index < split {
            [path(index, left), vec![root_of(right)]].concat()
        } else {
            [path(index - split, right), vec![root_of(left)]].concat()
        }
    }

    fn subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole {
                Vec::new()
            } else {
                vec![root_of(leaves)]
            };
        }
        let split = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(split);
        if old <= split {
            [subproof(old, left, whole), vec![root_of(right)]].concat()
        } else {
            [subproof(old - split, right, false), vec![root_of(left)]].concat()
        }
    }

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count)
            .map(|n| tree::leaf_hash(&n.to_be_bytes()))
            .collect()
    }

    fn signed(leaves: &[Hash]) -> Checkpoint {
        Checkpoint {
            origin: String::new(),
            size: leaves.len() as u64,
            root: root_of(leaves),
            note: String::new(),
        }
    }

    fn collect(ranges: Vec<Range>, leaves: &[Hash], gone: usize) -> Option<Vec<Hash>> {
        let mut start = Frontier::default();
        leaves[..gone].iter().for_each(|leaf| start.push(*leaf));
        let mut collector = Collector::new(ranges, &start);
        for (index, leaf) in leaves.iter().enumerate().skip(gone) {
            collector.leaf(index as u64, *leaf);
        }
        collector.roots()
    }

    #[test]
    fn proofs_are_those_of_the_recursive_definition_and_check_only_as_they_are() {
        for size in [1, 2, 3, 5, 8, 13, 64, 65, 100] {
            let leaves = leaves(size);
            let whole = signed(&leaves);
            for index in 0..leaves.len() {
                let ranges = inclusion_ranges(index as u64, whole.size);
                let proof = collect(ranges, &leaves, 0).unwrap();
                assert_eq!(proof, path(index, &leaves));
                assert!(includes(&whole, index as u64, leaves[index], &proof));
                assert!(!includes(&whole, index as u64 ^ 1, leaves[index], &proof));
                assert!(!includes(
                    &whole,
                    index as u64,
                    tree::leaf_hash(b"x"),
                    &proof
                ));
                let longer = [&*proof, &[whole.root]].concat();
                assert!(!includes(&whole, index as u64, leaves[index], &longer));
                if let Some(shorter) = proof.get(1..) {
                    assert!(!includes(&whole, index as u64, leaves[index], shorter));
                }
            }
            for old in 1..=leaves.len() {
                let part = signed(&leaves[..old]);
                let proof = collect(consistency_ranges(part.size, whole.size), &leaves, 0).unwrap();
                assert_eq!(proof, subproof(old, &leaves, true), "{old} of {size}");
                assert!(grew(&part, &whole, &proof), "{old} of {size}");
                let mut other = part.clone();
                other.root[0] ^= 1;
                assert!(!grew(&other, &whole, &proof));
                if let Some(shorter) = proof.get(1..) {
                    assert!(!grew(&part, &whole, shorter));
                }
                assert!(!grew(&part, &whole, &[&*proof, &[whole.root]].concat()));
                assert!(old == leaves.len() || !grew(&whole, &part, &proof));
            }
        }
    }

    #[test]
    fn what_a_log_no_longer_holds_is_used_as_far_as_its_head_goes() {
        let leaves = leaves(100);
        let whole = signed(&leaves);
        for gone in 0..100 {
            for index in gone..100 {
                let ranges = inclusion_ranges(index as u64, whole.size);
                let proof = collect(ranges, &leaves, gone).unwrap();
                assert!(includes(&whole, index as u64, leaves[index], &proof));
            }
            // Between two states that the log still holds, and from its very start.
            for old in gone.max(1)..=100 {
                let part = signed(&leaves[..old]);
                let ranges = consistency_ranges(part.size, whole.size);
                let proof = collect(ranges, &leaves, gone).unwrap();
                assert!(grew(&part, &whole, &proof));
            }
        }
        let ranges = inclusion_ranges(3, 100);
        assert_eq!(collect(ranges, &leaves, 50), None);
    }

    #[test]
    fn the_texts_read_back_and_no_changed_byte_of_them_passes() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::open(&folder.path().join("k"), "t").unwrap();
        let (mut tree, mut old) = (Frontier::default(), None);
        for number in 0..11_u32 {
            if number == 6 {
                old = Some(signer.sign(&tree));
            }
            tree.push(tree::leaf_hash(&number.to_be_bytes()));
        }
        let (old, new) = (old.unwrap(), signer.sign(&tree));
        let leaves = leaves(11);
        let line = 4_u32.to_be_bytes();
        let included = inclusion_text(4, &line, &path(4, &leaves), &new);
        let grown = consistency_text(&subproof(6, &leaves, true), &old, &new);
        let verifier = signer.verifier();
        assert!(matches!(
            check(&included, &verifier),
            Ok(Proven::Included { index: 4, .. })
        ));
        assert_eq!(check(&grown, &verifier), Ok(Proven::Grew { old, new }));
        for text in [included, grown] {
            for at in 0..text.len() {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1;
                let Ok(changed) = String::from_utf8(bytes) else {
                    continue;
                };
                assert!(check(&changed, &verifier).is_err(), "byte {at}: {changed}");
            }
        }
    }
}
