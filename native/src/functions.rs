//! Users' functions: plain values in, JSON out. What is not as plain goes through Python's own reader and writer.

use std::io::Write;
use std::sync::Arc;

use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};
use upcast_reading::scan::is_plain;
use upcast_reading::{Argument, Functions};

/// Results that are deeper are the writer's, who refuses them.
const MOST_LEVELS: u32 = 8;
/// Fewer digits than any integer of the machine has.
const FEW_DIGITS: usize = 18;

pub struct Called<'a, 'py> {
    py: Python<'py>,
    functions: &'a [Arc<Py<PyAny>>],
    decode: &'a Py<PyAny>,
    finish: &'a Py<PyAny>,
    /// What must go on to the caller: a KeyboardInterrupt.
    pub failed: Option<PyErr>,
}

impl<'a, 'py> Called<'a, 'py> {
    pub fn new(
        py: Python<'py>,
        functions: &'a [Arc<Py<PyAny>>],
        decode: &'a Py<PyAny>,
        finish: &'a Py<PyAny>,
    ) -> Called<'a, 'py> {
        Called { py, functions, decode, finish, failed: None }
    }

    fn plain(&self, given: &Argument<'_>) -> PyResult<Bound<'py, PyAny>> {
        let Argument::Json(text) = given else { return Ok(self.py.None().into_bound(self.py)) };
        match *text {
            [b'"', inside @ .., b'"'] if is_plain(inside) => {
                Ok(PyString::new(self.py, utf8(inside)?).into_any())
            }
            b"null" => Ok(self.py.None().into_bound(self.py)),
            digits if digits.len() <= FEW_DIGITS && digits.iter().all(u8::is_ascii_digit) => {
                Ok(utf8(digits)?.parse::<u64>()?.into_pyobject(self.py)?.into_any())
            }
            _ => self.decode.bind(self.py).call1((PyBytes::new(self.py, text),)),
        }
    }

    fn called(&self, function: u32, given: &[Argument<'_>], made: &mut Vec<u8>) -> PyResult<()> {
        let function = self.functions[function as usize].bind(self.py);
        let result = match given {
            [one] => function.call1((self.plain(one)?,))?,
            [one, other] => function.call1((self.plain(one)?, self.plain(other)?))?,
            _ => {
                let given = given.iter().map(|one| self.plain(one)).collect::<PyResult<Vec<_>>>()?;
                function.call1(PyTuple::new(self.py, given)?)?
            }
        };
        let start = made.len();
        if written(&result, MOST_LEVELS, made).is_none() {
            made.truncate(start);
            let text = self.finish.bind(self.py).call1((result,))?;
            made.extend_from_slice(text.cast::<PyBytes>()?.as_bytes());
        }
        Ok(())
    }

    fn made_bytes(&self, function: u32, given: &[u8], made: &mut Vec<u8>) -> PyResult<()> {
        let function = self.functions[function as usize].bind(self.py);
        let text = function.call1((PyBytes::new(self.py, given),))?;
        made.extend_from_slice(text.cast::<PyBytes>()?.as_bytes());
        Ok(())
    }

    fn done(&mut self, result: PyResult<()>) -> Option<()> {
        let error = match result {
            Ok(()) => return Some(()),
            Err(error) => error,
        };
        if !error.is_instance_of::<PyException>(self.py) {
            self.failed = Some(error);
        }
        None
    }
}

impl Functions for Called<'_, '_> {
    fn call(&mut self, function: u32, given: &[Argument<'_>], made: &mut Vec<u8>) -> Option<()> {
        let result = self.called(function, given, made);
        self.done(result)
    }

    fn bytes(&mut self, function: u32, given: &[u8], made: &mut Vec<u8>) -> Option<()> {
        let result = self.made_bytes(function, given, made);
        self.done(result)
    }
}

fn utf8(text: &[u8]) -> PyResult<&str> {
    std::str::from_utf8(text).map_err(|_| PyValueError::new_err("the value is not UTF-8"))
}

/// Append a result as JSON where that is plain to see; None where it is not.
fn written(result: &Bound<'_, PyAny>, levels: u32, made: &mut Vec<u8>) -> Option<()> {
    if let Ok(text) = result.cast_exact::<PyString>() {
        return quoted(text, made);
    }
    if result.is_none() {
        made.extend_from_slice(b"null");
    } else if let Ok(whole) = result.cast_exact::<PyInt>() {
        write!(made, "{}", whole.extract::<i64>().ok()?).ok()?;
    } else if let Ok(truth) = result.cast_exact::<PyBool>() {
        made.extend_from_slice(if truth.is_true() { b"true" } else { b"false" });
    } else if let Ok(fields) = result.cast_exact::<PyDict>() {
        object(fields, levels.checked_sub(1)?, made)?;
    } else if let Ok(items) = result.cast_exact::<PyList>() {
        let levels = levels.checked_sub(1)?;
        made.push(b'[');
        for (number, item) in items.iter().enumerate() {
            if number > 0 {
                made.push(b',');
            }
            written(&item, levels, made)?;
        }
        made.push(b']');
    } else {
        return None;
    }
    Some(())
}

fn object(fields: &Bound<'_, PyDict>, levels: u32, made: &mut Vec<u8>) -> Option<()> {
    made.push(b'{');
    let mut first = true;
    for (key, value) in fields.iter() {
        if !first {
            made.push(b',');
        }
        first = false;
        quoted(key.cast_exact::<PyString>().ok()?, made)?;
        made.push(b':');
        written(&value, levels, made)?;
    }
    made.push(b'}');
    Some(())
}

fn quoted(text: &Bound<'_, PyString>, made: &mut Vec<u8>) -> Option<()> {
    let text = text.to_str().ok()?;
    if !is_plain(text.as_bytes()) {
        return None;
    }
    made.push(b'"');
    made.extend_from_slice(text.as_bytes());
    made.push(b'"');
    Some(())
}
