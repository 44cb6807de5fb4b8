//! The access control list of a file (`acl(5)`), which says more than its mode.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::users::User;

/// One entry, as the kernel stores it (`include/uapi/linux/posix_acl_xattr.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) tag: u16,
    pub(crate) bits: u16,
    /// The user or group of a named entry.
    pub(crate) id: u32,
}

const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// The list of a file; empty if it has none beside its mode.
#[allow(unsafe_code, reason = "nix has no extended attributes")]
pub(super) fn look(path: &Path) -> Vec<Entry> {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return Vec::new() };
    let mut bytes = vec![0_u8; 4096];
    let name = c"system.posix_acl_access";
    // SAFETY: both strings end with zero, and the buffer has as many bytes as is said.
    let length =
        unsafe { nix::libc::lgetxattr(path.as_ptr(), name.as_ptr(), bytes.as_mut_ptr().cast(), bytes.len()) };
    bytes.truncate(usize::try_from(length).unwrap_or(0));
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Vec<Entry> {
    let entry = |entry: &[u8]| Entry {
        tag: u16::from_le_bytes([entry[0], entry[1]]),
        bits: u16::from_le_bytes([entry[2], entry[3]]),
        id: u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]),
    };
    // Behind the version.
    bytes.get(4..).unwrap_or_default().chunks_exact(8).map(entry).collect()
}

/// Whether a list lets this user, who is not the file's owner, do what these bits want. None: there is no list.
pub(super) fn lets(list: &[Entry], user: &User, file_gid: u32, want: u32) -> Option<bool> {
    let bits_of =
        |wanted: u16| list.iter().find(|entry| entry.tag == wanted).map(|entry| u32::from(entry.bits));
    bits_of(USER_OBJ)?;
    let mask = bits_of(MASK).unwrap_or(7);
    let allows = |bits: u32| bits & want == want;
    if let Some(named) = list.iter().find(|entry| entry.tag == USER && entry.id == user.uid) {
        return Some(allows(u32::from(named.bits) & mask));
    }
    let is_in = |gid: u32| gid == user.gid || user.groups.contains(&gid);
    let groups = list.iter().filter(|entry| match entry.tag {
        GROUP_OBJ => is_in(file_gid),
        GROUP => is_in(entry.id),
        _ => false,
    });
    let bits: Vec<u32> = groups.map(|entry| u32::from(entry.bits) & mask).collect();
    if bits.is_empty() { Some(allows(bits_of(OTHER)?)) } else { Some(bits.into_iter().any(allows)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_user_comes_before_groups_and_these_before_others() {
        let user = User { name: "u".into(), uid: 5, gid: 10, groups: vec![20] };
        let list = |extra: &[(u16, u16, u32)]| {
            let mut list: Vec<(u16, u16, u32)> = vec![(USER_OBJ, 6, 0), (GROUP_OBJ, 4, 0), (OTHER, 0, 0)];
            list.extend(extra);
            list.into_iter().map(|(tag, bits, id)| Entry { tag, bits, id }).collect::<Vec<_>>()
        };
        for (extra, file_gid, want, lets_it) in [
            (&[][..], 10, 4, true),
            (&[], 11, 4, false),
            (&[(USER, 6, 5), (MASK, 7, 0)], 11, 6, true),
            (&[(USER, 6, 5), (MASK, 4, 0)], 11, 6, false),
            (&[(USER, 0, 5), (MASK, 7, 0)], 10, 4, false),
            (&[(USER, 6, 6), (MASK, 7, 0)], 11, 4, false),
            (&[(GROUP, 6, 20), (MASK, 7, 0)], 11, 6, true),
            (&[(GROUP, 6, 21), (MASK, 7, 0)], 11, 4, false),
        ] {
            assert_eq!(
                lets(&list(extra), &user, file_gid, want),
                Some(lets_it),
                "{extra:?} {file_gid} {want}"
            );
        }
        assert_eq!(lets(&[], &user, 10, 4), None);
    }
}
