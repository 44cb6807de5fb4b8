// A plugin of QEMU (its TCG plugin interface, version 1, docs/devel/tcg-plugins.rst): counts every instruction that a program
// executes in user space, and appends the number to the file in COUNTED. One line for each process that ends by itself.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// From qemu-plugin.h, which Debian has in no package: these names, types and numbers are stable within a version.
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum { QEMU_PLUGIN_INLINE_ADD_U64 = 0 };
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern void *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
extern void qemu_plugin_register_vcpu_insn_exec_inline(void *insn, int op, void *pointer, uint64_t number);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t, void *), void *data);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static uint64_t executed;

// By instruction, not by block: a block that a fault or a signal leaves early was not executed to its end.
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
		qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_tb_get_insn(tb, i), QEMU_PLUGIN_INLINE_ADD_U64, &executed, 1);
}

static void ended(qemu_plugin_id_t id, void *data)
{
	const char *file = getenv("COUNTED");
	char line[32];
	int fd = file ? open(file, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;

	(void)id;
	(void)data;
	if (fd < 0 || write(fd, line, snprintf(line, sizeof line, "%llu\n", (unsigned long long)executed)) < 0)
		perror("count");
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	(void)info;
	(void)argc;
	(void)argv;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
