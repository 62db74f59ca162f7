//! Where JSON values end. Strict: what is accepted here is accepted by every reader of JSON; what is not, or is only
//! unusual, is left to Python. Nothing recurses.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Containers in each other inside of one value; what is deeper is left to Python.
pub const MOST_LEVELS: u32 = 64;

/// The high bit of each byte that ends a run of plain letters: a quote, a backslash, a control character. Exact for the
/// lowest such byte; those above it may be wrong.
fn special(word: u64) -> u64 {
    let quotes = word ^ (ONES * b'"' as u64);
    let backslashes = word ^ (ONES * b'\\' as u64);
    let found = quotes.wrapping_sub(ONES) & !quotes
        | backslashes.wrapping_sub(ONES) & !backslashes
        | word.wrapping_sub(ONES * 0x20) & !word;
    found & HIGH
}

/// Where the next special byte at or after `at` is.
fn next_special(text: &[u8], mut at: usize) -> Option<usize> {
    while let Some(chunk) = text.get(at..at + 8) {
        let found = special(u64::from_le_bytes(chunk.try_into().ok()?));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    let rest = text.get(at..)?;
    let found = rest.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20)?;
    Some(at + found)
}

/// True for text that stands between quotes as it is.
pub fn is_plain(text: &[u8]) -> bool {
    next_special(text, 0).is_none()
}

/// The end of the string whose opening quote is at `at`, and whether it has escapes. Escaped surrogates are left to
/// Python, which knows the pairs.
pub fn string_end(text: &[u8], at: usize) -> Option<(usize, bool)> {
    if *text.get(at)? != b'"' {
        return None;
    }
    let mut escaped = false;
    let mut at = at + 1;
    loop {
        at = next_special(text, at)?;
        match text[at] {
            b'"' => return Some((at + 1, escaped)),
            b'\\' => at = escape_end(text, at)?,
            _ => return None,
        }
        escaped = true;
    }
}

fn escape_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => {
            let digits = text.get(at + 2..at + 6)?;
            let surrogate = matches!(digits[0], b'd' | b'D') && !digits[1].is_ascii_digit() | (digits[1] >= b'8');
            (digits.iter().all(u8::is_ascii_hexdigit) && !surrogate).then_some(at + 6)
        }
        _ => None,
    }
}

fn digits_end(text: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    while text.get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    (end > at).then_some(end)
}

pub(crate) fn number_end(text: &[u8], at: usize) -> Option<usize> {
    let first = at + usize::from(text[at] == b'-');
    let mut end = match text.get(first)? {
        b'0' => first + 1,
        _ => digits_end(text, first)?,
    };
    if text.get(end) == Some(&b'.') {
        end = digits_end(text, end + 1)?;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let signed = matches!(text.get(end + 1), Some(b'+' | b'-'));
        end = digits_end(text, end + 1 + usize::from(signed))?;
    }
    Some(end)
}

fn scalar_end(text: &[u8], at: usize) -> Option<usize> {
    let word = |word: &[u8]| text[at..].starts_with(word).then_some(at + word.len());
    match text.get(at)? {
        b'"' => Some(string_end(text, at)?.0),
        b'-' | b'0'..=b'9' => number_end(text, at),
        b't' => word(b"true"),
        b'f' => word(b"false"),
        b'n' => word(b"null"),
        _ => None,
    }
}

#[inline]
pub(crate) fn space_end(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// Behind the colon of the key that begins behind white space at `at`.
fn key_end(text: &[u8], at: usize) -> Option<usize> {
    let end = space_end(text, string_end(text, space_end(text, at))?.0);
    (*text.get(end)? == b':').then_some(end + 1)
}

/// The end of the value that begins at `at`, without white space before it.
pub fn value_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'{' | b'[' => container_end(text, at),
        _ => scalar_end(text, at),
    }
}

fn container_end(text: &[u8], mut at: usize) -> Option<usize> {
    // The containers that are open, the innermost lowest: 1 for an object.
    let (mut open, mut levels) = (0_u64, 0_u32);
    loop {
        at = space_end(text, at);
        let first = *text.get(at)?;
        if first == b'{' || first == b'[' {
            if levels == MOST_LEVELS {
                return None;
            }
            let object = first == b'{';
            let inside = space_end(text, at + 1);
            if *text.get(inside)? == (if object { b'}' } else { b']' }) {
                at = inside + 1;
            } else {
                open = open << 1 | u64::from(object);
                levels += 1;
                at = if object { key_end(text, inside)? } else { inside };
                continue;
            }
        } else {
            at = scalar_end(text, at)?;
        }
        // Behind a value: what comes next, or what it ends.
        loop {
            if levels == 0 {
                return Some(at);
            }
            at = space_end(text, at);
            match (*text.get(at)?, open & 1) {
                (b',', 1) => {
                    at = key_end(text, at + 1)?;
                    break;
                }
                (b',', _) => {
                    at += 1;
                    break;
                }
                (b'}', 1) | (b']', 0) => {
                    open >>= 1;
                    levels -= 1;
                    at += 1;
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(text: &str) -> Option<usize> {
        value_end(text.as_bytes(), 0)
    }

    #[test]
    fn whole_values_end_where_they_end() {
        for text in [
            "\"\"", "\"a\"", "\"0123456789\\n0123\\u00e9456\"", "0", "-0", "12.50", "1e5", "-1.5E-10", "true", "false", "null",
            "{}", "[]", "[ ]", "{ \"a\" : [ 1 , {\"b\":null} ] , \"c\":\"}\"}", "[[],[[1]],{}]", "\"é\u{7f}\"",
        ] {
            assert_eq!(ends(text), Some(text.len()), "{text}");
            assert_eq!(ends(&format!("{text},")), Some(text.len()), "{text}");
            if !text.bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte)) {
                for end in 0..text.len() {
                    assert!(value_end(&text.as_bytes()[..end], 0).is_none_or(|found| found <= end), "{text}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_json_has_no_end() {
        for text in [
            "", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\u{1f}\"", "\"0123456\n\"", "-", "1.", "1.e5", "1e", "1e+", ".5", "+1",
            "tru", "nul", "NaN", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "[1,]", "[1", "{1:2}", "[}", "{]", "[1}", "\"\\ud800\"",
            "\"\\uDBff\"", " 1",
        ] {
            assert_eq!(ends(text), None, "{text}");
        }
        assert_eq!(ends("\"\\ud7ff\""), Some(8));
        assert_eq!(ends("01"), Some(1));
    }

    #[test]
    fn what_is_deep_is_left_without_recursion() {
        let at_most = "[".repeat(64) + &"]".repeat(64);
        assert_eq!(ends(&at_most), Some(128));
        assert_eq!(ends(&("[".repeat(65) + &"]".repeat(65))), None);
        assert_eq!(ends(&"{\"a\":".repeat(1_000_000)), None);
        assert_eq!(ends(&"[".repeat(1_000_000)), None);
    }
}
