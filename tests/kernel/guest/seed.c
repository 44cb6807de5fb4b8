// Says that the guest's random numbers are random, as the seed from a Pi's firmware does. Without, the
// first who asks for one waits for 2.5 s.
#include <fcntl.h>
#include <linux/random.h>
#include <sys/ioctl.h>

int main(void)
{
	struct { int bits, size; char data[64]; } entropy = { .bits = 512, .size = 64 };
	int random = open("/dev/urandom", O_WRONLY);

	return random < 0 || ioctl(random, RNDADDENTROPY, &entropy) < 0;
}
