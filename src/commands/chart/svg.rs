//! The picture as SVG, for a mail or a web page. The file needs no other file and has no style sheet, because mail
//! programs remove style sheets.
//!
//! No library draws it. The parts, the gaps and the ticks are the same as in the terminal, so that only lines and
//! texts are left to write. plotters 0.3.7 with its SVG backend would add 64 KiB, but it rounds each point to a whole
//! pixel, puts the ticks of the time axis at round numbers and not at round local times, and cannot give a title to a
//! picture or to a gap.

use std::fmt::Write as _;

use super::Picture;
use super::axis::Axis;
use super::series::Values;
use crate::commands::times;
use crate::output::clean;
use crate::reading::Quantity;

/// How many parts a series needs: each part is one unit of the picture wide.
pub(super) const PARTS: usize = 780;

const WIDTH: i64 = 860;
const HEIGHT: i64 = 516;
const LEFT: i64 = 56;
const RIGHT: i64 = LEFT + PLOT_WIDTH;
const PLOT_WIDTH: i64 = 780;
const PLOT_HEIGHT: i64 = 160;

/// The y coordinates of the upper ends of the two plots.
const TOPS: [i64; 2] = [76, 300];

/// The width of a label of the time axis, with the space around it.
const LABEL_WIDTH: i64 = 75;

/// An axis of values has at most this many steps.
const STEPS: i64 = 5;

/// Vermilion and blue of Okabe and Ito, which colour-blind people can distinguish too
/// (<https://jfly.uni-koeln.de/color/>).
fn colour(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Temperature => "#d55e00",
        Quantity::Humidity => "#0072b2",
    }
}

/// Draws both quantities, one above the other, with the same time axis.
pub(super) fn draw(picture: &Picture) -> String {
    let title = escaped(&picture.title());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n\
         <title>{title}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"32\" font-size=\"17\" font-weight=\"bold\">{title}</text>\n"
    );
    for (quantity, top) in Quantity::ALL.into_iter().zip(TOPS) {
        let axis = Axis::round(quantity, picture.series.values(quantity), STEPS);
        svg += &Panel { picture, quantity, axis, top }.draw();
    }
    // Writing to a String cannot fail.
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" font-size=\"11\" fill=\"#666\">line: mean of each {}; band: from least to \
         most; grey: no readings</text>\n</svg>",
        HEIGHT - 12,
        times::length((picture.series.until_ms - picture.series.since_ms) / PLOT_WIDTH)
    );
    svg
}

/// The plot of one quantity.
struct Panel<'a> {
    picture: &'a Picture,
    quantity: Quantity,
    axis: Axis,
    top: i64,
}

impl Panel<'_> {
    fn draw(&self) -> String {
        let Panel { picture, quantity, top, .. } = self;
        let colour = colour(*quantity);
        let mut svg = format!(
            "<text x=\"{LEFT}\" y=\"{}\"><tspan font-weight=\"bold\" fill=\"{colour}\">{} in {}:</tspan> {}</text>\n",
            top - 12,
            quantity.name(),
            quantity.unit(),
            picture.extremes(*quantity, true)
        );
        for (from_ms, to_ms) in picture.series.gaps() {
            let (from, to) = (self.x(from_ms), self.x(to_ms));
            svg += &format!(
                "<rect x=\"{from}\" y=\"{top}\" width=\"{}\" height=\"{PLOT_HEIGHT}\" fill=\"#e6e6e6\">\
                 <title>no readings from {} to {}</title></rect>\n",
                to - from,
                times::local_text(from_ms),
                times::local_text(to_ms)
            );
        }
        svg += &self.grid();
        for stroke in picture.series.strokes(*quantity) {
            svg += &self.stroke(&stroke);
        }
        let values = picture.series.values(*quantity);
        for (at_ms, value) in [(values.least_ms, values.least), (values.most_ms, values.most)] {
            svg += &format!(
                "<circle cx=\"{}.5\" cy=\"{}\" r=\"3\" fill=\"#fff\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\n",
                self.x(at_ms),
                self.y(value.into())
            );
        }
        svg
    }

    /// Lines and labels at the ticks of both axes.
    fn grid(&self) -> String {
        let bottom = self.top + PLOT_HEIGHT;
        let (mut lines, mut values, mut times) = (String::new(), String::new(), String::new());
        for (value, label) in self.axis.ticks() {
            let y = self.y(value);
            lines += &format!("M{LEFT} {y}H{RIGHT}");
            values += &format!("<text x=\"{}\" y=\"{y}\" dy=\"4.5\">{label}</text>\n", LEFT - 8);
        }
        for (at_ms, label) in self.picture.time_ticks(PLOT_WIDTH / LABEL_WIDTH) {
            let x = self.x(at_ms);
            lines += &format!("M{x} {}V{}", self.top, bottom + 5);
            times += &format!("<text x=\"{x}\" y=\"{}\">{label}</text>\n", bottom + 19);
        }
        format!(
            "<path d=\"{lines}\" fill=\"none\" stroke=\"#ccc\"/>\n<g text-anchor=\"end\">\n{values}</g>\n\
             <g text-anchor=\"middle\">\n{times}</g>\n"
        )
    }

    /// A line through the means, on a band from the least values to the greatest. A stroke of one part is a dot.
    fn stroke(&self, stroke: &[(usize, &Values)]) -> String {
        let colour = colour(self.quantity);
        let points = |value: &dyn Fn(&Values) -> i32| -> Vec<String> {
            stroke.iter().map(|(part, values)| self.point(*part, value(values))).collect()
        };
        let means = points(&Values::mean);
        if let [mean] = &means[..] {
            let (x, y) = mean.split_once(',').unwrap_or_default();
            return format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"1.5\" fill=\"{colour}\"/>\n");
        }
        let mut band = points(&|values| values.most);
        band.extend(points(&|values| values.least).into_iter().rev());
        format!(
            "<polygon points=\"{}\" fill=\"{colour}\" fill-opacity=\"0.25\"/>\n\
             <polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" stroke-linejoin=\"round\"/>\n",
            band.join(" "),
            means.join(" ")
        )
    }

    fn point(&self, part: usize, value: i32) -> String {
        format!("{}.5,{}", LEFT + i64::try_from(part).unwrap_or(0), self.y(value.into()))
    }

    fn x(&self, at_ms: i64) -> i64 {
        LEFT + i64::try_from(self.picture.series.part(at_ms, PARTS)).unwrap_or(0)
    }

    fn y(&self, value: i64) -> String {
        let tenths = self.top * 10 + self.axis.below_top(value, PLOT_HEIGHT * 10);
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

/// The text, escaped for XML.
fn escaped(text: &str) -> String {
    // XML 1.0 does not allow control characters, U+FFFE and U+FFFF, not even escaped.
    clean(text, '\u{fffd}')
        .replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_text() {
        for (name, text) in [
            ("kitchen", "kitchen"),
            ("Küche 2", "Küche 2"),
            ("<b>&\"x'", "&lt;b&gt;&amp;&quot;x'"),
            ("a\u{1b}[2J\u{0}\n\u{ffff}b", "a\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}b"),
        ] {
            assert_eq!(escaped(name), text);
        }
    }
}
