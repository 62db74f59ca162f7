//! What Python sees of the layout programs: a plan that it fills, and that runs an event.

mod functions;
mod given;
mod shape;

use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use upcast_reading::{Lane, Layout, Outcome, Plan as Known, Question, Scratch, NONE};

use functions::Called;
use shape::{Answer, Shape};

/// The version of what Python and this have to agree about.
const INTERFACE: u32 = 4;
/// Over all plans: events that were done, those that were left to Python, and panics.
static DONE: AtomicU64 = AtomicU64::new(0);
static LEFT: AtomicU64 = AtomicU64::new(0);
static PANICS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

#[derive(Clone)]
struct Data {
    known: Known,
    functions: Vec<Arc<Py<PyAny>>>,
}

/// What is known of one event type. Threads share it: a run works on what was known when it began.
#[pyclass(frozen, module = "upcast_native")]
struct Plan {
    data: Mutex<Arc<Data>>,
    /// For each version, what `run` gives.
    results: Vec<Py<PyAny>>,
    /// For each version, which models are to be asked, and what it gives where they surely say yes.
    checks: Vec<Option<Check>>,
    decode: Py<PyAny>,
    finish: Py<PyAny>,
    hits: AtomicU64,
    misses: AtomicU64,
    panics: AtomicU64,
    rests: AtomicU32,
}

struct Check {
    source: Option<Py<Shape>>,
    target: Option<Py<Shape>>,
    result: Py<PyAny>,
}

type GivenLane = (String, Py<PyAny>, Option<(Option<Py<Shape>>, Option<Py<Shape>>, Py<PyAny>)>);

#[pymethods]
impl Plan {
    /// `lanes` are (kind, result, None or (shape before, shape after, result where they fit)) by version; `decode` makes plain values of JSON, `finish` JSON of a function's result.
    #[new]
    fn new(
        places: Vec<Bound<'_, PyAny>>,
        lanes: Vec<GivenLane>,
        assumed: Option<u32>,
        shapes: bool,
        stated: Vec<u32>,
        decode: Py<PyAny>,
        finish: Py<PyAny>,
    ) -> PyResult<Plan> {
        let places = places.iter().map(given::place).collect::<PyResult<_>>()?;
        let kinds = lanes.iter().map(|lane| given::lane(&lane.0)).collect::<PyResult<Vec<Lane>>>()?;
        let known = Known {
            places,
            lanes: kinds,
            shapes: shapes.then(Default::default),
            stated: stated.into(),
            assumed: assumed.unwrap_or(NONE),
            ..Known::default()
        };
        let (mut results, mut checks) = (Vec::new(), Vec::new());
        for (_, result, check) in lanes {
            results.push(result);
            checks.push(check.map(|(source, target, result)| Check { source, target, result }));
        }
        Ok(Plan {
            data: Mutex::new(Arc::new(Data { known, functions: Vec::new() })),
            results,
            checks,
            decode,
            finish,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            rests: AtomicU32::new(0),
        })
    }

    /// What becomes of a value: the version's result where it stays, (result, bytes) where it changes or is looked at, and
    /// where its models surely take it, the result that is given for that; None where Python has to do it. `version` is that of a header, -1 for none.
    fn run<'py>(&self, py: Python<'py>, value: &Bound<'py, PyAny>, version: i64) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Ok(text) = value.cast::<PyBytes>() else { return Ok(None) };
        if version < -1 {
            return Ok(None);
        }
        if self.rests.load(Relaxed) > 0 {
            self.rests.fetch_sub(1, Relaxed);
            LEFT.fetch_add(1, Relaxed);
            return Ok(None);
        }
        let data = self.data();
        let mut scratch = SCRATCH.take().unwrap_or_default();
        let mut called = Called::new(py, &data.functions, &self.decode, &self.finish);
        let given = u32::try_from(version).unwrap_or(NONE);
        let ran = catch_unwind(AssertUnwindSafe(|| data.known.run(text.as_bytes(), given, &mut scratch, &mut called)));
        let outcome = ran.unwrap_or_else(|_| {
            self.drop_program(scratch.at);
            Outcome::Miss
        });
        let failed = called.failed.take();
        let result = match outcome {
            Outcome::Miss => None,
            Outcome::Pass(version) => Some(self.results[version as usize].bind(py).clone()),
            Outcome::Look(version) => Some(match self.checked(py, version, text.as_bytes(), false, &mut scratch)? {
                Some(result) => result.bind(py).clone(),
                None => (&self.results[version as usize], text).into_pyobject(py)?.into_any(),
            }),
            Outcome::Change(version) => {
                let checked = self.checked(py, version, text.as_bytes(), true, &mut scratch)?;
                let result = checked.unwrap_or(&self.results[version as usize]);
                Some((result, PyBytes::new(py, &scratch.made)).into_pyobject(py)?.into_any())
            }
        };
        SCRATCH.set(Some(scratch));
        if let Some(error) = failed {
            return Err(error);
        }
        let (own, all) = if result.is_some() { (&self.hits, &DONE) } else { (&self.misses, &LEFT) };
        own.fetch_add(1, Relaxed);
        all.fetch_add(1, Relaxed);
        Ok(result)
    }

    /// A name for a key of a place where every key counts; its token.
    fn name(&self, place: usize, key: &[u8]) -> PyResult<u32> {
        self.change(|data| Ok(data.known.places.get_mut(place).ok_or_else(none)?.name(key.into())))
    }

    /// A layout by its tokens, None for a run of other keys; its number.
    fn add_layout(&self, place: usize, tokens: Vec<Option<u32>>, mask: u64, asked: Vec<Option<u32>>) -> PyResult<u32> {
        self.change(|data| {
            let asked = asked.into_iter().map(|token| token.unwrap_or(NONE)).collect();
            let layout = Layout { mask, asked, programs: Default::default() };
            Ok(data.known.places.get_mut(place).ok_or_else(none)?.add(&tokens, layout))
        })
    }

    /// The program of a layout for one version.
    fn add_program(&self, place: usize, layout: usize, version: u32, program: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.change(|data| {
            let program = given::program(program, &mut data.functions)?;
            let place = data.known.places.get_mut(place).ok_or_else(none)?;
            let layout = place.layouts.get_mut(layout).ok_or_else(none)?;
            layout.programs.insert(version, program);
            Ok(())
        })
    }

    /// A value that the operations of a version depend on, by the way to it and the texts that are told apart.
    fn add_question(&self, version: u32, path: Vec<u32>, texts: Vec<Vec<u8>>) -> PyResult<()> {
        self.change(|data| {
            let texts = texts.into_iter().map(Vec::into_boxed_slice).collect();
            let question = Question { path: path.into(), texts };
            data.known.choices.entry(version).or_default().questions.push(question);
            Ok(())
        })
    }

    /// The version of a value, and what it answers to that version's questions; None where nobody can say.
    fn answers(&self, text: &[u8], version: i64) -> Option<(u32, Vec<u32>)> {
        let (data, mut scratch) = (self.data(), Scratch::default());
        let given = u32::try_from(version).unwrap_or(NONE);
        catch_unwind(AssertUnwindSafe(|| data.known.answers(text, given, &mut scratch))).unwrap_or_default()
    }

    /// The variant of a version for some answers, None for the reference; for each place whether an array may stand there.
    fn add_variant(&self, version: u32, answers: Vec<u32>, variant: Option<u32>, arrays: Vec<bool>) -> PyResult<()> {
        self.change(|data| {
            if variant.is_some() {
                for (place, takes) in data.known.places.iter_mut().zip(arrays) {
                    place.arrays.push(takes);
                }
            }
            let choice = data.known.choices.get_mut(&version).ok_or_else(none)?;
            choice.variants.insert(answers.into(), variant.unwrap_or(NONE));
            Ok(())
        })
    }

    /// The version of a shape, by which fields are there.
    fn add_shape(&self, mask: u64, version: Option<u32>) -> PyResult<()> {
        self.change(|data| {
            data.known.shapes.get_or_insert_default().insert(mask, version.unwrap_or(NONE));
            Ok(())
        })
    }

    /// The version that a value states.
    fn add_text(&self, text: &[u8], version: Option<u32>) -> PyResult<()> {
        self.change(|data| {
            data.known.texts.insert(text.into(), version.unwrap_or(NONE));
            Ok(())
        })
    }

    /// A version that may have the shape of another.
    fn add_alike(&self, version: u32, shape: u32) -> PyResult<()> {
        self.change(|data| {
            data.known.alike.insert((version, shape));
            Ok(())
        })
    }

    /// Leave so many events to Python unread.
    fn rest(&self, events: u32) {
        self.rests.store(events, Relaxed);
    }

    /// Events that it did, that it left to Python, and programs that were dropped for a panic.
    fn counts(&self) -> (u64, u64, u64) {
        (self.hits.load(Relaxed), self.misses.load(Relaxed), self.panics.load(Relaxed))
    }
}

impl Plan {
    fn data(&self) -> Arc<Data> {
        Arc::clone(&self.data.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is given for an event that its models surely take; None where somebody has to ask them.
    fn checked(
        &self,
        py: Python<'_>,
        version: u32,
        text: &[u8],
        changed: bool,
        scratch: &mut Scratch,
    ) -> PyResult<Option<&Py<PyAny>>> {
        let Some(check) = &self.checks[version as usize] else { return Ok(None) };
        let after = if changed { std::mem::take(&mut scratch.made) } else { Vec::new() };
        let target = if changed { &after[..] } else { text };
        let mut answer = Answer::Yes;
        if let Some(shape) = &check.target {
            answer = shape.get().answer(py, target, scratch.long_values(changed))?;
        }
        if let (Answer::Yes, Some(shape)) = (&answer, &check.source) {
            answer = shape.get().answer(py, text, scratch.long_values(false))?;
        }
        if changed {
            scratch.made = after;
        }
        if let Answer::Panic = answer {
            self.panics.fetch_add(1, Relaxed);
        }
        Ok(matches!(answer, Answer::Yes).then_some(&check.result))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Data) -> PyResult<T>) -> PyResult<T> {
        let mut data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut data))
    }

    /// After a panic: without the layout's programs, or, where none was at work, without anything.
    fn drop_program(&self, at: Option<(u32, u32)>) {
        self.panics.fetch_add(1, Relaxed);
        PANICS.fetch_add(1, Relaxed);
        let mut data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        let known = &mut Arc::make_mut(&mut data).known;
        let layout = at.and_then(|(place, layout)| known.places.get_mut(place as usize)?.layouts.get_mut(layout as usize));
        match layout {
            Some(layout) => layout.programs.clear(),
            None => known.off = true,
        }
    }
}

fn none() -> PyErr {
    PyValueError::new_err("there is no such place or layout")
}

/// Over all plans of the process: events that were done, those that were left to Python, and panics.
#[pyfunction]
fn counts() -> (u64, u64, u64) {
    (DONE.load(Relaxed), LEFT.load(Relaxed), PANICS.load(Relaxed))
}

#[pymodule]
fn upcast_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("INTERFACE", INTERFACE)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(counts, module)?)?;
    module.add_class::<Shape>()?;
    module.add_class::<Plan>()
}
