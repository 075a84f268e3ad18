//! Histograms as SVG.

use crate::text::{escape, grouped};
use std::fmt::Write;

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 170.0;
/// Room for the labels below and the numbers above.
const BELOW: f64 = 22.0;
const ABOVE: f64 = 20.0;

/// Bars of how many there are from one number to another, with a heading; nothing where there are
/// none. `unit` is what the numbers count, `of` what is counted.
#[must_use]
pub fn bars(title: &str, unit: &str, of: &str, counts: &[(usize, usize, u64)]) -> String {
    let most = counts.iter().map(|(_, _, n)| *n).max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let step = WIDTH / counts.len() as f64;
    // A few wide bars would look like more than they are.
    let width = (step * 0.82).min(56.0);
    let floor = HEIGHT - BELOW;
    let mut out = String::new();
    let spoken: Vec<String> =
        counts.iter().map(|(from, to, n)| format!("{from} to {to}: {n}")).collect();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<figure><figcaption>{}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{}\">\n<line class=\"grid\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{floor}\" \
         y2=\"{floor}\"/>\n",
        escape(title),
        escape(&format!("{title}; {of} by {unit}: {}", spoken.join(", ")))
    );
    // Labels that would run into each other are left out; every bar tells its own when pointed at.
    let every = (counts.len() as f64 * 38.0 / WIDTH).ceil().max(1.0) as usize;
    for (i, (from, to, n)) in counts.iter().enumerate() {
        let middle = step * (i as f64 + 0.5);
        let height = *n as f64 / most as f64 * (floor - ABOVE);
        let top = floor - height;
        let _ = writeln!(
            out,
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\"><title>{from} to {to} {}: {n} {}</title></rect>",
            middle - width / 2.0,
            escape(unit),
            escape(of)
        );
        if *n > 0 {
            let _ = writeln!(
                out,
                "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                top - 5.0,
                grouped(*n)
            );
        }
        if i % every == 0 {
            let _ = writeln!(
                out,
                "<text x=\"{middle:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                HEIGHT - 6.0,
                label(*from, *to)
            );
        }
    }
    out.push_str("</svg></figure>\n");
    out
}

/// `4–7`; from a thousand on in thousands.
fn label(from: usize, to: usize) -> String {
    if from == to { from.to_string() } else { format!("≥{}", short(from)) }
}

fn short(n: usize) -> String {
    match n {
        0..1024 => n.to_string(),
        1024..1_048_576 => format!("{}k", n / 1024),
        _ => format!("{}M", n / 1_048_576),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tallest_bar_fills_the_room_and_the_others_are_in_proportion() {
        let drawn = bars("t", "tokens", "examples", &[(2, 3, 1), (4, 7, 4)]);
        // From the floor at 148 up to 20 there are 128 for four.
        assert!(drawn.contains("y=\"20.0\" width=\"56.0\" height=\"128.0\""), "{drawn}");
        assert!(drawn.contains("y=\"116.0\" width=\"56.0\" height=\"32.0\""), "{drawn}");
        assert!(drawn.contains("<title>4 to 7 tokens: 4 examples</title>"), "{drawn}");
        assert_eq!(bars("t", "tokens", "examples", &[]), "");
        assert_eq!(label(1, 1), "1");
        assert_eq!(label(4096, 8191), "≥4k");
    }
}
