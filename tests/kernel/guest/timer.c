// timer SENSOR EVENTS PROGRAM [ARGUMENT...]: starts the program every minute, as a systemd timer would, until
// the power goes off.
//
// EVENTS is a file with what else happens, each line a time in seconds since boot and one of
//
//   up           the server is started: $LISTENER on port 6600
//   down         it is killed
//   sync         the kernel is told that the wall clock is synchronised
//   clock N      the wall clock is set, to N seconds since the epoch, and synchronised
//   kill S       the next run that takes longer than S seconds is killed then, with SIGKILL
//   fill N       a file takes all of the disk but N blocks
//   free         it is removed
//   shutdown     the run is ended by SIGTERM, the disk is unmounted and the power goes off
//   off          the power goes off, with all that is not on the disk
//
// What happens is written to standard output, with the time since boot in front: each start and end of a run (its
// number, its exit status, and how large FOCUS_RECORD is then), and the lines that sensor, server and program write to standard input. The process SENSOR is stopped
// while no run needs it, which makes virtual time pass ten times as fast. UNSYNCED, when set, is
// a file that gets a line for each run, without fsync(2).
//
// Three words in place of a program are readers that take the first pair of values they get: "retry-at-once" does what
// comes to mind first, "retry-after-2s" is the published script's policy, and "single-try" tries once.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
#define NEVER INT64_MAX

static const struct reader {
	const char *name;
	int tries, pause_s;
} readers[] = { { "retry-at-once", 10, 0 }, { "retry-after-2s", 10, 2 }, { "single-try", 1, 0 } };

// A late answer may still be under way when a run ends.
#define SENSOR_REST (SECOND / 5)

// On it are the store and what fills it up.
#define DISK "/run/disk"
#define FILLER DISK "/.filler"
#define BLOCK 4096

static FILE *events;
static int64_t event_at;
static char event[64];
static pid_t server;

static pid_t run;
static int runs;                // how many were started
static int64_t started;
static int64_t kill_after = NEVER;
static int64_t sensor_until;    // so long the sensor is needed

static sigset_t unblocked;      // SIGCHLD comes only where it is waited for

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static void synchronise(void)
{
	struct timex timex = { .modes = ADJ_STATUS | ADJ_MAXERROR | ADJ_ESTERROR };

	adjtimex(&timex);
}

static void wake(int signal)
{
	(void)signal;
}

static void report(const char *text, size_t length)
{
	char line[8192];
	int64_t t = now();
	int n = snprintf(line, sizeof line, "@%lld.%06lld %.*s\n", (long long)(t / SECOND),
			 (long long)(t % SECOND / 1000), (int)length, text);

	// One call for one line, so that the kernel's messages do not come between.
	if (write(STDOUT_FILENO, line, n) != n)
		exit(1);
}

static void report_number(const char *what, int number)
{
	char text[64];
	report(text, snprintf(text, sizeof text, "%s %d", what, number));
}

static void report_input(void)
{
	static char text[65536];
	static size_t have;
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	if (poll(&input, 1, 0) <= 0)
		return;
	have += read(STDIN_FILENO, text + have, sizeof text - have);
	for (char *end; (end = memchr(text, '\n', have)); ) {
		report(text, end - text);
		have -= end + 1 - text;
		memmove(text, end + 1, have);
	}
}

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &unblocked, NULL);
		int in = open("/run/timer", O_WRONLY | O_CLOEXEC), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		dup2(null, 0);
		dup2(in, 1);
		dup2(in, 2);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0) {
		report("no fork", 7);
		exit(1);
	}
	return pid;
}

static void run_ended(int status)
{
	const char *record = getenv("FOCUS_RECORD");
	struct stat stat_of_record = { 0 };
	char text[64];

	report_input();
	if (record)
		stat(record, &stat_of_record);
	report(text, snprintf(text, sizeof text, "end %d %d %lld", runs, status, (long long)stat_of_record.st_size));
	run = 0;
	sensor_until = now() + SENSOR_REST;
}

static int exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int64_t kill_at(void)
{
	return run && kill_after != NEVER ? started + kill_after : NEVER;
}

static void fill(long but)
{
	static char block[BLOCK];
	int file = open(FILLER, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct stat filler = { 0 };

	// What is not on the disk yet takes more than it will there.
	for (int i = 0; i < 4; i++) {
		while (write(file, block, sizeof block) > 0)
			;
		fsync(file);
	}
	fstat(file, &filler);
	if (ftruncate(file, filler.st_size > but * BLOCK ? filler.st_size / BLOCK * BLOCK - but * BLOCK : 0) ||
	    fsync(file))
		report("not filled", 10);
	close(file);
}

static void shut_down(void)
{
	int status;

	if (run) {
		kill(run, SIGTERM);
		waitpid(run, &status, 0);
		run_ended(exit_status(status));
	}
	if (umount(DISK))
		report("not unmounted", 13);
	reboot(RB_POWER_OFF);
}

static void next_event(void)
{
	double at;

	event_at = NEVER;
	if (fscanf(events, "%lf %63[^\n]", &at, event) == 2)
		event_at = at * SECOND;
}

static void happen(void)
{
	// To the console at once: what it got is known outside before the sender knows that it was got.
	char *listener[] = { getenv("LISTENER"), "--tcp", "127.0.0.1:6600", "--tcp-log", "/dev/console",
			     "--port-file", "/run/port", NULL };
	struct timespec t = { 0 };
	long but;
	double after;

	report(event, strlen(event));
	if (!strcmp(event, "up")) {
		server = start(listener);
	} else if (!strcmp(event, "down")) {
		if (server)
			kill(server, SIGKILL);
	} else if (!strcmp(event, "sync")) {
		synchronise();
	} else if (sscanf(event, "clock %ld", &t.tv_sec) == 1) {
		clock_settime(CLOCK_REALTIME, &t);
		synchronise();
	} else if (sscanf(event, "kill %lf", &after) == 1) {
		kill_after = after * SECOND;
	} else if (sscanf(event, "fill %ld", &but) == 1) {
		fill(but);
	} else if (!strcmp(event, "free")) {
		unlink(FILLER);
		sync();
	} else if (!strcmp(event, "shutdown")) {
		shut_down();
	} else {
		reboot(RB_POWER_OFF);
	}
	next_event();
}

static long read_value(const char *attribute)
{
	char path[128], text[32] = "";
	int file, n;

	snprintf(path, sizeof path, "/sys/bus/iio/devices/iio:device0/%s", attribute);
	file = open(path, O_RDONLY);
	n = read(file, text, sizeof text - 1);
	close(file);
	return n > 0 ? atol(text) : -1;
}

static const struct reader *find_reader(const char *name)
{
	for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
		if (!strcmp(readers[i].name, name))
			return &readers[i];
	return NULL;
}

// The first pair that can be read.
static int read_sensor(const struct reader *reader)
{
	char text[64];

	for (int i = 0; i < reader->tries; i++) {
		if (i > 0)
			sleep(reader->pause_s);
		long t = read_value("in_temp_input"), h = t == -1 ? -1 : read_value("in_humidityrelative_input");

		if (t == -1 || h == -1)
			continue;
		report_input();
		report(text, snprintf(text, sizeof text, "sends %ld %ld", t, h));
		return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	pid_t sensor;
	int status, unsynced = -1;
	int64_t next_run;

	if (argc < 4)
		return 2;
	const struct reader *reader = find_reader(argv[3]);
	sensor = atoi(argv[1]);
	events = fopen(argv[2], "re");
	if (!events)
		return 1;
	if (getenv("UNSYNCED"))
		unsynced = open(getenv("UNSYNCED"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	signal(SIGCHLD, wake);
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &unblocked);
	next_event();
	next_run = now() + SECOND;
	kill(sensor, SIGSTOP);

	for (;;) {
		pid_t ended;

		while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
			if (ended != run)
				continue;
			run_ended(exit_status(status));
			if (unsynced >= 0)
				dprintf(unsynced, "%d\n", runs);
		}
		if (now() >= kill_at()) {
			report_number("killed", runs);
			kill(run, SIGKILL);
			kill_after = NEVER;
		}
		if (now() >= event_at)
			happen();
		if (!run && sensor_until && now() >= sensor_until) {
			kill(sensor, SIGSTOP);
			sensor_until = 0;
		}
		if (now() >= next_run) {
			next_run += 60 * SECOND;
			runs++;
			report_number(run ? "skip" : "start", runs);
			if (run)
				continue;
			kill(sensor, SIGCONT);
			sensor_until = NEVER;
			if (reader) {
				status = read_sensor(reader);
				run_ended(status);
			} else {
				run = start(argv + 3);
				started = now();
			}
		}

		int64_t until = next_run < event_at ? next_run : event_at;
		if (!run && sensor_until && sensor_until < until)
			until = sensor_until;
		if (kill_at() < until)
			until = kill_at();
		int64_t wait = until - now();
		if (wait < 0)
			wait = 0;
		struct timespec timeout = { wait / SECOND, wait % SECOND };
		struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
		ppoll(&input, 1, &timeout, &unblocked);
		report_input();
	}
}
