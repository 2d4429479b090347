//! Store: tests. Events in memory are what the log's reader reads, and are read in place as they were written.

use bellwether_model::{Event, Json, Properties, Seq};
use proptest::prelude::*;

use super::gen_events;
use crate::pack::{head, write};
use crate::packed::{Gathering, Object};

fn object(object: Object<'_>) -> Properties {
    object.iter().map(|(name, cell)| (name.to_owned(), cell.json())).collect()
}

/// Texts and lists of every length class, and numbers at the edges of theirs.
fn large() -> impl Strategy<Value = Json> {
    let length = prop_oneof![0_usize..40, 250_usize..260, 65_530_usize..65_540];
    let number = prop_oneof![
        any::<i64>(),
        -200_i64..300,
        (0_u32..63).prop_flat_map(|bits| (-2_i64..3).prop_map(move |by| (1_i64 << bits) + by)),
        (0_u32..63).prop_flat_map(|bits| (-2_i64..3).prop_map(move |by| by - (1_i64 << bits))),
    ];
    prop_oneof![
        length.clone().prop_map(|n| "x".repeat(n).into()),
        length.prop_map(|n| Json::from(vec![Json::Null; n])),
        number.prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
    ]
}

proptest! {
    #[test]
    fn an_event_is_packed_as_the_log_has_always_been(
        mut events in proptest::collection::vec(gen_events::event(), 0..20), value in large()
    ) {
        if let Some(event) = events.first_mut() {
            event.properties.insert("large".into(), value.clone());
            event.group_properties.insert("g".into(), serde_json::json!({"a": {"b": value}}));
        }
        let mut bytes = head(events.len());
        events.iter().for_each(|event| write(event, &mut bytes));
        prop_assert_eq!(&bytes, &rmp_serde::to_vec_named(&events).unwrap());
    }

    #[test]
    fn what_is_read_in_place_is_what_was_written(
        mut events in proptest::collection::vec(gen_events::event(), 1..20), value in large()
    ) {
        events[0].user_properties.insert("large".into(), value);
        let mut gathering = Gathering::default();
        let mut chunks = Vec::new();
        for (seq, event) in (7..).map(Seq).zip(&events) {
            chunks.extend(gathering.add(seq, event));
        }
        chunks.extend(gathering.take());
        let rows: Vec<_> = chunks.iter().flat_map(crate::packed::Chunk::rows).collect();
        prop_assert_eq!(rows.len(), events.len());
        for ((seq, event), row) in (7..).map(Seq).zip(&events).zip(rows) {
            prop_assert_eq!(row.seq, seq);
            prop_assert_eq!(&row.event().unwrap(), event);
            let brief = row.brief().unwrap();
            prop_assert_eq!((brief.environment, brief.event), (event.environment.as_str(), &*event.event));
            prop_assert_eq!((brief.time, brief.received), (event.time, event.received));
            let flat = row.flat().unwrap();
            let Event { properties, user_properties, groups, user_changes, group_changes, .. } = event;
            for (read, written) in [
                (flat.properties, properties), (flat.user_properties, user_properties), (flat.groups, groups),
                (flat.group_properties, &event.group_properties), (flat.user_changes, user_changes),
                (flat.group_changes, group_changes),
            ] {
                prop_assert_eq!(&object(read), written);
                prop_assert_eq!(read.json(), (!written.is_empty()).then(|| Json::from(written.clone()).to_string()));
                for (name, value) in written {
                    prop_assert_eq!(read.get(name).map(crate::packed::Cell::json), Some(value.clone()));
                }
            }
            prop_assert_eq!((flat.user, flat.device), (event.who.user(), event.who.device()));
            prop_assert_eq!((flat.time, flat.received), (event.time, event.received));
            prop_assert_eq!((flat.insert_id, flat.session), (event.insert_id.as_deref(), event.session));
            prop_assert_eq!(flat.revision, event.revision.map(|revision| revision.0));
        }
    }
}

#[test]
fn events_that_do_not_follow_each_other_lie_in_chunks_of_their_own() {
    let mut gathering = Gathering::default();
    assert!(gathering.add(Seq(3), &super::named("a", 1)).is_none());
    assert!(gathering.add(Seq(4), &super::named("b", 2)).is_none());
    let before = gathering.add(Seq(9), &super::named("c", 3)).unwrap();
    let seqs = |chunk: &crate::packed::Chunk| chunk.rows().map(|row| row.seq.0).collect::<Vec<_>>();
    assert_eq!((seqs(&before), seqs(&gathering.take().unwrap())), (vec![3, 4], vec![9]));
    assert!(gathering.take().is_none());
}
