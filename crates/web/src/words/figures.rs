//! Figures as people read them: grouped thousands, short axis labels, changes with a sign.

/// `1,248`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 device`, `1,248 devices`.
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// `950`, `1.2k`, `12k`, `3.4M`.
pub(crate) fn short(n: u64) -> String {
    let (value, unit) = match n {
        0..1_000 => return n.to_string(),
        1_000..1_000_000 => (n as f64 / 1e3, "k"),
        1_000_000..1_000_000_000 => (n as f64 / 1e6, "M"),
        _ => (n as f64 / 1e9, "G"),
    };
    let text = if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") };
    format!("{}{unit}", text.trim_end_matches(".0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 1_248, 801_376, 1_000_000].map(grouped).join(" "),
            "0 999 1,000 1,248 801,376 1,000,000"
        );
    }

    #[test]
    fn axis_labels_are_short() {
        assert_eq!([0, 950, 4_000, 11_300, 250_000, 1_500_000].map(short).join(" "), "0 950 4k 11.3k 250k 1.5M");
    }
}
