//! Store: which type the column of a property gets, and values into such a column and out again.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, StringDictionaryBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field};
use bellwether_model::Json;
use serde_json::Number;

use super::{TYPE, WHOLE};
use crate::packed::Cell;

/// The type of a property's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Boolean,
    Integer,
    /// Floats; `whole_is_integer` where some values were written without a fraction.
    Float {
        whole_is_integer: bool,
    },
    Json,
}

/// What `bellwether.whole` says where no number is whole.
const NO_WHOLE: &str = "none";

/// Integers up to here are exact as floats.
const EXACT: u64 = 1 << 53;

/// What the values of one property have been so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) rows: u64,
    text: bool,
    boolean: bool,
    integer: bool,
    /// An integer that no float holds exactly.
    long: bool,
    fraction: bool,
    /// A float without a fraction, such as `5.0`.
    whole: bool,
    other: bool,
}

impl Observed {
    pub(super) fn see(&mut self, value: &Cell<'_>) {
        self.rows += 1;
        match value {
            Cell::Text(_) => self.text = true,
            Cell::Boolean(_) => self.boolean = true,
            Cell::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(i), _) => {
                    self.integer = true;
                    self.long |= i.unsigned_abs() > EXACT;
                }
                (None, Some(x)) if n.is_f64() => {
                    if x.fract() == 0.0 {
                        self.whole = true;
                    } else {
                        self.fraction = true;
                    }
                }
                _ => self.other = true,
            },
            Cell::Null | Cell::Other(_) => self.other = true,
        }
    }

    /// What two parts hold of a property, together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            text: self.text | other.text,
            boolean: self.boolean | other.boolean,
            integer: self.integer | other.integer,
            long: self.long | other.long,
            fraction: self.fraction | other.fraction,
            whole: self.whole | other.whole,
            other: self.other | other.other,
        }
    }

    /// What a column may hold, by its field; `within` are the least and the greatest of its integers, if known.
    /// Where the part does not say, the answer is the one that loses nothing.
    pub(super) fn of(field: &Field, rows: u64, within: Option<(i64, i64)>) -> Option<Self> {
        let whole = field.metadata().get(WHOLE).map(String::as_str);
        let none = Self { rows, ..Self::default() };
        Some(match Shape::of(field)? {
            Shape::Text => Self { text: true, ..none },
            Shape::Boolean => Self { boolean: true, ..none },
            Shape::Integer => {
                let exact =
                    within.is_some_and(|(min, max)| min.unsigned_abs().max(max.unsigned_abs()) <= EXACT);
                Self { integer: true, long: !exact, ..none }
            }
            Shape::Float { whole_is_integer: true } => Self { integer: true, fraction: true, ..none },
            Shape::Float { .. } => Self { fraction: true, whole: whole != Some(NO_WHOLE), ..none },
            Shape::Json => Self { other: true, ..none },
        })
    }

    /// The field of its column.
    pub(super) fn field(self, name: &str) -> Field {
        let field = self.shape().field(name);
        match self.shape() {
            Shape::Float { whole_is_integer: false } if !self.whole => {
                field.with_metadata(HashMap::from([(WHOLE.to_owned(), NO_WHOLE.to_owned())]))
            }
            _ => field,
        }
    }

    /// The narrowest column that gives back every value as it was.
    pub(super) fn shape(self) -> Shape {
        let number = self.integer || self.fraction || self.whole;
        let exact = !(self.integer && (self.whole || self.long));
        match (self.text, self.boolean, number, self.other) {
            (true, false, false, false) => Shape::Text,
            (false, true, false, false) => Shape::Boolean,
            (false, false, true, false) if !self.fraction && !self.whole => Shape::Integer,
            (false, false, true, false) if exact => Shape::Float { whole_is_integer: self.integer },
            _ => Shape::Json,
        }
    }
}

/// Text that repeats: read back as codes into a dictionary.
pub(super) fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

impl Shape {
    /// The field of a column of this shape.
    fn field(self, name: &str) -> Field {
        let said = |key: &str, value: &str| HashMap::from([(key.to_owned(), value.to_owned())]);
        match self {
            Self::Text => Field::new(name, dictionary(), true),
            Self::Boolean => Field::new(name, DataType::Boolean, true),
            Self::Integer => Field::new(name, DataType::Int64, true),
            Self::Float { whole_is_integer } => {
                let field = Field::new(name, DataType::Float64, true);
                if whole_is_integer { field.with_metadata(said(WHOLE, "integer")) } else { field }
            }
            Self::Json => Field::new(name, DataType::Utf8, true).with_metadata(said(TYPE, "json")),
        }
    }

    /// The field of the properties that have no column of their own.
    pub(super) fn rest(name: &str) -> Field {
        Self::Json.field(name)
    }

    /// The shape of a field; `None` if no property has such a column.
    pub(super) fn of(field: &Field) -> Option<Self> {
        let says = |key: &str, value: &str| field.metadata().get(key).is_some_and(|v| v == value);
        match field.data_type() {
            DataType::Utf8 if says(TYPE, "json") => Some(Self::Json),
            DataType::Dictionary(..) => Some(Self::Text),
            DataType::Boolean => Some(Self::Boolean),
            DataType::Int64 => Some(Self::Integer),
            DataType::Float64 => Some(Self::Float { whole_is_integer: says(WHOLE, "integer") }),
            _ => None,
        }
    }

    /// The column of these values, all of which fit, in these of so many rows.
    pub(super) fn array(self, rows: usize, values: &[(usize, Cell<'_>)]) -> ArrayRef {
        let mut left = values.iter().peekable();
        let values = (0..rows).map(|row| left.next_if(|(at, _)| *at == row).map(|(_, value)| value));
        match self {
            Self::Text => texts(values.map(|v| v.and_then(Cell::text))),
            Self::Boolean => {
                let mut column = BooleanBuilder::new();
                values.for_each(|v| column.append_option(v.and_then(Cell::boolean)));
                Arc::new(column.finish())
            }
            Self::Integer => {
                let mut column = Int64Builder::new();
                let of = |v: Option<&Cell<'_>>| v.and_then(Cell::number).and_then(Number::as_i64);
                values.for_each(|v| column.append_option(of(v)));
                Arc::new(column.finish())
            }
            Self::Float { .. } => {
                let mut column = Float64Builder::new();
                let of = |v: Option<&Cell<'_>>| v.and_then(Cell::number).and_then(Number::as_f64);
                values.for_each(|v| column.append_option(of(v)));
                Arc::new(column.finish())
            }
            Self::Json => {
                let mut column = StringBuilder::new();
                values.for_each(|v| column.append_option(v.map(|v| v.clone().json().to_string())));
                Arc::new(column.finish())
            }
        }
    }

    /// The value in a row. The array has this shape, or the answer is an error.
    pub(super) fn value(self, array: &dyn Array, row: usize) -> Result<Option<Json>, String> {
        if row >= array.len() || array.is_null(row) {
            return Ok(None);
        }
        let wrong = || format!("a column is no longer {self:?}");
        Ok(Some(match self {
            Self::Text => Json::from(Texts::of(array)?.get(row).ok_or_else(wrong)?),
            Self::Boolean => Json::from(array.as_boolean_opt().ok_or_else(wrong)?.value(row)),
            Self::Integer => Json::from(array.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.value(row)),
            Self::Float { whole_is_integer } => {
                let x = array.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?.value(row);
                // Exact, because the column would not have this shape otherwise.
                #[allow(clippy::cast_possible_truncation)]
                if whole_is_integer && x.fract() == 0.0 { Json::from(x as i64) } else { Json::from(x) }
            }
            Self::Json => {
                let text = array.as_string_opt::<i32>().ok_or_else(wrong)?.value(row);
                serde_json::from_str(text).map_err(|e| e.to_string())?
            }
        }))
    }
}

/// A column of text that repeats.
pub(super) fn texts<'t>(values: impl Iterator<Item = Option<&'t str>>) -> ArrayRef {
    let mut column = StringDictionaryBuilder::<Int32Type>::new();
    values.for_each(|v| column.append_option(v));
    Arc::new(column.finish())
}

/// A column of text as it is read: codes and their values. Values may repeat and may be unused, and
/// another batch has other codes.
#[derive(Clone, Copy)]
pub(crate) struct Texts<'a> {
    codes: &'a arrow_array::PrimitiveArray<Int32Type>,
    values: &'a arrow_array::StringArray,
}

impl<'a> Texts<'a> {
    pub(crate) fn of(array: &'a dyn Array) -> Result<Self, String> {
        let wrong = || "a column of text has another type".to_owned();
        let dictionary = array.as_dictionary_opt::<Int32Type>().ok_or_else(wrong)?;
        let values = dictionary.values().as_string_opt::<i32>().ok_or_else(wrong)?;
        Ok(Self { codes: dictionary.keys(), values })
    }

    pub(crate) fn values(self) -> &'a arrow_array::StringArray {
        self.values
    }

    /// The code in each row.
    pub(super) fn codes(self) -> impl Iterator<Item = Option<usize>> {
        self.codes.iter().map(|code| code.and_then(|code| usize::try_from(code).ok()))
    }

    pub(crate) fn code(self, row: usize) -> Option<usize> {
        if row >= self.codes.len() || self.codes.is_null(row) {
            return None;
        }
        usize::try_from(self.codes.value(row)).ok().filter(|&code| code < self.values.len())
    }

    pub(crate) fn get(self, row: usize) -> Option<&'a str> {
        self.code(row).map(|code| self.values.value(code))
    }
}
