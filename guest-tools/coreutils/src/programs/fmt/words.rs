//! Where a paragraph's lines break: the breaks whose costs, GNU fmt's, have the least sum.

/// The most bytes and words of a paragraph that are held before its first lines are written.
pub const BYTES_MAX: usize = 5000;
pub const WORDS_MAX: usize = 998;

const COST_MAX: i64 = i64::MAX;
const LINE: i64 = equivalent(70);
const SENTENCE_BONUS: i64 = equivalent(50);
const NO_BREAK: i64 = equivalent(600);
const PARENTHESIS_BONUS: i64 = equivalent(40);
const PUNCTUATION_BONUS: i64 = equivalent(40);
const LINE_CREDIT: i64 = equivalent(3);

/// The cost of a line that many columns too short.
const fn equivalent(columns: i64) -> i64 {
    columns * columns
}

fn short(columns: i64) -> i64 {
    equivalent(columns * 10)
}

fn ragged(columns: i64) -> i64 {
    short(columns) / 2
}

/// Of a word that stands alone after a sentence's end.
fn widow(length: usize) -> i64 {
    equivalent(200) / (length as i64 + 2)
}

/// Of a sentence's last word that begins a line.
fn orphan(length: usize) -> i64 {
    equivalent(150) / (length as i64 + 2)
}

/// A word and what follows it.
#[derive(Debug, Default, Clone)]
pub struct Word {
    pub text: Vec<u8>,
    pub space: usize,
    /// Begins with an opening parenthesis or quote.
    pub opens: bool,
    /// Ends in punctuation, in what may end a sentence, and ends one.
    pub punctuation: bool,
    pub period: bool,
    pub last: bool,
    best: i64,
    /// The first word of the next line, and the length of the line that this word begins.
    pub next: usize,
    line_length: i64,
}

impl Word {
    /// Looks at the ends of the text.
    pub fn classify(&mut self) {
        self.opens = self.text.first().is_some_and(|b| b"(['`\"".contains(b));
        self.punctuation = self.text.last().is_some_and(u8::is_ascii_punctuation);
        let closes = |byte: &&u8| b")]'\"".contains(byte);
        let closing = self.text.iter().skip(1).rev().take_while(closes).count();
        let end = self.text.len().checked_sub(closing + 1);
        self.period = end.is_some_and(|at| b".?!".contains(&self.text[at]));
    }
}

/// The measures of a paragraph.
pub struct Shape {
    pub width: usize,
    pub goal: usize,
    pub first_indent: usize,
    pub other_indent: usize,
    /// How long the line written before this paragraph's part is; 0 at its beginning.
    pub last_line: usize,
}

/// Chooses the breaks: `next` of each word says where the line that begins with it ends.
pub fn choose_breaks(words: &mut [Word], shape: &Shape) {
    let count = words.len();
    for start in (0..count).rev() {
        let mut best = COST_MAX;
        let indent = if start == 0 {
            shape.first_indent
        } else {
            shape.other_indent
        };
        let mut length = (indent + words[start].text.len()) as i64;
        let mut end = start;
        loop {
            end += 1;
            let after = words.get(end).map_or(0, |word| word.best);
            let mut cost = line_cost(words, end, length, shape) + after;
            if start == 0 && shape.last_line > 0 {
                cost += ragged(length - shape.last_line as i64);
            }
            if cost < best {
                best = cost;
                words[start].next = end;
                words[start].line_length = length;
            }
            let Some(word) = words.get(end) else { break };
            length += (words[end - 1].space + word.text.len()) as i64;
            if length >= shape.width as i64 {
                break;
            }
        }
        words[start].best = best + base_cost(words, start);
    }
}

fn line_cost(words: &[Word], next: usize, length: i64, shape: &Shape) -> i64 {
    let Some(word) = words.get(next) else {
        return 0;
    };
    let cost = short(shape.goal as i64 - length);
    if word.next == words.len() {
        cost
    } else {
        cost + ragged(length - word.line_length)
    }
}

/// Of beginning a line with word `at`, whatever its length.
fn base_cost(words: &[Word], at: usize) -> i64 {
    let mut cost = LINE;
    if let Some(before) = at.checked_sub(1).map(|before| &words[before]) {
        if before.period && before.last {
            cost -= SENTENCE_BONUS;
        } else if before.period {
            cost += NO_BREAK;
        } else if before.punctuation {
            cost -= PUNCTUATION_BONUS;
        } else if at > 1 && words[at - 2].last {
            cost += widow(before.text.len());
        }
    }
    if words[at].opens {
        cost - PARENTHESIS_BONUS
    } else if words[at].last {
        cost + orphan(words[at].text.len())
    } else {
        cost
    }
}

/// A cheap break near the end of words whose breaks are chosen: the line there begins what is
/// kept when the rest is written.
pub fn split_point(words: &[Word]) -> usize {
    let (mut split, mut best) = (words.len(), COST_MAX);
    let mut at = words.first().map_or(words.len(), |word| word.next);
    while let Some(word) = words.get(at) {
        let cost = word.best - words.get(word.next).map_or(0, |next| next.best);
        if cost < best {
            (split, best) = (at, cost);
        }
        best = best.saturating_add(LINE_CREDIT);
        at = word.next;
    }
    split
}
