//! Store: an event into the MessagePack of the log. It cannot fail, so that what was taken of one call is never taken
//! by half.

use bellwether_model::event::Who;
use bellwether_model::{Event, Json, Properties};

/// Appends an event, byte for byte as `rmp_serde` writes it by name, so that it reads that list of such after the head
/// of a list.
pub(crate) fn write(event: &Event, into: &mut Vec<u8>) {
    let Event { who, time, received, insert_id, session, revision, .. } = event;
    let objects = [
        ("properties", &event.properties),
        ("user_properties", &event.user_properties),
        ("groups", &event.groups),
        ("group_properties", &event.group_properties),
        ("user_changes", &event.user_changes),
        ("group_changes", &event.group_changes),
    ];
    let full = objects.iter().filter(|(_, object)| !object.is_empty());
    let few = [insert_id.is_some(), session.is_some(), revision.is_some()];
    put_length(into, 5 + full.clone().count() + few.iter().filter(|there| **there).count(), MAP);
    put_text(into, "environment");
    put_text(into, event.environment.as_str());
    put_text(into, "event");
    put_text(into, &event.event);
    put_text(into, "who");
    put_length(into, 1, MAP);
    match who {
        Who::User(user) => {
            put_text(into, "user");
            put_text(into, user);
        }
        Who::Device(device) => {
            put_text(into, "device");
            put_text(into, device);
        }
        Who::Both { user, device } => {
            put_text(into, "both");
            put_length(into, 2, MAP);
            put_text(into, "user");
            put_text(into, user);
            put_text(into, "device");
            put_text(into, device);
        }
    }
    put_text(into, "time");
    put_integer(into, time.0);
    put_text(into, "received");
    put_integer(into, received.0);
    if let Some(id) = insert_id {
        put_text(into, "insert_id");
        put_text(into, id);
    }
    if let Some(session) = session {
        put_text(into, "session");
        put_integer(into, *session);
    }
    for (name, object) in full {
        put_text(into, name);
        put_object(into, object);
    }
    if let Some(revision) = revision {
        put_text(into, "revision");
        put_natural(into, revision.0);
    }
}

/// The head of a list of so many.
pub(crate) fn head(count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_length(&mut bytes, count, LIST);
    bytes
}

/// The markers of a type for a short length, and for one of two bytes; that of four bytes follows it.
const MAP: (u8, u8) = (0x80, 0xde);
const LIST: (u8, u8) = (0x90, 0xdc);

// Lengths are of what came in one body, which is far from 4 GiB; the casts below keep what was looked at before them.
#[allow(clippy::cast_possible_truncation)]
fn put_length(into: &mut Vec<u8>, length: usize, (short, long): (u8, u8)) {
    match length {
        0..=15 => into.push(short | length as u8),
        16..=0xffff => {
            into.push(long);
            into.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            into.push(long + 1);
            into.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }
}

#[allow(clippy::cast_possible_truncation)]
fn put_text(into: &mut Vec<u8>, text: &str) {
    match text.len() {
        length @ 0..=31 => into.push(0xa0 | length as u8),
        length @ 32..=0xff => into.extend_from_slice(&[0xd9, length as u8]),
        length @ 0x100..=0xffff => {
            into.push(0xda);
            into.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            into.push(0xdb);
            into.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }
    into.extend_from_slice(text.as_bytes());
}

#[allow(clippy::cast_possible_truncation)]
fn put_natural(into: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x7f => into.push(value as u8),
        0x80..=0xff => into.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => {
            into.push(0xcd);
            into.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            into.push(0xce);
            into.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            into.push(0xcf);
            into.extend_from_slice(&value.to_be_bytes());
        }
    }
}

#[allow(clippy::cast_possible_truncation)]
fn put_integer(into: &mut Vec<u8>, value: i64) {
    match value {
        0.. => put_natural(into, value.cast_unsigned()),
        -32..=-1 => into.push((value as i8).cast_unsigned()),
        -0x80..=-33 => into.extend_from_slice(&[0xd0, (value as i8).cast_unsigned()]),
        -0x8000..=-0x81 => {
            into.push(0xd1);
            into.extend_from_slice(&(value as i16).to_be_bytes());
        }
        -0x8000_0000..=-0x8001 => {
            into.push(0xd2);
            into.extend_from_slice(&(value as i32).to_be_bytes());
        }
        _ => {
            into.push(0xd3);
            into.extend_from_slice(&value.to_be_bytes());
        }
    }
}

fn put_object(into: &mut Vec<u8>, object: &Properties) {
    put_length(into, object.len(), MAP);
    for (name, value) in object {
        put_text(into, name);
        put_value(into, value);
    }
}

fn put_value(into: &mut Vec<u8>, value: &Json) {
    match value {
        Json::Null => into.push(0xc0),
        Json::Bool(value) => into.push(0xc2 | u8::from(*value)),
        Json::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(natural), ..) => put_natural(into, natural),
            (_, Some(integer), _) => put_integer(into, integer),
            (.., float) => {
                into.push(0xcb);
                into.extend_from_slice(&float.unwrap_or_default().to_be_bytes());
            }
        },
        Json::String(text) => put_text(into, text),
        Json::Array(items) => {
            put_length(into, items.len(), LIST);
            items.iter().for_each(|item| put_value(into, item));
        }
        Json::Object(object) => put_object(into, object),
    }
}
