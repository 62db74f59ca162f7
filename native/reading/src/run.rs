//! Reads a document by its plan, and writes what becomes of it. None of it recurses deeper than the plan's places.

use crate::plan::{Choice, Expression, Instruction, Lane, Place, Plan, ARRAY, NONE};
use crate::scan::{space_end, string_end, value_end};

const MOST_BYTES: usize = 16 << 20;
const MOST_MEMBERS: usize = 65_536;
/// Keys of one object that have no name; more of them are a table, and left to Python.
const MOST_OTHERS: usize = 512;
const MOST_ARGUMENTS: usize = 8;
/// Values from here on are noted when they are copied: it costs less than to look for their end once more.
const LONG: usize = 64;

/// What a user's function is given.
#[derive(Clone, Copy)]
pub enum Argument<'a> {
    Json(&'a [u8]),
    Nothing,
}

/// Calls functions by their numbers. None for whatever went wrong: then the reference finds out.
pub trait Functions {
    /// Append the JSON of what a function makes of plain values.
    fn call(&mut self, function: u32, given: &[Argument<'_>], made: &mut Vec<u8>) -> Option<()>;
    /// Append what a function makes of the bytes of one value.
    fn bytes(&mut self, function: u32, given: &[u8], made: &mut Vec<u8>) -> Option<()>;
}

#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// For the reference.
    Miss,
    Pass(u32),
    Look(u32),
    /// The result is in the scratch.
    Change(u32),
}

#[derive(Clone, Copy)]
struct Member {
    key: u32,
    key_end: u32,
    value: u32,
    value_end: u32,
    child: u32,
}

#[derive(Clone, Copy)]
struct Instance {
    place: u32,
    layout: u32,
    spaced: bool,
    start: u32,
    end: u32,
    members: u32,
    count: u32,
    tokens: u32,
}

/// Room that is used again for each event.
#[derive(Default)]
pub struct Scratch {
    pub made: Vec<u8>,
    /// The place and layout that are worked on, for whoever catches a panic.
    pub at: Option<(u32, u32)>,
    members: Vec<Member>,
    tokens: Vec<(u32, u32)>,
    instances: Vec<Instance>,
    open_members: Vec<Member>,
    open_tokens: Vec<(u32, u32)>,
    others: Vec<u64>,
    copied: Vec<(u32, u32)>,
    mask: u64,
    answers: Vec<u32>,
}

impl Plan {
    /// What becomes of a document, of which a header said the version, or nobody.
    pub fn run(&self, text: &[u8], given: u32, scratch: &mut Scratch, functions: &mut impl Functions) -> Outcome {
        self.try_run(text, given, scratch, functions).unwrap_or(Outcome::Miss)
    }

    fn try_run(&self, text: &[u8], given: u32, scratch: &mut Scratch, functions: &mut impl Functions) -> Option<Outcome> {
        let (root, version) = self.read(text, given, scratch)?;
        match self.lanes[version as usize] {
            Lane::Leave => None,
            Lane::Pass => Some(Outcome::Pass(version)),
            Lane::Look => Some(Outcome::Look(version)),
            Lane::Change => {
                let variant = self.variant(version, text, root, scratch)?;
                let mut made = std::mem::take(&mut scratch.made);
                let mut writer = Writer { plan: self, text, scratch, version: variant as usize, functions };
                let done = writer.object(root, &mut made);
                scratch.made = made;
                done.map(|()| Outcome::Change(version))
            }
        }
    }
}

impl Plan {
    /// Read a document: the number of its instance, and its version.
    fn read(&self, text: &[u8], given: u32, scratch: &mut Scratch) -> Option<(u32, u32)> {
        if text.len() > MOST_BYTES || self.off || std::str::from_utf8(text).is_err() {
            return None;
        }
        scratch.clear();
        let end = Reader { plan: self, text, scratch }.object(0, 0)?;
        if end != text.len() {
            return None;
        }
        let root = scratch.instances.len() as u32 - 1;
        let stated = scratch.asked(self, text, root, &self.stated)?;
        Some((root, self.version(given, stated, scratch.mask)?))
    }

    /// A document's version, and what its values answer where the operations depend on them.
    pub fn answers(&self, text: &[u8], given: u32, scratch: &mut Scratch) -> Option<(u32, Vec<u32>)> {
        let (root, version) = self.read(text, given, scratch)?;
        scratch.answer(self, self.choices.get(&version)?, text, root)?;
        Some((version, scratch.answers.clone()))
    }

    fn variant(&self, version: u32, text: &[u8], root: u32, scratch: &mut Scratch) -> Option<u32> {
        let Some(choice) = self.choices.get(&version) else { return Some(version) };
        scratch.answer(self, choice, text, root)?;
        choice.variants.get(&scratch.answers[..]).copied().filter(|&variant| variant != NONE)
    }
}

impl Scratch {
    fn clear(&mut self) {
        self.made.clear();
        self.at = None;
        self.members.clear();
        self.tokens.clear();
        self.instances.clear();
        self.open_members.clear();
        self.open_tokens.clear();
        self.others.clear();
        self.copied.clear();
        self.mask = 0;
    }

    /// Where long values of the document stand, in their order: of what was made where `made`, else of what was read.
    pub fn long_values(&mut self, made: bool) -> &[(u32, u32)] {
        if !made {
            let long = self.members.iter().filter(|one| (one.value_end - one.value) as usize >= LONG);
            self.copied = long.map(|one| (one.value, one.value_end)).collect();
            self.copied.sort_unstable();
        }
        &self.copied
    }

    /// The bytes of an asked field: Some(None) where it is not there.
    fn asked<'a>(&self, plan: &Plan, text: &'a [u8], root: u32, path: &[u32]) -> Option<Option<&'a [u8]>> {
        let (mut at, mut found) = (root, None);
        for &key in path {
            let one = self.instances.get(at as usize)?;
            let layout = plan.places[one.place as usize].layouts.get(one.layout as usize)?;
            let token = *layout.asked.get(key as usize)?;
            if token == NONE {
                return Some(None);
            }
            let member = self.members[self.tokens[(one.tokens + token) as usize].0 as usize];
            found = Some(&text[member.value as usize..member.value_end as usize]);
            at = member.child;
        }
        Some(found)
    }

    fn answer(&mut self, plan: &Plan, choice: &Choice, text: &[u8], root: u32) -> Option<()> {
        self.answers.clear();
        for question in &choice.questions {
            let answer = question.answer(self.asked(plan, text, root, &question.path)?)?;
            self.answers.push(answer);
        }
        Some(())
    }
}

struct Reader<'a> {
    plan: &'a Plan,
    text: &'a [u8],
    scratch: &'a mut Scratch,
}

/// What of an object was begun, so that objects inside of it can use the same room behind it.
struct Marks {
    members: usize,
    tokens: usize,
    others: usize,
}

impl Reader<'_> {
    /// Read the object or array that begins at `at`; its end. It is the last of the instances then.
    fn object(&mut self, number: u32, at: usize) -> Option<usize> {
        let plan = self.plan;
        let place = &plan.places[number as usize];
        let scratch = &*self.scratch;
        let marks = Marks {
            members: scratch.open_members.len(),
            tokens: scratch.open_tokens.len(),
            others: scratch.others.len(),
        };
        if *self.text.get(at)? == b'[' && place.each != NONE {
            return self.array(number, place.each, at, marks);
        }
        let (state, end, spaced) = self.members(place, at, &marks)?;
        let layout = place.layout(state)?;
        self.scratch.mask |= place.layouts[layout as usize].mask;
        self.close(number, layout, spaced, (at, end), &marks);
        Some(end)
    }

    fn close(&mut self, place: u32, layout: u32, spaced: bool, span: (usize, usize), marks: &Marks) {
        let scratch = &mut *self.scratch;
        let members = scratch.members.len();
        let tokens = scratch.tokens.len();
        scratch.members.extend(scratch.open_members.drain(marks.members..));
        let moved = (members, marks.members);
        scratch.tokens.extend(scratch.open_tokens.drain(marks.tokens..).map(|(first, count)| {
            ((first as usize - moved.1 + moved.0) as u32, count)
        }));
        scratch.others.truncate(marks.others);
        scratch.instances.push(Instance {
            place,
            layout,
            spaced,
            start: span.0 as u32,
            end: span.1 as u32,
            members: members as u32,
            count: (scratch.members.len() - members) as u32,
            tokens: tokens as u32,
        });
    }

    /// The members of the object at `at`: the state behind them, the object's end, and whether it has white space.
    fn members(&mut self, place: &Place, at: usize, marks: &Marks) -> Option<(u32, usize, bool)> {
        let text = self.text;
        if text[at] != b'{' {
            return None;
        }
        let (mut state, mut in_run) = (0, false);
        let first = at + 1;
        let mut at = space_end(text, first);
        let mut spaced = at > first;
        if *text.get(at)? == b'}' {
            return Some((state, at + 1, spaced));
        }
        loop {
            let (key_end, child) = match place.next_key(state, text, at) {
                Some((token, next, end)) => {
                    self.scratch.open_tokens.push((self.scratch.open_members.len() as u32, 1));
                    (state, in_run) = (next, false);
                    (end, place.children[token as usize])
                }
                None => {
                    let end = self.other_key(place, at, marks)?;
                    if in_run {
                        self.scratch.open_tokens.last_mut()?.1 += 1;
                    } else {
                        state = place.rest(state)?;
                        in_run = true;
                        self.scratch.open_tokens.push((self.scratch.open_members.len() as u32, 1));
                    }
                    (end, place.each)
                }
            };
            let start = space_end(text, key_end);
            let value_end = self.value(child, at, key_end, start)?;
            let end = space_end(text, value_end);
            spaced |= start > key_end || end > value_end;
            match text.get(end)? {
                b'}' => return Some((state, end + 1, spaced)),
                b',' => {
                    at = space_end(text, end + 1);
                    spaced |= at > end + 1;
                }
                _ => return None,
            }
        }
    }

    fn value(&mut self, child: u32, key: usize, key_end: usize, at: usize) -> Option<usize> {
        let (end, child) = if child == NONE {
            (value_end(self.text, at)?, NONE)
        } else {
            (self.object(child, at)?, self.scratch.instances.len() as u32 - 1)
        };
        if self.scratch.open_members.len() + self.scratch.members.len() > MOST_MEMBERS {
            return None;
        }
        self.scratch.open_members.push(Member {
            key: key as u32,
            key_end: key_end as u32,
            value: at as u32,
            value_end: end as u32,
            child,
        });
        Some(end)
    }

    /// Behind the colon of a key that has no name here, and that the object has only once.
    fn other_key(&mut self, place: &Place, at: usize, marks: &Marks) -> Option<usize> {
        if place.whole {
            return None;
        }
        let (end, escaped) = string_end(self.text, at)?;
        if escaped || *self.text.get(end)? != b':' {
            return None;
        }
        let key = &self.text[at..end + 1];
        let seen = &self.scratch.others[marks.others..];
        if place.has_name(key) || seen.len() >= MOST_OTHERS {
            return None;
        }
        let mark = mark(key);
        if seen.contains(&mark) {
            let members = &self.scratch.open_members[marks.members..];
            if members.iter().any(|one| self.text[one.key as usize..one.key_end as usize] == *key) {
                return None;
            }
        }
        self.scratch.others.push(mark);
        Some(end + 1)
    }

    fn array(&mut self, number: u32, each: u32, at: usize, marks: Marks) -> Option<usize> {
        let text = self.text;
        let mut at_item = space_end(text, at + 1);
        if *text.get(at_item)? == b']' {
            self.close(number, ARRAY, false, (at, at_item + 1), &marks);
            return Some(at_item + 1);
        }
        loop {
            let end = space_end(text, self.value(each, at_item, at_item, at_item)?);
            match text.get(end)? {
                b']' => {
                    self.close(number, ARRAY, false, (at, end + 1), &marks);
                    return Some(end + 1);
                }
                b',' => at_item = space_end(text, end + 1),
                _ => return None,
            }
        }
    }
}

/// A number that is the same for the same keys, and mostly another for others.
fn mark(key: &[u8]) -> u64 {
    let mut mark = key.len() as u64;
    for chunk in key.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mark = (mark.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    mark
}

struct Writer<'a, F: Functions> {
    plan: &'a Plan,
    text: &'a [u8],
    scratch: &'a mut Scratch,
    version: usize,
    functions: &'a mut F,
}

impl<'a, F: Functions> Writer<'a, F> {
    fn object(&mut self, number: u32, made: &mut Vec<u8>) -> Option<()> {
        let plan = self.plan;
        let one = self.scratch.instances[number as usize];
        let place = &plan.places[one.place as usize];
        if one.layout == ARRAY {
            return self.array(place, one, made);
        }
        self.scratch.at = Some((one.place, one.layout));
        let program = place.layouts[one.layout as usize].programs.get(&(self.version as u32))?;
        if !program.opened || (program.same && !one.spaced) {
            made.extend_from_slice(&self.text[one.start as usize..one.end as usize]);
            return Some(());
        }
        for instruction in &program.instructions {
            match instruction {
                Instruction::Text(text) => made.extend_from_slice(text),
                Instruction::Value(Expression::Span(token)) => self.copy(one, *token, made),
                Instruction::Value(expression) => self.value(expression, one, made)?,
                Instruction::Run(token) => self.run(one, *token, made)?,
            }
        }
        Some(())
    }

    fn array(&mut self, place: &Place, one: Instance, made: &mut Vec<u8>) -> Option<()> {
        if !place.arrays[self.version] {
            return None;
        }
        made.push(b'[');
        for index in one.members..one.members + one.count {
            if index > one.members {
                made.push(b',');
            }
            self.object(self.scratch.members[index as usize].child, made)?;
        }
        made.push(b']');
        Some(())
    }

    fn run(&mut self, one: Instance, token: u32, made: &mut Vec<u8>) -> Option<()> {
        let (first, count) = self.scratch.tokens[(one.tokens + token) as usize];
        let last = self.scratch.members[(first + count - 1) as usize];
        if last.child == NONE && !one.spaced {
            let start = self.scratch.members[first as usize].key;
            for index in first..first + count {
                let member = self.scratch.members[index as usize];
                self.note(member, made.len() + (member.value - start) as usize);
            }
            made.extend_from_slice(&self.text[start as usize..last.value_end as usize]);
            return Some(());
        }
        for index in first..first + count {
            if index > first {
                made.push(b',');
            }
            let member = self.scratch.members[index as usize];
            made.extend_from_slice(&self.text[member.key as usize..member.key_end as usize]);
            if member.child == NONE {
                self.note(member, made.len());
                made.extend_from_slice(&self.text[member.value as usize..member.value_end as usize]);
            } else {
                self.object(member.child, made)?;
            }
        }
        Some(())
    }

    fn member(&self, one: Instance, token: u32) -> Member {
        self.scratch.members[self.scratch.tokens[(one.tokens + token) as usize].0 as usize]
    }

    fn copy(&mut self, one: Instance, token: u32, made: &mut Vec<u8>) {
        self.note(self.member(one, token), made.len());
        made.extend_from_slice(self.span(one, token));
    }

    /// Note where a value will stand that is copied.
    fn note(&mut self, member: Member, start: usize) {
        let length = (member.value_end - member.value) as usize;
        if length >= LONG {
            self.scratch.copied.push((start as u32, (start + length) as u32));
        }
    }

    fn span(&self, one: Instance, token: u32) -> &'a [u8] {
        let member = self.member(one, token);
        &self.text[member.value as usize..member.value_end as usize]
    }

    fn value(&mut self, expression: &Expression, one: Instance, made: &mut Vec<u8>) -> Option<()> {
        match expression {
            Expression::Constant(text) => made.extend_from_slice(text),
            Expression::Span(token) => self.copy(one, *token, made),
            Expression::Child(token) => self.object(self.member(one, *token).child, made)?,
            Expression::IfNull(..) | Expression::IfNumber(..) => {
                return self.value(self.chosen(expression, one), one, made);
            }
            Expression::Call(function, given) => {
                let mut arguments = [Argument::Nothing; MOST_ARGUMENTS];
                for (argument, expression) in arguments.iter_mut().zip(given) {
                    *argument = self.argument(expression, one)?;
                }
                self.functions.call(*function, &arguments[..given.len()], made)?;
            }
            Expression::Bytes(function, token) => {
                let span = self.span(one, *token);
                self.functions.bytes(*function, span, made)?;
            }
            Expression::Deep(..) | Expression::Nothing | Expression::Refuse => return None,
        }
        Some(())
    }

    /// The branch of a question about a value.
    fn chosen<'e>(&self, expression: &'e Expression, one: Instance) -> &'e Expression {
        match expression {
            Expression::IfNull(token, yes, no) => {
                if self.span(one, *token) == b"null" {
                    yes
                } else {
                    no
                }
            }
            Expression::IfNumber(token, yes, no) => {
                if matches!(self.span(one, *token).first(), Some(b'-' | b'0'..=b'9')) {
                    yes
                } else {
                    no
                }
            }
            _ => expression,
        }
    }

    fn argument<'e>(&self, expression: &'e Expression, one: Instance) -> Option<Argument<'e>>
    where
        'a: 'e,
    {
        match expression {
            Expression::Constant(text) => Some(Argument::Json(text)),
            Expression::Span(token) => Some(Argument::Json(self.span(one, *token))),
            Expression::IfNull(..) | Expression::IfNumber(..) => self.argument(self.chosen(expression, one), one),
            Expression::Deep(token, keys, needed) => self.deep(*token, keys, *needed, one),
            Expression::Nothing => Some(Argument::Nothing),
            _ => None,
        }
    }

    fn deep<'e>(&self, token: u32, keys: &'e [u32], needed: bool, one: Instance) -> Option<Argument<'e>>
    where
        'a: 'e,
    {
        let child = self.scratch.instances[self.member(one, token).child as usize];
        let place = &self.plan.places[child.place as usize];
        let program = place.layouts.get(child.layout as usize)?.programs.get(&(self.version as u32))?;
        match (&program.exports[keys[0] as usize], keys.len()) {
            (None, _) => (!needed).then_some(Argument::Nothing),
            (Some(found), 1) => self.argument(found, child),
            (Some(Expression::Child(token)), _) => self.deep(*token, &keys[1..], needed, child),
            _ => None,
        }
    }
}
