//! The picture as characters. A Braille character has two columns and four rows of dots; an ASCII character has one
//! column and two rows.

use std::ops::RangeInclusive;

use super::Picture;
use super::axis::Axis;
use crate::output::clean;
use crate::reading::Quantity;

/// The possible widths in columns. A picture with fewer columns would show nothing, and no terminal has more.
const WIDTHS: RangeInclusive<usize> = 30..=1000;

/// Rows of characters for each quantity. Two plots with their headings and the time axis fit into a terminal of 24
/// rows.
const ROWS: usize = 9;

/// An axis of values has at most this many steps, so that each tick has its own row.
const STEPS: i64 = 6;

/// The width of a label of the time axis, with the space between two labels.
const LABEL_WIDTH: usize = 9;

/// What the picture is drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Characters {
    Braille,
    Ascii,
}

impl Characters {
    /// How many columns and rows of dots a character has.
    fn dots(self) -> (usize, usize) {
        match self {
            Characters::Braille => (2, 4),
            Characters::Ascii => (1, 2),
        }
    }

    /// The character with these dots, which are given row by row from the top left.
    fn with_dots(self, dots: &[bool]) -> char {
        let bits =
            |values: &[u32]| dots.iter().zip(values).filter(|(dot, _)| **dot).map(|(_, bit)| bit).sum();
        match self {
            // U+2800 has no dots. The bits of the first three rows are numbered down the columns; those of the fourth
            // row, which Unicode added to six-dot Braille, follow.
            Characters::Braille => match bits(&[0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80]) {
                0 => ' ',
                bits => char::from_u32(0x2800 + bits).unwrap_or(' '),
            },
            Characters::Ascii => [' ', '\'', '.', ':'][bits(&[1, 2]) as usize],
        }
    }

    /// The left end of a row with a tick and without one; the corner, the line and a tick of the time axis.
    fn frame(self) -> [char; 5] {
        match self {
            Characters::Braille => ['┤', '│', '└', '─', '┬'],
            Characters::Ascii => ['+', '|', '+', '-', '+'],
        }
    }

    fn unit(self, quantity: Quantity) -> &'static str {
        match (self, quantity) {
            (Characters::Ascii, Quantity::Temperature) => "degC",
            _ => quantity.unit(),
        }
    }
}

fn possible_width(width: usize) -> usize {
    width.clamp(*WIDTHS.start(), *WIDTHS.end())
}

/// How many parts a series needs for a picture of this width.
pub(super) fn parts(width: usize) -> usize {
    possible_width(width) * 2
}

/// Draws both quantities, one above the other, with the same time axis.
pub(super) fn draw(picture: &Picture, width: usize, characters: Characters) -> String {
    let width = possible_width(width);
    let axes = Quantity::ALL.map(|quantity| Axis::tight(quantity, picture.series.values(quantity), STEPS));
    let labels = axes.iter().flat_map(Axis::ticks).map(|(_, label)| label.len());
    let left = labels.max().unwrap_or(0) + 1;
    let frame = Frame { left, columns: width - left - 1, characters };
    let mut lines = wrapped(&clean(&picture.title(), '\u{fffd}'), width);
    for (quantity, axis) in Quantity::ALL.into_iter().zip(&axes) {
        let heading = |with_times| {
            let unit = characters.unit(quantity);
            format!("{} in {unit}: {}", quantity.name(), picture.extremes(quantity, with_times))
        };
        let long = heading(true);
        let heading = if long.chars().count() <= width { long } else { heading(false) };
        lines.extend(wrapped(&heading, width));
        lines.extend(panel(picture, quantity, axis, &frame));
    }
    lines.extend(time_axis(picture, &frame));
    let ascii = |c: char| if c.is_ascii() { c } else { '?' };
    lines
        .iter()
        .map(|line| {
            line.trim_end().chars().map(|c| if characters == Characters::Ascii { ascii(c) } else { c })
        })
        .flat_map(|line| line.chain(['\n']))
        .collect()
}

/// What the panels and the time axis share.
struct Frame {
    /// How many columns the labels at the left have.
    left: usize,
    /// How many columns the picture has.
    columns: usize,
    characters: Characters,
}

fn panel(picture: &Picture, quantity: Quantity, axis: &Axis, frame: &Frame) -> Vec<String> {
    let Frame { left, columns, characters } = *frame;
    let (wide, high) = characters.dots();
    let mut grid = DotGrid::new(columns * wide, ROWS * high);
    let below_top = |value: i64| {
        let lowest = i64::try_from(ROWS * high - 1).unwrap_or(0);
        usize::try_from(axis.below_top(value, lowest)).unwrap_or(0)
    };
    for stroke in picture.series.strokes(quantity) {
        let mut last = None;
        for (part, values) in stroke {
            let here = (picture.series.column(part, columns * wide), below_top(values.mean().into()));
            grid.column(here.0, below_top(values.most.into()), below_top(values.least.into()));
            grid.line(last.replace(here).unwrap_or(here), here);
        }
    }
    let [tick, side, ..] = characters.frame();
    let ticks: Vec<(usize, String)> =
        axis.ticks().map(|(value, label)| (below_top(value) / high, label)).collect();
    (0..ROWS)
        .map(|row| {
            let label = ticks.iter().find(|(at, _)| *at == row).map(|(_, label)| label.as_str());
            let end = if label.is_some() { tick } else { side };
            let plot =
                (0..columns).map(|column| characters.with_dots(&grid.character(column, row, wide, high)));
            format!("{:>left$}{end}{}", label.unwrap_or_default(), plot.collect::<String>())
        })
        .collect()
}

fn time_axis(picture: &Picture, frame: &Frame) -> [String; 2] {
    let Frame { left, columns, characters } = *frame;
    let [_, _, corner, dash, tick] = characters.frame();
    let mut line = vec![dash; columns];
    let mut labels = String::new();
    let most_ticks = i64::try_from(columns / LABEL_WIDTH).unwrap_or(1);
    for (at_ms, label) in picture.time_ticks(most_ticks) {
        let column = picture.series.part(at_ms, columns);
        line[column] = tick;
        // The middle of the label is below the tick, but the label must stay within the width of the picture.
        let begin = (left + 1 + column).saturating_sub(label.len() / 2).min(left + 1 + columns - label.len());
        if labels.is_empty() || labels.len() < begin {
            labels = format!("{labels:begin$}{label}");
        }
    }
    [format!("{:left$}{corner}{}", "", line.iter().collect::<String>()), labels]
}

/// The dots of a plot, row by row; true is a dot that is drawn.
struct DotGrid {
    width: usize,
    dots: Vec<bool>,
}

impl DotGrid {
    fn new(width: usize, height: usize) -> DotGrid {
        DotGrid { width, dots: vec![false; width * height] }
    }

    /// Draws the part of a column between two rows, which may be in either order.
    fn column(&mut self, x: usize, from: usize, to: usize) {
        for y in from.min(to)..=from.max(to) {
            self.dots[y * self.width + x] = true;
        }
    }

    /// Draws a line from one dot to another, which is not to the left of it, without holes.
    fn line(&mut self, from: (usize, usize), to: (usize, usize)) {
        let steps = to.0 - from.0;
        let mut last = from.1;
        for step in 0..=steps {
            let y = (from.1 * (steps - step) + to.1 * step + steps / 2) / steps.max(1);
            let y = if steps == 0 { to.1 } else { y };
            self.column(from.0 + step, last, y);
            last = y;
        }
    }

    /// The dots of one character, row by row.
    fn character(&self, column: usize, row: usize, wide: usize, high: usize) -> Vec<bool> {
        let rows = row * high..(row + 1) * high;
        rows.flat_map(|y| &self.dots[y * self.width + column * wide..][..wide]).copied().collect()
    }
}

/// The text in lines of at most this width, broken at spaces.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.extend([" ", word]);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
