//! Line charts as SVG, drawn by hand so that a page needs nothing but itself.

use crate::text::escape;
use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
/// Room for the numbers on the left, and below.
const LEFT: f64 = 64.0;
const BELOW: f64 = 24.0;
const ABOVE: f64 = 8.0;
const RIGHT: f64 = 8.0;

/// How a series is drawn. The styles differ in more than their colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A thin line.
    Thin,
    /// A thick line.
    Thick,
    /// Dots.
    Dots,
}

impl Look {
    fn class(self) -> &'static str {
        match self {
            Self::Thin => "thin",
            Self::Thick => "thick",
            Self::Dots => "dots",
        }
    }
}

/// Values by step.
#[derive(Clone, Debug)]
pub struct Series {
    /// What the legend calls it.
    pub name: &'static str,
    /// How it is drawn.
    pub look: Look,
    /// Step and value, in order of steps; only finite values.
    pub points: Vec<(f64, f64)>,
}

/// A chart with its heading and legend, or nothing where there is nothing to draw.
#[must_use]
pub fn chart(title: &str, series: &[Series]) -> String {
    let all = || series.iter().flat_map(|s| &s.points);
    let Some(first) = all().next() else { return String::new() };
    let widen = |(low, high): (f64, f64), v: f64| (low.min(v), high.max(v));
    let x = all().fold((first.0, first.0), |range, p| widen(range, p.0));
    let y = all().fold((first.1, first.1), |range, p| widen(range, p.1));
    let (x, y) = (spread(x), with_room(spread(y)));
    let (right, floor) = (WIDTH - RIGHT, HEIGHT - BELOW);
    let at = |(px, py): (f64, f64)| {
        let across = (px - x.0) / (x.1 - x.0);
        let up = (py - y.0) / (y.1 - y.0);
        (LEFT + across * (right - LEFT), floor - up * (floor - ABOVE))
    };
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<figure><figcaption>{}{}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{}\">\n",
        escape(title),
        legend(series),
        escape(&spoken(title, series))
    );
    for tick in ticks(y, 4) {
        let (_, h) = at((x.0, tick));
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{h:.1}\" y2=\"{h:.1}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            h + 4.0,
            short(tick)
        );
    }
    for tick in ticks(x, 6).into_iter().filter(|t| t.fract() == 0.0) {
        let (w, _) = at((tick, y.0));
        let _ = writeln!(
            out,
            "<text x=\"{w:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - 6.0,
            short(tick)
        );
    }
    for s in series {
        draw(s, at, &mut out);
    }
    out.push_str("</svg></figure>\n");
    out
}

fn draw(series: &Series, at: impl Fn((f64, f64)) -> (f64, f64), out: &mut String) {
    if series.look == Look::Dots {
        for point in &series.points {
            let (x, y) = at(*point);
            let _ = writeln!(
                out,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"><title>step {}: {}</title></circle>",
                point.0,
                short(point.1)
            );
        }
        return;
    }
    let mut path = String::new();
    for (i, point) in thinned(&series.points).into_iter().enumerate() {
        let (x, y) = at(point);
        let _ = write!(path, "{}{x:.1} {y:.1}", if i == 0 { "M" } else { "L" });
    }
    let _ = writeln!(out, "<path class=\"{}\" d=\"{path}\"/>", series.look.class());
}

/// At most the lowest and the highest value of each pixel's worth of steps: more cannot be seen, and
/// no peak is lost.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let most = WIDTH as usize;
    if points.len() <= 2 * most {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(2 * most);
    for part in points.chunks(points.len().div_ceil(most)) {
        let low = part.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
        let high = part.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        let mut both: Vec<(f64, f64)> = low.into_iter().chain(high).collect();
        both.sort_by(|a, b| a.0.total_cmp(&b.0));
        both.dedup();
        kept.extend(both);
    }
    kept
}

fn legend(series: &[Series]) -> String {
    let drawn = series.iter().filter(|s| !s.points.is_empty());
    let mut out = String::new();
    for s in drawn {
        let _ = write!(out, " <span class=\"key {}\">{}</span>", s.look.class(), escape(s.name));
    }
    out
}

/// The chart in words.
fn spoken(title: &str, series: &[Series]) -> String {
    let mut text = title.to_owned();
    for s in series {
        if let (Some(first), Some(last)) = (s.points.first(), s.points.last()) {
            let (from, to) = (short(first.1), short(last.1));
            let _ =
                write!(text, "; {}: {from} at step {}, {to} at step {}", s.name, first.0, last.0);
        }
    }
    text
}

/// A range that is not empty.
fn spread((low, high): (f64, f64)) -> (f64, f64) {
    if high > low {
        return (low, high);
    }
    let margin = if low == 0.0 { 1.0 } else { low.abs() / 10.0 };
    (low - margin, high + margin)
}

/// A little room above, and zero below where that is near: heights can then be compared.
fn with_room((low, high): (f64, f64)) -> (f64, f64) {
    let low = if low >= 0.0 && low < high / 3.0 { 0.0 } else { low };
    (low, high + (high - low) / 25.0)
}

/// Round numbers within a range, about `count` of them: 1, 2, 2.5 or 5 times a power of ten apart.
fn ticks((low, high): (f64, f64), count: u32) -> Vec<f64> {
    let rough = (high - low) / f64::from(count);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough);
    let step = step.unwrap_or(power);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// A number in few characters.
#[must_use]
pub fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e7).contains(&size) {
        return format!("{value:.2e}");
    }
    let digits = if size >= 100.0 { 0 } else { 4 };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(ticks((0.0, 10.0), 4), [0.0, 2.5, 5.0, 7.5, 10.0]);
        assert_eq!(ticks((0.3, 1.1), 4), [0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks((-1.0, 1.0), 4), [-1.0, -0.5, 0.0, 0.5, 1.0]);
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.6000000000000001, 2.0, -0.25, 1234.5, 1e-4, 3e9].map(short);
        assert_eq!(shown, ["0", "0.6", "2", "-0.25", "1234", "1.00e-4", "3.00e9"]);
    }

    #[test]
    fn a_thinned_line_keeps_its_ends_and_peaks() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        points[54_321].1 = 9.0;
        points[77_777].1 = -9.0;
        let kept = thinned(&points);
        assert!(kept.len() <= 2 * WIDTH as usize, "{}", kept.len());
        assert!(kept.contains(&(54_321.0, 9.0)) && kept.contains(&(77_777.0, -9.0)));
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn points_stand_where_their_values_say() {
        let points = vec![(0.0, 0.0), (5.0, 13.0), (10.0, 25.0)];
        let drawn = chart("t", &[Series { name: "s", look: Look::Thick, points }]);
        // The drawing area is 64 to 712 across and 196 up to 8, for 0 to 10 steps and values of 0 to
        // 26: a twenty-fifth of room above the highest.
        assert!(drawn.contains("d=\"M64.0 196.0L388.0 102.0L712.0 15.2\""), "{drawn}");
        assert_eq!(chart("t", &[]), "");
        let one = Series { name: "s", look: Look::Dots, points: vec![(3.0, 2.0)] };
        let drawn = chart("t", &[one]);
        assert!(drawn.contains("<title>step 3: 2</title>") && !drawn.contains("NaN"), "{drawn}");
    }
}
