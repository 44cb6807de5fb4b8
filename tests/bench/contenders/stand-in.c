// Takes the place of focus: reads its input to the end, says that it was connected, and ends with 0. RECORD,
// when set, is a file that gets the input. NAP is how many microseconds it takes, and MEMORY how many bytes.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char said[] = "2025/01/17 11:36:59 [TCP] Connected 127.0.0.1:6600\n";

int main(void)
{
	const char *record = getenv("RECORD"), *nap = getenv("NAP"), *memory = getenv("MEMORY");
	int file = record ? open(record, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
	size_t bytes = memory ? strtoul(memory, NULL, 10) : 0;
	char input[65536], *used = malloc(bytes + 1);
	ssize_t n;

	if (!used)
		return 1;
	// Not zeros, which an optimiser could leave to calloc().
	memset(used, 1, bytes);
	*(volatile char *)used;
	while ((n = read(0, input, sizeof input)) > 0)
		if (file >= 0 && write(file, input, n) != n)
			return 1;
	if (nap)
		usleep(atoi(nap));
	return write(1, said, sizeof said - 1) < 0;
}
