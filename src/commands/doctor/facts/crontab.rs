//! What cron takes a table for: `crontab(5)`, and what cron 3.0pl1 of Debian was seen to do with each kind of line.

use super::users::Users;

/// What takes no reading.
const COMMANDS: [&str; 7] = ["list", "doctor", "status", "chart", "export", "verify", "setup"];

/// A table as cron reads it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// The first line that starts a run. Not its text: it may set the licence.
    pub(crate) job: Option<Job>,
    /// Why cron takes no line of the table.
    pub(crate) refused: Option<String>,
}

/// A line that starts a run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) line: usize,
    /// Whom it runs as. None: the table's owner, or it changes the user itself.
    pub(crate) user: Option<String>,
    pub(crate) changes_user: bool,
    /// What `PATH` is for it, if the table sets it.
    pub(crate) path: Option<String>,
    /// As the line names it: a path, or a name to look up. None: the line sets a PATH of its own.
    pub(crate) program: Option<String>,
    /// The configuration that it names.
    pub(crate) config: Option<String>,
    /// Why nothing starts all the same.
    pub(crate) broken: Option<&'static str>,
}

/// Reads a table: one with a field for the user, or a user's own.
pub(crate) fn parse(text: &str, names_user: bool, users: &Users) -> Table {
    let mut table = Table::default();
    let (mut path, mut config) = (None, None);
    for (index, raw) in text.split('\n').enumerate() {
        let line = raw.trim_start_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some((name, value)) = variable(line) {
            match name {
                "PATH" => path = Some(value.to_owned()),
                "IIO_FOCUS_CONFIG" => config = Some(value.to_owned()),
                _ => {}
            }
            continue;
        }
        let entry = entry(line, names_user, users);
        if let Err(wrong) = entry {
            table.refused.get_or_insert(format!("line {} has a {wrong}", index + 1));
        }
        // Of a wrong line too, to know that a run was meant.
        let (user, command) = entry.unwrap_or((None, line));
        if let Some(job) = job(command).filter(|_| table.job.is_none()) {
            let (user, config) = (user.map(str::to_owned), job.config.or_else(|| config.clone()));
            table.job = Some(Job { line: index + 1, user, path: path.clone(), config, ..job });
        }
    }
    let last = text.rsplit('\n').next().unwrap_or_default().trim_start_matches([' ', '\t']);
    if !last.is_empty() && !last.starts_with('#') {
        table.refused.get_or_insert("its last line has no newline at its end".to_owned());
    }
    table
}

/// `NAME=value`, with spaces around the sign and quotation marks around either.
fn variable(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let bare = unquoted(name);
    if bare.len() == name.len() && name.contains([' ', '\t']) {
        return None;
    }
    Some((bare, unquoted(value.trim())))
}

fn unquoted(text: &str) -> &str {
    ['"', '\''].into_iter().find_map(|mark| text.strip_prefix(mark)?.strip_suffix(mark)).unwrap_or(text)
}

/// The user, if there is a field for it, and the command.
fn entry<'a>(
    line: &'a str,
    names_user: bool,
    users: &Users,
) -> Result<(Option<&'a str>, &'a str), &'static str> {
    const NICKNAMES: [&str; 8] =
        ["reboot", "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"];
    let mut rest = line;
    if let Some(after) = line.strip_prefix('@') {
        let (nickname, behind) = word(after);
        if !NICKNAMES.contains(&nickname) {
            return Err("bad time specifier");
        }
        rest = behind;
    } else {
        for field in &FIELDS {
            let (text, behind) = word(rest);
            if !text.split(',').all(|element| field.takes(element)) {
                return Err(field.wrong);
            }
            rest = behind;
        }
    }
    let mut user = None;
    if names_user {
        let (name, behind) = word(rest);
        if behind.is_empty() {
            return Err("bad command: it lacks the user, or the command");
        }
        if users.find(name).is_none_or(|user| user.name != name) {
            return Err("bad username: there is no such user");
        }
        (user, rest) = (Some(name), behind);
    }
    if rest.is_empty() { Err("bad command") } else { Ok((user, rest)) }
}

/// The first word, and what is behind it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_start_matches([' ', '\t']))
}

/// One of the five fields of a time.
struct Field {
    wrong: &'static str,
    from: u32,
    to: u32,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 5] = [
    Field { wrong: "bad minute", from: 0, to: 59, names: &[] },
    Field { wrong: "bad hour", from: 0, to: 23, names: &[] },
    Field { wrong: "bad day of the month", from: 1, to: 31, names: &[] },
    Field { wrong: "bad month", from: 1, to: 12, names: &MONTHS },
    Field { wrong: "bad day of the week", from: 0, to: 7, names: &DAYS },
];

impl Field {
    /// `*`, a number, a name or a range, and a step behind it.
    fn takes(&self, element: &str) -> bool {
        let (range, step) =
            element.split_once('/').map_or((element, None), |(range, step)| (range, Some(step)));
        if step.is_some_and(|step| !matches!(step.parse::<u32>(), Ok(1..))) {
            return false;
        }
        if range == "*" {
            return true;
        }
        // With a tilde, newer ones take a random number of the range.
        match range.split_once(['-', '~']) {
            Some((from, to)) => {
                matches!((self.number(from), self.number(to)), (Some(from), Some(to)) if from <= to)
            }
            None => self.number(range).is_some(),
        }
    }

    fn number(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number =
            named.map_or_else(|| text.parse().ok(), |at| u32::try_from(at).ok().map(|at| at + self.from));
        number.filter(|number| (self.from..=self.to).contains(number))
    }
}

/// The run that a command starts, if it does.
fn job(command: &str) -> Option<Job> {
    const OTHER_USER: [&str; 5] = ["sudo", "su", "runuser", "setpriv", "doas"];
    let end = command.char_indices().find(|(at, c)| *c == '%' && !command[..*at].ends_with('\\'));
    let (shell, input) = command.split_at(end.map_or(command.len(), |(at, _)| at));
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let is_ours = |word: &&str| base(word.trim_end_matches([';', ')', '&'])) == "iio-focus";
    let words: Vec<&str> = shell.split_whitespace().collect();
    let at = words.iter().position(is_ours);
    let Some(at) = at else {
        let broken = "a % ends the command there, unless there is a \\ before it";
        let hidden = input.split_whitespace().any(|word| is_ours(&word));
        return hidden.then(|| Job { broken: Some(broken), ..Job::default() });
    };
    if words.iter().any(|word| COMMANDS.contains(word)) {
        return None;
    }
    let mut options = words[at..].iter();
    let config = options
        .find_map(|word| word.strip_prefix("--config=").or_else(|| (*word == "--config").then_some("")));
    let config = match config {
        Some("") => options.next().map(|word| (*word).to_owned()),
        other => other.map(str::to_owned),
    };
    let changes_user = words[..at].iter().any(|word| OTHER_USER.contains(&base(word).as_str()));
    let sets_path = words[..at].iter().any(|word| word.starts_with("PATH=")) || changes_user;
    let program = words[at].trim_end_matches([';', ')', '&']);
    let is_dos = command.ends_with('\r');
    Some(Job {
        changes_user,
        program: (!sets_path).then(|| program.to_owned()),
        config,
        broken: is_dos.then_some("it ends with a carriage return, which becomes a part of the command"),
        ..Job::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        Users::of("root:x:0:0::/:\niio-focus:x:9:9::/:\n", "")
    }

    #[test]
    fn a_line_starts_a_run_when_it_has_a_time_and_the_program() {
        for (text, line) in [
            ("", None),
            ("* * * * * root iio-focus --log syslog\n", Some(1)),
            ("PATH=/opt/iio-focus/bin\n\n */5 * * * * root /usr/local/bin/iio-focus\n", Some(3)),
            ("@reboot root iio-focus\n", Some(1)),
            ("# * * * * * root iio-focus\n", None),
            ("PATH=/opt/iio-focus/bin\n", None),
            ("*/5 * * * * root iio-focus status --prometheus >/run/metrics\n", None),
            ("* * * * * iio-focus sleep 20 && iio-focus\n", Some(1)),
            ("* * * * * iio-focus (sleep 20; iio-focus)\n", Some(1)),
            ("* * * * * root my-iio-focus-backup\n", None),
            ("0 3 * * * root backup /var/lib/iio-focus/readings.db\n", None),
        ] {
            let table = parse(text, true, &users());
            assert_eq!(table.job.map(|job| job.line), line, "{text:?}");
            assert_eq!(table.refused, None, "{text:?}");
        }
    }

    /// Each was given to cron 3.0pl1-162 too: `tests/debian/cron.sh` does so again.
    #[test]
    fn one_wrong_line_makes_cron_refuse_the_table() {
        let good = "* * * * * root iio-focus\n";
        for (text, wanted) in [
            (good.to_owned(), None),
            (good.trim_end().to_owned(), Some("its last line has no newline at its end")),
            (format!("{good}A=b"), Some("its last line has no newline at its end")),
            (format!("{good}# end"), None),
            (format!("{good}  "), None),
            ("* * * * * iio-focus\n".to_owned(), Some("line 1 has a bad command: it lacks the user")),
            ("* * * * * nobodyx iio-focus\n".to_owned(), Some("line 1 has a bad username: there is no")),
            ("* * * * * root:adm iio-focus\n".to_owned(), Some("line 1 has a bad username")),
            ("* * * * * 0 iio-focus\n".to_owned(), Some("line 1 has a bad username")),
            ("61 * * * * root iio-focus\n".to_owned(), Some("line 1 has a bad minute")),
            ("-1 * * * * root iio-focus\n".to_owned(), Some("line 1 has a bad minute")),
            ("*/0 * * * * root iio-focus\n".to_owned(), Some("line 1 has a bad minute")),
            ("*/99 * * * * root iio-focus\n".to_owned(), None),
            ("30-10 * * * * root iio-focus\n".to_owned(), Some("line 1 has a bad minute")),
            ("0 24 * * * root iio-focus\n".to_owned(), Some("line 1 has a bad hour")),
            ("* * 0 * * root iio-focus\n".to_owned(), Some("line 1 has a bad day of the month")),
            ("* * * 0 * root iio-focus\n".to_owned(), Some("line 1 has a bad month")),
            ("* * * * 8 root iio-focus\n".to_owned(), Some("line 1 has a bad day of the week")),
            ("* * * JAN-feb mon,tue root iio-focus\n".to_owned(), None),
            ("@often root iio-focus\n".to_owned(), Some("line 1 has a bad time specifier")),
            ("@REBOOT root iio-focus\n".to_owned(), Some("line 1 has a bad time specifier")),
            (format!("hello world\n{good}"), Some("line 1 has a bad minute")),
            (format!("{good}99 * * * * root true\n"), Some("line 2 has a bad minute")),
        ] {
            let refused = parse(&text, true, &users()).refused;
            match (refused.as_deref(), wanted) {
                (None, None) => {}
                (Some(refused), Some(wanted)) if refused.starts_with(wanted) => {}
                (refused, _) => panic!("{text:?}: {refused:?} is not {wanted:?}"),
            }
        }
    }

    #[test]
    fn what_is_special_about_a_line_is_known() {
        let job = |text: &str, names_user| parse(text, names_user, &users()).job.unwrap();
        let own = job("PATH = \"/opt/bin\"\n* * * * * iio-focus --config /etc/x.toml\n", false);
        assert_eq!((own.path.as_deref(), own.config.as_deref()), (Some("/opt/bin"), Some("/etc/x.toml")));
        assert_eq!((own.user, own.program.as_deref()), (None, Some("iio-focus")));
        let set = job("IIO_FOCUS_CONFIG=/etc/y.toml\n* * * * * root /bin/iio-focus; true\n", true);
        assert_eq!((set.user.as_deref(), set.config.as_deref()), (Some("root"), Some("/etc/y.toml")));
        assert_eq!(set.program.as_deref(), Some("/bin/iio-focus"));
        let other = job("* * * * * sudo -u pi iio-focus --config=/etc/x.toml\n", false);
        assert!(other.changes_user && other.program.is_none() && other.config.is_some(), "{other:?}");
        let cut = job("* * * * * sleep $(($RANDOM % 50)) && iio-focus\n", false);
        assert!(cut.broken.is_some_and(|why| why.contains("a % ends")), "{cut:?}");
        let whole = job("* * * * * sleep $(($RANDOM \\% 50)) && iio-focus\n", false);
        assert_eq!(whole.broken, None);
        let dos = job("* * * * * iio-focus\r\n", false);
        assert!(dos.broken.is_some_and(|why| why.contains("carriage return")), "{dos:?}");
    }
}
