// SPDX-License-Identifier: GPL-2.0-only
/*
 * i2c-chip: an I2C adapter with one chip on it, whose answers are written down.
 *
 * i2c-stub knows SMBus only, with a register named in each transfer. The drivers
 * htu21 and hdc100x write a command and then read with i2c_master_recv(), which
 * takes an adapter with plain I2C transfers; this is one.
 *
 *     insmod i2c-chip.ko address=0x40
 *     echo 'f3=683a7c f5=4e856b' >/sys/module/i2c_chip/parameters/answers
 *
 * A read gets the bytes that stand there for what was written last, all in hex.
 * Where none do, or not as many, the chip does not acknowledge (ENXIO), as one
 * that is not there, or is still measuring.
 */
#include <linux/i2c.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>
#if __has_include(<linux/hex.h>)	/* hex2bin() is in kernel.h before */
#include <linux/hex.h>
#endif

static ushort address = 0x40;
module_param(address, ushort, 0444);
MODULE_PARM_DESC(address, "of the chip");

static char answers[512];
module_param_string(answers, answers, sizeof(answers), 0644);
MODULE_PARM_DESC(answers, "WRITTEN=READ, in hex, separated by spaces");

static char written[2 * 8 + 1];

static int answer(u8 *to, size_t length)
{
	size_t prefix = strlen(written);
	const char *word = skip_spaces(answers);

	while (*word) {
		size_t size = strcspn(word, " \n");

		if (size == prefix + 1 + 2 * length && word[prefix] == '=' &&
		    !strncmp(word, written, prefix))
			return hex2bin(to, word + prefix + 1, length);
		word = skip_spaces(word + size);
	}
	return -ENXIO;
}

static int chip_xfer(struct i2c_adapter *adapter, struct i2c_msg *messages, int count)
{
	int i, ret = 0;

	kernel_param_lock(THIS_MODULE);
	for (i = 0; i < count && !ret; i++) {
		struct i2c_msg *message = &messages[i];

		if (message->addr != address || !*skip_spaces(answers))
			ret = -ENXIO;
		else if (message->flags & I2C_M_RD)
			ret = answer(message->buf, message->len);
		else
			snprintf(written, sizeof(written), "%*phN", message->len, message->buf);
	}
	kernel_param_unlock(THIS_MODULE);
	return ret ?: count;
}

static u32 chip_functionality(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C | (I2C_FUNC_SMBUS_EMUL & ~I2C_FUNC_SMBUS_QUICK);
}

static const struct i2c_algorithm chip_algorithm = {
	.master_xfer = chip_xfer,
	.functionality = chip_functionality,
};

static struct i2c_adapter chip_adapter = {
	.owner = THIS_MODULE,
	.algo = &chip_algorithm,
	.name = "i2c-chip",
};

static int __init chip_init(void)
{
	return i2c_add_adapter(&chip_adapter);
}
module_init(chip_init);

static void __exit chip_exit(void)
{
	i2c_del_adapter(&chip_adapter);
}
module_exit(chip_exit);

MODULE_DESCRIPTION("An I2C chip whose answers are written down");
MODULE_LICENSE("GPL");
