//! The users and groups of the system that is looked at (`passwd(5)`, `group(5)`).

use std::fs;
use std::path::Path;

use nix::unistd::{self, getgrouplist};

/// Who a process runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// All groups but the one above.
    pub(crate) groups: Vec<u32>,
}

/// The two files, and whether the C library may be asked for those that are in neither.
#[derive(Default)]
pub(crate) struct Users {
    passwd: String,
    group: String,
    is_this_system: bool,
}

impl Users {
    pub(crate) fn look(root: &Path) -> Users {
        let text = |name| fs::read(root.join(name)).unwrap_or_default();
        let [passwd, group] =
            ["etc/passwd", "etc/group"].map(|name| String::from_utf8_lossy(&text(name)).into());
        Users { passwd, group, is_this_system: root == Path::new("/") }
    }

    /// The user of this name or number.
    pub(crate) fn find(&self, wanted: &str) -> Option<User> {
        let entry = |line: &str| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, gid, ..] = fields[..] else { return None };
            if name != wanted && uid != wanted {
                return None;
            }
            Some(User {
                name: name.to_owned(),
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
                groups: self.groups_of(name),
            })
        };
        self.passwd.lines().find_map(entry).or_else(|| self.ask_system(wanted))
    }

    /// Users may come from elsewhere, such as a directory server.
    fn ask_system(&self, name: &str) -> Option<User> {
        let found = self.is_this_system.then(|| unistd::User::from_name(name).ok()).flatten()??;
        let c_name = std::ffi::CString::new(found.name.clone()).ok()?;
        let groups = getgrouplist(&c_name, found.gid).unwrap_or_default();
        Some(User {
            name: found.name,
            uid: found.uid.as_raw(),
            gid: found.gid.as_raw(),
            groups: groups.into_iter().map(unistd::Gid::as_raw).collect(),
        })
    }

    fn groups_of(&self, user: &str) -> Vec<u32> {
        let has = |line: &str| {
            let fields: Vec<&str> = line.split(':').collect();
            let [_, _, gid, members] = fields[..] else { return None };
            members.split(',').any(|member| member == user).then(|| gid.parse().ok())?
        };
        self.group.lines().filter_map(has).collect()
    }

    /// The number of the group of this name or number.
    pub(crate) fn group(&self, wanted: &str) -> Option<u32> {
        let number = |line: &str| {
            let mut fields = line.split(':');
            (fields.next()? == wanted).then(|| fields.nth(1)?.parse().ok())?
        };
        self.group.lines().find_map(number).or_else(|| wanted.parse().ok())
    }

    /// `owner:group`, in names as far as there are some.
    pub(crate) fn names(&self, uid: u32, gid: u32) -> String {
        let owner = name_of(&self.passwd, uid).map_or_else(|| uid.to_string(), str::to_owned);
        format!("{owner}:{}", self.group_name(gid))
    }

    pub(crate) fn group_name(&self, gid: u32) -> String {
        name_of(&self.group, gid).map_or_else(|| gid.to_string(), str::to_owned)
    }
}

/// The name on the line with this number; it is the third field in both files.
fn name_of(text: &str, number: u32) -> Option<&str> {
    let name = |line: &'_ str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then_some(name.len())
    };
    text.lines().find_map(|line| Some(&line[..name(line)?]))
}

#[cfg(test)]
impl Users {
    /// Those of these two texts.
    pub(crate) fn of(passwd: &str, group: &str) -> Users {
        Users { passwd: passwd.to_owned(), group: group.to_owned(), is_this_system: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_his_own_group_and_those_that_name_him() {
        let users = Users::of(
            "root:x:0:0:root:/root:/bin/bash\niio-focus:x:994:991::/var/lib/iio-focus:/usr/sbin/nologin\nbroken\n",
            "root:x:0:\niio-focus:x:991:\ngpio:x:986:pi,iio-focus\nadm:x:4:pi\nbroken\n",
        );
        let user = Some(User { name: "iio-focus".into(), uid: 994, gid: 991, groups: vec![986] });
        assert_eq!(users.find("iio-focus"), user);
        assert_eq!(users.find("994"), user);
        assert_eq!(users.find("iio"), None);
        assert!(users.find("root").unwrap().groups.is_empty());
        assert_eq!(users.group("gpio"), Some(986));
        assert_eq!(users.group("44"), Some(44));
        assert_eq!(users.group("video"), None);
        assert_eq!(users.names(994, 986), "iio-focus:gpio");
        assert_eq!(users.names(12, 13), "12:13");
    }
}
