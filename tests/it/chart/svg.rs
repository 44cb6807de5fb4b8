//! The chart in SVG.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use super::{EVENING, NIGHT, chart, in_berlin, night, with};
use crate::machine::fifo;
use serde_json::Value;

/// What an XML parser makes of it: a list of [element, attributes, text].
fn parsed(svg: &str) -> Vec<(String, Value, String)> {
    const PARSE: &str = "import json, sys, xml.etree.ElementTree as tree\n\
        print(json.dumps([[e.tag.split('}')[1], e.attrib, ''.join(e.itertext())] for e in tree.parse(sys.argv[1]).iter()]))";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("chart.svg");
    fs::write(&file, svg).unwrap();
    let output = Command::new("python3").args(["-c", PARSE]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}{svg}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn texts<'a>(elements: &'a [(String, Value, String)], name: &str) -> Vec<&'a str> {
    elements.iter().filter(|element| element.0 == name).map(|element| element.2.as_str()).collect()
}

#[test]
fn a_picture_has_title_axes_units_gaps_both_quantities_and_their_extremes() {
    let elements = parsed(&chart(&night(), &with(&NIGHT, &["--svg", "-"])));
    let title = "kitchen, 2026-11-01 18:00 to 2026-11-02 18:00 CET";
    let gap = "no readings from 2026-11-02 04:00:00 to 2026-11-02 06:10:00";
    assert_eq!(texts(&elements, "title"), [title, gap, gap]);
    let texts = texts(&elements, "text");
    assert_eq!(
        texts.join("|"),
        "kitchen, 2026-11-01 18:00 to 2026-11-02 18:00 CET|temperature in °C: min 18.1 at 06:10, mean 19.9, max 21.6 at 18:00|22|21|20|19|18|18:00|21:00|Nov 2|03:00|06:00|09:00|12:00|15:00|18:00|\
         humidity in %RH: min 44.2 at 18:00, mean 49.2, max 54.9 at 06:10|55|50|45|40|18:00|21:00|Nov 2|03:00|06:00|09:00|12:00|15:00|18:00|\
         line: mean of each 1m 50s; band: from least to most; grey: no readings"
    );
    // A line and a band on both sides of the gap, in both panels.
    for name in ["polyline", "polygon"] {
        assert_eq!(elements.iter().filter(|element| element.0 == name).count(), 4, "{name}");
    }
    // Nothing of it is outside, and nothing from elsewhere.
    for (name, attributes, _) in &elements {
        assert!(
            attributes.get("href").is_none() && !["image", "use", "style", "script"].contains(&name.as_str())
        );
        for point in attributes["points"].as_str().unwrap_or_default().split_whitespace() {
            let (x, y) = point.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((56.0..=836.0).contains(&x) && (76.0..=460.0).contains(&y), "{point}");
        }
    }
}

#[test]
fn what_a_sensor_is_called_stays_text() {
    let machine = in_berlin();
    machine.keep([(EVENING, "<b>\"Küche\" & \u{1b}</b>", 20_000, 50_000)]);
    let elements = parsed(&chart(
        &machine,
        &["chart", "--since=2026-11-01T17:00", "--until=2026-11-01T19:00", "--svg=-"],
    ));
    assert!(texts(&elements, "text")[0].starts_with("<b>\"Küche\" & \u{fffd}</b>, 2026-11-01 17:00 to"));
    assert_eq!(elements.iter().filter(|element| element.0 == "b").count(), 0);
}

#[test]
fn a_file_is_replaced_as_a_whole_and_keeps_its_mode_and_its_links() {
    let machine = night();
    let picture = chart(&machine, &with(&NIGHT, &["--svg", "-"]));
    fs::create_dir(machine.path("www")).unwrap();
    let file = machine.path("www/night.svg");
    assert_eq!(chart(&machine, &with(&NIGHT, &["--svg", "www/night.svg"])), "");
    assert_eq!(fs::read_to_string(&file).unwrap(), picture);

    let only_file = || fs::read_dir(machine.path("www")).unwrap().count() == 1;
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&file).unwrap().ino();
    let words = with(&NIGHT, &["--svg", "www/night.svg"]);
    // It cannot be put in place: the old one stays.
    let failed = machine.run_traced(&["-e", "trace=renameat", "-e", "inject=renameat:error=EIO"], &words);
    failed.fails(74, &["www/night.svg: EIO: I/O error"]);
    assert!(fs::read_to_string(&file).unwrap() == "old" && only_file());
    symlink("www/night.svg", machine.path("link.svg")).unwrap();
    assert_eq!(chart(&machine, &with(&NIGHT, &["--svg", "link.svg"])), "");
    assert_eq!(fs::read_to_string(&file).unwrap(), picture);
    assert!(machine.path("link.svg").is_symlink() && only_file());
    let after = fs::metadata(&file).unwrap();
    assert!(after.ino() != before && after.mode() & 0o777 == 0o640);
}

#[test]
fn what_is_no_file_is_written_to_and_stays_what_it_is() {
    let machine = night();
    let picture = chart(&machine, &with(&NIGHT, &["--svg", "-"]));
    assert_eq!(chart(&machine, &with(&NIGHT, &["--svg", "/dev/stdout"])), picture);
    fifo(&machine.path("pipe"));
    let reader = machine.bare(&["cat", "pipe"]).spawn().unwrap();
    chart(&machine, &with(&NIGHT, &["--svg", "pipe"]));
    assert_eq!(String::from_utf8(reader.wait_with_output().unwrap().stdout).unwrap(), picture);
    machine
        .run(&with(&NIGHT, &["--svg", "/dev/full"]))
        .fails(74, &["/dev/full: ENOSPC: No space left on device"]);
    machine.run(&with(&NIGHT, &["--svg", "no/such/folder.svg"])).fails(74, &["no/such/folder.svg: ENOENT"]);
    machine.run(&with(&NIGHT, &["--svg", "bin"])).fails(74, &["bin: EISDIR"]);
    machine.run(&with(&NIGHT, &["--svg", ""])).fails(74, &["ENOENT"]);
}
