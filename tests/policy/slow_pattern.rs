//! The patterns of policies once more: tried letter by letter, going back wherever a choice was
//! wrong. Knows literals, `.`, classes, groups, `|`, `? * +`, `{n,m}` and `(?s)`; no other.

/// Whether a pattern matches a whole text. `lines`: `.` is also for line ends.
pub fn matches(pattern: &str, text: &str, lines: bool) -> bool {
    let (pattern, lines) = match pattern.strip_prefix("(?s)") {
        Some(rest) => (rest, true),
        None => (pattern, lines),
    };
    let letters: Vec<char> = pattern.chars().collect();
    let mut reader = Reader {
        letters: &letters,
        lines,
    };
    let whole = Node::Choice(reader.choice());
    assert!(reader.letters.is_empty(), "a part of /{pattern}/ is unread");
    let text: Vec<char> = text.chars().collect();
    walk(std::slice::from_ref(&whole), &text, 0, &|end| {
        end == text.len()
    })
}

enum Node {
    One(Letters),
    Choice(Vec<Vec<Node>>),
    Repeat(Box<Node>, usize, usize),
}

struct Letters {
    ranges: Vec<(char, char)>,
    negated: bool,
}

impl Letters {
    fn have(&self, letter: char) -> bool {
        let inside = |(low, high): &(char, char)| (*low..=*high).contains(&letter);
        self.ranges.iter().any(inside) != self.negated
    }
}

struct Reader<'a> {
    letters: &'a [char],
    lines: bool,
}

impl Reader<'_> {
    fn next(&mut self) -> char {
        let Some((first, rest)) = self.letters.split_first() else {
            panic!("the pattern ends too early");
        };
        self.letters = rest;
        *first
    }

    fn take(&mut self, letter: char) -> bool {
        let here = self.letters.first() == Some(&letter);
        if here {
            self.next();
        }
        here
    }

    fn choice(&mut self) -> Vec<Vec<Node>> {
        let mut branches = Vec::new();
        let mut branch = Vec::new();
        while let Some(letter) = self.letters.first() {
            match letter {
                ')' => break,
                '|' => {
                    self.next();
                    branches.push(std::mem::take(&mut branch));
                }
                _ => branch.push(self.repeated()),
            }
        }
        branches.push(branch);
        branches
    }

    fn repeated(&mut self) -> Node {
        let node = match self.next() {
            '(' => {
                let inner = self.choice();
                assert!(self.take(')'), "a group has no end");
                Node::Choice(inner)
            }
            '[' => Node::One(self.class()),
            '.' => Node::One(Letters {
                ranges: match self.lines {
                    true => Vec::new(),
                    false => vec![('\n', '\n')],
                },
                negated: true,
            }),
            '\\' => literal(self.next()),
            letter => literal(letter),
        };
        let (least, most) = match self.letters.first() {
            Some('?') => (0, 1),
            Some('*') => (0, usize::MAX),
            Some('+') => (1, usize::MAX),
            Some('{') => {
                self.next();
                let least = self.number();
                let most = if self.take(',') { self.number() } else { least };
                assert_eq!(self.letters.first(), Some(&'}'), "only {{n}} and {{n,m}}");
                (least, most)
            }
            _ => return node,
        };
        self.next();
        Node::Repeat(Box::new(node), least, most)
    }

    fn number(&mut self) -> usize {
        let mut number = 0;
        while let Some(digit) = self.letters.first().and_then(|c| c.to_digit(10)) {
            number = number * 10 + digit as usize;
            self.next();
        }
        number
    }

    fn class(&mut self) -> Letters {
        let negated = self.take('^');
        let mut ranges = Vec::new();
        loop {
            let low = match self.next() {
                ']' => return Letters { ranges, negated },
                '\\' => self.next(),
                letter => letter,
            };
            let range = self.letters.first() == Some(&'-') && self.letters.get(1) != Some(&']');
            let high = match range {
                true => {
                    self.next();
                    self.next()
                }
                false => low,
            };
            ranges.push((low, high));
        }
    }
}

fn literal(letter: char) -> Node {
    Node::One(Letters {
        ranges: vec![(letter, letter)],
        negated: false,
    })
}

fn walk(nodes: &[Node], text: &[char], at: usize, then: &dyn Fn(usize) -> bool) -> bool {
    let Some((first, rest)) = nodes.split_first() else {
        return then(at);
    };
    let further = |end: usize| walk(rest, text, end, then);
    match first {
        Node::One(letters) => text.get(at).is_some_and(|c| letters.have(*c)) && further(at + 1),
        Node::Choice(branches) => branches.iter().any(|one| walk(one, text, at, &further)),
        // Many letters in a row are no reason to go that deep.
        Node::Repeat(node, least, most) => match &**node {
            Node::One(letters) => {
                let run = text.iter().skip(at).take(*most);
                let run = run.take_while(|c| letters.have(**c)).count();
                (*least..=run).rev().any(|count| further(at + count))
            }
            node => again(node, (*least, *most), text, at, &further),
        },
    }
}

fn again(
    node: &Node,
    (least, most): (usize, usize),
    text: &[char],
    at: usize,
    then: &dyn Fn(usize) -> bool,
) -> bool {
    let once_more = most > 0
        && walk(std::slice::from_ref(node), text, at, &|end| {
            let left = (least.saturating_sub(1), most - 1);
            (end > at || least > 0) && again(node, left, text, end, then)
        });
    once_more || (least == 0 && then(at))
}
