//! Query: the executable semantics of segmentation. Runs every scenario of `scenarios-dev.json` that
//! asks for what is offered, and prints which ones ask for more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use bellwether_columns::Rows;
use bellwether_model::event::{Properties, Who};
use bellwether_model::metric::{Filter, FilterOp};
use bellwether_model::{Event, Json, Millis, Seq};
use bellwether_query::segmentation::{Answer, Measure, Segmentation, run};

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
        from: query["range"]["from"].as_str().unwrap().parse().unwrap(),
        to: query["range"]["to"].as_str().unwrap().parse().unwrap(),
        zone: query["tz"].as_str().unwrap_or("UTC").to_owned(),
        filters: all,
        by: query["group_by"].as_str().map(str::to_owned),
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

#[test]
fn segmentation_means_what_the_scenarios_say() {
    let file: Json = serde_json::from_str(include_str!("scenarios-dev.json")).unwrap();
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
    assert_eq!(ran, ["S01", "S02", "S05", "S07", "S14", "S15", "S16"]);
}
