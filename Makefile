# iio-focus: the program, its device-tree overlay and its man pages.
#
#   make             build all three          make check        everything that must hold
#   make install     as root, after make      make demo         one minute without a sensor
#   make uninstall                            make demo-kernel  the same on the kernel's own driver
#   make deb         Debian packages          make check-pi     as root: what is in them, on emulated Pis
#   make check-kernels   the kernel rig's cases on Debian's kernels: 6.1, 6.12 and the newest
PREFIX  ?= /usr/local
# Where the firmware looks for overlays: Bookworm and later, else the older place.
OVERLAYDIR ?= $(firstword $(wildcard /boot/firmware/overlays /boot/overlays) /boot/firmware/overlays)
# Debian's zsh has one folder for packages and one for all else; fish looks nowhere below /usr/local.
ZSHDIR ?= $(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
FISHDIR ?= $(if $(filter /usr,$(PREFIX)),$(PREFIX)/share/fish/vendor_completions.d,/etc/fish/completions)
DESTDIR ?=
CARGO   ?= cargo
INSTALL ?= install
DTC     ?= dtc

# Where cargo builds: target, or what CARGO_TARGET_DIR or cargo's configuration says. Cargo is asked, but not by who
# installs only, which may be root: for that, make all writes it down. The scripts are given the folder in
# CARGO_TARGET_DIR, as a whole path.
as_told = $(if $(CARGO_TARGET_DIR),CARGO_TARGET_DIR='$(CARGO_TARGET_DIR)')
asked = $(shell $(as_told) $(CARGO) metadata --format-version 1 --no-deps 2>/dev/null | \
	sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
given = $(shell realpath -m '$(or $(CARGO_TARGET_DIR),$(and $(only_installs),$(built_in)),target)')
built_in = $(shell cat target/built-in 2>/dev/null)
only_installs = $(if $(MAKECMDGOALS),$(if $(filter-out install uninstall,$(MAKECMDGOALS)),,yes))
override CARGO_TARGET_DIR := $(or $(if $(only_installs),,$(asked)),$(given))
export CARGO_TARGET_DIR
# Short where it can be, for paths with spaces are no names of make's.
target := $(subst $(CURDIR)/,,$(CARGO_TARGET_DIR))

program = $(target)/release/iio-focus
overlay = $(target)/overlays/iio-focus-dht22.dtbo
man = $(target)/man/iio-focus.1 $(target)/man/iio-focus.toml.5

# unit_address_vs_reg: the pin is in the nodes' names, which the firmware's renaming needs; a reg on a node
#   of the root would be a memory address.
# label_is_string: a parameter is called label, so __overrides__ has a property of that name.
DTCFLAGS = -@ -Hepapr -Wno-unit_address_vs_reg -Wno-label_is_string

.PHONY: all program examples check format lint test msrv check-overlay check-packaging check-pi rig rig-kernel check-kernels figures \
	bench bench-quick soak fuzz deb deb-files demo demo-kernel install uninstall clean

all: program $(overlay) $(man)
	@mkdir -p target
	@echo '$(CARGO_TARGET_DIR)' >target/built-in

program: | need-build
	$(CARGO) build --release --locked

# What plays focus and WhaTap in the tests.
examples: program
	@$(CARGO) build --release --locked --examples

$(target)/overlays/%.dtbo: overlays/%-overlay.dts | need-overlay
	@mkdir -p $(@D)
	$(DTC) $(DTCFLAGS) -I dts -O dtb -o $@ $<

$(target)/man/%: packaging/%.scd | need-man
	@mkdir -p $(@D)
	scdoc <$< >$@.new
	@mv $@.new $@

# What each job needs beside git, make and Rust: installed with apt, or named in one line.
.PHONY: need-build need-overlay need-man need-check
need-build:
	@packaging/tools/need.sh gcc libc6-dev
	@CARGO='$(CARGO)' packaging/tools/need-rust.sh
need-overlay:
	@packaging/tools/need.sh device-tree-compiler
need-man:
	@packaging/tools/need.sh scdoc
need-check: need-build
	@$(CARGO) fmt --version >/dev/null 2>&1 || packaging/tools/need.sh rustfmt
	@$(CARGO) clippy --version >/dev/null 2>&1 || packaging/tools/need.sh rust-clippy
	@packaging/tools/need.sh acl bc bison cpp cron curl debootstrap device-tree-compiler dosfstools e2fsprogs f2fs-tools \
		faketime fish flex i2c-tools iproute2 kmod linux-source man-db openssl patch prometheus prometheus-node-exporter \
		python3 python3-dev python3-venv scdoc sqlite3 strace systemd systemd-container time \
		util-linux valgrind xz-utils zsh

check: | need-check
	@packaging/tools/together.sh 'format lint test' 'examples rig-kernel msrv check-overlay'
	@$(MAKE) --no-print-directory check-packaging rig figures bench-quick
	@echo 'check: all passed'

format: | need-check
	$(CARGO) fmt --check

lint: | need-check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --quiet
	@packaging/tools/advisories.sh

test: | need-check
	$(CARGO) test --locked --quiet

msrv: | need-check
	@packaging/tools/msrv.sh

check-overlay: $(overlay) | need-check
	tests/debian/overlay/check.sh $(target)/overlay-check $(overlay)

check-packaging: all examples | need-check
	tests/debian/install.sh
	tests/debian/target-dir.sh
	tests/debian/units.sh
	tests/debian/units-boot.sh

rig-kernel: | need-check
	@[ "$$(uname -m)" != x86_64 ] || tests/kernel/build.sh

rig: examples $(overlay) | need-check
	tests/kernel/check.sh
	tests/kernel/soak.sh --short

check-kernels: examples $(overlay) | need-check
	tests/kernel/kernels.sh

figures: program | need-check
	@tests/bench/figures.sh $(program)

# Half an hour, on a machine that does nothing else: writes tests/bench/RESULTS.md.
bench: examples $(overlay) | need-check
	@$(MAKE) deb ARCH='arm64 armhf' || { rm -f target/deb/*_arm64.deb target/deb/*_armhf.deb; \
		echo 'bench: the packages for arm64 and armhf could not be built' >&2; }
	tests/bench/bench.sh

bench-quick: examples | need-check
	@tests/bench/bench.sh --quick

# About an hour.
soak: examples $(overlay) | need-check
	tests/kernel/soak.sh

# For one of them: make deb ARCH=arm64.
ARCH ?= arm64 armhf amd64
# Always in target: Cargo.toml says from where cargo-deb packs.
deb: | need-build
	$(MAKE) CARGO_TARGET_DIR=target deb-files
	packaging/debian/deb.sh $(ARCH)

# What cargo-deb packs beside what is in the repository.
deb-files: $(overlay) $(man) $(target)/deb/changelog

$(target)/deb/changelog: CHANGELOG.md Cargo.toml packaging/debian/changelog.sh
	@mkdir -p $(@D)
	packaging/debian/changelog.sh >$@.new
	@mv $@.new $@

check-pi: deb examples
	tests/debian/package.sh
	tests/debian/quick-start.sh
	tests/debian/image.sh
	tests/debian/cloud-init.sh
	tests/debian/user.sh
	tests/debian/pi-boot.sh
	tests/debian/make-deb.sh
	@echo 'check-pi: all passed'

# Needs a nightly Rust and `cargo install cargo-fuzz`. SQLite reports its comparisons, which guides the store's target.
# What is found goes to fuzz/ where cargo builds; tests/fuzz/pack.sh keeps it.
FUZZ_SECONDS ?= 1200
fuzz: | need-build
	@for target in configuration number transcript store; do \
		mkdir -p $(target)/fuzz/corpus/$$target $(target)/fuzz/kept/$$target; flags=; \
		tar -xJf tests/fuzz/corpus/$$target.tar.xz -C $(target)/fuzz/kept/$$target || exit; \
		case $$target in \
		configuration) flags=-dict=tests/fuzz/configuration.dict ;; \
		store) flags='-use_value_profile=1 -max_len=16384' ;; \
		esac; \
		CFLAGS=-fsanitize-coverage=trace-cmp $(CARGO) +nightly fuzz run --fuzz-dir tests/fuzz \
			--target-dir $(target)/fuzz/build --sanitizer none $$target $(target)/fuzz/corpus/$$target \
			$(target)/fuzz/kept/$$target tests/fuzz/seeds/$$target -- -max_total_time=$(FUZZ_SECONDS) \
			-timeout=10 -artifact_prefix=$(target)/fuzz/$$target- $$flags || exit; \
	done
	DRAW_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --locked --quiet --test it whole_run -- --nocapture

demo: examples
	@packaging/tools/demo.sh

demo-kernel: examples $(overlay) | need-check
	@tests/kernel/demo.sh

# Builds nothing: cargo never runs as root.
install:
	@test -x $(program) -a -e $(overlay) -a -e $(lastword $(man)) || { \
		echo 'install: not all is in $(CARGO_TARGET_DIR): run make first, or name its folder with CARGO_TARGET_DIR=' >&2; exit 1; }
	$(INSTALL) -D -m 755 $(program) $(DESTDIR)$(PREFIX)/bin/iio-focus
	$(INSTALL) -D -m 644 $(overlay) $(DESTDIR)$(OVERLAYDIR)/iio-focus-dht22.dtbo
	$(INSTALL) -D -m 644 $(target)/man/iio-focus.1 $(DESTDIR)$(PREFIX)/share/man/man1/iio-focus.1
	$(INSTALL) -D -m 644 $(target)/man/iio-focus.toml.5 $(DESTDIR)$(PREFIX)/share/man/man5/iio-focus.toml.5
	$(INSTALL) -D -m 644 packaging/iio-focus.service $(DESTDIR)$(PREFIX)/lib/systemd/system/iio-focus.service
	$(INSTALL) -D -m 644 packaging/iio-focus.timer $(DESTDIR)$(PREFIX)/lib/systemd/system/iio-focus.timer
	$(INSTALL) -D -m 644 packaging/iio-focus@.service $(DESTDIR)$(PREFIX)/lib/systemd/system/iio-focus@.service
	$(INSTALL) -D -m 644 packaging/iio-focus@.timer $(DESTDIR)$(PREFIX)/lib/systemd/system/iio-focus@.timer
	$(INSTALL) -D -m 644 packaging/iio-focus-verify.service $(DESTDIR)$(PREFIX)/lib/systemd/system/iio-focus-verify.service
	$(INSTALL) -D -m 644 packaging/iio-focus-verify.timer $(DESTDIR)$(PREFIX)/lib/systemd/system/iio-focus-verify.timer
	$(INSTALL) -D -m 644 packaging/iio-focus.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/iio-focus.conf
	$(INSTALL) -D -m 644 packaging/completions/iio-focus.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/iio-focus
	$(INSTALL) -D -m 644 packaging/completions/_iio-focus $(DESTDIR)$(ZSHDIR)/_iio-focus
	$(INSTALL) -D -m 644 packaging/completions/iio-focus.fish $(DESTDIR)$(FISHDIR)/iio-focus.fish
	$(INSTALL) -D -m 644 packaging/iio-focus.toml $(DESTDIR)$(PREFIX)/share/doc/iio-focus/iio-focus.toml
	$(INSTALL) -D -m 644 packaging/iio-focus.cron $(DESTDIR)$(PREFIX)/share/doc/iio-focus/iio-focus.cron
	$(INSTALL) -D -m 644 packaging/cloud-init.yaml $(DESTDIR)$(PREFIX)/share/doc/iio-focus/cloud-init.yaml

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/iio-focus
	rm -f $(DESTDIR)$(OVERLAYDIR)/iio-focus-dht22.dtbo
	rm -f $(DESTDIR)$(PREFIX)/share/man/man1/iio-focus.1
	rm -f $(DESTDIR)$(PREFIX)/share/man/man5/iio-focus.toml.5
	rm -f $(DESTDIR)$(PREFIX)/lib/systemd/system/iio-focus.service
	rm -f $(DESTDIR)$(PREFIX)/lib/systemd/system/iio-focus.timer
	rm -f $(DESTDIR)$(PREFIX)/lib/systemd/system/iio-focus@.service
	rm -f $(DESTDIR)$(PREFIX)/lib/systemd/system/iio-focus@.timer
	rm -f $(DESTDIR)$(PREFIX)/lib/systemd/system/iio-focus-verify.service
	rm -f $(DESTDIR)$(PREFIX)/lib/systemd/system/iio-focus-verify.timer
	rm -f $(DESTDIR)$(PREFIX)/lib/sysusers.d/iio-focus.conf
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/iio-focus
	rm -f $(DESTDIR)$(ZSHDIR)/_iio-focus
	rm -f $(DESTDIR)$(FISHDIR)/iio-focus.fish
	rm -f $(DESTDIR)$(PREFIX)/share/doc/iio-focus/iio-focus.toml
	rm -f $(DESTDIR)$(PREFIX)/share/doc/iio-focus/iio-focus.cron
	rm -f $(DESTDIR)$(PREFIX)/share/doc/iio-focus/cloud-init.yaml
	-rmdir $(DESTDIR)$(PREFIX)/share/doc/iio-focus 2>/dev/null
	@echo 'left, if they are there: /etc/iio-focus.toml, /etc/iio-focus, and the readings in /var/lib/iio-focus'

clean:
	$(CARGO) clean
