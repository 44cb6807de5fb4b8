// dht22 LINE FRAMES: plays a DHT22 (AM2302) on one line of gpio-sim.
//
// Goes to the background once the bus idles high. Each time the driver lets go
// of the line after its start pulse, the next line of the file FRAMES says what
// the sensor answers; the last one stays. A file that was replaced starts anew.
// Each answer is reported on standard output before it is sent.
//
//   t=N h=N       0.1 °C and 0.1 %RH; t may be negative (sign and magnitude)
//   raw=HHHHHHHH  these humidity and temperature bytes instead
//   n0=N n1=N     length of a 0 bit and of a 1 bit in microseconds
//   dht11         whole degrees and percents in the format of a DHT11
//   badsum        the checksum is off by one
//   weird         a good checksum over a format the driver does not know
//   silent        no answer
//   stuck         pulls the line low and never lets go
//   short:N       dies after N edges
//   drop:N        edges N and N+1 never reach the line
//   late:N        answers N ms late
//   glitch        a 2 us spike ahead of the frame
#include <fcntl.h>
#include <linux/gpio.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ALL_EDGES = 1000, ANSWER_DELAY_US = 30 };

// Polls are what costs the guest most. The start pulse lasts at least 18 ms, so a
// line that is looked at every 8 ms and found driven stays so for 9.5 ms more.
enum { IDLE_POLL_US = 8000, START_PULSE_REST_US = 9500, RELEASE_POLL_US = 100 };

struct frame {
	int temperature, humidity;
	int zero_us, one_us;
	bool has_raw, dht11, badsum, weird, stuck, glitch;
	unsigned raw;
	int edges;      // how many the sensor lives for
	int drop;       // first of the two that get lost, counted from 1
	int late_ms;
};

static int line, chip, pull;
static const char *frames;

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sleep_until(int64_t ns)
{
	struct timespec t = { ns / 1000000000, ns % 1000000000 };
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void set_line(bool high)
{
	const char *state = high ? "pull-up" : "pull-down";
	if (pwrite(pull, state, strlen(state), 0) < 0)
		die("pull");
}

static bool driven_by_host(void)
{
	struct gpio_v2_line_info info = { .offset = line };
	if (ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, &info) < 0)
		die("line info");
	return info.flags & GPIO_V2_LINE_FLAG_OUTPUT;
}

// The next line of the file, or its last; empty when there is no file.
static void next_line(char *text, int size)
{
	static ino_t inode;
	static long next, last;
	struct stat st;
	FILE *file = fopen(frames, "r");

	*text = 0;
	if (!file)
		return;
	if (fstat(fileno(file), &st) == 0 && st.st_ino != inode) {
		inode = st.st_ino;
		next = last = 0;
	}
	fseek(file, next, SEEK_SET);
	if (fgets(text, size, file)) {
		last = next;
		next = ftell(file);
	} else {
		fseek(file, last, SEEK_SET);
		if (!fgets(text, size, file))
			*text = 0;
	}
	text[strcspn(text, "\n")] = 0;
	fclose(file);
}

static struct frame parse(char *text)
{
	struct frame f = { .temperature = 234, .humidity = 456, .zero_us = 26, .one_us = 70, .edges = ALL_EDGES };

	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		if (sscanf(word, "t=%d", &f.temperature) == 1 ||
		    sscanf(word, "h=%d", &f.humidity) == 1 ||
		    sscanf(word, "n0=%d", &f.zero_us) == 1 ||
		    sscanf(word, "n1=%d", &f.one_us) == 1 ||
		    sscanf(word, "short:%d", &f.edges) == 1 ||
		    sscanf(word, "drop:%d", &f.drop) == 1 ||
		    sscanf(word, "late:%d", &f.late_ms) == 1)
			continue;
		if (sscanf(word, "raw=%8x", &f.raw) == 1)
			f.has_raw = true;
		else if (!strcmp(word, "dht11"))
			f.dht11 = true;
		else if (!strcmp(word, "badsum"))
			f.badsum = true;
		else if (!strcmp(word, "weird"))
			f.weird = true;
		else if (!strcmp(word, "silent"))
			f.edges = 0;
		else if (!strcmp(word, "stuck"))
			f.stuck = true, f.edges = 1;
		else if (!strcmp(word, "glitch"))
			f.glitch = true;
		else
			printf("unknown word: %s\n", word);
	}
	return f;
}

static void encode(const struct frame *f, uint8_t bytes[5])
{
	unsigned raw = (unsigned)f->humidity << 16 | abs(f->temperature) | (f->temperature < 0 ? 0x8000 : 0);

	if (f->dht11)
		raw = (unsigned)(f->humidity / 10) << 24 | (f->temperature / 10) << 8;
	if (f->weird)
		raw = 0x2d071709;       // 45.7 %, 23.9 °C as only newer kernels read a DHT11
	if (f->has_raw)
		raw = f->raw;
	bytes[4] = 0;
	for (int i = 0; i < 4; i++)
		bytes[4] += bytes[i] = raw >> (24 - 8 * i);
	if (f->badsum)
		bytes[4] ^= 1;
}

static int64_t edge_at;         // when the next edge is due
static int edge;                // its number, counted from 1

static void level(const struct frame *f, bool high, int us)
{
	edge++;
	sleep_until(edge_at);
	if (edge <= f->edges && !(f->drop && (edge == f->drop || edge == f->drop + 1)))
		set_line(high);
	edge_at += us * 1000LL;
}

static void answer(const struct frame *f)
{
	uint8_t bytes[5];

	encode(f, bytes);
	edge = 0;
	edge_at = now_ns() + ANSWER_DELAY_US * 1000LL + f->late_ms * 1000000LL;
	if (f->glitch) {
		level(f, 0, 2);
		level(f, 1, 10);
	}
	level(f, 0, 80);
	level(f, 1, 80);
	for (int bit = 0; bit < 40; bit++) {
		level(f, 0, 50);
		level(f, 1, bytes[bit / 8] >> (7 - bit % 8) & 1 ? f->one_us : f->zero_us);
	}
	level(f, 0, 50);
	level(f, 1, 0);
	if (!f->stuck)
		set_line(1);
}

int main(int argc, char **argv)
{
	char text[256];

	if (argc != 3) {
		fprintf(stderr, "usage: dht22 LINE FRAMES\n");
		return 2;
	}
	line = atoi(argv[1]);
	frames = argv[2];
	setvbuf(stdout, NULL, _IOLBF, 0);

	snprintf(text, sizeof text, "/sys/devices/platform/gpio-sim/gpiochip0/sim_gpio%d/pull", line);
	if ((pull = open(text, O_WRONLY)) < 0)
		die(text);
	if ((chip = open("/dev/gpiochip0", O_RDWR)) < 0)
		die("/dev/gpiochip0");
	set_line(1);
	if (daemon(1, 1) < 0)
		die("daemon");
	mlockall(MCL_CURRENT | MCL_FUTURE);
	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 50 }) < 0)
		die("SCHED_FIFO");

	for (;;) {
		while (!driven_by_host())
			usleep(IDLE_POLL_US);
		usleep(START_PULSE_REST_US);
		while (driven_by_host())
			usleep(RELEASE_POLL_US);
		next_line(text, sizeof text);
		printf("answer: %s\n", text);
		struct frame f = parse(text);
		answer(&f);
	}
}
