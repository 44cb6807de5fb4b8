// variants STORE [WORD...]: a reading that is kept and then marked as delivered, in two commits with SQLite, in the ways that these words
// say. wear.py tells what each of them writes. Linked with -Wl,--wrap=fsync,--wrap=fdatasync.
//   fdatasync         in the place of fsync
//   no-folder         the folder is not synced
//   index-zeroed      the first one to open the write-ahead log's index writes zeros over its head; SQLite cuts the file
//   index-kept        and leaves it as it is
//   exclusive         no index: readers have to wait
//   second-unsynced   that it was delivered is not synced
//   no-backlog        no row in a second table while it waits
//   persist, truncate, delete    a rollback journal, in the place of the write-ahead log
//   page-1024, page-512          bytes, in the place of 4096
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INDEX = 32768, HEAD = 136 };

static char **words;
static sqlite3 *store;

static int has(const char *word)
{
	for (char **one = words; *one; one++)
		if (!strcmp(*one, word))
			return 1;
	return 0;
}

extern int __real_fsync(int file), __real_fdatasync(int file);

// Whichever the SQLite that this is linked with calls.
int __wrap_fdatasync(int file)
{
	return has("fdatasync") ? __real_fdatasync(file) : __real_fsync(file);
}

int __wrap_fsync(int file)
{
	return __wrap_fdatasync(file);
}

static int no_folder(const char *path, int *file)
{
	(void)path;
	*file = -1;
	return SQLITE_CANTOPEN;
}

// SQLite cuts the index to 3 bytes when it is the first to open it.
static int keep_index(int file, off_t length)
{
	static const char zeros[HEAD];
	struct stat found;

	if (length != 3 || fstat(file, &found) < 0 || found.st_size < INDEX)
		return ftruncate(file, length);
	return has("index-zeroed") && pwrite(file, zeros, HEAD, 0) != HEAD ? -1 : 0;
}

static void run(const char *text)
{
	if (sqlite3_exec(store, text, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "variants: %s: %s\n", text, sqlite3_errmsg(store));
		exit(1);
	}
}

static void open_store(const char *path)
{
	static const char *journals[] = { "persist", "truncate", "delete" };
	const char *journal = "wal", *page = has("page-1024") ? "1024" : has("page-512") ? "512" : "4096";
	sqlite3_vfs *files = sqlite3_vfs_find(NULL);
	char text[400];

	if (has("no-folder"))
		files->xSetSystemCall(files, "openDirectory", (sqlite3_syscall_ptr)no_folder);
	if (has("index-zeroed") || has("index-kept"))
		files->xSetSystemCall(files, "ftruncate", (sqlite3_syscall_ptr)keep_index);
	for (unsigned i = 0; i < sizeof journals / sizeof *journals; i++)
		if (has(journals[i]))
			journal = journals[i];
	if (sqlite3_open(path, &store) != SQLITE_OK)
		exit(1);
	sqlite3_db_config(store, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	snprintf(text, sizeof text, "%s PRAGMA page_size = %s; PRAGMA journal_mode = %s; PRAGMA synchronous = FULL; "
		 "PRAGMA wal_autocheckpoint = 64; CREATE TABLE IF NOT EXISTS backlog (id INTEGER PRIMARY KEY); "
		 "CREATE TABLE IF NOT EXISTS reading (id INTEGER PRIMARY KEY, taken_ms, boot_ms, boot_id, sensor, temperature_mdegc, "
		 "humidity_mpercent, attempts, delivered_ms, reason, failures, status)",
		 has("exclusive") ? "PRAGMA locking_mode = EXCLUSIVE;" : "", page, journal);
	run(text);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 64;
	words = argv + 2;
	open_store(argv[1]);
	run("BEGIN IMMEDIATE; INSERT INTO reading VALUES (NULL, 1764000000000, 123456789, '01234567-89ab-cdef-0123-456789abcdef', "
	    "'dht11@4', 20600, 24400, 1, NULL, NULL, NULL, NULL)");
	if (!has("no-backlog"))
		run("INSERT INTO backlog SELECT max(id) FROM reading");
	run("COMMIT");
	if (has("second-unsynced"))
		run("PRAGMA synchronous = NORMAL");
	run("BEGIN IMMEDIATE; UPDATE reading SET delivered_ms = 1764000001000, status = 0 WHERE id = (SELECT max(id) FROM reading)");
	if (!has("no-backlog"))
		run("DELETE FROM backlog");
	run("COMMIT");
	return sqlite3_close(store);
}
