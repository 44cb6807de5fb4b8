//! The picture as characters: each holds two columns and four rows of dots in Braille, or one and two in ASCII.

use std::ops::RangeInclusive;

use super::Picture;
use super::axis::Axis;
use crate::output::clean;
use crate::reading::Quantity;

/// Fewer columns show nothing, and more are no line.
const WIDTHS: RangeInclusive<usize> = 30..=1000;

/// Rows of characters for each quantity: both, with what is around, fit into 24.
const ROWS: usize = 9;

/// At most so many steps on an axis of values: its ticks are in rows of their own.
const STEPS: i64 = 6;

/// What lies between two labels of the time axis, and the labels themselves.
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

    /// The character with these dots: row by row, from the top left.
    fn with(self, dots: &[bool]) -> char {
        let bits =
            |values: &[u32]| dots.iter().zip(values).filter(|(dot, _)| **dot).map(|(_, bit)| bit).sum();
        match self {
            // U+2800 has none; the bits are numbered down the columns, the last row came later.
            Characters::Braille => match bits(&[0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80]) {
                0 => ' ',
                bits => char::from_u32(0x2800 + bits).unwrap_or(' '),
            },
            Characters::Ascii => [' ', '\'', '.', ':'][bits(&[1, 2]) as usize],
        }
    }

    /// A row's left end, with and without a tick; the corner, the line and a tick of the time axis.
    fn lines(self) -> [char; 5] {
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

fn within(width: usize) -> usize {
    width.clamp(*WIDTHS.start(), *WIDTHS.end())
}

/// How many parts a series needs for a picture of this width.
pub(super) fn parts(width: usize) -> usize {
    within(width) * 2
}

/// Draws both quantities, one above the other, over the same time.
pub(super) fn draw(picture: &Picture, width: usize, characters: Characters) -> String {
    let width = within(width);
    let axes = Quantity::ALL.map(|quantity| Axis::tight(quantity, picture.series.values(quantity), STEPS));
    let labels = axes.iter().flat_map(Axis::ticks).map(|(_, label)| label.len());
    let left = labels.max().unwrap_or(0) + 1;
    let frame = Frame { left, columns: width - left - 1, characters };
    let mut lines = wrapped(&clean(&picture.title(), '\u{fffd}'), width);
    for (quantity, axis) in Quantity::ALL.into_iter().zip(&axes) {
        let heading = |times| {
            let unit = characters.unit(quantity);
            format!("{} in {unit}: {}", quantity.name(), picture.extremes(quantity, times))
        };
        let with_times = heading(true);
        let heading = if with_times.chars().count() <= width { with_times } else { heading(false) };
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
    let mut dots = Dots::new(columns * wide, ROWS * high);
    let below_top = |value: i64| {
        let lowest = i64::try_from(ROWS * high - 1).unwrap_or(0);
        usize::try_from(axis.below_top(value, lowest)).unwrap_or(0)
    };
    for stroke in picture.series.strokes(quantity) {
        let mut last = None;
        for (part, values) in stroke {
            let here = (picture.series.column(part, columns * wide), below_top(values.mean().into()));
            dots.column(here.0, below_top(values.most.into()), below_top(values.least.into()));
            dots.line(last.replace(here).unwrap_or(here), here);
        }
    }
    let [tick, side, ..] = characters.lines();
    let ticks: Vec<(usize, String)> =
        axis.ticks().map(|(value, label)| (below_top(value) / high, label)).collect();
    (0..ROWS)
        .map(|row| {
            let label = ticks.iter().find(|(at, _)| *at == row).map(|(_, label)| label.as_str());
            let end = if label.is_some() { tick } else { side };
            let dots = (0..columns).map(|column| characters.with(&dots.at(column, row, wide, high)));
            format!("{:>left$}{end}{}", label.unwrap_or_default(), dots.collect::<String>())
        })
        .collect()
}

fn time_axis(picture: &Picture, frame: &Frame) -> [String; 2] {
    let Frame { left, columns, characters } = *frame;
    let [_, _, corner, dash, tick] = characters.lines();
    let mut line = vec![dash; columns];
    let mut labels = String::new();
    let most = i64::try_from(columns / LABEL_WIDTH).unwrap_or(1);
    for (at_ms, label) in picture.time_ticks(most) {
        let column = picture.series.part(at_ms, columns);
        line[column] = tick;
        // Under the middle of the label, within the picture's width.
        let begin = (left + 1 + column).saturating_sub(label.len() / 2).min(left + 1 + columns - label.len());
        if labels.is_empty() || labels.len() < begin {
            labels = format!("{labels:begin$}{label}");
        }
    }
    [format!("{:left$}{corner}{}", "", line.iter().collect::<String>()), labels]
}

/// What is black of a picture.
struct Dots {
    width: usize,
    black: Vec<bool>,
}

impl Dots {
    fn new(width: usize, height: usize) -> Dots {
        Dots { width, black: vec![false; width * height] }
    }

    /// From one row to another, in either order.
    fn column(&mut self, x: usize, from: usize, to: usize) {
        for y in from.min(to)..=from.max(to) {
            self.black[y * self.width + x] = true;
        }
    }

    /// To the right, without a hole.
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
    fn at(&self, column: usize, row: usize, wide: usize, high: usize) -> Vec<bool> {
        let rows = row * high..(row + 1) * high;
        rows.flat_map(|y| &self.black[y * self.width + column * wide..][..wide]).copied().collect()
    }
}

/// In lines of at most this width, broken at spaces.
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
