//! Store: rows of an old part in the columns of a new one.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use bellwether_model::{Json, Properties};

use super::COLUMNS;
use super::decode::{Why, column, object as parse};
use super::join::Plan;
use super::shape::Shape;
use super::write::{Layout, fixed_fields, insert_ids, object};
use crate::packed::Cell;

/// A batch of an old part in the columns of the new one.
pub(super) fn convert(batch: &RecordBatch, plan: &Plan, moves: [bool; 2]) -> Result<RecordBatch, Why> {
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(plan.schema.fields().len());
    let old = batch.column_by_name("insert_uuid").is_none();
    let names = old.then(|| -> Result<_, Why> {
        let texts =
            column(batch, "insert_id")?.as_string_opt::<i32>().ok_or("`insert_id` is no column of text")?;
        Ok(insert_ids(texts.iter())?)
    });
    let names = names.transpose()?;
    for field in fixed_fields() {
        arrays.push(match (field.name().as_str(), &names) {
            ("insert_id", Some([texts, _])) => Arc::clone(texts),
            ("insert_uuid", Some([_, uuids])) => Arc::clone(uuids),
            (name, _) => Arc::clone(column(batch, name)?),
        });
    }
    for (layout, moved) in plan.layouts.iter().zip(moves) {
        properties(batch, layout, moved, &mut arrays)?;
    }
    arrays.extend(plan.told.iter().map(|told| told.taken(batch)));
    Ok(RecordBatch::try_new(Arc::clone(&plan.schema), arrays)?)
}

/// The columns of the properties of one kind.
fn properties(
    batch: &RecordBatch,
    layout: &Layout,
    moved: bool,
    into: &mut Vec<ArrayRef>,
) -> Result<(), Why> {
    let rows = batch.num_rows();
    let prefix = layout.kind.prefix();
    // What has no column of its own now, or had none.
    let mut loose: Vec<Properties> = vec![Properties::new(); if moved { rows } else { 0 }];
    if moved {
        if let Some(rest) = batch.column_by_name(prefix) {
            for (row, loose) in loose.iter_mut().enumerate() {
                *loose = parse(rest, row)?;
            }
        }
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let Some(name) = layout.kind.property(field.name()).filter(|name| layout.shape(name).is_none())
            else {
                continue;
            };
            let shape = Shape::of(field).ok_or("a property has a column of an unknown type")?;
            for (row, loose) in loose.iter_mut().enumerate() {
                if let Some(value) = shape.value(array, row)? {
                    loose.insert(name.to_owned(), value);
                }
            }
        }
    }
    for (name, seen) in &layout.columns {
        let shape = seen.shape();
        let source = batch.schema_ref().column_with_name(&layout.kind.column(name));
        into.push(match source {
            Some((index, field)) => {
                let own = Shape::of(field).ok_or("a property has a column of an unknown type")?;
                let array = batch.column(index);
                if own == shape {
                    Arc::clone(array)
                } else {
                    let values: Vec<Option<Json>> =
                        (0..rows).map(|row| own.value(array, row)).collect::<Result<_, _>>()?;
                    shape.array(rows, &cells(&values))
                }
            }
            None if moved => {
                let values: Vec<Option<Json>> = loose.iter_mut().map(|loose| loose.remove(name)).collect();
                shape.array(rows, &cells(&values))
            }
            None => new_null_array(seen.field(name).data_type(), rows),
        });
    }
    if layout.has_rest() {
        let mut column = StringBuilder::new();
        for row in 0..rows {
            column.append_option(loose.get(row).and_then(object));
        }
        into.push(Arc::new(column.finish()));
    } else if loose.iter().any(|loose| !loose.is_empty()) {
        return Err(format!("more than `{COLUMNS}` properties, and no column for the rest").into());
    }
    Ok(())
}

/// The values that are there, and in which rows.
fn cells(values: &[Option<Json>]) -> Vec<(usize, Cell<'_>)> {
    let there = values.iter().enumerate();
    there.filter_map(|(row, value)| Some((row, Cell::from(value.as_ref()?)))).collect()
}
