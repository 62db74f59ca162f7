//! Places and programs as Python gives them: tuples whose first item says what they are.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use upcast_reading::shape::{Fields, Shape};
use upcast_reading::{Expression, Instruction, Lane, Place, Program, NONE};

type Functions = Vec<Arc<Py<PyAny>>>;

/// (names, children, each, whole, arrays)
pub fn place(given: &Bound<'_, PyAny>) -> PyResult<Place> {
    type Given = (Vec<Vec<u8>>, Vec<Option<u32>>, Option<u32>, bool, Vec<bool>);
    let (names, children, each, whole, arrays): Given = given.extract()?;
    let names = names.into_iter().map(Vec::into_boxed_slice).collect();
    let children = children.into_iter().map(|child| child.unwrap_or(NONE)).collect();
    Ok(Place::new(names, children, each.unwrap_or(NONE), whole, arrays))
}

pub fn lane(kind: &str) -> PyResult<Lane> {
    match kind {
        "leave" => Ok(Lane::Leave),
        "pass" => Ok(Lane::Pass),
        "look" => Ok(Lane::Look),
        "change" => Ok(Lane::Change),
        _ => Err(unknown(kind)),
    }
}

/// (opened, same, instructions, exports)
pub fn program(given: &Bound<'_, PyTuple>, functions: &mut Functions) -> PyResult<Program> {
    type Given<'py> = (bool, bool, Vec<Bound<'py, PyTuple>>, Vec<Option<Bound<'py, PyTuple>>>);
    let (opened, same, instructions, exports): Given<'_> = given.extract()?;
    let instructions = instructions.iter().map(|one| instruction(one, functions)).collect::<PyResult<_>>()?;
    let exports = exports
        .iter()
        .map(|one| one.as_ref().map(|one| expression(one, functions)).transpose())
        .collect::<PyResult<_>>()?;
    Ok(Program { opened, same, instructions, exports })
}

/// A shape: ("text", least, most) and the like.
pub fn shape(given: &Bound<'_, PyTuple>, functions: &mut Functions) -> PyResult<Shape> {
    let kind: String = given.get_item(0)?.extract()?;
    let limit = |at: usize| -> PyResult<Option<usize>> { given.get_item(at)?.extract() };
    Ok(match kind.as_str() {
        "any" => Shape::Any,
        "null" => Shape::Null,
        "bool" => Shape::Bool,
        "text" => Shape::Text(limit(1)?.unwrap_or(0), limit(2)?.unwrap_or(usize::MAX)),
        "whole" => Shape::Whole(given.get_item(1)?.extract()?, given.get_item(2)?.extract()?),
        "number" => Shape::Number,
        "words" => {
            let words: Vec<Vec<u8>> = given.get_item(1)?.extract()?;
            Shape::Words(words.into_iter().map(Vec::into_boxed_slice).collect())
        }
        "list" => Shape::List(number(given, 1)?, limit(2)?.unwrap_or(0), limit(3)?.unwrap_or(usize::MAX)),
        "map" => Shape::Map(number(given, 1)?),
        "object" => {
            let others: Option<u32> = given.get_item(2)?.extract()?;
            let fields = Fields::new(given.get_item(1)?.extract()?, others, given.get_item(3)?.extract()?);
            Shape::Object(fields.ok_or_else(|| PyValueError::new_err("the model has too many fields"))?)
        }
        "either" => Shape::Either(given.get_item(1)?.extract()?),
        "ask" => Shape::Ask(function(given, functions)?),
        _ => return Err(unknown(&kind)),
    })
}

fn instruction(given: &Bound<'_, PyTuple>, functions: &mut Functions) -> PyResult<Instruction> {
    let kind: String = given.get_item(0)?.extract()?;
    match kind.as_str() {
        "text" => Ok(Instruction::Text(bytes(given, 1)?)),
        "run" => Ok(Instruction::Run(number(given, 1)?)),
        _ => Ok(Instruction::Value(expression(given, functions)?)),
    }
}

fn expression(given: &Bound<'_, PyTuple>, functions: &mut Functions) -> PyResult<Expression> {
    let kind: String = given.get_item(0)?.extract()?;
    Ok(match kind.as_str() {
        "constant" => Expression::Constant(bytes(given, 1)?),
        "span" => Expression::Span(number(given, 1)?),
        "child" => Expression::Child(number(given, 1)?),
        "if null" => Expression::IfNull(number(given, 1)?, boxed(given, 2, functions)?, boxed(given, 3, functions)?),
        "if number" => Expression::IfNumber(number(given, 1)?, boxed(given, 2, functions)?, boxed(given, 3, functions)?),
        "call" => {
            let parts: Vec<Bound<'_, PyTuple>> = given.get_item(2)?.extract()?;
            let parts = parts.iter().map(|one| expression(one, functions)).collect::<PyResult<_>>()?;
            Expression::Call(function(given, functions)?, parts)
        }
        "bytes" => Expression::Bytes(function(given, functions)?, number(given, 2)?),
        "deep" => {
            let keys: Vec<u32> = given.get_item(2)?.extract()?;
            Expression::Deep(number(given, 1)?, keys.into(), given.get_item(3)?.extract()?)
        }
        "nothing" => Expression::Nothing,
        "refuse" => Expression::Refuse,
        _ => return Err(unknown(&kind)),
    })
}

fn function(given: &Bound<'_, PyTuple>, functions: &mut Functions) -> PyResult<u32> {
    let function = given.get_item(1)?;
    let known = functions.iter().position(|one| one.is(&function));
    let number = known.unwrap_or(functions.len());
    if known.is_none() {
        functions.push(Arc::new(function.unbind()));
    }
    Ok(number as u32)
}

fn boxed(given: &Bound<'_, PyTuple>, at: usize, functions: &mut Functions) -> PyResult<Box<Expression>> {
    let inner = given.get_item(at)?;
    Ok(Box::new(expression(inner.cast::<PyTuple>()?, functions)?))
}

fn number(given: &Bound<'_, PyTuple>, at: usize) -> PyResult<u32> {
    given.get_item(at)?.extract()
}

fn bytes(given: &Bound<'_, PyTuple>, at: usize) -> PyResult<Box<[u8]>> {
    Ok(given.get_item(at)?.extract::<Vec<u8>>()?.into())
}

fn unknown(kind: &str) -> PyErr {
    PyValueError::new_err(format!("nothing is called {kind}"))
}
