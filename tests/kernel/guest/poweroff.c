// Powers the guest off: the only way for its first process to end the run.
#include <sys/reboot.h>

int main(void)
{
	return reboot(RB_POWER_OFF);
}
