//! Layout programs: what becomes of an object whose keys are known, in their order. Reads hostile bytes, so nothing here
//! is unsafe; knows nothing of Python, which gives the programs and the functions that they call.
#![forbid(unsafe_code)]

mod plan;
mod run;
pub mod scan;
pub mod shape;

pub use plan::{Choice, Expression, Instruction, Lane, Layout, Place, Plan, Program, Question, NONE};
pub use run::{Argument, Functions, Outcome, Scratch};
