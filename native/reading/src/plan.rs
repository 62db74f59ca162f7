//! What is known of one event type: where objects stand that something is done with, which layouts of keys they were
//! seen in, and the program of each layout for each version. Made by Python; a wrong index in it is a panic, which the
//! caller catches.

use std::collections::{HashMap, HashSet};

/// No place, no layout, no version.
pub const NONE: u32 = u32::MAX;
/// The layout of every array: its items in their order.
pub(crate) const ARRAY: u32 = NONE - 1;

/// How a part of the result is made. Numbers of tokens are those of the layout; a token is a key that is known by its
/// name, or a run of others.
#[derive(Clone, Debug)]
pub enum Expression {
    Constant(Box<[u8]>),
    /// The bytes of a value.
    Span(u32),
    /// What becomes of the object at a place of its own.
    Child(u32),
    /// Where the value of the token is null, the first, else the second.
    IfNull(u32, Box<Expression>, Box<Expression>),
    /// Where the value of the token is a number, the first, else the second.
    IfNumber(u32, Box<Expression>, Box<Expression>),
    /// A function of plain values, and what it is given.
    Call(u32, Box<[Expression]>),
    /// A function from the bytes of one value to those of another.
    Bytes(u32, u32),
    /// Only for a function: a value of the object that a token holds, after its own program; by exported keys. And
    /// whether it has to be there.
    Deep(u32, Box<[u32]>, bool),
    /// Only for a function: nothing is there.
    Nothing,
    /// Left to the reference.
    Refuse,
}

#[derive(Clone, Debug)]
pub enum Instruction {
    Text(Box<[u8]>),
    Value(Expression),
    /// A run of members as they are.
    Run(u32),
}

#[derive(Clone, Debug)]
pub struct Program {
    /// Whether the object is written anew; else it stays the bytes that it was.
    pub opened: bool,
    /// Whether nothing changes where there is no white space.
    pub same: bool,
    pub instructions: Box<[Instruction]>,
    /// Values that programs of objects around it ask for.
    pub exports: Box<[Option<Expression>]>,
}

#[derive(Clone, Debug)]
pub struct Layout {
    /// Which of the fields that shapes ask for are there.
    pub mask: u64,
    /// For each key of the place that is asked about, its token.
    pub asked: Box<[u32]>,
    /// By version or variant; none where the object is the reference's.
    pub programs: HashMap<u32, Program>,
}

#[derive(Clone, Debug, Default)]
struct State {
    edges: Vec<(u32, u32)>,
    rest: Option<u32>,
    layout: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lane {
    Leave,
    /// Stays as it is.
    Pass,
    /// Stays as it is, and somebody looks at it.
    Look,
    Change,
}

/// One object of the documents, or all objects of one container.
#[derive(Clone, Debug)]
pub struct Place {
    /// Keys that something is done with, each as `"key":`.
    pub named: Vec<Box<[u8]>>,
    /// For each of them the place of its object.
    pub children: Vec<u32>,
    /// The place of what any other key holds, and of an array's items.
    pub each: u32,
    /// Whether every key counts: then there are no others.
    pub whole: bool,
    /// For each version or variant, whether an array may stand here.
    pub arrays: Vec<bool>,
    pub layouts: Vec<Layout>,
    states: Vec<State>,
    /// The same keys, where they are so many that each unknown one would be compared with all of them.
    many: HashSet<Box<[u8]>>,
}

/// Up to so many keys are compared sooner than looked up.
const FEW: usize = 12;

impl Place {
    pub fn new(named: Vec<Box<[u8]>>, children: Vec<u32>, each: u32, whole: bool, arrays: Vec<bool>) -> Place {
        let states = vec![State::default()];
        let many = if named.len() > FEW { named.iter().cloned().collect() } else { HashSet::new() };
        Place { named, children, each, whole, arrays, layouts: Vec::new(), states, many }
    }

    /// A key that only now gets a name; only where every key counts.
    pub fn name(&mut self, key: Box<[u8]>) -> u32 {
        self.named.push(key);
        self.children.push(self.each);
        self.named.len() as u32 - 1
    }

    /// Add a layout by its tokens, None for a run of others; its number.
    pub fn add(&mut self, tokens: &[Option<u32>], layout: Layout) -> u32 {
        let mut at = 0;
        for &token in tokens {
            let known = match token {
                Some(token) => self.states[at].edges.iter().find(|edge| edge.0 == token).map(|edge| edge.1),
                None => self.states[at].rest,
            };
            let next = known.unwrap_or(self.states.len() as u32);
            if known.is_none() {
                self.states.push(State::default());
                match token {
                    Some(token) => self.states[at].edges.push((token, next)),
                    None => self.states[at].rest = Some(next),
                }
            }
            at = next as usize;
        }
        let number = self.layouts.len() as u32;
        self.states[at].layout = Some(number);
        self.layouts.push(layout);
        number
    }

    /// The key of the layout that comes next: its token, the state behind it, and where its value begins.
    pub(crate) fn next_key(&self, state: u32, text: &[u8], at: usize) -> Option<(u32, u32, usize)> {
        let here = &text[at..];
        for &(token, next) in &self.states[state as usize].edges {
            let key = &self.named[token as usize];
            if here.starts_with(key) {
                return Some((token, next, at + key.len()));
            }
        }
        None
    }

    pub(crate) fn has_name(&self, key: &[u8]) -> bool {
        if self.many.is_empty() {
            return self.named.iter().any(|name| **name == *key);
        }
        self.many.contains(key)
    }

    pub(crate) fn rest(&self, state: u32) -> Option<u32> {
        self.states[state as usize].rest
    }

    pub(crate) fn layout(&self, state: u32) -> Option<u32> {
        self.states[state as usize].layout
    }
}

/// A question about one value of the document, by the numbers of the asked keys that lead there.
#[derive(Clone, Debug)]
pub struct Question {
    pub path: Box<[u32]>,
    /// Values that are told apart, as JSON.
    pub texts: Vec<Box<[u8]>>,
}

const ABSENT: u32 = 0;
/// Behind the numbers of texts: the first byte of what is none of them.
const OTHERS: u32 = 1 << 16;

impl Question {
    /// What is answered of a value that may be there; None where it may be one of the texts, written otherwise.
    pub(crate) fn answer(&self, value: Option<&[u8]>) -> Option<u32> {
        let Some(value) = value else { return Some(ABSENT) };
        if let Some(number) = self.texts.iter().position(|text| **text == *value) {
            return Some(number as u32 + 1);
        }
        let first = *value.first()?;
        let odd: &[u8] = if first == b'"' { b"\\" } else { b".eE" };
        let number = matches!(first, b'-' | b'0'..=b'9');
        let unsure = (first == b'"' || number) && value.iter().any(|byte| odd.contains(byte));
        if !self.texts.is_empty() && (unsure || value == b"-0") {
            return None;
        }
        Some(OTHERS + u32::from(if number { b'0' } else { first }))
    }
}

/// The operations of a version depend on values: each set of answers has programs of its own, a variant.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    pub questions: Vec<Question>,
    /// By answers; no variant where the reference is to do it.
    pub variants: HashMap<Box<[u32]>, u32>,
}

#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The document itself is the first.
    pub places: Vec<Place>,
    pub lanes: Vec<Lane>,
    /// The version of a shape, by which fields are there; None where no shape is asked.
    pub shapes: Option<HashMap<u64, u32>>,
    /// The way to the field that holds the version, by the numbers of asked keys; empty where there is none.
    pub stated: Box<[u32]>,
    /// Versions whose operations depend on values.
    pub choices: HashMap<u32, Choice>,
    /// The version by the bytes of its value.
    pub texts: HashMap<Box<[u8]>, u32>,
    /// Versions that may look like another one.
    pub alike: HashSet<(u32, u32)>,
    /// The version where nothing says it.
    pub assumed: u32,
    /// A panic that no layout was to blame for.
    pub off: bool,
}

impl Plan {
    /// The version of an event of which a header said ``given``, a field ``stated``, and the shape is told by ``mask``.
    pub(crate) fn version(&self, given: u32, stated: Option<&[u8]>, mask: u64) -> Option<u32> {
        let mut version = given;
        if let Some(text) = stated {
            let said = *self.texts.get(text)?;
            if said != NONE && version != NONE && said != version {
                return None;
            }
            version = if version == NONE { said } else { version };
        }
        if let Some(shapes) = &self.shapes {
            let shape = *shapes.get(&mask)?;
            if version == NONE {
                version = shape;
            } else if shape != NONE && shape != version && !self.alike.contains(&(version, shape)) {
                return None;
            }
        }
        let found = if version == NONE { self.assumed } else { version };
        (found != NONE).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_tell_texts_apart_and_types() {
        let texts: [&[u8]; 4] = [b"\"a\"", b"1", b"null", b"\"\\n\""];
        let asked = Question { path: [].into(), texts: texts.map(Into::into).into() };
        let answer = |text: &str| asked.answer(Some(text.as_bytes()));
        assert_eq!(asked.answer(None), Some(ABSENT));
        assert_eq!(texts.map(|text| asked.answer(Some(text))), [1, 2, 3, 4].map(Some));
        for (text, first) in [("\"b\"", '"'), ("7", '0'), ("-7", '0'), ("true", 't'), ("[1.0]", '['), ("{}", '{')] {
            assert_eq!(answer(text), Some(OTHERS + first as u32), "{text}");
        }
        for text in ["1.0", "1e0", "10E-1", "-0", "\"\\u0061\"", ""] {
            assert_eq!(answer(text), None, "{text}");
        }
        let type_alone = Question { path: [].into(), texts: Vec::new() };
        for (text, first) in [("1.0", '0'), ("-0", '0'), ("\"\\u0061\"", '"')] {
            assert_eq!(type_alone.answer(Some(text.as_bytes())), Some(OTHERS + first as u32), "{text}");
        }
    }
}
