// floor dry|deliver FOCUS [ARGUMENT...]: the least that any program must do for one reading. It trusts the
// sensor, tries once, and takes no notice of what focus says.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
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

int main(int argc, char **argv)
{
	char json[64], line[96];

	if (argc < 3)
		return 64;
	double t = read_value(DEVICE "in_temp_input"), h = read_value(DEVICE "in_humidityrelative_input");
	int length = snprintf(json, sizeof json, "{\"temperature\":%.1f,\"humidity\":%.1f}\n", t, h);
	if (!strcmp(argv[1], "dry"))
		write(1, json, length);
	else if (deliver(argv + 2, json, length) != 0)
		return 69;
	snprintf(line, sizeof line, "<30>floor[%d]: temperature=%.1f humidity=%.1f", getpid(), t, h);
	report(line);
	return 0;
}
