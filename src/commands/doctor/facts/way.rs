//! The way to a file: each folder and link on it, and who may pass.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::acl;
use super::users::User;
use crate::error::Problem;

/// One folder on the way, or what is at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Where it is in the system that is looked at.
    pub(crate) path: PathBuf,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// With the bits for the kind of file.
    pub(crate) mode: u32,
    pub(crate) acl: Vec<acl::Entry>,
}

/// How a way ends.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The last step is the file itself; here it is for this process.
    There(PathBuf),
    /// This is not there.
    Missing(PathBuf),
    /// This process cannot see further, and why.
    Unknown(Problem),
}

/// All steps to a file in their order, links followed.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

/// As the kernel has it (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

impl Way {
    /// The way to a path. What is below `root` is looked at as the system sees it whose root folder that is.
    pub(crate) fn look(root: &Path, path: &Path) -> Way {
        let (root, inside) = match path.strip_prefix(root) {
            Ok(inside) => (root, inside),
            Err(_) => (Path::new("/"), path),
        };
        let mut way = Way { steps: Vec::new(), end: End::There(root.to_owned()) };
        let mut left: VecDeque<OsString> = names(inside).collect();
        let (mut links, mut at) = (0, PathBuf::from("/"));
        way.step(root, &at);
        while let Some(name) = left.pop_front() {
            if name == ".." {
                at.pop();
                continue;
            }
            let next = at.join(name);
            let Some(mode) = way.step(root, &next) else { break };
            if mode & nix::libc::S_IFMT != nix::libc::S_IFLNK {
                at = next;
                continue;
            }
            way.steps.pop();
            links += 1;
            let target = fs::read_link(under(root, &next)).unwrap_or_default();
            if links > MOST_LINKS {
                way.end = End::Unknown(Problem::file("follow", &next, &nix::errno::Errno::ELOOP.into()));
                break;
            }
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            for name in names(&target).rev() {
                left.push_front(name);
            }
            way.end = End::There(under(root, &at));
        }
        way
    }

    /// Notes this step. None: the way ends before it.
    fn step(&mut self, root: &Path, path: &Path) -> Option<u32> {
        let here = under(root, path);
        match fs::symlink_metadata(&here) {
            Ok(meta) => {
                let (uid, gid, mode) = (meta.uid(), meta.gid(), meta.mode());
                let step = Step { path: path.to_owned(), uid, gid, mode, acl: acl::look(&here) };
                self.steps.push(step);
                self.end = End::There(here);
                Some(meta.mode())
            }
            Err(error) => {
                self.end = match error.kind() {
                    ErrorKind::NotFound | ErrorKind::NotADirectory => End::Missing(path.to_owned()),
                    _ => End::Unknown(Problem::file("look at", &here, &error)),
                };
                None
            }
        }
    }

    /// Where the file is for this process, if it is there.
    pub(crate) fn found(&self) -> Option<&Path> {
        match &self.end {
            End::There(path) => Some(path),
            _ => None,
        }
    }
}

fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().filter_map(name)
}

fn under(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// What somebody wants to do with a file, as the bits of `access(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Read = 4,
    ReadAndWrite = 6,
    Execute = 1,
    /// A script, which its interpreter reads.
    ReadAndExecute = 5,
    /// Making files in a folder, and replacing them.
    ChangeFolder = 3,
}

impl Step {
    /// Whether the mode lets this user do it. `overrides`: he has root's rights over files (`capabilities(7)`,
    /// `CAP_DAC_OVERRIDE`).
    pub(crate) fn lets(&self, user: &User, overrides: bool, want: u32) -> bool {
        let is_folder = self.mode & nix::libc::S_IFMT == nix::libc::S_IFDIR;
        if overrides {
            return want & 1 == 0 || is_folder || self.mode & 0o111 != 0;
        }
        let by_list = acl::lets(&self.acl, user, self.gid, want).filter(|_| self.uid != user.uid);
        if let Some(lets) = by_list {
            return lets;
        }
        let bits = if self.uid == user.uid {
            self.mode >> 6
        } else if self.gid == user.gid || user.groups.contains(&self.gid) {
            self.mode >> 3
        } else {
            self.mode
        };
        bits & want == want
    }
}

impl Way {
    /// The first step that does not let this user pass, or at the end do what he wants.
    pub(crate) fn refuses(&self, user: &User, overrides: bool, want: Want) -> Option<&Step> {
        let is_last = |index| index + 1 == self.steps.len() && matches!(self.end, End::There(_));
        let wanted = |index| if is_last(index) { want as u32 } else { Want::Execute as u32 };
        self.steps
            .iter()
            .enumerate()
            .find_map(|(index, step)| (!step.lets(user, overrides, wanted(index))).then_some(step))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_way_goes_through_links_as_the_system_sees_them() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("home/pi")).unwrap();
        fs::create_dir_all(root.join("usr/bin")).unwrap();
        fs::write(root.join("home/pi/focus"), "").unwrap();
        symlink("/home/pi/focus", root.join("usr/bin/focus")).unwrap();
        symlink("../../home/./pi/focus", root.join("usr/bin/relative")).unwrap();
        symlink("loop", root.join("usr/bin/loop")).unwrap();
        let steps = |name: &str| {
            let way = Way::look(root, &root.join("usr/bin").join(name));
            let steps: Vec<_> = way.steps.iter().map(|step| step.path.display().to_string()).collect();
            (steps.join(" "), way)
        };
        for name in ["focus", "relative"] {
            let (steps, way) = steps(name);
            assert_eq!(steps, "/ /usr /usr/bin /home /home/pi /home/pi/focus");
            assert_eq!(way.found(), Some(root.join("home/pi/focus").as_path()));
        }
        let (_, way) = steps("none/x");
        assert!(matches!(&way.end, End::Missing(path) if path == Path::new("/usr/bin/none")), "{way:?}");
        let (_, way) = steps("loop");
        assert!(matches!(&way.end, End::Unknown(problem) if problem.what.contains("ELOOP")), "{way:?}");
    }

    #[test]
    fn a_mode_is_judged_by_the_first_class_that_the_user_is_of() {
        let user = |uid| User { name: "u".into(), uid, gid: 10, groups: vec![20] };
        let step = |uid, gid, mode| Step {
            path: "/x".into(),
            uid,
            gid,
            mode: mode | nix::libc::S_IFREG,
            acl: Vec::new(),
        };
        for (step, overrides, want, lets) in [
            (step(1, 1, 0o644), false, Want::Read, true),
            (step(1, 1, 0o640), false, Want::Read, false),
            (step(1, 10, 0o640), false, Want::Read, true),
            (step(1, 20, 0o640), false, Want::Read, true),
            (step(1, 20, 0o640), false, Want::ReadAndWrite, false),
            (step(5, 1, 0o600), false, Want::ReadAndWrite, true),
            // Its owner, and the others may more.
            (step(5, 1, 0o077), false, Want::Read, false),
            (step(1, 10, 0o707), false, Want::Read, false),
            (step(1, 1, 0o000), true, Want::ReadAndWrite, true),
            (step(1, 1, 0o644), true, Want::Execute, false),
            (step(1, 1, 0o100), true, Want::Execute, true),
            (step(1, 1, 0o711), false, Want::ReadAndExecute, false),
        ] {
            assert_eq!(step.lets(&user(5), overrides, want as u32), lets, "{step:?} {want:?}");
        }
    }
}
