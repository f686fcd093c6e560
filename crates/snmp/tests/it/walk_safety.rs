//! `walk_safety`: no agent can make a walk run for ever, leave its subtree, or invent rows.

use snmp::{BulkUse, Error, Quirk, Value, VarBind, Version, WalkLimits};

use crate::agents::{ALL, Table, answer_from, decode, engine, honest, hostile, oid, response, reticent, target};

fn root() -> snmp::Oid {
    oid("1.3.6.1.4.1.9.1")
}

fn row(last: u32) -> VarBind {
    VarBind::new(root().join(&[1, last]), Value::Integer(last as i32))
}

#[tokio::test]
async fn a_walk_stays_in_its_subtree_and_reads_all_of_it() {
    let mut table = Table::grid(3, 50);
    table.0.insert(oid("1.3.6.1.4.1.8.1"), Value::Integer(0));
    table.0.insert(oid("1.3.6.1.4.1.10.1"), Value::Integer(0));
    for versions in [ALL, &[Version::V1]] {
        let agent = honest(table.clone(), versions, 1_472);
        let walk = engine().walk(&reticent(agent.address), &root(), &WalkLimits::default()).await.unwrap();
        assert_eq!(walk.rows.len(), 150);
        assert!(!walk.incomplete);
        assert!(walk.rows.windows(2).all(|pair| pair[0].oid < pair[1].oid));
        assert_eq!(walk.quirks, if versions.len() == 1 { vec![Quirk::V1Only] } else { vec![] });
    }
}

#[tokio::test]
async fn an_agent_that_runs_in_a_circle_is_left() {
    let agent = hostile(|request| {
        let (_, pdu) = decode(request);
        let last = pdu.varbinds[0].oid.arcs().last().unwrap();
        // 1, 2, 3, 4, 5, then 3 again: for GETBULK and GETNEXT alike.
        let next = if pdu.varbinds[0].oid == root() {
            1
        } else if last >= 5 {
            3
        } else {
            last + 1
        };
        Some(response(request, 0, 0, vec![row(next)]))
    });
    let walk = engine().walk(&target(agent.address), &root(), &WalkLimits::default()).await.unwrap();
    let values: Vec<_> = walk.rows.iter().map(|row| row.value.as_i64().unwrap()).collect();
    assert_eq!(values, [1, 2, 3, 4, 5]);
    assert!(walk.quirks.contains(&Quirk::Repeated) && walk.incomplete);
    assert!(agent.requests() < 20, "{}", agent.requests());
}

#[tokio::test]
async fn an_agent_that_repeats_one_object_is_left() {
    let agent = hostile(|request| Some(response(request, 0, 0, vec![row(7), row(7), row(7)])));
    let walk = engine().walk(&target(agent.address), &root(), &WalkLimits::default()).await.unwrap();
    assert_eq!(walk.rows, [row(7)]);
    assert!(walk.quirks.contains(&Quirk::Repeated));
}

#[tokio::test]
async fn rows_out_of_order_are_kept_when_they_are_new() {
    const ORDER: [u32; 6] = [1, 10, 11, 2, 3, 4];
    let agent = hostile(|request| {
        let (_, pdu) = decode(request);
        let last = pdu.varbinds[0].oid.suffix_of(&root()).unwrap_or_default();
        let place = last.get(1).map_or(0, |last| ORDER.iter().position(|row| row == last).unwrap() + 1);
        let next = ORDER.get(place).map_or(VarBind::new(oid("1.3.6.2.1"), Value::Null), |last| row(*last));
        Some(response(request, 0, 0, vec![next]))
    });
    let walk = engine().walk(&target(agent.address), &root(), &WalkLimits::default()).await.unwrap();
    let values: Vec<_> = walk.rows.iter().map(|row| row.value.as_i64().unwrap()).collect();
    assert_eq!(values, [1, 10, 11, 2, 3, 4]);
    assert!(walk.quirks.contains(&Quirk::NotIncreasing) && !walk.incomplete);
}

#[tokio::test]
async fn gen_err_at_the_end_keeps_the_rows_before_it() {
    let table = Table::grid(1, 100);
    let agent = hostile(move |request| {
        let good = answer_from(&table, ALL, 1_472, request)?;
        let (_, reply) = decode(&good);
        let bad = reply.varbinds.iter().any(|item| item.value.is_missing() || item.oid >= root().join(&[1, 98]));
        Some(if bad { response(request, 5, 1, decode(request).1.varbinds) } else { good })
    });
    let walk = engine().walk(&target(agent.address), &root(), &WalkLimits::default()).await.unwrap();
    assert_eq!(walk.rows.len(), 97);
    assert!(walk.quirks.contains(&Quirk::GenErr) && walk.incomplete);
    assert!(agent.requests() < 60, "{}", agent.requests());
}

#[tokio::test]
async fn gen_err_at_once_is_an_error() {
    let agent = hostile(|request| Some(response(request, 5, 1, decode(request).1.varbinds)));
    let error = engine().walk(&target(agent.address), &root(), &WalkLimits::default()).await.unwrap_err();
    assert!(matches!(error, Error::ErrorStatus { status, .. } if status.0 == 5), "{error}");
}

#[tokio::test]
async fn rows_bytes_and_exchanges_have_caps() {
    let agent = hostile(|request| {
        let (_, pdu) = decode(request);
        let last = pdu.varbinds[0].oid.suffix_of(&root().child(1)).and_then(|rest| rest.first().copied()).unwrap_or(0);
        Some(response(request, 0, 0, (1..=20).map(|step| row(last + step)).collect()))
    });
    let (engine, target) = (engine(), target(agent.address));
    for limits in [
        WalkLimits { rows: 100, ..WalkLimits::default() },
        WalkLimits { bytes: 5_000, ..WalkLimits::default() },
        WalkLimits { exchanges: 6, ..WalkLimits::default() },
    ] {
        let walk = engine.walk(&target, &root(), &limits).await.unwrap();
        assert!(walk.incomplete && (100..=300).contains(&walk.rows.len()), "{limits:?} {}", walk.rows.len());
    }
}

#[tokio::test]
async fn a_column_without_end_costs_itself_only() {
    for bulk in [BulkUse::Auto, BulkUse::Never] {
        // The second of three columns goes on for ever.
        let agent = hostile(|request| {
            let (_, pdu) = decode(request);
            let rows = pdu.varbinds.iter().map(|asked| {
                let (column, last) = match asked.oid.suffix_of(&root()).unwrap_or_default()[..] {
                    [column, last] => (column, last),
                    [column] => (column, 0),
                    _ => (1, 0),
                };
                match (column, last) {
                    (2, last) => VarBind::new(root().join(&[2, last + 1]), Value::Integer(1)),
                    (column, 20..) => VarBind::new(root().join(&[column + 1, 1]), Value::Integer(1)),
                    (column, last) => VarBind::new(root().join(&[column, last + 1]), Value::Integer(1)),
                }
            });
            Some(response(request, 0, 0, rows.collect()))
        });
        let columns: Vec<_> = [1, 2, 3].into_iter().map(|column| root().child(column)).collect();
        let limits = WalkLimits { column_rows: 50, bulk, ..WalkLimits::default() };
        let walk = engine().walk_columns(&target(agent.address), &columns, &limits).await.unwrap();
        let of = |column: u32| walk.rows.iter().filter(|row| row.oid.starts_with(&root().child(column))).count();
        assert_eq!((of(1), of(2), of(3)), (20, 50, 20));
        assert_eq!((walk.endless, walk.incomplete), (vec![root().child(2)], false));
        assert!(walk.quirks.contains(&Quirk::Endless) && walk.unfinished.is_empty());
    }
}

#[tokio::test]
async fn columns_that_were_not_read_to_their_end_are_named() {
    // It answers the second column with the object asked for, again and again.
    let agent = hostile(|request| {
        let (_, pdu) = decode(request);
        let rows = pdu.varbinds.iter().map(|asked| match asked.oid.suffix_of(&root()).unwrap_or_default()[..] {
            [1] => row(1),
            [1, last @ ..9] => row(last + 1),
            [1, _] => VarBind::new(root().join(&[2, 1]), Value::Integer(1)),
            _ => VarBind::new(asked.oid.clone(), Value::Integer(1)),
        });
        Some(response(request, 0, 0, rows.collect()))
    });
    let columns: Vec<_> = [1, 2, 3].into_iter().map(|column| root().child(column)).collect();
    let walk = engine().walk_columns(&target(agent.address), &columns, &WalkLimits::default()).await.unwrap();
    assert_eq!(walk.unfinished, columns[1..]);
    assert!(walk.incomplete && walk.rows.iter().filter(|row| row.oid.starts_with(&columns[0])).count() == 9);
}

#[tokio::test]
async fn columns_with_holes_and_unequal_lengths_are_read_whole() {
    let mut table = Table::grid(9, 12);
    for (column, row) in [(2, 1), (2, 2), (2, 12), (5, 6), (7, 11), (7, 12)] {
        table.0.remove(&root().join(&[column, row]));
    }
    for column in [4, 6] {
        table.0.retain(|oid, _| !oid.starts_with(&root().child(column)));
    }
    let columns: Vec<_> = [2, 5, 6, 7, 9].into_iter().map(|column| root().child(column)).collect();
    let expected: Vec<VarBind> = table
        .0
        .iter()
        .filter(|(oid, _)| columns.iter().any(|column| oid.starts_with(column)))
        .map(|(oid, value)| VarBind::new(oid.clone(), value.clone()))
        .collect();
    for versions in [ALL, &[Version::V1]] {
        let agent = honest(table.clone(), versions, 1_472);
        let walk = engine().walk_columns(&reticent(agent.address), &columns, &WalkLimits::default()).await.unwrap();
        assert_eq!(walk.rows, expected);
        assert!(!walk.incomplete);
    }
}

#[tokio::test]
async fn an_agent_that_wraps_to_its_start_is_at_its_end() {
    let table = Table::grid(1, 30);
    let agent = hostile(move |request| {
        let (_, pdu) = decode(request);
        let next = table.0.range(pdu.varbinds[0].oid.child(0)..).next();
        let next = next.map_or(VarBind::new(oid("1.3.6.1.2.1.1.1.0"), Value::Null), |(oid, value)| {
            VarBind::new(oid.clone(), value.clone())
        });
        Some(response(request, 0, 0, vec![next]))
    });
    let walk = engine().walk(&target(agent.address), &root(), &WalkLimits::default()).await.unwrap();
    assert_eq!(walk.rows.len(), 30);
}

#[tokio::test]
async fn exceptions_in_the_middle_of_a_walk_end_it() {
    let agent = hostile(|request| {
        let missing = VarBind::new(decode(request).1.varbinds[0].oid.clone(), Value::NoSuchInstance);
        Some(response(request, 0, 0, vec![row(1), missing]))
    });
    let walk = engine().walk(&target(agent.address), &root(), &WalkLimits::default()).await.unwrap();
    assert_eq!(walk.rows, [row(1)]);
    assert!(walk.quirks.contains(&Quirk::ExceptionInWalk));
}
