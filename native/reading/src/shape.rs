//! Whether a document fits a model, as far as its JSON shows that. A yes is a yes; a no is only a reason to ask the model.

use std::collections::HashMap;

use crate::scan::{number_end, space_end, string_end, value_end};

/// Models in each other; what is deeper is the model's to judge.
const MOST_DEPTH: u32 = 48;
/// No integer of so many digits is too large for 64 bits.
const MOST_DIGITS: usize = 18;
const MOST_OF_A_NUMBER: usize = 32;
/// With more fields than this a key is looked up, not compared.
const FEW: usize = 8;
pub const MOST_FIELDS: usize = 128;

/// What may stand in one place. Numbers of shapes are those of the list that holds them all.
#[derive(Clone, Debug)]
pub enum Shape {
    Any,
    Null,
    Bool,
    /// A text of at least and at most so many letters.
    Text(usize, usize),
    /// A whole number within its bounds.
    Whole(i64, i64),
    Number,
    /// One of some texts, each with its quotes.
    Words(Vec<Box<[u8]>>),
    List(u32, usize, usize),
    /// An object whose keys all hold the same.
    Map(u32),
    Object(Fields),
    Either(Vec<u32>),
    /// Somebody else knows; by the number of a function.
    Ask(u32),
}

#[derive(Clone, Debug)]
pub struct Fields {
    /// Each as `"key":`.
    keys: Vec<Box<[u8]>>,
    shapes: Vec<u32>,
    required: u128,
    /// What any other key holds; none where that may be anything.
    pub others: Option<u32>,
    pub forbid: bool,
    by_key: HashMap<Box<[u8]>, usize>,
}

impl Fields {
    /// Of (key, shape, whether it has to be there); None for too many.
    pub fn new(given: Vec<(Vec<u8>, u32, bool)>, others: Option<u32>, forbid: bool) -> Option<Fields> {
        if given.len() > MOST_FIELDS {
            return None;
        }
        let mut required = 0;
        for (number, (_, _, is_required)) in given.iter().enumerate() {
            required |= u128::from(*is_required) << number;
        }
        let by_key = given.iter().enumerate().map(|(number, field)| (field.0.clone().into(), number)).collect();
        let shapes = given.iter().map(|field| field.1).collect();
        let keys = given.into_iter().map(|field| field.0.into()).collect();
        Some(Fields { keys, shapes, required, others, forbid, by_key })
    }

    fn number(&self, key: &[u8]) -> Option<usize> {
        if self.keys.len() > FEW {
            return self.by_key.get(key).copied();
        }
        self.keys.iter().position(|one| **one == *key)
    }
}

/// Says of the bytes of one value whether it fits what a function knows.
pub trait Asks {
    fn fits(&mut self, function: u32, value: &[u8]) -> bool;
}

/// Whether `text` is one value that has the shape `root` of `shapes`. `known` are places of values in it, in their
/// order, of which somebody knows already that they are JSON.
pub fn fits(shapes: &[Shape], root: u32, text: &[u8], known: &[(u32, u32)], asks: &mut impl Asks) -> bool {
    // Choices may read a value more than once. This is enough for any that are not made to be slow.
    let steps = 64 + 2 * text.len();
    let mut check = Check { shapes, text, known, steps, asks };
    let end = check.value(root, space_end(text, 0), MOST_DEPTH);
    end.is_some_and(|end| space_end(text, end) == text.len())
}

struct Check<'a, A: Asks> {
    shapes: &'a [Shape],
    text: &'a [u8],
    known: &'a [(u32, u32)],
    steps: usize,
    asks: &'a mut A,
}

impl<'a, A: Asks> Check<'a, A> {
    /// The end of the value at `at`, where it has a shape.
    fn value(&mut self, shape: u32, at: usize, depth: u32) -> Option<usize> {
        self.steps = self.steps.checked_sub(1)?;
        let shapes = self.shapes;
        match &shapes[shape as usize] {
            Shape::Any => self.any(at),
            Shape::Null => self.word(at, b"null"),
            Shape::Bool => self.word(at, b"true").or_else(|| self.word(at, b"false")),
            Shape::Text(least, most) => self.string(at, *least, *most),
            Shape::Whole(least, most) => self.whole(at, *least, *most),
            Shape::Number => self.number(at),
            Shape::Words(words) => words.iter().find_map(|word| self.word(at, word)),
            Shape::List(item, least, most) => {
                let (end, count) = self.list(*item, at, depth.checked_sub(1)?)?;
                (*least <= count && count <= *most).then_some(end)
            }
            Shape::Map(value) => self.map(*value, at, depth.checked_sub(1)?),
            Shape::Object(fields) => self.object(fields, at, depth.checked_sub(1)?),
            Shape::Either(choices) => {
                let depth = depth.checked_sub(1)?;
                choices.iter().find_map(|&choice| self.value(choice, at, depth))
            }
            Shape::Ask(function) => {
                let end = value_end(self.text, at)?;
                self.asks.fits(*function, &self.text[at..end]).then_some(end)
            }
        }
    }

    fn any(&mut self, at: usize) -> Option<usize> {
        while let Some(&(start, end)) = self.known.first() {
            if start as usize > at {
                break;
            }
            self.known = &self.known[1..];
            if start as usize == at {
                return Some(end as usize);
            }
        }
        value_end(self.text, at)
    }

    fn word(&self, at: usize, word: &[u8]) -> Option<usize> {
        self.text[at..].starts_with(word).then_some(at + word.len())
    }

    fn string(&self, at: usize, least: usize, most: usize) -> Option<usize> {
        let (end, escaped) = string_end(self.text, at)?;
        if (least, most) != (0, usize::MAX) {
            let inside = &self.text[at + 1..end - 1];
            let letters = inside.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
            if escaped || letters < least || letters > most {
                return None;
            }
        }
        Some(end)
    }

    fn whole(&self, at: usize, least: i64, most: i64) -> Option<usize> {
        let end = self.number(at)?;
        let number = &self.text[at..end];
        let digits = number.strip_prefix(b"-").unwrap_or(number);
        if digits.len() > MOST_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        if (least, most) != (i64::MIN, i64::MAX) {
            let number: i64 = std::str::from_utf8(number).ok()?.parse().ok()?;
            if number < least || number > most {
                return None;
            }
        }
        Some(end)
    }

    fn number(&self, at: usize) -> Option<usize> {
        if !matches!(self.text.get(at)?, b'-' | b'0'..=b'9') {
            return None;
        }
        let end = number_end(self.text, at)?;
        let number = &self.text[at..end];
        let plain = number.len() <= MOST_OF_A_NUMBER && !number.iter().any(|byte| matches!(byte, b'e' | b'E'));
        (plain && number != b"-0").then_some(end)
    }

    /// Behind an opening bracket: the first value or key, or the end of what is empty.
    fn opened(&self, at: usize, brackets: [u8; 2]) -> Option<Result<usize, usize>> {
        if *self.text.get(at)? != brackets[0] {
            return None;
        }
        let at = space_end(self.text, at + 1);
        Some(if *self.text.get(at)? == brackets[1] { Err(at + 1) } else { Ok(at) })
    }

    /// Behind a value: what comes next, or the end of what it is the last of.
    fn behind(&self, at: usize, closing: u8) -> Option<Result<usize, usize>> {
        let at = space_end(self.text, at);
        match *self.text.get(at)? {
            b',' => Some(Ok(space_end(self.text, at + 1))),
            byte if byte == closing => Some(Err(at + 1)),
            _ => None,
        }
    }

    fn list(&mut self, item: u32, at: usize, depth: u32) -> Option<(usize, usize)> {
        let (mut next, mut count) = (self.opened(at, *b"[]")?, 0);
        loop {
            match next {
                Err(end) => return Some((end, count)),
                Ok(at) => {
                    let end = self.value(item, at, depth)?;
                    next = self.behind(end, b']')?;
                    count += 1;
                }
            }
        }
    }

    fn map(&mut self, value: u32, at: usize, depth: u32) -> Option<usize> {
        let mut next = self.opened(at, *b"{}")?;
        loop {
            match next {
                Err(end) => return Some(end),
                Ok(at) => {
                    let (end, _) = string_end(self.text, at)?;
                    let at = self.colon(end)?;
                    let end = self.value(value, at, depth)?;
                    next = self.behind(end, b'}')?;
                }
            }
        }
    }

    /// Behind the colon that follows a key.
    fn colon(&self, at: usize) -> Option<usize> {
        let at = space_end(self.text, at);
        (*self.text.get(at)? == b':').then(|| space_end(self.text, at + 1))
    }

    fn object(&mut self, fields: &Fields, at: usize, depth: u32) -> Option<usize> {
        let (mut missing, mut expected) = (fields.required, 0);
        let mut next = self.opened(at, *b"{}")?;
        loop {
            match next {
                Err(end) => return (missing == 0).then_some(end),
                Ok(at) => {
                    let (field, at) = self.key(fields, expected, at)?;
                    let end = match field {
                        Some(number) => {
                            missing &= !(1 << number);
                            expected = number + 1;
                            self.value(fields.shapes[number], at, depth)?
                        }
                        None if fields.forbid => return None,
                        None => match fields.others {
                            Some(shape) => self.value(shape, at, depth)?,
                            None => self.any(at)?,
                        },
                    };
                    next = self.behind(end, b'}')?;
                }
            }
        }
    }

    /// Which field's key stands at `at`, and where its value begins. `expected` is the likeliest.
    fn key(&self, fields: &Fields, expected: usize, at: usize) -> Option<(Option<usize>, usize)> {
        if let Some(key) = fields.keys.get(expected) {
            if self.text[at..].starts_with(key) {
                return Some((Some(expected), space_end(self.text, at + key.len())));
            }
        }
        let (end, escaped) = string_end(self.text, at)?;
        if escaped || *self.text.get(end)? != b':' {
            return None;
        }
        Some((fields.number(&self.text[at..end + 1]), space_end(self.text, end + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Asks for Nobody {
        fn fits(&mut self, _: u32, _: &[u8]) -> bool {
            false
        }
    }

    fn fit(shapes: &[Shape], text: &str) -> bool {
        fits(shapes, shapes.len() as u32 - 1, text.as_bytes(), &[], &mut Nobody)
    }

    fn tried(shape: Shape, right: &[&str], unsure: &[&str]) {
        for text in right {
            assert!(fit(&[shape.clone()], text), "{shape:?} {text}");
            assert!(fit(&[shape.clone()], &format!(" {text}\n")), "{shape:?} {text}");
            for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
                let cut = fit(&[shape.clone()], &text[..end]);
                assert!(!cut || text.as_bytes()[0].is_ascii_digit() || text.starts_with('-'), "{text}");
            }
        }
        for text in unsure {
            assert!(!fit(&[shape.clone()], text), "{shape:?} {text}");
        }
    }

    #[test]
    fn values_that_show_what_they_are() {
        tried(Shape::Null, &["null"], &["nul", "0", "\"null\"", "null null", ""]);
        tried(Shape::Bool, &["true", "false"], &["1", "null", "truefalse"]);
        tried(Shape::Text(0, usize::MAX), &["\"\"", "\"\\n\"", "\"é\""], &["1", "\"\\ud800\"", "\"", "\"\"\""]);
        tried(Shape::Text(1, 2), &["\"é\"", "\"ab\""], &["\"\"", "\"abc\"", "\"\\n\""]);
        tried(Shape::Whole(i64::MIN, i64::MAX), &["0", "-7", "123456789012345678"], &["1.0", "1e2", "-0", "01", "1234567890123456789"]);
        tried(Shape::Whole(0, 9), &["0", "9"], &["-1", "10"]);
        tried(Shape::Number, &["0", "-7.50"], &["1e400", "\"1\"", "-", "1.", "NaN"]);
        tried(Shape::Words(vec![(*b"\"a\"").into()]), &["\"a\""], &["\"b\"", "\"\\u0061\"", "a"]);
        tried(Shape::Any, &["{\"a\":[1]}", "0"], &["{\"a\":[1}", "[]]"]);
        tried(Shape::Ask(0), &[], &["1"]);
    }

    #[test]
    fn lists_and_maps() {
        let list = [Shape::Bool, Shape::List(0, 1, 2)];
        for text in ["[true]", "[ true , false ]"] {
            assert!(fit(&list, text), "{text}");
        }
        for text in ["[]", "[true,true,true]", "[1]", "[true,]", "[true", "{}", "[true true]"] {
            assert!(!fit(&list, text), "{text}");
        }
        let map = [Shape::Bool, Shape::Map(0)];
        for text in ["{}", "{ }", "{\"a\" : true, \"\\u0061\":false}"] {
            assert!(fit(&map, text), "{text}");
        }
        for text in ["{\"a\":1}", "{\"a\" true}", "{a:true}", "[]", "{\"a\":true,}"] {
            assert!(!fit(&map, text), "{text}");
        }
    }

    fn object(others: Option<u32>, forbid: bool, extra: usize) -> Vec<Shape> {
        let mut given = vec![(b"\"a\":".to_vec(), 0, true), (b"\"b\":".to_vec(), 0, false)];
        given.extend((0..extra).map(|number| (format!("\"k{number}\":").into_bytes(), 0, false)));
        vec![Shape::Bool, Shape::Null, Shape::Object(Fields::new(given, others, forbid).unwrap())]
    }

    #[test]
    fn objects() {
        for extra in [0, 20] {
            for text in ["{\"a\":true}", "{\"b\":true, \"a\": true}", "{\"x\":0,\"a\":true,\"y\":[ ]}"] {
                assert!(fit(&object(None, false, extra), text), "{text}");
            }
            for text in ["{}", "{\"b\":true}", "{\"a\":1}", "{\"\\u0061\":true}", "{\"a\":true,\"a\":1}", "{\"a\":true,\"x\":}", "[]"] {
                assert!(!fit(&object(None, false, extra), text), "{text}");
            }
        }
        assert!(!fit(&object(None, true, 0), "{\"a\":true,\"x\":null}"));
        assert!(fit(&object(Some(1), false, 0), "{\"a\":true,\"x\":null}"));
        assert!(!fit(&object(Some(1), false, 0), "{\"a\":true,\"x\":1}"));
        assert!(Fields::new(vec![(Vec::new(), 0, true); MOST_FIELDS + 1], None, false).is_none());
    }

    #[test]
    fn what_holds_itself_ends() {
        let shapes = [Shape::Either(vec![1, 2]), Shape::Null, Shape::List(0, 0, usize::MAX)];
        assert!(fits(&shapes, 0, b"[[null],[]]", &[], &mut Nobody));
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert!(!fits(&shapes, 0, deep.as_bytes(), &[], &mut Nobody));
        // Ten choices of the same kind in each other: ten to the tenth ways to read it.
        let mut many: Vec<Shape> = vec![Shape::Null];
        for level in 0..10 {
            many.push(Shape::List(level * 2, 0, usize::MAX));
            many.push(Shape::Either(vec![level * 2 + 1; 10]));
        }
        assert!(!fits(&many, 20, ("[".repeat(10) + "1" + &"]".repeat(10)).as_bytes(), &[], &mut Nobody));
    }

    #[test]
    fn what_is_known_is_not_read_again() {
        let text = b"{\"x\":?????,\"a\":true}";
        assert!(fits(&object(None, false, 0), 2, text, &[(1, 3), (5, 10)], &mut Nobody));
        assert!(!fits(&object(None, false, 0), 2, text, &[(5, 9)], &mut Nobody));
        assert!(!fits(&object(None, false, 0), 2, text, &[], &mut Nobody));
    }
}
