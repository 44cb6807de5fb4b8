// count.so: a plugin of QEMU's emulation of a user program (its TCG plugin interface, docs/devel/tcg-plugins.rst). It counts
// every instruction that the program executes in user space and every system call that it makes, and how much memory it has
// at most.
//
// Arguments: to=FILE, which gets a line for each part of a process: instructions, system calls, peak memory in KiB. A part
// ends where the process ends, starts another, or becomes another program. begin=ADDRESS,size=ADDRESS: where its memory is (the
// emulator's options -B and -R), so that the emulator's own is not counted. calls=ARCHITECTURE: whose numbers system calls
// have (arm64 or arm).
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// From qemu-plugin.h, which Debian has in no package: these names, types and numbers stay.
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum { QEMU_PLUGIN_CB_NO_REGS = 0 };
typedef void call_cb(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern void *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
extern void qemu_plugin_register_vcpu_insn_exec_cb(void *insn, void (*cb)(unsigned, void *), int flags, void *data);
extern void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t id, call_cb *cb);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *), void *data);

// What the QEMU of Debian 12 has; from 9.0 on it takes no less than 2.
__attribute__((visibility("default"))) int qemu_plugin_version = 1;

// What each architecture calls those after which memory is less or the part ends, and the clock, which a Pi's kernel
// answers without a call (vDSO) and the emulator does not. 0: there is none.
enum { BRK, MUNMAP, MREMAP, MADVISE, EXECVE, CLONE, CLONE3, FORK, VFORK, CLOCK_GETTIME, CLOCK_GETTIME64, GETTIMEOFDAY, CALLS };
static const int numbers[2][CALLS] = {
	{ 214, 215, 216, 233, 221, 220, 435, 0, 0, 113, 0, 169 },	// arm64
	{ 45, 91, 163, 220, 11, 120, 435, 2, 190, 263, 403, 78 },	// arm
};

static const char *to;
static uint64_t begin, size, executed, calls, peak_kib;
static const int *number = numbers[0];

// By instruction, not by block: a block that a fault or a signal leaves early was not executed to its end.
static void count(unsigned cpu, void *data)
{
	(void)cpu;
	(void)data;
	executed++;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
		qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(tb, i), count, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

// The emulator maps the program's memory as the program asks for it: the kernel's own count (Rss) of these maps is what it
// would count of the program itself. It only grows until one of the calls above.
static void look_at_memory(void)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	char line[512];
	unsigned long long from, kib, sum = 0;
	int is_its_own = 0;

	while (maps && fgets(line, sizeof line, maps)) {
		if (sscanf(line, "%llx-%*x ", &from) == 1 && strchr(line, '-') < strchr(line, ' '))
			is_its_own = from >= begin && from - begin < size;
		else if (is_its_own && sscanf(line, "Rss: %llu", &kib) == 1)
			sum += kib;
	}
	if (maps)
		fclose(maps);
	if (sum > peak_kib)
		peak_kib = sum;
}

static void end_part(void)
{
	char line[96];
	int fd = to ? open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	look_at_memory();
	int length = snprintf(line, sizeof line, "%llu %llu %llu\n", (unsigned long long)executed, (unsigned long long)calls,
			      (unsigned long long)peak_kib);
	if (fd < 0 || write(fd, line, length) != length) {
		perror("count");
		_exit(71);
	}
	close(fd);
	executed = calls = 0;
}

static void called(qemu_plugin_id_t id, unsigned cpu, int64_t call, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5,
		   uint64_t a6, uint64_t a7, uint64_t a8)
{
	(void)id, (void)cpu, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
	int which = 0;

	while (which < CALLS && (!number[which] || number[which] != call))
		which++;
	if (which != CLOCK_GETTIME && which != CLOCK_GETTIME64 && which != GETTIMEOFDAY)
		calls++;
	if (which <= MADVISE)
		look_at_memory();
	else if (which >= EXECVE && which <= VFORK)
		end_part();
}

static void ended(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	end_part();
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "to=", 3))
			to = strdup(argv[i] + 3);
		else if (!strncmp(argv[i], "begin=", 6))
			begin = strtoull(argv[i] + 6, NULL, 0);
		else if (!strncmp(argv[i], "size=", 5))
			size = strtoull(argv[i] + 5, NULL, 0);
		else if (!strcmp(argv[i], "calls=arm"))
			number = numbers[1];
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_vcpu_syscall_cb(id, called);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
