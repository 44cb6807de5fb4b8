// floor dry|deliver|keep FOCUS [ARGUMENT...]: the least that any program must do for one reading. It trusts the
// sensor, tries once, and takes no notice of what focus says. "keep", which is only there with -DKEEP, has the reading in
// $STORE before focus is started, and marks it when it arrived: a store that iio-focus made, with the settings that it uses.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "/sys/bus/iio/devices/iio:device0/"

static double read_value(const char *attribute)
{
	char text[32] = "";
	int file = open(attribute, O_RDONLY);

	if (file < 0 || read(file, text, sizeof text - 1) <= 0)
		exit(74);
	close(file);
	return atoi(text) / 1000.0;
}

static void report(const char *line)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int log = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	sendto(log, line, strlen(line), 0, (struct sockaddr *)&address, sizeof address);
}

// What focus prints goes nowhere: one pipe, for its input.
static int deliver(char **focus, const char *json, size_t length)
{
	int input[2], status = -1;

	if (pipe2(input, O_CLOEXEC) < 0)
		exit(71);
	pid_t pid = vfork();
	if (pid == 0) {
		dup2(input[0], 0);
		execv(focus[0], focus);
		_exit(127);
	}
	close(input[0]);
	if (write(input[1], json, length) < 0)
		exit(69);
	close(input[1]);
	waitpid(pid, &status, 0);
	return status;
}

#ifdef KEEP
#include <sqlite3.h>

static sqlite3 *store;

static void run(const char *text)
{
	if (sqlite3_exec(store, text, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "floor: %s: %s\n", text, sqlite3_errmsg(store));
		exit(74);
	}
}

static long long wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static sqlite3_int64 keep(double temperature, double humidity)
{
	char text[400];

	if (sqlite3_open_v2(getenv("STORE"), &store, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		exit(74);
	sqlite3_db_config(store, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	run("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 64; BEGIN IMMEDIATE");
	snprintf(text, sizeof text,
		 "INSERT INTO reading (taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, humidity_mpercent, attempts) "
		 "VALUES (%lld, 0, 'a boot', 'dht11@4', %.0f, %.0f, 1)", wall_ms(), temperature * 1000, humidity * 1000);
	run(text);
	sqlite3_int64 id = sqlite3_last_insert_rowid(store);
	snprintf(text, sizeof text, "INSERT INTO backlog (id) VALUES (%lld); COMMIT", id);
	run(text);
	return id;
}

static void arrived(sqlite3_int64 id)
{
	char text[200];

	snprintf(text, sizeof text,
		 "BEGIN IMMEDIATE; UPDATE reading SET delivered_ms = %lld, status = 0 WHERE id = %lld; "
		 "DELETE FROM backlog WHERE id = %lld; COMMIT", wall_ms(), id, id);
	run(text);
	sqlite3_close(store);
}
#else
static long long keep(double temperature, double humidity)
{
	(void)temperature;
	(void)humidity;
	exit(64);
}

static void arrived(long long id)
{
	(void)id;
}
#endif

int main(int argc, char **argv)
{
	char json[64], line[96];

	if (argc < 3)
		return 64;
	int keeps = !strcmp(argv[1], "keep");
	double t = read_value(DEVICE "in_temp_input"), h = read_value(DEVICE "in_humidityrelative_input");
	int length = snprintf(json, sizeof json, "{\"temperature\":%.1f,\"humidity\":%.1f}\n", t, h);
	long long id = keeps ? keep(t, h) : 0;
	if (!strcmp(argv[1], "dry"))
		write(1, json, length);
	else if (deliver(argv + 2, json, length) != 0)
		return 69;
	if (keeps)
		arrived(id);
	snprintf(line, sizeof line, "<30>floor[%d]: temperature=%.1f humidity=%.1f", getpid(), t, h);
	report(line);
	return 0;
}
