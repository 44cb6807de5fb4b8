#!/bin/sh
# SPDX-License-Identifier: MIT
# rp1.sh PI5.dts: gives the GPIOs of the RP1 the label that Raspberry Pi's own
# tree has for them and that the overlay refers to: gpio. Debian's tree has
# them since 6.16, under another label. Before that, a node with their
# properties is added (raspberrypi,rp1-gpio.yaml), which is enough to merge into.
set -eu
if grep -q 'rp1_gpio:' "$1"; then
    echo 'gpio: &rp1_gpio {};' >>"$1"
else
    cat >>"$1" <<END
/ {
	rp1 {
		gpio: gpio@d0000 {
			compatible = "raspberrypi,rp1-gpio";
			gpio-controller;
			#gpio-cells = <2>;
			interrupt-controller;
			#interrupt-cells = <2>;
		};
	};
};
END
fi
