//! Takes the unwinder from `libgcc_eh.a`. A panic here aborts, so that nothing ever unwinds; `libgcc_s.so`, which the
//! standard library asks for, would be loaded and bound by each run all the same.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu") {
        println!("cargo::rustc-link-lib=gcc_eh");
    }
}
