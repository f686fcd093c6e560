//! `partial_replies`: one missing object never costs the others, in any version.

use snmp::{Error, Oid, Security, Value, VarBind, Version};

use crate::agents::{ALL, Table, answer_from, decode, engine, honest, hostile, oid, response, reticent, target};

fn oids(columns: &[u32]) -> Vec<Oid> {
    columns.iter().map(|row| oid("1.3.6.1.4.1.9.1.1").child(*row)).collect()
}

fn numbers(values: &[VarBind]) -> Vec<Option<i64>> {
    values.iter().map(|item| item.value.as_i64()).collect()
}

#[tokio::test]
async fn missing_objects_come_back_as_exceptions_in_every_version() {
    let agent = honest(Table::grid(1, 9), ALL, 1_472);
    let engine = engine();
    for security in [Security::v2c("public"), Security::v1("public")] {
        let mut target = target(agent.address);
        target.security = security.into();
        let asked = oids(&[1, 77, 3, 78, 79, 5]);
        let values = engine.get(&target, &asked).await.unwrap();
        assert_eq!(numbers(&values), [Some(1_001), None, Some(1_003), None, None, Some(1_005)]);
        assert!(values.iter().zip(&asked).all(|(item, oid)| item.oid == *oid));
        assert_eq!(values[1].value, Value::NoSuchInstance);
    }
    assert_eq!(agent.requests(), 1 + 4);
}

#[tokio::test]
async fn a_refusal_that_names_no_object_is_bisected() {
    let table = Table::grid(1, 40);
    let agent = hostile(move |request| {
        let good = answer_from(&table, ALL, 1_472, request)?;
        let bad = decode(&good).1.varbinds.iter().any(|item| item.value.is_missing());
        Some(if bad { response(request, 2, 0, vec![]) } else { good })
    });
    let asked: Vec<u32> = (1..=40).map(|row| if row == 17 || row == 23 { row + 100 } else { row }).collect();
    let values = engine().get(&target(agent.address), &oids(&asked)).await.unwrap();
    assert_eq!(values.iter().filter(|item| item.value.is_missing()).count(), 2);
    assert!(agent.requests() < 25, "{}", agent.requests());
}

#[tokio::test]
async fn too_big_is_halved_until_it_fits() {
    let agent = honest(Table::grid(1, 40), ALL, 200);
    let rows: Vec<u32> = (1..=40).collect();
    let values = engine().get(&target(agent.address), &oids(&rows)).await.unwrap();
    assert!(values.iter().zip(1_001..).all(|(item, number)| item.value.as_i64() == Some(number)));
}

#[tokio::test]
async fn objects_left_out_are_asked_for_once_more() {
    let table = Table::grid(1, 40);
    let agent = hostile(move |request| {
        let (_, mut pdu) = decode(&answer_from(&table, ALL, 1_472, request)?);
        pdu.varbinds.truncate(5);
        pdu.varbinds.reverse();
        Some(response(request, 0, 0, pdu.varbinds))
    });
    let values = engine().get(&target(agent.address), &oids(&[1, 2, 3, 4, 5, 6, 7, 8])).await.unwrap();
    assert_eq!(numbers(&values), (1_001..=1_008).map(Some).collect::<Vec<_>>());
    assert_eq!(agent.requests(), 2);
}

#[tokio::test]
async fn an_index_dropped_from_the_answer_is_understood() {
    let agent = hostile(|request| {
        let (_, pdu) = decode(request);
        let short = pdu.varbinds.iter().map(|item| VarBind::new(item.oid.parent().unwrap(), Value::Integer(7)));
        Some(response(request, 0, 0, short.collect()))
    });
    let values = engine().get(&target(agent.address), &oids(&[4])).await.unwrap();
    assert_eq!(values, [VarBind::new(oids(&[4]).remove(0), Value::Integer(7))]);
}

#[tokio::test]
async fn a_value_that_is_not_ber_spoils_only_itself() {
    let table = Table::grid(1, 9);
    let agent = hostile(move |request| {
        let (_, pdu) = decode(request);
        let spoilt = pdu.varbinds.iter().any(|item| item.oid.arcs().last() == Some(3));
        let mut good = answer_from(&table, ALL, 1_472, request)?;
        if spoilt {
            let bad = 1_003u16.to_be_bytes();
            let at = good.windows(2).rposition(|pair| pair == bad).unwrap();
            good[at - 2] = 0x1f;
        }
        Some(good)
    });
    let values = engine().get(&reticent(agent.address), &oids(&[1, 2, 3, 4])).await.unwrap();
    assert_eq!(numbers(&values), [Some(1_001), Some(1_002), None, Some(1_004)]);
    assert_eq!(values[2].value, Value::Null);
    let error = engine().get(&reticent(agent.address), &oids(&[3])).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn gen_err_for_one_object_leaves_the_others() {
    let table = Table::grid(1, 9);
    let agent = hostile(move |request| {
        let (_, pdu) = decode(request);
        let place = pdu.varbinds.iter().position(|item| item.oid.arcs().last() == Some(2));
        match place {
            Some(place) => Some(response(request, 5, place as i32 + 1, pdu.varbinds)),
            None => answer_from(&table, ALL, 1_472, request),
        }
    });
    let values = engine().get(&target(agent.address), &oids(&[1, 2, 3])).await.unwrap();
    assert_eq!(numbers(&values), [Some(1_001), None, Some(1_003)]);
    let error = engine().get(&target(agent.address), &oids(&[2])).await.unwrap_err();
    assert!(error.to_string().contains("genErr"), "{error}");
}

#[tokio::test]
async fn set_reaches_only_writable_agents() {
    let agent = honest(Table::grid(1, 3), ALL, 1_472);
    let engine = engine();
    let value = [VarBind::new(oids(&[1]).remove(0), Value::Integer(5))];
    for (version, status) in [(Version::V2c, "noAccess"), (Version::V1, "noSuchName")] {
        let mut target = target(agent.address);
        let community = snmp::Community::from("public");
        target.security = Security::Community { version, community }.into();
        let error = engine.set(&target, &value).await.unwrap_err();
        assert!(error.to_string().contains(status), "{error}");
    }
}
