//! The shape of a pydantic model: what of a verdict is plain to see in the JSON. The rest is asked of Python.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;

use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use upcast_reading::shape::{fits, Asks, Shape as Known};

use crate::{given, PANICS};

pub enum Answer {
    Yes,
    /// A no, or nobody knows: the model is to be asked.
    Unsure,
    Panic,
}

#[pyclass(frozen, module = "upcast_native")]
pub struct Shape {
    shapes: Vec<Known>,
    root: u32,
    functions: Vec<Arc<Py<PyAny>>>,
    /// After a panic: it says nothing any more.
    off: AtomicBool,
}

#[pymethods]
impl Shape {
    /// `root` is the number of the whole document's shape in `shapes`.
    #[new]
    fn new(shapes: Vec<Bound<'_, PyTuple>>, root: u32) -> PyResult<Shape> {
        let mut functions = Vec::new();
        let shapes = shapes.iter().map(|one| given::shape(one, &mut functions)).collect::<PyResult<Vec<_>>>()?;
        if root as usize >= shapes.len() {
            return Err(PyValueError::new_err("there is no such shape"));
        }
        Ok(Shape { shapes, root, functions, off: AtomicBool::new(false) })
    }

    /// Whether a document surely fits.
    fn fits(&self, py: Python<'_>, value: &[u8]) -> PyResult<bool> {
        if std::str::from_utf8(value).is_err() {
            return Ok(false);
        }
        Ok(matches!(self.answer(py, value, &[])?, Answer::Yes))
    }
}

impl Shape {
    /// The same of UTF-8, of which some values are known to be JSON.
    pub fn answer(&self, py: Python<'_>, text: &[u8], known: &[(u32, u32)]) -> PyResult<Answer> {
        if self.off.load(Relaxed) {
            return Ok(Answer::Unsure);
        }
        let mut asked = Asked { py, functions: &self.functions, failed: None };
        let found = catch_unwind(AssertUnwindSafe(|| fits(&self.shapes, self.root, text, known, &mut asked)));
        match (asked.failed, found) {
            (Some(error), _) => Err(error),
            (None, Ok(true)) => Ok(Answer::Yes),
            (None, Ok(false)) => Ok(Answer::Unsure),
            (None, Err(_)) => {
                self.off.store(true, Relaxed);
                PANICS.fetch_add(1, Relaxed);
                Ok(Answer::Panic)
            }
        }
    }
}

struct Asked<'a, 'py> {
    py: Python<'py>,
    functions: &'a [Arc<Py<PyAny>>],
    /// What must go on to the caller: a KeyboardInterrupt.
    failed: Option<PyErr>,
}

impl Asks for Asked<'_, '_> {
    fn fits(&mut self, function: u32, value: &[u8]) -> bool {
        let Some(function) = self.functions.get(function as usize) else { return false };
        match function.bind(self.py).call1((PyBytes::new(self.py, value),)) {
            Ok(_) => true,
            Err(error) => {
                if !error.is_instance_of::<PyException>(self.py) {
                    self.failed = Some(error);
                }
                false
            }
        }
    }
}
