// stopwatch ROUNDS COMMANDS: runs each command of the file in turn, and all of them again, so that what else
// the machine does falls on all alike. Standard output gets a line for each run: the number of the command,
// wall time and CPU time (its own and its children's) in ns, peak memory in KiB, page faults, exit status.
//
// A line of COMMANDS is a command's words, with tabs between them. Words with "=" at the head are its whole
// environment. It is started with vfork(2) from this small program, because a process's peak memory begins
// with its parent's, and its output goes to /dev/null.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMANDS = 64, WORDS = 64 };

struct command {
	char *environment[WORDS], *words[WORDS];
};

static long long ns(struct timeval t)
{
	return t.tv_sec * 1000000000LL + t.tv_usec * 1000LL;
}

static long long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void split(struct command *command, char *line)
{
	char **next = command->environment;

	for (char *word = strtok(line, "\t\n"); word; word = strtok(NULL, "\t\n")) {
		if (next < command->words && !strchr(word, '='))
			next = command->words;
		*next++ = word;
	}
}

int main(int argc, char **argv)
{
	static struct command commands[COMMANDS];
	static char lines[COMMANDS][4096];
	volatile int count = 0;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), status;
	FILE *file = argc == 3 ? fopen(argv[2], "re") : NULL;

	if (!file)
		return 64;
	while (count < COMMANDS && fgets(lines[count], sizeof lines[count], file)) {
		split(&commands[count], lines[count]);
		count++;
	}
	for (int round = 0; round < atoi(argv[1]); round++) {
		for (int i = 0; i < count; i++) {
			struct rusage used;
			long long begin = now();
			pid_t pid = vfork();

			if (pid == 0) {
				dup2(null, 0);
				dup2(null, 1);
				dup2(null, 2);
				execve(commands[i].words[0], commands[i].words, commands[i].environment);
				_exit(127);
			}
			if (wait4(pid, &status, 0, &used) != pid)
				return 71;
			printf("%d %lld %lld %ld %ld %d\n", i, now() - begin, ns(used.ru_utime) + ns(used.ru_stime),
			       used.ru_maxrss, used.ru_minflt + used.ru_majflt,
			       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
		}
	}
	return 0;
}
