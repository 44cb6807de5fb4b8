#!/bin/sh
# The reading part alone: both values as they are, with libiio's own tool.
iio_attr -c iio:device0 temp input && iio_attr -c iio:device0 humidityrelative input
