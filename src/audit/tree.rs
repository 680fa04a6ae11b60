//! The Merkle tree over stored lines, hashed as RFC 6962 says. Only its right edge is kept.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// What a record calls its predecessor when there is none.
pub const NO_RECORD: Hash = [0; 32];

/// SHA-256 of a stored line without its line end: what the next record carries as `prev`.
pub fn line_hash(line: &[u8]) -> Hash {
    Sha256::digest(line).into()
}

/// The tree's hash of one stored line.
pub fn leaf_hash(line: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(line)
        .finalize()
        .into()
}

/// The tree's hash of two neighbouring subtrees.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// The roots of the perfect subtrees a tree of some size consists of, widest first. It is all
/// that is needed to go on growing and to know the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Hash>,
}

impl Frontier {
    /// A frontier as it was written into a record; `None` when the number of nodes does not fit.
    pub fn from_nodes(size: u64, nodes: Vec<Hash>) -> Option<Self> {
        (nodes.len() == size.count_ones() as usize).then_some(Self { size, nodes })
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the perfect subtrees, widest first.
    pub fn nodes(&self) -> &[Hash] {
        &self.nodes
    }

    /// Adds one leaf's hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(1, leaf);
    }

    /// Adds the root of a perfect subtree; the size so far must be a multiple of its width.
    pub fn push_subtree(&mut self, width: u64, root: Hash) {
        let mut node = root;
        // Every one-bit from the width's on is a subtree as wide as what is added by then.
        for _ in 0..(self.size / width).trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.nodes.push(node);
        self.size += width;
    }

    /// The root of the whole tree; of an empty one the hash of nothing.
    pub fn root(&self) -> Hash {
        let mut nodes = self.nodes.iter().rev();
        let Some(last) = nodes.next() else {
            return Sha256::digest([]).into();
        };
        nodes.fold(*last, |right, left| node_hash(left, &right))
    }

    /// The perfect subtrees as ranges of leaves with their roots, from the left.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64, &Hash)> {
        let mut from = 0;
        let widths = (0..64).rev().map(|bit| 1_u64 << bit);
        let present = widths.filter(|width| self.size & width != 0);
        present.zip(&self.nodes).map(move |(width, node)| {
            let range = (from, from + width, node);
            from += width;
            range
        })
    }
}

/// A frontier as records carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeHead {
    pub size: u64,
    /// In hexadecimal, widest subtree first.
    pub frontier: Vec<String>,
}

impl From<&Frontier> for TreeHead {
    fn from(tree: &Frontier) -> Self {
        Self {
            size: tree.size,
            frontier: tree.nodes.iter().map(hexadecimal).collect(),
        }
    }
}

impl TreeHead {
    /// The frontier, when the text is one.
    pub fn frontier(&self) -> Option<Frontier> {
        let nodes: Option<Vec<_>> = self.frontier.iter().map(|text| parse(text)).collect();
        Frontier::from_nodes(self.size, nodes?)
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A hash's digits, without the formatting machinery: it is written into every record.
pub fn digits(hash: &Hash) -> [u8; 64] {
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(hash) {
        let high = DIGITS.get(usize::from(byte >> 4));
        let low = DIGITS.get(usize::from(byte & 15));
        if let ([a, b], Some(high), Some(low)) = (pair, high, low) {
            (*a, *b) = (*high, *low);
        }
    }
    text
}

/// A hash in hexadecimal.
pub fn hexadecimal(hash: &Hash) -> String {
    hash.iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            let _infallible = write!(text, "{byte:02x}");
            text
        })
}

/// Reads 64 lower-case digits.
pub fn parse(text: &str) -> Option<Hash> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 64 {
        return None;
    }
    let mut hash = NO_RECORD;
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        if let [high, low] = pair {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962, section 2.1, as it is written there: slow and recursive.
    fn root_of(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => *leaf,
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                node_hash(&root_of(&leaves[..split]), &root_of(&leaves[split..]))
            }
        }
    }

    #[test]
    fn the_frontier_has_the_root_of_the_recursive_definition() {
        let leaves: Vec<_> = (0..300_u32).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let mut tree = Frontier::default();
        for (size, leaf) in leaves.iter().enumerate() {
            assert_eq!(tree.root(), root_of(&leaves[..size]));
            let read = TreeHead::from(&tree).frontier().unwrap();
            assert_eq!(read, tree);
            for (from, to, node) in tree.ranges() {
                let range = usize::try_from(from).unwrap()..usize::try_from(to).unwrap();
                assert_eq!(*node, root_of(&leaves[range]));
            }
            tree.push(*leaf);
        }
    }

    #[test]
    fn known_answers_of_other_implementations() {
        // The empty tree and the leaf of an empty entry, as certificate transparency's tests have them.
        assert_eq!(
            hexadecimal(&Frontier::default().root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            hexadecimal(&leaf_hash(b"")),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        let hash = leaf_hash(b"x");
        assert_eq!(parse(&hexadecimal(&hash)), Some(hash));
        assert_eq!(hexadecimal(&hash).as_bytes(), digits(&hash));
        assert_eq!(parse(&"g".repeat(64)), None);
        assert_eq!(parse("00"), None);
    }
}
