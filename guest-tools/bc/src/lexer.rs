//! Words of a bc program, read line by line as they are needed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
};

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Number(String),
    Name(String),
    Text(String),
    Symbol(&'static str),
    NewLine,
    End,
}

const SYMBOLS: [&str; 35] = [
    "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", "==", "<=", ">=", "!=", "&&", "||", "+", "-",
    "*", "/", "%", "^", "=", "<", ">", "!", "(", ")", "[", "]", "{", "}", ",", ";", "&", "|", ".",
];

/// Files one after the other, then standard input.
pub struct Lexer {
    waiting: Vec<(String, Box<dyn BufRead>)>,
    line: Vec<char>,
    at: usize,
    pub number: usize,
    pub file: String,
    peeked: Option<Token>,
}

impl Lexer {
    /// Opens the files.
    ///
    /// # Errors
    /// The name of a file that cannot be opened.
    pub fn new(files: &[String]) -> Result<Self, String> {
        let mut waiting: Vec<(String, Box<dyn BufRead>)> = Vec::new();
        for name in files {
            let file = File::open(name).map_err(|_| format!("File {name} is unavailable."))?;
            waiting.push((name.clone(), Box::new(BufReader::new(file))));
        }
        waiting.push((
            "(standard_in)".to_owned(),
            Box::new(BufReader::new(io::stdin())),
        ));
        waiting.reverse();
        Ok(Self {
            waiting,
            line: Vec::new(),
            at: 0,
            number: 0,
            file: String::new(),
            peeked: None,
        })
    }

    /// Reads a line for the program's `read()`.
    pub fn data_line(&mut self) -> Option<String> {
        let mut text = String::new();
        let (_, source) = self.waiting.first_mut()?;
        match source.read_line(&mut text) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(text),
        }
    }

    fn refill(&mut self) -> bool {
        loop {
            let Some((name, source)) = self.waiting.last_mut() else {
                return false;
            };
            if self.file != *name {
                self.file.clone_from(name);
                self.number = 0;
            }
            let mut bytes = Vec::new();
            match source.read_until(b'\n', &mut bytes) {
                Ok(count) if count > 0 => {
                    self.number += 1;
                    self.line = String::from_utf8_lossy(&bytes).chars().collect();
                    self.at = 0;
                    return true;
                }
                _ => {
                    self.waiting.pop();
                }
            }
        }
    }

    /// Forgets the rest of the line, after an error in it.
    pub fn skip_line(&mut self) {
        if self.peeked == Some(Token::NewLine) {
            self.peeked = None;
            return;
        }
        self.peeked = None;
        self.at = self.line.len();
    }

    /// The next word, which stays.
    pub fn peek(&mut self) -> &Token {
        if self.peeked.is_none() {
            let token = self.read();
            self.peeked = Some(token);
        }
        self.peeked.as_ref().unwrap_or(&Token::End)
    }

    /// Takes the next word.
    pub fn next(&mut self) -> Token {
        match self.peeked.take() {
            Some(token) => token,
            None => self.read(),
        }
    }

    fn character(&mut self) -> Option<char> {
        if self.at == self.line.len() && !self.refill() {
            return None;
        }
        let c = self.line[self.at];
        self.at += 1;
        Some(c)
    }

    fn read(&mut self) -> Token {
        loop {
            let Some(c) = self.character() else {
                return Token::End;
            };
            match c {
                '\n' => return Token::NewLine,
                '\\' if self.line.get(self.at) == Some(&'\n') => self.at += 1,
                c if c.is_whitespace() => {}
                '#' => {
                    self.at = self.line.len() - usize::from(self.line.last() == Some(&'\n'));
                }
                '/' if self.line.get(self.at) == Some(&'*') => {
                    self.at += 1;
                    let mut before = ' ';
                    while let Some(c) = self.character() {
                        if before == '*' && c == '/' {
                            break;
                        }
                        before = c;
                    }
                }
                '"' => return Token::Text(self.text()),
                'a'..='z' => {
                    let start = self.at - 1;
                    let inside = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '_');
                    while self.line.get(self.at).is_some_and(inside) {
                        self.at += 1;
                    }
                    return Token::Name(self.line[start..self.at].iter().collect());
                }
                '0'..='9' | 'A'..='Z' => return self.digits(c),
                '.' if self
                    .line
                    .get(self.at)
                    .is_some_and(|c| c.is_ascii_digit() || c.is_ascii_uppercase()) =>
                {
                    return self.digits(c);
                }
                _ => {
                    let rest: String = self.line[self.at - 1..].iter().take(2).collect();
                    let found = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
                    let Some(symbol) = found else {
                        return Token::Symbol("?");
                    };
                    self.at += symbol.len() - 1;
                    return Token::Symbol(symbol);
                }
            }
        }
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        while let Some(c) = self.character() {
            if c == '"' {
                break;
            }
            text.push(c);
        }
        text
    }

    fn digits(&mut self, first: char) -> Token {
        let mut text = String::from(first);
        let mut point = first == '.';
        loop {
            match self.line.get(self.at) {
                Some('\\') if self.line.get(self.at + 1) == Some(&'\n') => {
                    self.at = self.line.len();
                    if !self.refill() {
                        break;
                    }
                    continue;
                }
                Some('.') if !point => {
                    point = true;
                    text.push('.');
                }
                Some(c) if c.is_ascii_digit() || c.is_ascii_uppercase() => text.push(*c),
                _ => break,
            }
            self.at += 1;
        }
        Token::Number(text)
    }
}
