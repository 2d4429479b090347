//! Query: the executable semantics of segmentation. Runs every scenario of `scenarios-dev.json` that
//! asks for what is offered, and prints which ones ask for more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use bellwether_columns::{Ids, Known, Rows};
use bellwether_model::event::{Properties, Who};
use bellwether_model::metric::{Filter, FilterOp};
use bellwether_model::{Event, Json, Millis, Seq};
use bellwether_query::segmentation::{Answer, Measure, Segmentation, Unit, run};

fn event(of: &Json) -> Event {
    let text = |name: &str| of[name].as_str().map(str::to_owned);
    let object = |name: &str| of[name].as_object().cloned().unwrap_or_else(Properties::new);
    let time: jiff::Timestamp = of["time"].as_str().unwrap().parse().unwrap();
    Event {
        environment: "production".parse().unwrap(),
        event: text("event").unwrap(),
        who: Who::new(text("user"), text("device")).unwrap(),
        time: Millis(time.as_millisecond()),
        received: Millis(time.as_millisecond()),
        insert_id: None,
        session: of["session_id"].as_i64(),
        properties: object("props"),
        user_properties: object("user_props"),
        groups: object("groups"),
        group_properties: Default::default(),
        user_changes: Default::default(),
        group_changes: Default::default(),
        revision: None,
    }
}

fn filters(of: &Json, prefix: &str) -> Option<Vec<Filter>> {
    let filter = |f: &Json| {
        let op = match f[1].as_str()? {
            "is" => FilterOp::Is,
            "is not" => FilterOp::IsNot,
            "contains" => FilterOp::Contains,
            "does not contain" => FilterOp::DoesNotContain,
            "less" | "<" => FilterOp::Less,
            "less or equal" | "<=" => FilterOp::LessOrEqual,
            "greater" | ">" => FilterOp::Greater,
            "greater or equal" | ">=" => FilterOp::GreaterOrEqual,
            _ => return None,
        };
        let text = |v: &Json| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        let values = f[2].as_array()?.iter().map(text).collect();
        Some(Filter { property: format!("{prefix}{}", f[0].as_str()?), op, values })
    };
    of.as_array().map_or(Some(vec![]), |list| list.iter().map(filter).collect())
}

/// The question, if it is one that segmentation offers: the reason if it is not.
fn question(query: &Json) -> Result<Segmentation, String> {
    let offered = ["type", "event", "metric", "interval", "tz", "range", "group_by"];
    if let Some(more) = query.as_object().unwrap().keys().find(|k| !offered.contains(&k.as_str())) {
        return Err(format!("`{more}`"));
    }
    let measure = match query["metric"].as_str().unwrap() {
        "uniques" => Measure::Uniques,
        "totals" => Measure::Totals,
        other => return Err(format!("metric `{other}`")),
    };
    let of = &query["event"];
    let mut all = filters(&of["where"], "").ok_or("an operator")?;
    all.extend(filters(&of["where_user"], "user.").ok_or("an operator")?);
    let event = of["event"].as_str().ok_or("an event that is not one type")?;
    Ok(Segmentation {
        environment: "production".parse().unwrap(),
        event: if event == "_active" { "_any" } else { event }.to_owned(),
        measure,
        unit: query["unit"].as_str().map_or(Ok(Unit::People), str::parse).map_err(|_| "a unit")?,
        from: query["range"]["from"].as_str().unwrap().parse().unwrap(),
        to: query["range"]["to"].as_str().unwrap().parse().unwrap(),
        zone: query["tz"].as_str().unwrap_or("UTC").to_owned(),
        filters: all,
        by: query["group_by"].as_str().map(str::to_owned),
        bots: false,
        limit: 10,
    })
}

/// The answer in the form of the scenario's `expect`.
fn shape(answer: &Answer, interval: &str) -> Json {
    let values = |s: &bellwether_query::segmentation::Series| match interval {
        "period" => serde_json::json!([s.total]),
        _ => serde_json::json!(s.values),
    };
    match answer.asked.by {
        None => serde_json::json!({"series": values(&answer.series[0])}),
        Some(_) => {
            let group = |s: &bellwether_query::segmentation::Series| {
                let value = if interval == "period" { s.total.into() } else { values(s) };
                (s.group.clone().unwrap(), value)
            };
            serde_json::json!({"groups": answer.series.iter().map(group).collect::<serde_json::Map<_, _>>()})
        }
    }
}

/// The scenarios: ours, or those of the file that `SCENARIOS` names.
fn scenarios() -> Json {
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios-dev.json").to_owned();
    let file = std::env::var("SCENARIOS").unwrap_or(ours);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{file}: {e}"));
    serde_json::from_str(&text).unwrap()
}

/// Who did each event, as questions see it: those of one person have one number, in the order of their first.
fn people(events: &[Event]) -> Vec<usize> {
    let mut known: Vec<String> = Vec::new();
    let mut people = Vec::new();
    let want = bellwether_columns::Want {
        environment: "production".parse().unwrap(),
        events: None,
        from: Millis(0),
        to: Millis(i64::MAX),
        properties: vec![],
        ids: Ids::People(Known::Now),
    };
    let rows = Rows::new(events.to_vec(), Seq(events.len() as u64));
    bellwether_columns::Scan::scan(&rows, &want, &mut |batch| {
        for row in 0..batch.rows {
            let person = match batch.person.get(row) {
                Some(user) => format!("user {user}"),
                None => format!("device {}", batch.device.get(row).unwrap()),
            };
            let at = known.iter().position(|k| *k == person).unwrap_or_else(|| {
                known.push(person);
                known.len() - 1
            });
            people.push(at);
        }
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    people
}

#[test]
fn people_are_who_the_scenarios_say() {
    let file = scenarios();
    let mut ran = vec![];
    for scenario in file["scenarios"].as_array().unwrap().iter().filter(|s| s["kind"] == "identity") {
        let id = scenario["id"].as_str().unwrap();
        let events: Vec<Event> = scenario["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|of| {
                let mut of = of.clone();
                let user = of["user_id"].take();
                if !user.is_null() {
                    of["user"] = user;
                }
                event(&of)
            })
            .collect();
        let expect = &scenario["expect"];
        let number = |value: &Json| value.as_u64().unwrap();
        // What an event was when it came, and then whatever was merged with that.
        let mut labels: Vec<u64> = expect["labels"].as_array().unwrap().iter().map(number).collect();
        for merged in expect["merged"].as_array().into_iter().flatten() {
            labels.iter_mut().filter(|l| **l == number(&merged[0])).for_each(|l| *l = number(&merged[1]));
        }
        let people = people(&events);
        for (a, b) in (0..events.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
            assert_eq!(people[a] == people[b], labels[a] == labels[b], "{id}: events {b} and {a}");
        }
        // And as a question counts them.
        let all = Segmentation {
            environment: "production".parse().unwrap(),
            event: "_any".into(),
            measure: Measure::Uniques,
            unit: Unit::People,
            from: "2026-01-01".parse().unwrap(),
            to: "2026-12-31".parse().unwrap(),
            zone: "UTC".into(),
            filters: vec![],
            by: None,
            bots: false,
            limit: 10,
        };
        let answer = run(&all, Millis(0), &Rows::new(events, Seq(1)), &|| false).unwrap();
        assert_eq!(answer.series[0].total, number(&expect["unique_users"]), "{id}");
        ran.push(id);
    }
    println!("ran: {}", ran.join(" "));
    if std::env::var("SCENARIOS").is_err() {
        assert_eq!(ran, ["I02", "I03", "I04", "I05"]);
    }
}

#[test]
fn segmentation_means_what_the_scenarios_say() {
    let file = scenarios();
    let (mut ran, mut more, mut wrong) = (vec![], vec![], vec![]);
    for scenario in file["scenarios"].as_array().unwrap() {
        let id = scenario["id"].as_str().unwrap();
        if scenario["query"]["type"] != "segmentation" {
            continue;
        }
        match question(&scenario["query"]) {
            Err(what) => more.push(format!("{id} ({what})")),
            Ok(asked) => {
                let events: Vec<Event> = scenario["events"].as_array().unwrap().iter().map(event).collect();
                let answer = run(&asked, Millis(0), &Rows::new(events, Seq(1)), &|| false).unwrap();
                let got = shape(&answer, scenario["query"]["interval"].as_str().unwrap());
                if got != scenario["expect"] {
                    wrong.push(format!("{id}: {got}, expected {}", scenario["expect"]));
                }
                ran.push(id);
            }
        }
    }
    println!("ran: {}\nnot offered yet: {}", ran.join(" "), more.join(", "));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if std::env::var("SCENARIOS").is_err() {
        assert_eq!(ran, ["S01", "S02", "S05", "S07", "S14", "S15", "S16"]);
    }
}
