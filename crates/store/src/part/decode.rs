//! Store: the columns of a part as they are read, and rows out of them.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMillisecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use bellwether_model::event::Who;
use bellwether_model::{EnvironmentKey, Event, Json, Millis, Properties, Revision, Seq};

use super::shape::{Shape, Texts};
use super::tell::told;
use super::{Kind, uuid};
use crate::memory::Row;

pub(crate) type Why = Box<dyn std::error::Error + Send + Sync>;

/// What the senders called the events of a batch.
pub(super) struct Names<'b> {
    texts: &'b arrow_array::StringArray,
    uuids: Option<&'b arrow_array::FixedSizeBinaryArray>,
}

impl<'b> Names<'b> {
    pub(super) fn of(batch: &'b RecordBatch) -> Result<Self, Why> {
        let texts = column(batch, "insert_id")?.as_string_opt::<i32>();
        let uuids = batch.column_by_name("insert_uuid").map(|c| {
            c.as_fixed_size_binary_opt()
                .filter(|c| c.value_length() == 16)
                .ok_or("`insert_uuid` has another type")
        });
        Ok(Self { texts: texts.ok_or("`insert_id` is no column of text")?, uuids: uuids.transpose()? })
    }

    pub(super) fn get(&self, row: usize) -> Result<Option<String>, Why> {
        let uuid = self.uuids.filter(|uuids| uuids.is_valid(row)).map(|uuids| uuid::text(uuids.value(row)));
        let name = self.texts.is_valid(row).then(|| self.texts.value(row).to_owned());
        if uuid.is_some() && name.is_some() {
            return Err("an event has two names".into());
        }
        Ok(uuid.or(name))
    }
}

pub(crate) fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef, Why> {
    batch.column_by_name(name).ok_or_else(|| format!("the column `{name}` is missing").into())
}

pub(super) fn instants<'b>(
    batch: &'b RecordBatch,
    name: &str,
) -> Result<&'b arrow_array::TimestampMillisecondArray, Why> {
    let typed = column(batch, name)?.as_primitive_opt::<TimestampMillisecondType>();
    typed.ok_or_else(|| format!("`{name}` is no column of times").into())
}

pub(crate) fn numbers<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b arrow_array::UInt64Array, Why> {
    let typed = column(batch, name)?.as_primitive_opt::<UInt64Type>();
    typed.ok_or_else(|| format!("`{name}` is no column of unsigned integers").into())
}

/// The JSON object in a row; a missing one is empty.
pub(super) fn object(array: &ArrayRef, row: usize) -> Result<Properties, Why> {
    match Shape::Json.value(array, row)? {
        None => Ok(Properties::new()),
        Some(Json::Object(object)) => Ok(object),
        Some(other) => Err(format!("`{other}` is no object").into()),
    }
}

/// The rows of a batch as events.
pub(super) fn decode(batch: &RecordBatch, rows: &mut Vec<Row>) -> Result<(), Why> {
    let text = |name| Texts::of(column(batch, name)?).map_err(Why::from);
    let (environment, event, user, device) =
        (text("environment")?, text("event")?, text("user")?, text("device")?);
    let (time, received) = (instants(batch, "time")?, instants(batch, "received")?);
    let (seq, revision) = (numbers(batch, "seq")?, numbers(batch, "revision")?);
    let session = column(batch, "session")?
        .as_primitive_opt::<Int64Type>()
        .ok_or("`session` is no column of integers")?;
    let names = Names::of(batch)?;
    let groups = column(batch, "groups")?;

    let mut columns: Vec<(Kind, Option<&str>, Shape, &ArrayRef)> = Vec::new();
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        for kind in Kind::ALL {
            let rest = field.name().strip_prefix(kind.prefix());
            let name = match rest {
                Some("") => None,
                Some(name) if name.starts_with('.') => name.get(1..),
                _ => continue,
            };
            let shape = Shape::of(field).ok_or_else(|| format!("`{}` has an unknown type", field.name()))?;
            columns.push((kind, name, shape, array));
        }
    }

    for row in 0..batch.num_rows() {
        let known: EnvironmentKey = environment
            .get(row)
            .ok_or("an event has no environment")?
            .parse()
            .map_err(|_| "an environment is no key")?;
        let (mut properties, mut user_properties) = (Properties::new(), Properties::new());
        for &(kind, name, shape, array) in &columns {
            let into = match kind {
                Kind::Event => &mut properties,
                Kind::User => &mut user_properties,
            };
            match name {
                None => into.extend(object(array, row)?),
                Some(name) => {
                    if let Some(value) = shape.value(array, row)? {
                        into.insert(name.to_owned(), value);
                    }
                }
            }
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let who = match (owned(user.get(row)), owned(device.get(row))) {
            (Some(user), Some(device)) => Who::Both { user, device },
            (Some(user), None) => Who::User(user),
            (None, Some(device)) => Who::Device(device),
            (None, None) => return Err("an event has neither user nor device".into()),
        };
        rows.push(Row {
            seq: Seq(seq.value(row)),
            event: Event {
                environment: known,
                event: event.get(row).ok_or("an event has no type")?.to_owned(),
                who,
                time: Millis(time.value(row)),
                received: Millis(received.value(row)),
                insert_id: names.get(row)?,
                session: session.is_valid(row).then(|| session.value(row)),
                properties,
                user_properties,
                groups: object(groups, row)?,
                group_properties: told(batch, "group_properties", row)?,
                user_changes: told(batch, "user_changes", row)?,
                group_changes: told(batch, "group_changes", row)?,
                revision: revision.is_valid(row).then(|| Revision(revision.value(row))),
            },
        });
    }
    Ok(())
}
