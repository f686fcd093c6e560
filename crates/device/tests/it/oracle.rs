//! Holds a reading against the oracle of a recording, field by field, as strictly as the judge beside the recordings.

use serde_json::Value;
use wire::Reading;

/// Fields that are wrong, each with what was read and what was expected, and the number of fields compared.
pub struct Verdict {
    pub checked: usize,
    pub wrong: Vec<String>,
}

impl Verdict {
    fn field(&mut self, name: &str, right: bool, got: impl std::fmt::Debug, want: impl std::fmt::Debug) {
        self.checked += 1;
        if !right {
            self.wrong.push(format!("{name}: got {got:?}, want {want:?}"));
        }
    }
}

/// Compares.
pub fn compare(oracle: &Value, reading: &Reading) -> Verdict {
    let doc = serde_json::to_value(reading).unwrap();
    let mut verdict = Verdict { checked: 0, wrong: Vec::new() };
    identity(oracle, &doc, &mut verdict);
    meters(oracle, &doc, &mut verdict);
    supplies(oracle, &doc, &mut verdict);
    rows(oracle, &doc, &mut verdict);
    verdict
}

fn identity(oracle: &Value, doc: &Value, verdict: &mut Verdict) {
    let got = &doc["identity"];
    let vendor = got["vendor"].as_str().unwrap_or_default();
    let accepted: Vec<&str> = texts(&oracle["vendor_any"]);
    if !accepted.is_empty() {
        verdict.field("vendor", accepted.contains(&vendor), vendor, &accepted);
    }
    let model = plain(got["model"].as_str().unwrap_or_default());
    let (all, any) = (texts(&oracle["model_contains"]), texts(&oracle["model_any"]));
    if !all.is_empty() || !any.is_empty() {
        let right = all.iter().all(|token| model.contains(&plain(token)))
            && (any.is_empty() || any.iter().any(|token| model.contains(&plain(token))));
        verdict.field("model", right, &model, (&all, &any));
    }
    for key in ["serial", "name"] {
        if let Some(want) = oracle[key].as_str() {
            verdict.field(key, got[key].as_str() == Some(want), &got[key], want);
        }
    }
}

fn meters(oracle: &Value, doc: &Value, verdict: &mut Verdict) {
    let Some(want) = oracle["lifecount"].as_u64() else { return };
    let meters = doc["meters"].as_array().unwrap();
    let total = |meter: &&Value| {
        ["function", "color", "size"].map(|key| meter[key].as_str().unwrap()) == ["total", "all", "all"]
    };
    let totals: Vec<_> = meters.iter().filter(total).map(|meter| meter["value"].as_u64().unwrap()).collect();
    verdict.field("lifecount", totals.contains(&want), &totals, want);
}

fn supplies(oracle: &Value, doc: &Value, verdict: &mut Verdict) {
    let got = doc["supplies"].as_array().unwrap();
    let wanted = oracle["supplies"].as_array().unwrap();
    verdict.field("supplies", got.len() == wanted.len(), got.len(), wanted.len());
    for want in wanted {
        let index = want["index"].as_str().unwrap();
        let row = got.iter().find(|row| row["index"] == index).unwrap_or(&Value::Null);
        let also = want["also_ok"].as_array().into_iter().flatten();
        let right = std::iter::once(&want["expect"]).chain(also).any(|expect| same_level(&row["level"], expect));
        verdict.field(&format!("supply {index} level"), right, &row["level"], &want["expect"]);
        if let Some(part) = want["description_contains"].as_str().filter(|part| !part.is_empty()) {
            let text = plain(row["description"].as_str().unwrap_or_default());
            verdict.field(&format!("supply {index} description"), text.contains(&plain(part)), text, part);
        }
        let class = match want["class"].as_i64() {
            Some(3) => "consumed",
            Some(4) => "receptacle",
            Some(1) => "other",
            _ => continue,
        };
        verdict.field(&format!("supply {index} class"), row["class"] == class, &row["class"], class);
    }
}

fn rows(oracle: &Value, doc: &Value, verdict: &mut Verdict) {
    for key in ["inputs", "alerts"] {
        let want = oracle[key].as_u64().unwrap();
        let got = doc[key].as_array().unwrap().len() as u64;
        if want > 0 {
            verdict.field(key, got == want, got, want);
        }
    }
    let reasons = texts(&doc["status"]["reasons"]);
    for bit in texts(&oracle["error_bits"]) {
        let accepted = keywords(bit);
        let right = reasons.iter().any(|reason| {
            let bare = reason.rsplit_once('-').map_or(*reason, |(bare, _)| bare);
            accepted.contains(&bare)
        });
        verdict.field(&format!("reason {bit}"), right, &reasons, accepted);
    }
}

fn keywords(bit: &str) -> &'static [&'static str] {
    match bit {
        "lowPaper" => &["media-low"],
        "noPaper" | "inputTrayEmpty" => &["media-empty", "media-needed"],
        "lowToner" => &["toner-low", "marker-supply-low"],
        "noToner" => &["toner-empty", "marker-supply-empty"],
        "doorOpen" => &["door-open", "cover-open", "interlock-open"],
        "jammed" => &["media-jam"],
        "offline" => &["offline", "paused", "shutdown"],
        "serviceRequested" | "overduePreventMaint" => &["service-needed"],
        "inputTrayMissing" => &["input-tray-missing"],
        "outputTrayMissing" => &["output-tray-missing"],
        "markerSupplyMissing" => &["marker-supply-missing"],
        "outputNearFull" => &["output-area-almost-full"],
        "outputFull" => &["output-area-full"],
        _ => &[],
    }
}

fn same_level(got: &Value, want: &Value) -> bool {
    got["kind"] == want["kind"]
        && (want["kind"] != "percent"
            || got["value"].as_f64().zip(want["value"].as_f64()).is_some_and(|(a, b)| (a - b).abs() <= 0.51))
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Compared without blanks and case.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<String>().to_lowercase()
}
