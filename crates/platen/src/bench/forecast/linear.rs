//! The peer: straight lines through the levels of the cartridge that is fitted now, as far as they go.

/// Days until a line through `(day, per cent)` reaches nothing, from the last of them on.
fn line(levels: &[(f64, f64)]) -> Option<f64> {
    let n = levels.len() as f64;
    let (x, y) = levels.iter().fold((0.0, 0.0), |(x, y), level| (x + level.0 / n, y + level.1 / n));
    let (mut above, mut below) = (0.0, 0.0);
    for (day, level) in levels {
        above += (day - x) * (level - y);
        below += (day - x) * (day - x);
    }
    let slope = above / below;
    let (now, _) = levels.last()?;
    let at_now = y + slope * (now - x);
    (slope < -1e-6).then(|| (at_now.max(0.0) / -slope).min(3_650.0))
}

/// Least squares through all levels of the cartridge.
pub(super) fn whole(levels: &[(f64, f64)]) -> Option<f64> {
    line(levels)
}

/// Least squares through its last thirty days.
pub(super) fn month(levels: &[(f64, f64)]) -> Option<f64> {
    let now = levels.last()?.0;
    line(&levels[levels.partition_point(|level| level.0 < now - 30.0)..])
}

/// From the first level to the last.
pub(super) fn ends(levels: &[(f64, f64)]) -> Option<f64> {
    let (first, last) = (levels.first()?, levels.last()?);
    let slope = (first.1 - last.1) / (last.0 - first.0);
    (slope > 1e-6).then(|| (last.1 / slope).min(3_650.0))
}
