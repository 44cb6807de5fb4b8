// in-place FILE: a reading of 80 bytes, written in place into a file that has its size, and seen to be on the storage: the least
// that any program writes that keeps a reading on a file system.
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char page[4096];
	struct stat found;
	int file = argc == 2 ? open(argv[1], O_RDWR | O_CREAT, 0600) : -1;

	if (file < 0 || fstat(file, &found) < 0)
		return 1;
	memset(page, 'x', sizeof page);
	for (int made = found.st_size; made < 64 * 4096; made += sizeof page)
		if (pwrite(file, page, sizeof page, made) < 0)
			return 1;
	return pwrite(file, page, 80, getpid() % 64 * 4096) < 0 || fdatasync(file) < 0;
}
